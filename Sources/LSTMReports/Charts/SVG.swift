/// Builds the text of an SVG picture, element by element. Whatever is put in is escaped.
struct SVG {
  private(set) var text = ""

  /// Starts an element that holds others.
  mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String> = [:]) {
    text += "<\(name)\(Self.attributes(attributes))>\n"
  }

  mutating func close(_ name: String) {
    text += "</\(name)>\n"
  }

  /// An element without content.
  mutating func empty(_ name: String, _ attributes: KeyValuePairs<String, String>) {
    text += "<\(name)\(Self.attributes(attributes))/>\n"
  }

  /// An element that holds text only.
  mutating func leaf(_ name: String, _ attributes: KeyValuePairs<String, String>, _ content: String) {
    text += "<\(name)\(Self.attributes(attributes))>\(Self.escaped(content))</\(name)>\n"
  }

  private static func attributes(_ attributes: KeyValuePairs<String, String>) -> String {
    attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
  }

  /// The text with XML's special characters replaced and the characters that XML 1.0 cannot hold left out.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result += " "
      // Marks that would reorder the text beside them.
      case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{200E}", "\u{200F}", "\u{61C}": continue
      case "\u{7F}"..."\u{9F}": continue
      case _ where scalar.value < 0x20 || scalar.value == 0xfffe || scalar.value == 0xffff: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A length or coordinate in pixels, to a hundredth, without trailing zeros.
  static func number(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "0" }
    let hundredths = Int((value * 100).rounded())
    let (whole, part) = abs(hundredths).quotientAndRemainder(dividingBy: 100)
    let sign = hundredths < 0 ? "-" : ""
    switch part {
    case 0: return "\(sign)\(whole)"
    case _ where part % 10 == 0: return "\(sign)\(whole).\(part / 10)"
    default: return "\(sign)\(whole).\(part < 10 ? "0" : "")\(part)"
    }
  }
}

/// Estimates how wide text is, since nothing here can measure a font.
enum TextWidth {
  /// The width in pixels at a font size in pixels, by the widths of a common sans-serif, a little generous.
  static func of(_ text: String, size: Double) -> Double {
    text.unicodeScalars.reduce(0) { $0 + em($1) } * size * 1.03
  }

  /// The text, shortened with an ellipsis where it would be wider than `width`.
  static func fitted(_ text: String, size: Double, width: Double) -> String {
    guard of(text, size: size) > width else { return text }
    var kept = ""
    for character in text {
      guard of(kept + String(character) + "…", size: size) <= width else { break }
      kept.append(character)
    }
    return kept + "…"
  }

  private static func em(_ scalar: Unicode.Scalar) -> Double {
    switch scalar {
    case "i", "j", "l", "I", "'", "|", "!", ".", ",", ":", ";", " ", "f", "t", "r", "(", ")", "[", "]", "/":
      0.31
    case "m", "w", "M", "W", "@", "%", "—": 0.87
    case "A"..."Z": 0.70
    case "\u{2070}"..."\u{207f}", "\u{b2}", "\u{b3}", "\u{b9}": 0.36
    case "0"..."9": 0.57
    case "\u{300}"..."\u{36f}", "\u{200b}"..."\u{200f}": 0
    case _ where scalar.value >= 0x2e80: 1.0
    default: 0.57
    }
  }
}
