import Foundation
import Testing

/// What the tool told a person to do, taken out of what it printed, to be typed.
struct Advice {
  let text: String

  init(_ outcome: Outcome) { text = outcome.stdout + outcome.stderr }

  /// Every command line of this tool, up to the end of its line, as it stands.
  var commands: [String] {
    text.split(separator: "\n").compactMap { line in
      guard let start = line.range(of: "cd ") ?? line.range(of: "lstm-ft ") else { return nil }
      // A folder is only gone to on behalf of a command.
      let command = line[start.lowerBound...]
      return command.contains("lstm-ft ") ? String(command) : nil
    }
  }

  /// What is printed as what to type next: the lines from `next` to the end.
  var next: [String] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.firstIndex(where: { $0.hasPrefix("next") }) else { return [] }
    return lines[first...].filter { $0.contains("lstm-ft ") }.compactMap { line in
      (line.range(of: "cd ") ?? line.range(of: "lstm-ft ")).map { String(line[$0.lowerBound...]) }
    }
  }

  /// An option and the value beside it, in the first place where it is told, such as ["--head", "new:2"].
  /// - Parameter place: of several, which one.
  func option(_ name: String, _ place: Int = 0) throws -> [String] {
    let words = text.split { $0 == " " || $0 == "\n" }.map {
      $0.trimmingCharacters(in: CharacterSet(charactersIn: ",;()"))
    }
    let found = words.indices.filter { words[$0] == name && words.indices.contains($0 + 1) }
    let index = try #require(found.indices.contains(place) ? found[place] : nil, "\(name) is not in \(text)")
    return [name, words[index + 1]]
  }
}
