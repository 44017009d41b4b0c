import FileIO
import LSTMReports

/// Spells settings of the libraries as options.
enum Spelling {
  /// Options whose name is not the setting's, in kebab case.
  private static let names: [String: String] = [
    "rules": "map", "configuration": "config", "dataType": "dtype", "format": "to", "padding": "padding-index",
    "allowsExternalData": "external-data", "targets": "target", "freezing": "freeze", "unfreezing": "unfreeze",
    "loraTargets": "lora-on", "learningRateFor": "lr-for", "runFolder": "run", "hdf5Reader": "reader",
  ]

  /// `--readout last`, `--allow unexpected='head.*'`
  @Sendable static func text(_ setting: Setting, _ value: String?) -> String {
    switch setting.rawValue {
    case "RateFinder": return "lstm-ft lr-find"
    case "allowedMissing", "allowedUnexpected":
      let kind = setting.rawValue == "allowedMissing" ? "missing" : "unexpected"
      return "--allow \(kind)" + (value.map { "=" + shellWord($0) } ?? "")
    default:
      let name = names[setting.rawValue] ?? kebab(setting.rawValue)
      return "--" + name + (value.map { " " + shellWord($0) } ?? "")
    }
  }

  /// `validationSplit` -> `validation-split`
  private static func kebab(_ name: String) -> String {
    name.reduce(into: "") { result, character in
      if character.isUppercase { result += "-" }
      result += character.lowercased()
    }
  }
}

extension Message {
  /// As it reads on a command line.
  var spelled: String { text(spelling: Spelling.text(_:_:)) }
}

extension DefaultStringInterpolation {
  /// Within the tool, a message in a string is spelled for the command line.
  mutating func appendInterpolation(_ message: Message) { appendLiteral(message.spelled) }
}
