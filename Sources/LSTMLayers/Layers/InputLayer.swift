import LSTMCheckpoints

/// An input of a network: the packed rows of a batch, features or tokens.
final class InputLayer: NetworkLayer {
  /// The token of each packed row, of an input of tokens.
  let tokens = AlignedBuffer<Int32>()

  init(_ input: ModelConfiguration.Input, value: LayerValue, shape: RowShape, weights: ParameterStore, kernels: Kernels)
  {
    super.init(input: input.name, value: value, shape: shape, weights: weights, kernels: kernels)
  }

  override var streamObstacle: String? { value.isPerStep ? nil : "\(name), which is given once a sequence" }

  /// Sets the steps of every sequence of a further input.
  /// - Throws: `ShapeError` when it cannot have as many.
  func setSteps(_ steps: Int) throws(ShapeError) {
    guard value.isPerStep else {
      guard steps == 1 else { throw ShapeError(what: name, expected: "one row a sequence", found: "\(steps) steps") }
      return
    }
    guard steps > 0, value.steps == nil || value.steps == steps else {
      throw ShapeError(what: name, expected: "sequences of \(value.steps ?? 1) steps", found: "sequences of \(steps)")
    }
    shape.ownSteps = steps
  }

  /// Copies the rows of a batch.
  /// - Throws: `ShapeError` when they are of another kind or size.
  func gather(_ source: SequenceRows) throws(ShapeError) {
    switch (source.values, value.vocabulary) {
    case (.features(let base, let size), nil):
      guard size == width else {
        throw ShapeError(what: "features", expected: "\(width) a step", found: "\(size)")
      }
      let to = makeOutput()
      let width = width
      if let first = firstOfRun(source.starts) {
        to.update(from: base + first * width, count: rowCount * width)
        return
      }
      forEachRow { row, sequence, step in
        copyRow(base + (source.starts[sequence] + step) * width, to: to + row * width, count: width)
      }
    case (.tokens(let values), let vocabulary?):
      tokens.reserve(rowCount)
      let shape = shape.packed
      // One a sequence, or one at each step.
      for t in 0..<(value.isPerStep ? shape.steps : 1) {
        for b in 0..<(value.isPerStep ? shape.active[t] : shape.count) {
          let token = values[source.starts[shape.order[b]] + t]
          guard 0..<vocabulary ~= Int(token) else {
            throw ShapeError(what: "tokens", expected: "numbers from 0 to \(vocabulary - 1)", found: "\(token)")
          }
          tokens.pointer[(value.isPerStep ? shape.offsets[t] : 0) + b] = token
        }
      }
    case (.features, _?):
      throw ShapeError(what: "input", expected: "token numbers (N, T)", found: "features (N, T, I)")
    case (.tokens, nil):
      throw ShapeError(what: "input", expected: "features (N, T, \(width))", found: "token numbers (N, T)")
    }
  }

  /// Where the rows begin that are given in the order in which they are computed: the steps of one sequence, or sequences of one
  /// step. Nil if they are in another order, or so many that threads share the copy.
  private func firstOfRun(_ starts: UnsafePointer<Int>) -> Int? {
    let shape = shape.packed
    guard shape.count > 0, kernels.parts(rowCount * width, each: 1 << 14) == 1 else { return nil }
    if shape.count == 1 { return starts[0] }
    guard rowCount == shape.count else { return nil }
    let first = starts[shape.order[0]]
    for b in 1..<shape.count where starts[shape.order[b]] != first + b { return nil }
    return first
  }

  /// Copies a row to where it is kept; a token as a number, which float32 has exactly up to the largest vocabulary.
  func keep(_ row: Int, in to: UnsafeMutablePointer<Float>) {
    if value.vocabulary != nil {
      to.pointee = Float(tokens.pointer[row])
    } else {
      to.update(from: outputRead + row * width, count: width)
    }
  }

  /// Memory for rows that were kept.
  func reserveKeptRows() {
    if value.vocabulary != nil { tokens.reserve(rowCount) } else { makeOutput() }
  }

  /// Takes a row that was kept, after `reserveKeptRows`.
  func take(_ row: Int, from kept: UnsafePointer<Float>) {
    if value.vocabulary != nil {
      tokens.pointer[row] = Int32(kept.pointee)
    } else {
      (output + row * width).update(from: kept, count: width)
    }
  }

  override func forward(_ pass: LayerPass) {}
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {}
}

extension NetworkLayer {
  /// Visits every row, on all threads, with its sequence in the batch and its step; step 0 if sequences have one row.
  /// - Parameter work: per row, which determines the number of threads; the width when nil.
  final func forEachRow(work: Int? = nil, _ body: (_ row: Int, _ sequence: Int, _ step: Int) -> Void) {
    let shape = shape.packed
    guard value.isPerStep else {
      for b in 0..<shape.count { body(b, shape.order[b], 0) }
      return
    }
    let parts = kernels.parts(shape.rows * (work ?? width), each: 1 << 14)
    parallel(parts) { part in
      // Whole sequences, so that each thread reads and writes a contiguous range of the caller's memory.
      for b in share(shape.count, multiple: 1, part: part, of: parts) {
        for t in 0..<shape.lengths[b] { body(shape.offsets[t] + b, shape.order[b], t) }
      }
    }
  }
}
