import FileIO

extension ONNXOperators {
  /// Steps in reverse order, which a recurrent layer reads.
  static let reversals = Family(["ReverseSequence"]) { t, node throws(ONNXRefusal) in
    let (time, batch) = (t.integer(node, "time_axis") ?? 0, t.integer(node, "batch_axis") ?? 1)
    let rows: ONNXRows
    switch t.meaning(node) {
    case .rows(let found), .reversed(let found): rows = found
    case .mask(let mask) where !mask.isOfFeatures:
      rows = ONNXRows(source: mask.input, axes: mask.axes, factors: [])
    default: return nil
    }
    guard rows.axes.indices.contains(time), rows.axes.indices.contains(batch), rows.axes[time] == .time else {
      return nil
    }
    guard let lengths = t.numbers(node, 1), let whole = t.size(of: .time, rows),
      lengths.values.allSatisfy({ $0 == whole })
    else { throw ONNXRefusal(detail: "it reverses a part of the steps") }
    return t.turnedRound(node).map { [$0] }
  }
}

extension ONNXTranslator {
  /// The steps of what a node reads the other way round.
  func turnedRound(_ node: ONNXModel.Node) -> ONNXMeaning? {
    switch meaning(node) {
    case .rows(let rows) where !rows.isWhole: .reversed(rows)
    case .reversed(let rows): .rows(rows)
    case .mask(var mask) where !mask.isOfFeatures && !mask.isCount: reversed(&mask)
    default: nil
    }
  }

  private func reversed(_ mask: inout ONNXMask) -> ONNXMeaning {
    mask.isReversed.toggle()
    return .mask(mask)
  }

  /// Slice(x, -1, far below, step -1) of the steps.
  func flipped(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
      let axes = integers(node, "axes", input: 3), integers(node, "steps", input: 4) == [-1], starts == [-1],
      axes.count == 1, ends.count == 1, ends[0] < -(1 << 30)
    else { return nil }
    let rows: ONNXRows
    switch meaning(node) {
    case .rows(let found), .reversed(let found): rows = found
    case .mask(let mask) where !mask.isOfFeatures:
      rows = ONNXRows(source: mask.input, axes: mask.axes, factors: [])
    default: return nil
    }
    guard let place = axis(axes[0], rows.axes.count), rows.axes[place] == .time else { return nil }
    return turnedRound(node)
  }

  /// The first or the last step of what is in reverse order.
  mutating func pickedReversed(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard case .reversed(let rows)? = meaning(node) else { return nil }
    func turned(_ index: Int) throws(ONNXRefusal) -> Int {
      guard index == 0 || index == -1 else {
        throw ONNXRefusal(detail: "it takes a step in the middle of reversed ones")
      }
      return -1 - index
    }
    if node.operation == "Gather" {
      guard let place = axis(integer(node, "axis") ?? 0, rows.axes.count), rows.axes[place] == .time,
        let indices = numbers(node, 1), let known = indices.known, known.count == 1
      else { return nil }
      var taken = try pick(rows, place, try turned(known[0]), node)
      if !indices.isScalar { taken.axes.insert(.one, at: place) }
      return .rows(taken)
    }
    guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
      starts.count == 1, ends.count == 1, (integers(node, "steps", input: 4) ?? [1]) == [1],
      let place = axis(integers(node, "axes", input: 3)?.first ?? 0, rows.axes.count), rows.axes[place] == .time,
      starts[0] == -1 && ends[0] >= 1 << 30 || starts[0] == 0 && ends[0] == 1
    else { return nil }
    var taken = try pick(rows, place, try turned(starts[0]), node)
    taken.axes.insert(.one, at: place)
    return .rows(taken)
  }

  /// Token numbers below zero counted from the end of a table, which tokens are not.
  func wrapped(_ node: ONNXModel.Node) -> ONNXMeaning? {
    func isBelowZero(_ name: String, _ x: String) -> Bool {
      guard let test = origin(name), test.operation == "Less", scalar(test, 1) == 0, let read = test.inputs.first else {
        return false
      }
      return realName(read) == realName(x)
    }
    func isShifted(_ name: String, _ x: String) -> Bool {
      guard let sum = origin(name), sum.operation == "Add", sum.inputs.count == 2 else { return false }
      return sum.inputs.contains { realName($0) == realName(x) }
        && sum.inputs.indices.contains { scalar(sum, $0) != nil }
    }
    func whole(_ name: String) -> ONNXMeaning? {
      guard case .rows(let rows)? = values[name], rows.isWhole else { return nil }
      return values[name]
    }
    if node.operation == "Where", node.inputs.count == 3 {
      let x = node.inputs[2]
      return isBelowZero(node.inputs[0], x) && isShifted(node.inputs[1], x) ? whole(x) : nil
    }
    guard node.operation == "Add", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let shifted = origin(node, one), shifted.operation == "Mul", let kept = origin(node, other),
        kept.operation == "Mul", shifted.inputs.count == 2, kept.inputs.count == 2
      else { continue }
      for (a, b) in [(0, 1), (1, 0)] {
        for (c, d) in [(0, 1), (1, 0)] {
          let x = kept.inputs[c]
          guard let contrary = origin(kept, d), contrary.operation == "Not", let test = contrary.inputs.first,
            isBelowZero(shifted.inputs[a], x), isBelowZero(test, x), isShifted(shifted.inputs[b], x)
          else { continue }
          return whole(x)
        }
      }
    }
    return nil
  }
}
