/// Untrusted text, safe to print on one line of a terminal: invisible characters are escaped, so that they can neither
/// move the cursor nor reorder the text beside them.
/// - Parameter limit: the most characters; what is longer ends in an ellipsis.
package func oneLine(_ text: String, limit: Int = 100) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    guard let piece = visible(scalar) else {
      result.unicodeScalars.append(scalar)
      count += 1
      if count > limit { break }
      continue
    }
    result += piece
    count += piece.count
    if count > limit { break }
  }
  guard count > limit else { return result }
  return result.prefix(max(limit - 1, 0)) + "…"
}

/// The escape of an invisible character; nil for others.
private func visible(_ scalar: Unicode.Scalar) -> String? {
  // Joiners of emoji and letters are harmless and needed.
  if scalar == "\u{200d}" || scalar == "\u{200c}" { return nil }
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned:
    return scalar.escaped(asASCII: true)
  default: return nil
  }
}

/// A word of a command line, quoted where a shell needs it.
package func shellWord(_ text: String) -> String {
  let plain = text.unicodeScalars.allSatisfy { scalar in
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "/", ":", "=", ",", "+", "@", "%", "-": true
    default: false
    }
  }
  if plain, !text.isEmpty { return text }
  // Within single quotes only the quote itself is special.
  return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}

/// A path as an argument that is never taken for an option.
package func shellPath(_ path: String) -> String { shellWord(path.hasPrefix("-") ? "./" + path : path) }
