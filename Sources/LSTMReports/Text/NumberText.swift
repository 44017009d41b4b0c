import Foundation

/// 53400 -> "53,400"
package func grouped(_ number: Int) -> String {
  var digits = String(number.magnitude)
  var parts: [String] = []
  while digits.count > 3 {
    parts.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  return (number < 0 ? "-" : "") + ([digits] + parts).joined(separator: ",")
}

package func plural(_ count: Int, _ noun: String) -> String { "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")" }

/// A number that was chosen, in at most four significant digits: `0.001`.
package func short(_ value: Double) -> String { value.isFinite ? String(format: "%.4g", value) : "\(value)" }

/// A number that was measured, in four significant digits: `0.6160`.
package func digits(_ value: Double) -> String {
  if value == 0 || !value.isFinite { return short(value) }
  let text = String(format: "%#.4g", value)
  return text.last == "." ? String(text.dropLast()) : text
}

package func percent(_ part: Double) -> String { String(format: "%.1f %%", part * 100) }

package func duration(_ seconds: Double) -> String {
  switch seconds {
  case ..<1: return String(format: "%.2f s", seconds)
  case ..<60: return String(format: "%.1f s", seconds)
  case ..<86_400:
    let (minutes, rest) = Int(seconds).quotientAndRemainder(dividingBy: 60)
    return minutes < 60 ? "\(minutes) min \(rest) s" : "\(minutes / 60) h \(minutes % 60) min"
  case ..<8.64e9: return "\(Int(seconds / 86_400)) d \(Int(seconds / 3600) % 24) h"
  default: return "unknown"
  }
}
