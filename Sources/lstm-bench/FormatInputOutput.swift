import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Times writing and reading a model of about 200 MB.
struct FormatInputOutput {
  struct Result: Encodable {
    let format: String
    let bytes: Int
    let writeSeconds, readSeconds: Double
  }

  static func run(in folder: String) throws -> [Result] {
    // 6 x 4 x 1024 x (1024 + 1024) floats and the biases are 201 MB.
    let configuration = ModelConfiguration(
      input: .features(size: 1024), layers: .init(repeating: .init(hiddenSize: 1024), count: 6))
    let model = LSTMModel(configuration, seed: 1)
    let stored = model.stored
    return [
      try measure("HDF5, contiguous", folder + "/model.h5") { try stored.write(path: $0) },
      try measure("HDF5, gzip", folder + "/gzip.h5") { try stored.writeCompressedHDF5(path: $0) },
      try measure("NPZ", folder + "/model.npz") { try stored.write(path: $0, as: .npz) },
    ]
  }

  private static func measure(_ format: String, _ path: String, _ write: (String) throws -> Void) throws -> Result {
    let clock = ContinuousClock()
    let writing = try clock.measure { try write(path) }
    var bytes = 0
    let reading = try clock.measure {
      let model = try LSTMModel(Checkpoint(path: path), options: LoadOptions())
      bytes = 4 * model.configuration.parameterCount
    }
    try FileManager.default.removeItem(atPath: path)
    return Result(
      format: format, bytes: bytes, writeSeconds: writing / .seconds(1), readSeconds: reading / .seconds(1))
  }
}
