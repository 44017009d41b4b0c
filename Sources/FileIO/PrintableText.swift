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
