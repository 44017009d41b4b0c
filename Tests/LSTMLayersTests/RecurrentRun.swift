import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// A direction of a recurrent layer with random weights, inputs and gradients, run without a network around it.
struct RecurrentRun {
  let kind: Layer.Recurrent
  let inputSize: Int
  let shape: PackedShape
  let weights: ParameterStore
  // In the packed order: (R, I), (B, S), (B, H), and the gradients of outputs and final states.
  var input, hidden, cell, outputGradient, hiddenGradient, cellGradient: [Float]
  var startsFromZero = false
  let layer: Layer

  struct Result: Equatable {
    var outputs, hidden, cell: [Float]
    /// By the name of its part.
    var gradients: [String: [Float]] = [:]
    var inputGradient, initialHidden, initialCell: [Float]
  }

  /// - Parameter scale: weights are uniform to this.
  init(_ kind: Layer.Recurrent, inputSize: Int, lengths: [Int], seed: UInt64, scale: Float = 0.6) throws {
    (self.kind, self.inputSize) = (kind, inputSize)
    layer = Layer("layer0", kind)
    let configuration = try ModelConfiguration(inputs: [.init(.features(size: inputSize))], layers: [layer])
    weights = ParameterStore(configuration.parameters)
    var random = RandomNumbers(seed: seed)
    for index in weights.slots.indices {
      weights.set(index, (0..<weights.slots[index].count).map { _ in random.uniform(scale) })
    }
    shape = PackedShape(count: lengths.count, steps: lengths.max() ?? 1, lengths: lengths)
    let (b, s) = (lengths.count, kind.stateSize)
    func draw(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
    (input, hidden, cell) = (draw(shape.rows * inputSize), draw(b * s), draw(b * kind.size))
    (outputGradient, hiddenGradient, cellGradient) = (draw(shape.rows * s), draw(b * s), draw(b * kind.size))
  }

  func direction(_ kernels: Kernels) throws -> LSTMDirection {
    try #require(
      LSTMDirection(layer, kind, inputSize: inputSize, isSecond: false, weights: weights, kernels: kernels))
  }

  /// Forward, and backward unless told not to.
  /// - Parameters:
  ///   - tokens: one a row, whose rows of `embedding` the input has; dL/dx is then summed by token.
  func run(
    _ kernels: Kernels, keepsActivations: Bool = true, tokens: [Int32] = [], embedding: [Float] = []
  ) throws -> Result {
    let direction = try direction(kernels)
    let (b, s, h, rows) = (shape.count, kind.stateSize, kind.size, shape.rows)
    // Outputs stand in wider rows, as beside another direction's.
    let stride = s + 3
    var output = [Float](repeating: .nan, count: rows * stride)
    let gradients = ParameterStore(weights.slots.map(\.specification))
    let vocabulary = embedding.count / inputSize
    var inputGradient = [Float](repeating: 0.25, count: max(rows, vocabulary) * inputSize)
    let (numbers, table) = (AlignedBuffer<Int32>(tokens.count), FloatBuffer(embedding.count))
    for (at, token) in tokens.enumerated() { numbers.pointer[at] = token }
    for (at, value) in embedding.enumerated() { table.pointer[at] = value }
    let tokenInput = LSTMDirection.Tokens(
      numbers: numbers.pointer, vocabulary: vocabulary, embedding: table.pointer)
    let given = tokens.isEmpty ? nil : tokenInput
    let initial: [Float]? = startsFromZero ? nil : hidden
    let cell = startsFromZero ? [Float](repeating: 0, count: b * h) : cell
    var (finalHidden, finalCell) = ([Float](), [Float]())
    output.withUnsafeMutableBufferPointer { output in
      inputGradient.withUnsafeMutableBufferPointer { inputGradient in
        input.withUnsafeBufferPointer { input in
          (initial ?? [0]).withUnsafeBufferPointer { hidden in
            cell.withUnsafeBufferPointer { cell in
              outputGradient.withUnsafeBufferPointer { outputGradient in
                hiddenGradient.withUnsafeBufferPointer { hiddenGradient in
                  cellGradient.withUnsafeBufferPointer { cellGradient in
                    guard let y = output.baseAddress, let x = input.baseAddress, let c = cell.baseAddress,
                      let dx = inputGradient.baseAddress, let dy = outputGradient.baseAddress
                    else { return }
                    let start = initial == nil ? nil : hidden.baseAddress
                    direction.forward(
                      .init(
                        shape: shape, input: x, inputStride: inputSize, initialHidden: start, initialCell: c,
                        output: y, outputStride: stride, tokens: given), keepsActivations: keepsActivations)
                    for sequence in 0..<b {
                      let row = direction.finalRow(sequence, shape)
                      finalHidden += (0..<s).map { y[row * stride + $0] }
                      finalCell += (0..<h).map { direction.finalCell(sequence, shape)[$0] }
                    }
                    guard keepsActivations else { return }
                    direction.backward(
                      .init(
                        input: x, inputStride: inputSize, output: y, outputStride: stride, initialHidden: start,
                        initialCell: c, outputGradient: dy, outputGradientStride: s,
                        finalHiddenGradient: hiddenGradient.baseAddress,
                        finalCellGradient: cellGradient.baseAddress),
                      shape: shape, gradients: gradients, trainable: weights.slots.map { _ in true },
                      inputGradient: given == nil ? .init(pointer: dx, stride: inputSize, accumulates: true) : nil,
                      tokens: given, embeddingGradient: given == nil ? nil : dx, wantsState: true)
                  }
                }
              }
            }
          }
        }
      }
    }
    var result = Result(
      outputs: (0..<rows).flatMap { row in (0..<s).map { output[row * stride + $0] } }, hidden: finalHidden,
      cell: finalCell, inputGradient: inputGradient.map { $0 - 0.25 }, initialHidden: [], initialCell: [])
    guard keepsActivations else { return result }
    for (index, slot) in weights.slots.enumerated() {
      if case .cell(let part) = slot.specification.part { result.gradients[part.rawValue] = gradients.values(index) }
    }
    result.initialHidden = (0..<b * s).map { direction.stateGradient.pointer[$0] }
    result.initialCell = (0..<b * h).map { direction.cellGradient.pointer[$0] }
    return result
  }

  // MARK: - The same in double precision

  struct Numbers {
    var parameters: [String: [Double]]
    var input, hidden, cell: [Double]
  }

  var numbers: Numbers {
    var parameters: [String: [Double]] = [:]
    for (index, slot) in weights.slots.enumerated() {
      if case .cell(let part) = slot.specification.part {
        parameters[part.rawValue] = weights.values(index).map(Double.init)
      }
    }
    func doubles(_ values: [Float]) -> [Double] { values.map { startsFromZero ? 0 : Double($0) } }
    return Numbers(
      parameters: parameters, input: input.map(Double.init), hidden: doubles(hidden), cell: doubles(cell))
  }

  /// Outputs and final states in the packed order.
  func reference(_ numbers: Numbers) -> (outputs: [Double], hidden: [Double], cell: [Double]) {
    let twin = RecurrentReference(kind: kind, inputSize: inputSize, parameters: numbers.parameters)
    let (s, h, i) = (kind.stateSize, kind.size, inputSize)
    var outputs = [Double](repeating: .nan, count: shape.rows * s)
    var (hidden, cell) = ([Double](), [Double]())
    for b in 0..<shape.count {
      let rows = (0..<shape.lengths[b]).map { shape.offsets[$0] + b }
      let found = twin.run(
        rows.map { Array(numbers.input[$0 * i..<($0 + 1) * i]) }, hidden: Array(numbers.hidden[b * s..<(b + 1) * s]),
        cell: Array(numbers.cell[b * h..<(b + 1) * h]), reverse: kind.isReversed)
      for (row, values) in zip(rows, found.outputs) { outputs.replaceSubrange(row * s..<(row + 1) * s, with: values) }
      hidden += found.hidden
      cell += found.cell
    }
    return (outputs, hidden, kind.cell == .lstm ? cell : cell.map { _ in 0 })
  }

  /// The loss whose gradients `run` computes.
  func loss(_ numbers: Numbers) -> Double {
    let found = reference(numbers)
    func dot(_ a: [Double], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * Double($1.1) } }
    return dot(found.outputs, outputGradient) + dot(found.hidden, hiddenGradient) + dot(found.cell, cellGradient)
  }
}
