import LSTMCheckpoints

extension Network {
  /// The carried states that the sequences of a pass start from, and the ones that their final states replace. Valid as
  /// long as its pointers.
  package struct Carry {
    /// The states of all streams.
    package var state: CarriedState
    /// For each sequence the stream whose state it starts from; -1 for a zero state.
    package var from: UnsafePointer<Int>
    /// For each sequence the stream that receives its final state; -1 for none. Each stream may appear once.
    package var to: UnsafePointer<Int>

    package init(_ state: CarriedState, from: UnsafePointer<Int>, to: UnsafePointer<Int>) {
      self.state = state
      self.from = from
      self.to = to
    }
  }

  /// Sets the initial states of a pass, after `begin`.
  func loadState(_ carry: Carry) throws(ShapeError) {
    let state = carry.state
    var fits = state.sizes.count == configuration.layers.count && state.sizes.count == stateSizes.count
    for index in state.sizes.indices where fits { fits = state.sizes[index] == stateSizes[index] }
    guard fits else {
      throw ShapeError(
        what: "carried state", expected: "one for this model", found: "one for a model of other sizes")
    }
    startsFromZero = true
    for sequence in 0..<shape.count where carry.from[sequence] >= 0 { startsFromZero = false }
    for (index, size) in stateSizes.enumerated() {
      initialHidden[index].reserve(shape.count * size.hidden)
      initialCell[index].reserve(shape.count * size.cell)
      load(carry, from: state.hidden[index], into: initialHidden[index], size.hidden)
      load(carry, from: state.cell[index], into: initialCell[index], size.cell)
    }
  }

  private func load(_ carry: Carry, from: FloatBuffer, into: FloatBuffer, _ width: Int) {
    for b in 0..<shape.count {
      let (stream, row) = (carry.from[shape.order[b]], into.pointer + b * width)
      precondition(stream < carry.state.streams, "stream \(stream) of \(carry.state.streams)")
      if stream < 0 {
        row.update(repeating: 0, count: width)
      } else {
        row.update(from: from.pointer + stream * width, count: width)
      }
    }
  }

  /// Saves the final states of some layers before `backward` overwrites them.
  func keepState(_ carry: Carry, of layers: Range<Int>) {
    for index in layers {
      let (direction, size, width) = (
        directions[index][0], stateSizes[index], configuration.layers[index].outputSize
      )
      for b in 0..<shape.count {
        let stream = carry.to[shape.order[b]]
        guard stream >= 0 else { continue }
        precondition(stream < carry.state.streams, "stream \(stream) of \(carry.state.streams)")
        (carry.state.hidden[index].pointer + stream * size.hidden).update(
          from: layerOutputs[index].pointer + direction.finalRow(b, shape) * width, count: size.hidden)
        (carry.state.cell[index].pointer + stream * size.cell).update(
          from: direction.finalCell(b, shape), count: size.cell)
      }
    }
  }
}
