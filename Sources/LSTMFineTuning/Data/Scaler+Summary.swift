import Foundation
import LSTMCheckpoints

extension Scaler {
  /// For people: the first columns.
  package var summary: String {
    func short(_ value: Float) -> String { String(format: "%.4g", Double(value)) }
    var columns = zip(mean, deviation).prefix(3).map { "mean \(short($0)), deviation \(short($1))" }
    if let limits {
      columns = zip(limits.minimum, limits.maximum).prefix(3).map {
        "\(short($0))...\(short($1)) to \(short(limits.range[0]))...\(short(limits.range[1]))"
      }
    }
    return columns.joined(separator: "; ") + (self.columns > 3 ? "; ..." : "")
  }
}
