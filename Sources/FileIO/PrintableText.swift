/// A text on one line for a terminal: names come from files, and control characters in them must not act on it. Very
/// long ones are cut in the middle.
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
