import LSTMCheckpoints

/// ArgumentParser's messages in the form of this tool's: what was given, what was expected, what was found.
struct ParserMessage {
  private(set) var message: String
  private(set) var advice: [String] = []

  init(_ text: String) {
    message = text.prefix(1).lowercased() + text.dropFirst()
    if let match = text.firstMatch(of: /(?s)^The value '(.*)' is invalid for '(?:(--?[^ ']+) )?<([^>]*)>'(.*)$/) {
      invalidValue(String(match.1), flag: match.2.map(String.init), name: String(match.3), choices: String(match.4))
    } else if let match = text.firstMatch(of: /^Unknown option '([^']*)'(?:\. Did you mean '([^']*)'\?)?$/) {
      message = "unknown option \(match.1)"
      if let near = match.2 { advice = ["did you mean \(near)?"] }
    } else if let match = text.firstMatch(of: /^Missing value for '(--?[^ ']+)(?: <([^>]*)>)?'$/) {
      message = "\(match.1): expected \(match.2.map { "<\($0)>" } ?? "a value"), found nothing"
    } else if let match = text.firstMatch(of: /^Missing expected argument '([^']*)'$/) {
      message = "missing \(match.1)"
    } else if let match = text.firstMatch(of: /^Unexpected argument '(.*)'$/) {
      message = "unexpected argument \(match.1)"
    }
  }

  private static let wholeNumbers: Set = [
    "--epochs", "--batch-size", "--window", "--horizon", "--patience", "--seed", "--threads", "--cache-memory",
    "--season", "--stride", "--length", "--top-k", "--count",
  ]

  private mutating func invalidValue(_ value: String, flag: String?, name: String, choices text: String) {
    let choices =
      text.contains("\n")
      ? text.split(separator: "\n").dropFirst().map { String($0.trimmingPrefix(/\s*-\s/)) }
      : text.matches(of: /'([^']*)'/).map { String($0.1) }
    let place = "\(flag ?? "<\(name)>") \(value)"
    guard let last = choices.last else {
      let isWhole = flag.map(Self.wholeNumbers.contains) ?? false
      message = "\(place): expected a \(isWhole ? "whole " : "")number\(flag == "--seed" ? " of at least 0" : "")"
      return
    }
    message =
      "\(place): expected "
      + (choices.count > 1 ? choices.dropLast().joined(separator: ", ") + " or " : "") + last
    if let near = nearestNames(to: value, among: choices, limit: 1).first { advice = ["did you mean \(near)?"] }
  }
}
