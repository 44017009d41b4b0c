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
    // The parser's own listing, so that no table of ours can fall behind the options.
    let help = try? JSONDecoder().decode(Help.self, from: Data(command._dumpHelp().utf8))
    options = (help?.command.arguments ?? []).compactMap { argument in
      guard argument.kind != "positional" else { return nil }
      return Option(
        names: (argument.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name },
        takesValue: argument.kind == "option", isRepeatable: argument.isRepeating, help: argument.abstract ?? "")
    }
  }

  /// One option of a command line, or a word that is none.
  struct Word {
    let text: String
    /// Which of the options it is, as it was typed; nil for what is no option.
    let option: (index: Int, name: String, value: String?)?
    /// All that was typed for it.
    let words: [String]
  }

  /// A command line that the parser has taken, without the command's name.
  func words(_ arguments: [String]) -> [Word] {
    var (rest, words) = (arguments[...], [Word]())
    var isEnded = false
    while let text = rest.popFirst() {
      if isEnded || text == "--" || !text.hasPrefix("-") || text == "-" {
        isEnded = isEnded || text == "--"
        words.append(Word(text: text, option: nil, words: [text]))
        continue
      }
      let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let index = options.firstIndex(where: { $0.names.contains(sides[0]) }) else {
        words.append(Word(text: text, option: nil, words: [text]))
        continue
      }
      var (value, typed) = (sides.count == 2 ? sides[1] : nil, [text])
      if value == nil, options[index].takesValue, let next = rest.popFirst() {
        value = next
        typed.append(next)
      }
      words.append(Word(text: text, option: (index, sides[0], value), words: typed))
    }
    return words
  }

  /// - Throws: `InputError.usage`, naming the first of other options.
  func requireOnly(_ names: Set<String>, _ arguments: [String]) throws {
    for case (let index, let name, _)? in words(arguments).map(\.option) where names.isDisjoint(with: options[index].names) {
      throw InputError.usage(
        "\(name) cannot be given with --resume: a run goes on with all that it was begun with",
        advice: ["begin a new run from its last.h5 to change something"])
    }
  }

  /// The parser takes the last of two values without a word, and of a flag and its opposite the last one.
  /// - Throws: `InputError.usage`, naming the option.
  func checkRepeats(_ arguments: [String]) throws {
    var (first, flags) = ([Int: (name: String, value: String?)](), Set<String>())
    for word in words(arguments) {
      guard let (index, name, value) = word.option, !options[index].isRepeatable else { continue }
      let option = options[index]
      guard option.takesValue else {
        // The same flag twice says nothing new.
        flags.insert(name)
        let opposite = name.hasPrefix("--no-") ? "--" + name.dropFirst(5) : "--no-" + name.dropFirst(2)
        guard flags.contains(opposite) else { continue }
        throw InputError.usage("\(opposite) and \(name) exclude each other", advice: ["leave one of them out"])
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
