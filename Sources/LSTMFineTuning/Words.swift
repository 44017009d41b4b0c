/// A text in quotes, shortened, with what has no picture as its escape.
func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars.prefix(40) {
    let isControl = scalar.properties.generalCategory == .control
    result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return result + (text.unicodeScalars.count > 40 ? "…\"" : "\"")
}

/// A number that is not finite, without the sign that some NaNs have.
func plain(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }

extension String {
  /// Without blanks and tabs at its ends.
  var trimmed: String {
    let blanks: Set<Character> = [" ", "\t"]
    let head = drop { blanks.contains($0) }
    guard let last = head.lastIndex(where: { !blanks.contains($0) }) else { return "" }
    return String(head[...last])
  }
}
