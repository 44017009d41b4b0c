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
