import FileIO
import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers

/// Writing and reading a model of some 200 MB in this process.
struct FormatInputOutput {
  struct Result: Encodable {
    let format: String
    let bytes: Int
    let writeSeconds, readSeconds: Double
  }

  static func run(in folder: String) throws -> [Result] {
    // 12 x 4 x 1024 x (1024 + 1024) floats are 201 MB with their biases.
    let configuration = ModelConfiguration(
      input: .features(size: 1024), layers: .init(repeating: .init(hiddenSize: 1024), count: 6))
    let model = LSTMModel(configuration, seed: 1)
    let stored = model.stored
    return [
      try measure("HDF5, contiguous", folder + "/model.h5") { try stored.write(path: $0) },
      try measure("HDF5, gzip", folder + "/gzip.h5") { try writeCompressed(stored, $0) },
      try measure("NPZ", folder + "/model.npz") { try writeNPZ(stored, $0) },
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

  /// As h5py writes with compression="gzip": chunks of a few rows, level 4.
  private static func writeCompressed(_ model: StoredModel, _ path: String) throws {
    var document = HDF5Document()
    for tensor in model.tensors {
      let chunk = tensor.shape.enumerated().map { $0 == 0 ? max(1, $1 / 16) : $1 }
      document.addDataset(
        tensor.name, shape: tensor.shape, type: .float32, chunkShape: chunk, deflate: 4
      ) { try tensor.bytes() }
    }
    try document.write(to: path)
  }

  private static func writeNPZ(_ model: StoredModel, _ path: String) throws {
    try Data().write(to: URL(fileURLWithPath: path))
    guard let file = FileHandle(forWritingAtPath: path) else { throw BenchError("\(path): cannot be written") }
    var writer = ZipWriter { try file.write(contentsOf: Data($0)) }
    for tensor in model.tensors {
      try writer.add(
        tensor.name + ".npy", NPY.encode(bytes: tensor.bytes(), dataType: tensor.dataType, shape: tensor.shape))
    }
    try writer.finish()
    try file.close()
  }
}
