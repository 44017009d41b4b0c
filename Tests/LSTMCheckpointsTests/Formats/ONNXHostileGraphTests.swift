import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Graphs whose numbers lie: an error or a model, never a crash.
@Suite struct ONNXHostileGraphTests {
  /// A graph of nodes and initializers.
  private struct Graph {
    private var graph = ProtobufMessage()

    mutating func input(_ name: String, _ dims: [Int?]) {
      graph.add(11) { info in
        info.add(1, name)
        info.add(2) { type in
          type.add(1) { tensor in
            tensor.add(1, 1)
            tensor.add(2) { shape in
              for (place, size) in dims.enumerated() {
                shape.add(1) { if let size { $0.add(1, size) } else { $0.add(2, "d\(place)") } }
              }
            }
          }
        }
      }
    }

    mutating func output(_ name: String) { graph.add(12) { $0.add(1, name) } }

    mutating func node(
      _ operation: String, _ inputs: [String], _ outputs: [String], lists: [String: [Int]] = [:],
      numbers: [String: Int] = [:], floats: [String: Float] = [:]
    ) {
      graph.add(1) { node in
        for input in inputs { node.add(1, input) }
        for output in outputs { node.add(2, output) }
        node.add(4, operation)
        for (name, list) in lists {
          node.add(5) { attribute in
            attribute.add(1, name)
            for value in list { attribute.add(8, value) }
            attribute.add(20, 7)
          }
        }
        for (name, value) in numbers {
          node.add(5) { attribute in
            attribute.add(1, name)
            attribute.add(3, value)
            attribute.add(20, 2)
          }
        }
        for (name, value) in floats {
          node.add(5) { attribute in
            attribute.add(1, name)
            attribute.bytes += [2 << 3 | 5] + littleEndianBytes([value])
          }
        }
      }
    }

    mutating func floats(_ name: String, _ dims: [Int]) {
      tensor(name, dims, type: 1, [UInt8](repeating: 0, count: dims.reduce(4, *)))
    }

    mutating func emptyFloats(_ name: String, _ dims: [Int]) { tensor(name, dims, type: 1, []) }

    mutating func integers(_ name: String, _ values: [Int], dims: [Int]? = nil) {
      tensor(
        name, dims ?? [values.count], type: 7, values.flatMap { value in withUnsafeBytes(of: value) { [UInt8]($0) } })
    }

    private mutating func tensor(_ name: String, _ dims: [Int], type: Int, _ raw: [UInt8]) {
      graph.add(5) { tensor in
        for size in dims { tensor.add(1, size) }
        tensor.add(2, type)
        tensor.add(8, name)
        tensor.add(9, raw)
      }
    }

    var model: [UInt8] {
      var model = ProtobufMessage()
      model.add(1, 8)
      model.add(7, graph.bytes)
      model.add(8) { $0.add(2, 17) }
      return model.bytes
    }
  }

  /// Reads it; what is thrown is an error that a person can act on.
  private static func read(_ build: (inout Graph) -> Void) throws {
    var graph = Graph()
    build(&graph)
    let folder = try TemporaryFolder()
    let path = folder.path("model.onnx")
    try Data(graph.model).write(to: URL(fileURLWithPath: path))
    do {
      try LoadPlan(Checkpoint(path: path)).validate()
    } catch {
      #expect(error is any DescribedFailure, "\(error)")
    }
  }

  private static let extremes = [Int.min, .min + 1, -1 << 40, -1, 0, 1, 1 << 40, .max - 1, .max]

  @Test(arguments: extremes) func sizesOfASplit(_ size: Int) throws {
    for other in Self.extremes {
      try Self.read { graph in
        graph.input("x", [1, 5, 4])
        graph.integers("sizes", [size, other])
        graph.node("Split", ["x", "sizes"], ["a", "b"], numbers: ["axis": 2])
        graph.output("a")
      }
    }
  }

  /// Where the gates of a cell that is written out are split.
  @Test(arguments: extremes) func sizesOfASplitOfGates(_ size: Int) throws {
    try Self.read { graph in
      graph.input("x", [1, 1, 4])
      graph.floats("w", [4, 8])
      graph.integers("sizes", [size, .max])
      graph.node("MatMul", ["x", "w"], ["both"])
      graph.node("Split", ["both", "sizes"], ["a", "b"], numbers: ["axis": -1])
      graph.node("Sigmoid", ["a"], ["gate"])
      graph.node("Tanh", ["b"], ["value"])
      graph.node("Mul", ["gate", "value"], ["y"])
      graph.output("y")
    }
  }

  @Test(arguments: extremes) func endsOfASlice(_ end: Int) throws {
    for (start, axis) in [(0, 1), (end, 1), (0, 2), (end, 2), (0, end)] {
      try Self.read { graph in
        graph.input("x", [1, nil, 4])
        graph.integers("starts", [start])
        graph.integers("ends", [end])
        graph.integers("axes", [axis])
        graph.node("Slice", ["x", "starts", "ends", "axes"], ["y"])
        graph.output("y")
      }
    }
  }

  @Test(arguments: extremes) func groupsOfAConvolution(_ groups: Int) throws {
    try Self.read { graph in
      graph.input("x", [1, 4, nil])
      graph.floats("w", [4, 2, 3])
      graph.node("Conv", ["x", "w"], ["y"], numbers: ["group": groups])
      graph.output("y")
    }
  }

  @Test(arguments: extremes) func numbersOfAConvolution(_ number: Int) throws {
    for name in ["strides", "dilations"] {
      try Self.read { graph in
        graph.input("x", [1, 4, 20])
        graph.floats("w", [4, 4, 3])
        graph.node("Conv", ["x", "w"], ["y"], lists: [name: [number], "pads": [number, 1]])
        graph.output("y")
      }
    }
  }

  @Test func nodesThatGiveNothing() throws {
    try Self.read { graph in
      graph.input("x", [1, 5, 4])
      graph.integers("shape", [2])
      graph.node("ConstantOfShape", ["shape"], [], floats: ["value": 1])
      graph.node("Constant", [], [], floats: ["value_float": 1])
      graph.node("Split", ["x"], [], numbers: ["axis": 2])
      graph.node("Sqrt", ["x"], [])
      graph.node("Relu", ["x"], ["y"])
      graph.output("y")
    }
  }

  /// Arrays of no values whose other axes are beyond any size.
  @Test(arguments: [[0, 1 << 40, 1 << 40], [1 << 40, 1 << 40, 0], [4096, 4096, 4096, 4096, 4096, 4096, 4096, 0]])
  func emptyNumbers(_ dims: [Int]) throws {
    try Self.read { graph in
      graph.input("x", [1, nil, 4])
      graph.integers("none", [], dims: dims)
      graph.integers("empty", [], dims: [0])
      graph.integers("shape", dims)
      graph.node("Reshape", ["empty", "shape"], ["made"], numbers: ["allowzero": 1])
      for (index, name) in ["none", "made"].enumerated() {
        graph.node("Transpose", [name], ["turned\(index)"])
        graph.node("Concat", [name, name, name], ["joined\(index)"], numbers: ["axis": dims.count - 1])
        graph.node("Add", [name, name], ["sum\(index)"])
        graph.node("Reshape", ["x", "turned\(index)"], ["y\(index)"])
        graph.output("y\(index)")
      }
    }
  }

  /// Weights of no values, taken apart.
  @Test(arguments: [[0, 1 << 40, 1 << 40], [1 << 40, 1 << 40, 0]]) func emptyWeights(_ dims: [Int]) throws {
    try Self.read { graph in
      graph.input("x", [1, nil, 4])
      graph.emptyFloats("w", dims)
      graph.integers("first", [0], dims: [])
      graph.node("Gather", ["w", "first"], ["row"], numbers: ["axis": 1])
      graph.node("Transpose", ["w"], ["turned"], lists: ["perm": [1, 2, 0]])
      graph.node("Flatten", ["w"], ["flat"], numbers: ["axis": 2])
      graph.node("Add", ["x", "flat"], ["y"])
      graph.output("y")
    }
  }

  @Test func stepsBeyondAnySequence() throws {
    try Self.read { graph in
      graph.input("x", [1, nil, 3])
      graph.integers("many", [1, 1 << 61, 3])
      graph.integers("flat", [1, -1])
      graph.node("Reshape", ["x", "many"], ["a"])
      graph.node("Concat", ["a", "a"], ["b"], numbers: ["axis": 2])
      graph.node("Reshape", ["b", "flat"], ["y"])
      graph.output("y")
    }
  }

  /// A program that carries the states, of which an LSTM takes parts.
  private static func stateful(_ part: (inout Graph) -> Void) throws {
    try read { graph in
      graph.input("x", [1, 1, 3])
      graph.input("state", [2, 1, 4])
      graph.floats("w", [1, 16, 3])
      graph.floats("r", [1, 16, 4])
      part(&graph)
      graph.node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["y", "yh", "yc"], numbers: ["hidden_size": 4])
      graph.integers("last", [3])
      graph.integers("twice", [3, 3])
      graph.node("Unsqueeze", ["yh", "last"], ["wide"])
      graph.node("Squeeze", ["wide", "twice"], ["h_out"])
      graph.output("y")
      graph.output("h_out")
    }
  }

  @Test(arguments: extremes) func partsOfAState(_ number: Int) throws {
    for other in [number, 1, .max] {
      try Self.stateful { graph in
        graph.integers("sizes", [number, other])
        graph.node("Split", ["state", "sizes"], ["h", "c"], numbers: ["axis": 0])
      }
    }
    try Self.stateful { graph in
      graph.integers("one", [1])
      graph.integers("end", [2])
      graph.integers("zero", [0])
      graph.integers("at", [number])
      graph.node("Slice", ["state", "one", "end", "zero"], ["second"])
      graph.node("Gather", ["second", "at"], ["h"], numbers: ["axis": 0])
      graph.node("Gather", ["state", "at"], ["c"], numbers: ["axis": 0])
    }
  }

  /// x * f - mean(x) * f, f = 1 / sqrt(variance): a layer normalization where both means are of the features alone.
  @Test(arguments: [(2, 2, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, .max, 2), (.min, 2, 2)])
  func meansOfANorm(_ taken: Int, _ away: Int, _ squared: Int) throws {
    var graph = Graph()
    graph.input("x", [1, nil, 4])
    graph.floats("epsilon", [])
    for (name, axis) in [("m", taken), ("n", away)] {
      graph.node("ReduceMean", ["x"], [name], lists: ["axes": [axis]])
    }
    graph.node("Sub", ["x", "m"], ["d"])
    graph.node("Mul", ["d", "d"], ["dd"])
    graph.node("ReduceMean", ["dd"], ["v"], lists: ["axes": [squared]])
    graph.node("Add", ["v", "epsilon"], ["ve"])
    graph.node("Sqrt", ["ve"], ["root"])
    graph.node("Reciprocal", ["root"], ["f"])
    graph.node("Mul", ["x", "f"], ["xf"])
    graph.node("Mul", ["n", "f"], ["nf"])
    graph.node("Sub", ["xf", "nf"], ["y"])
    graph.floats("w", [1, 12, 4])
    graph.floats("r", [1, 12, 3])
    graph.node("Transpose", ["y"], ["turned"], lists: ["perm": [1, 0, 2]])
    graph.node("LSTM", ["turned", "w", "r"], ["all"], numbers: ["hidden_size": 3])
    graph.output("all")
    let kinds = { try Self.kinds(graph) }
    if [taken, away, squared] == [2, 2, 2] {
      #expect(try kinds() == ["layer_norm", "lstm"])
    } else {
      #expect(throws: CheckpointError.self) { try kinds() }
    }
  }

  /// Shares of attention, one for each value: as many as there are values; ONNX itself takes no others.
  @Test(arguments: [3] + extremes) func sharesThatAreRepeated(_ count: Int) throws {
    var graph = Graph()
    graph.input("x", [nil, 1, 4])
    graph.floats("w", [1, 12, 4])
    graph.floats("r", [1, 12, 3])
    graph.floats("v", [3, 1])
    graph.integers("counts", [1, 1, count])
    graph.integers("second", [1])
    graph.integers("time", [0])
    graph.node("LSTM", ["x", "w", "r"], ["all"], numbers: ["hidden_size": 3])
    graph.node("Squeeze", ["all", "second"], ["steps"])
    graph.node("MatMul", ["steps", "v"], ["scores"])
    graph.node("Softmax", ["scores"], ["shares"], numbers: ["axis": 0])
    graph.node("Tile", ["shares", "counts"], ["each"])
    graph.node("Mul", ["steps", "each"], ["weighted"])
    graph.node("ReduceSum", ["weighted", "time"], ["y"], numbers: ["keepdims": 0])
    graph.output("y")
    let kinds = { try Self.kinds(graph) }
    // One for all values is no repetition.
    if [1, 3].contains(count) {
      #expect(try kinds() == ["lstm", "attention"])
    } else {
      #expect(throws: CheckpointError.self) { try kinds() }
    }
  }

  /// A state that the caller gives is an input's own numbers; one that is computed from them, or of what the layer reads,
  /// would be lost.
  @Test(arguments: ["Identity", "Tanh", "Relu", "Neg", "Exp", "Add", "last step", "mean"], ["LSTM", "GRU"])
  func statesThatAreComputed(_ how: String, _ cell: String) throws {
    var graph = Graph()
    let gates = cell == "LSTM" ? 16 : 12
    graph.input("x", [nil, 1, 4])
    graph.floats("w", [1, gates, 4])
    graph.floats("r", [1, gates, 4])
    graph.integers("first", [0])
    graph.integers("minus", [-1], dims: [])
    switch how {
    case "last step": graph.node("Gather", ["x", "minus"], ["state"], numbers: ["axis": 0])
    case "mean": graph.node("ReduceMean", ["x"], ["state"], lists: ["axes": [0]], numbers: ["keepdims": 0])
    default:
      graph.input("given", [1, 4])
      graph.node(how, how == "Add" ? ["given", "given"] : ["given"], ["state"])
    }
    graph.node("Unsqueeze", ["state", "first"], ["h"])
    graph.node(cell, ["x", "w", "r", "", "", "h"], ["all"], numbers: ["hidden_size": 4])
    graph.output("all")
    let kinds = { try Self.kinds(graph) }
    if how == "Identity" {
      #expect(try kinds().first == cell.lowercased())
    } else {
      #expect(throws: CheckpointError.self) { try kinds() }
    }
  }

  private static func kinds(_ graph: Graph) throws -> [String] {
    let folder = try TemporaryFolder()
    try Data(graph.model).write(to: URL(fileURLWithPath: folder.path("model.onnx")))
    return try LoadPlan(Checkpoint(path: folder.path("model.onnx"))).configuration.layers.map(\.kind.kind)
  }
}
