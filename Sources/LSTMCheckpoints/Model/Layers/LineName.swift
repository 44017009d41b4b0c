/// Names in the one-line form of a model.
enum LineName {
  /// A name as a line has it: in quotes, where it has other characters than letters, digits and `_./-`.
  static func text(_ name: String, isQuoted: Bool = false) -> String {
    let isPlain = name.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII
        && (scalar.properties.isAlphabetic || "0"..."9" ~= scalar || "_./-".unicodeScalars.contains(scalar))
    }
    if isPlain, !isQuoted, !name.isEmpty { return name }
    var text = "\""
    for scalar in name.unicodeScalars {
      switch scalar.properties.generalCategory {
      case _ where scalar == "\"" || scalar == "\\": text += "\\" + String(scalar)
      // A line stays one line.
      case .control, .format, .lineSeparator, .paragraphSeparator:
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
