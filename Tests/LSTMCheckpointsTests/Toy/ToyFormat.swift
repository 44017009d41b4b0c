import FileIO
import Foundation

@testable import LSTMCheckpoints

/// A format that the library has not: JSON behind a word, all values as float32.
struct ToyFormat: CheckpointFormat {
  let identifier = Checkpoint.Format("toy")
  let suffix = ".toy"
  let holds: FormatContents? = .anyLayout

  private struct Item: Codable {
    let name: String
    let shape: [Int]
    let values: [Float]
  }

  func recognizes(_ file: ProbedFile) -> Recognition { file.begins(with: Array("toy!".utf8)) ? .certain : .no }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    let data = try Data(contentsOf: URL(fileURLWithPath: file.path))
    return Checkpoint(
      tensors: try JSONDecoder().decode([Item].self, from: data.dropFirst(4)).map {
        StoredTensor(name: $0.name, shape: $0.shape, values: $0.values)
      }, path: file.path, format: identifier, byteCount: data.count)
  }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    let items = try tensors.map { Item(name: $0.name, shape: $0.tensor.shape, values: try $0.tensor.floats()) }
    try (Data("toy!".utf8) + JSONEncoder().encode(items)).write(to: URL(fileURLWithPath: path))
    return tensors.map(WrittenTensor.init)
  }
}
