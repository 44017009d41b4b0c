/// A text on one line that is safe to print on a terminal: names from files may contain control characters. A very long
/// text is shortened in the middle.
package func printable(_ text: String, limit: Int = 2000) -> String {
  let characters = text.unicodeScalars.map { scalar -> Character in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "?"
    default: Character(scalar)
    }
  }
  let half = limit / 2
  return characters.count <= limit
    ? String(characters) : String(characters.prefix(half) + ["…"] + characters.suffix(half))
}

/// A text in quotes, shortened, with what has no picture as its escape.
package func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars.prefix(40) {
    let isControl = scalar.properties.generalCategory == .control
    result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return result + (text.unicodeScalars.count > 40 ? "…\"" : "\"")
}
