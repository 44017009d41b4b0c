import FileIO
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// A checkpoint in memory: float32 zeros of these shapes, called `w.h5`.
func checkpoint(_ shapes: KeyValuePairs<String, [Int]>, types: [String: DataType] = [:]) -> Checkpoint {
  Checkpoint(
    tensors: shapes.map { name, shape in
      let type = types[name] ?? .float32
      return StoredTensor(name: name, shape: shape, dataType: type) {
        [UInt8](repeating: 0, count: (elementCount(shape) ?? 0) * type.byteCount)
      }
    }, path: "w.h5", format: .pytorchHDF5)
}

/// The four tensors of a layer of I inputs and H hidden values.
func layer(_ module: String, _ index: Int, _ input: Int, _ hidden: Int) -> [(String, [Int])] {
  [
    ("\(module)weight_ih_l\(index)", [4 * hidden, input]), ("\(module)weight_hh_l\(index)", [4 * hidden, hidden]),
    ("\(module)bias_ih_l\(index)", [4 * hidden]), ("\(module)bias_hh_l\(index)", [4 * hidden]),
  ]
}

func checkpoint(_ shapes: [(String, [Int])], types: [String: DataType] = [:]) -> Checkpoint {
  var result = checkpoint([:])
  result.tensors = shapes.map { name, shape in
    StoredTensor(name: name, shape: shape, dataType: types[name] ?? .float32) {
      [UInt8](repeating: 0, count: (elementCount(shape) ?? 0) * (types[name] ?? .float32).byteCount)
    }
  }
  return result
}

/// Message and advice of what loading throws, or that it went well.
func refusal(_ checkpoint: Checkpoint, _ options: LoadOptions = LoadOptions()) -> [String] {
  do throws(CheckpointError) {
    try LoadPlan(checkpoint, options: options).validate()
    return []
  } catch {
    return ([error.message] + error.advice).map(\.description)
  }
}
