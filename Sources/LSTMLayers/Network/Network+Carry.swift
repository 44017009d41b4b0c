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
    var fits = state.sizes.count == recurrentLayers.count && state.sizes.count == stateSizes.count
    for index in state.sizes.indices where fits { fits = state.sizes[index] == stateSizes[index] }
    guard fits else {
      throw ShapeError(
        what: "carried state", expected: "one for this model", found: "one for a model of other sizes")
    }
    var startsFresh = true
    for sequence in 0..<shape.count where carry.from[sequence] >= 0 { startsFresh = false }
    guard !startsFresh else { return setOwnStates() }
    for (index, layer) in recurrentLayers.enumerated() {
      layer.takeInitialState()
      let (packed, size) = (layer.shape.packed, stateSizes[index])
      for b in 0..<packed.count {
        let stream = carry.from[packed.order[b]]
        precondition(stream < carry.state.streams, "stream \(stream) of \(carry.state.streams)")
        let hidden = layer.initialHidden[0].pointer + b * size.hidden
        let cell = layer.initialCell[0].pointer + b * size.cell
        if stream < 0 {
          layer.writeStart(0, hidden: hidden, cell: cell)
        } else {
          hidden.update(from: state.hidden[index].pointer + stream * size.hidden, count: size.hidden)
          cell.update(from: state.cell[index].pointer + stream * size.cell, count: size.cell)
        }
      }
    }
  }

  /// Saves the final states of the layers that ran before `backward` overwrites them.
  func keepState(_ carry: Carry, where ran: (_ place: Int) -> Bool) {
    for (index, layer) in recurrentLayers.enumerated() where ran(recurrentPlaces[index]) {
      let (packed, size) = (layer.shape.packed, stateSizes[index])
      for b in 0..<packed.count {
        let stream = carry.to[packed.order[b]]
        guard stream >= 0 else { continue }
        precondition(stream < carry.state.streams, "stream \(stream) of \(carry.state.streams)")
        layer.copyFinalState(
          b, of: 0, hidden: carry.state.hidden[index].pointer + stream * size.hidden,
          cell: carry.state.cell[index].pointer + stream * size.cell)
      }
    }
  }
}
