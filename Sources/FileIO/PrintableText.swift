/// A text on one line that is safe to print on a terminal: names from files may contain control characters. A very long
/// text is shortened in the middle.
package func printable(_ text: String, limit: Int = 2000) -> String {
  let scalars = text.unicodeScalars
  // Shortened first: a name may have megabytes.
  if text.utf8.count > limit, let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex),
    end < scalars.endIndex
  {
    var result = String.UnicodeScalarView(scalars.prefix(limit / 2).map(shown))
    result.append("…")
    result.append(contentsOf: scalars.suffix(limit / 2).map(shown))
    return String(result)
  }
  return scalars.contains(where: isUnseen) ? String(String.UnicodeScalarView(scalars.map(shown))) : text
}

/// A text of several lines that is safe to print on a terminal. Invisible characters that only join letters or emoji stay.
package func printableLines(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        switch scalar {
        case "\n", "\t", "\u{200C}", "\u{200D}": scalar
        default: shown(scalar)
        }
      }))
}

/// JSON with escapes for what a terminal obeys or cannot show, which a JSON encoder leaves as it is in strings.
package func escapedInJSON(_ json: String) -> String {
  func mayStay(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || !isUnseen(scalar) }
  guard !json.unicodeScalars.allSatisfy(mayStay) else { return json }
  var result = ""
  for scalar in json.unicodeScalars {
    if mayStay(scalar) {
      result.unicodeScalars.append(scalar)
    } else {
      for unit in String(scalar).utf16 {
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
  }
  return result
}

private func shown(_ scalar: Unicode.Scalar) -> Unicode.Scalar { isUnseen(scalar) ? "?" : scalar }

/// Whether it moves the cursor, changes the terminal, reorders the text beside it or takes no place.
private func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.value >= 0x20, scalar.value < 0x7F { return false }
  return switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
  default: false
  }
}

/// A text in quotes, shortened, with what has no picture as its escape.
package func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars.prefix(40) {
    result += isUnseen(scalar) ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return result + (text.unicodeScalars.count > 40 ? "…\"" : "\"")
}
