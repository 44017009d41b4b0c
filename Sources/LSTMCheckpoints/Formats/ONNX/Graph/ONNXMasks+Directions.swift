import FileIO

extension ONNXTranslator {
  /// Loops that go through the same steps from either end, side by side: one layer of two directions, as Keras'
  /// `Bidirectional` is.
  mutating func bothDirections(_ parts: [Int], _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int? {
    guard parts.count == 2 else { return nil }
    if let both = try both(parts[0], parts[1], isOfSteps: true, node) { return both }
    let takes = parts.map { (draft[$0].kind as? Layer.Readout)?.take }
    guard takes == [.last, .first], let forward = draft[parts[0]].reads.first,
      let backward = draft[parts[1]].reads.first, let both = try both(forward, backward, isOfSteps: false, node)
    else { return nil }
    let ends = try layer(Layer.Readout(.final), [both], node)
    masks.respecting.insert(ends)
    return ends
  }

  /// - Parameter isOfSteps: whether all steps are read, of which hidden ones are zeros in a layer of two directions.
  private mutating func both(
    _ forward: Int, _ backward: Int, isOfSteps: Bool, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    guard var kind = draft[forward].kind as? Layer.Recurrent, var other = draft[backward].kind as? Layer.Recurrent,
      let mask = masks.layers[forward], masks.layers[backward].map({ $0.isOfSameSteps(as: mask) }) ?? false,
      [forward, backward].allSatisfy({ masks.zeroed.contains($0) == isOfSteps }),
      draft[forward].reads == draft[backward].reads, other.isReversed, draft[forward].startsFrom == nil,
      draft[backward].startsFrom == nil
    else { return nil }
    if let known = masks.pairs[[forward, backward]] { return known }
    other.isReversed = false
    guard kind == other, !kind.isBidirectional, !kind.isReversed else { return nil }
    kind.isBidirectional = true
    var parameters = draft[forward].parameters
    for (key, parameter) in draft[backward].parameters {
      parameters[.init(name: key.name, isReverse: true)] = parameter
    }
    let made = try layer(kind, draft[forward].reads, parameters, node)
    masks.layers[made] = mask
    masks.pairs[[forward, backward]] = made
    return made
  }
}
