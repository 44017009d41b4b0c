import ArgumentParser
import FileIO
import Foundation

/// The options of a command, as its own help lists them.
struct CommandOptions {
  struct Option {
    /// With the dashes.
    let names: [String]
    let takesValue: Bool
    let isRepeatable: Bool
    let help: String
  }

  /// In the help's order.
  let options: [Option]

  init(_ command: any ParsableCommand.Type) {
    struct Help: Decodable {
      struct Command: Decodable { let arguments: [Argument]? }
      struct Argument: Decodable {
        struct Name: Decodable {
          let kind: String
          let name: String
        }
        let kind: String
        let isRepeating: Bool
        let names: [Name]?
        let abstract: String?
      }
      let command: Command
    }
    // The parser's own listing, which always matches the options.
    let help = try? JSONDecoder().decode(Help.self, from: Data(command._dumpHelp().utf8))
    options = (help?.command.arguments ?? []).compactMap { argument in
      guard argument.kind != "positional" else { return nil }
      return Option(
        names: (argument.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name },
        takesValue: argument.kind == "option", isRepeatable: argument.isRepeating, help: argument.abstract ?? "")
    }
  }

  /// The options of a command line that the parser has accepted: which each is, and its name and value as typed.
  /// - Parameter arguments: without the command's name.
  private func given(_ arguments: [String]) -> [(index: Int, name: String, value: String?)] {
    var (rest, given) = (arguments[...], [(index: Int, name: String, value: String?)]())
    while let text = rest.popFirst(), text != "--" {
      let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let index = options.firstIndex(where: { $0.names.contains(sides[0]) }) else { continue }
      var value = sides.count == 2 ? sides[1] : nil
      if value == nil, options[index].takesValue { value = rest.popFirst() }
      given.append((index, sides[0], value))
    }
    return given
  }

  /// Whether an option, under any of its names, is among the arguments.
  func isGiven(_ name: String, _ arguments: [String]) -> Bool {
    given(arguments).contains { options[$0.index].names.contains(name) }
  }

  /// - Throws: `InputError.usage`, naming the first of other options.
  func requireOnly(_ names: Set<String>, _ arguments: [String]) throws {
    for (index, name, _) in given(arguments) where names.isDisjoint(with: options[index].names) {
      throw InputError.usage(
        "\(name) cannot be given with --resume: a resumed run keeps its settings",
        advice: ["to change settings, start a new run from its last.h5"])
    }
  }

  /// The parser silently takes the last of two values, and the last of a flag and its opposite.
  /// - Throws: `InputError.usage`, naming the option.
  func checkRepeats(_ arguments: [String]) throws {
    var (first, flags) = ([Int: (name: String, value: String?)](), Set<String>())
    for (index, name, value) in given(arguments) where !options[index].isRepeatable {
      let option = options[index]
      guard option.takesValue else {
        // The same flag twice says nothing new.
        flags.insert(name)
        let opposite = name.hasPrefix("--no-") ? "--" + name.dropFirst(5) : "--no-" + name.dropFirst(2)
        guard flags.contains(opposite) else { continue }
        throw InputError.usage("\(opposite) and \(name) cannot be combined", advice: ["leave one of them out"])
      }
      guard let earlier = first[index] else {
        first[index] = (name, value)
        continue
      }
      let names = earlier.name == name ? "\(name) is" : "\(earlier.name) and \(name), which are one option, are"
      throw InputError.usage(
        "\(names) given twice: \(earlier.value ?? "") and \(value ?? "")",
        advice: [option.help.contains("separated by commas") ? "separate several by commas" : "leave one of them out"])
    }
  }
}
