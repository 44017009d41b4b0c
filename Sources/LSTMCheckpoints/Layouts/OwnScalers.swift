import Foundation

/// What a model does to its input and output beside its layers, where the source did it itself.
struct OwnScalers {
  struct Scaler: Decodable {
    let mean: [Double]
    let deviation: [Double]
  }

  var input: Scaler?
  var target: Scaler?

  /// - Parameter preprocessing: JSON as a native file keeps it.
  init(_ preprocessing: String?, _ provenance: Provenance?) {
    struct Record: Decodable {
      var inputScaler: Scaler?
      var targetScaler: Scaler?
    }
    let parts = Set((provenance?.layers ?? []).compactMap(\.part))
    guard !parts.isDisjoint(with: ["scaler", "target scaler"]), let preprocessing,
      let record = try? JSONDecoder().decode(Record.self, from: Data(preprocessing.utf8))
    else { return }
    if parts.contains("scaler") { input = record.inputScaler }
    if parts.contains("target scaler") { target = record.targetScaler }
  }
}
