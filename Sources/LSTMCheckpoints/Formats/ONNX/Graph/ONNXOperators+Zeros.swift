// Zeros on their way through a graph: exporters compute with the sizes of the states that they start from.

extension ONNXTranslator {
  /// Sizes of zeros after a node that moves them; nil where that is not known.
  func moved(_ sizes: [ONNXSize?], by node: ONNXModel.Node) -> [ONNXSize?]? {
    let one = Optional(ONNXSize(factor: 1))
    func places(_ axes: [Int], _ rank: Int) -> Set<Int>? {
      let places = Set(axes.compactMap { axis($0, rank) })
      return places.count == axes.count ? places : nil
    }
    switch node.operation {
    case "Transpose":
      let order = integers(node, "perm") ?? Array(sizes.indices.reversed())
      return order.sorted() == Array(sizes.indices) ? order.map { sizes[$0] } : nil
    case "Squeeze":
      guard let gone = integers(node, "axes", input: 1).flatMap({ places($0, sizes.count) }) else { return nil }
      return sizes.indices.filter { !gone.contains($0) }.map { sizes[$0] }
    case "Unsqueeze":
      guard let axes = integers(node, "axes", input: 1), sizes.count + axes.count <= ONNXTensor.rankLimit,
        let added = places(axes, sizes.count + axes.count)
      else { return nil }
      var rest = sizes[...]
      return (0..<sizes.count + axes.count).map { added.contains($0) ? one : rest.removeFirst() }
    case "Expand": return repeatedSizes(node, sizes)
    case "Slice":
      guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
        starts.count == ends.count
      else { return nil }
      let axes = integers(node, "axes", input: 3) ?? Array(starts.indices)
      let steps = integers(node, "steps", input: 4) ?? starts.map { _ in 1 }
      guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 == 1 }) else { return nil }
      var made = sizes
      for (index, at) in axes.enumerated() {
        guard let place = axis(at, sizes.count) else { return nil }
        if starts[index] == 0, ends[index] >= 1 << 30 { continue }
        made[place] = made[place]?.known.map {
          ONNXSize(factor: ONNXNumbers.range(starts[index], ends[index], 1, count: $0).count)
        }
      }
      return made
    case "Gather":
      guard let place = axis(integer(node, "axis") ?? 0, sizes.count), let indices = numbers(node, 1) else {
        return nil
      }
      return sizes[..<place] + indices.shape.map { ONNXSize(factor: $0) } + sizes[(place + 1)...]
    default: return nil
    }
  }

  /// Sizes after `Expand` and `Tile`.
  func repeatedSizes(_ node: ONNXModel.Node, _ sizes: [ONNXSize?]) -> [ONNXSize?]? {
    guard let wanted = numbers(node, 1)?.values else { return nil }
    if node.operation == "Tile" {
      guard wanted.count == sizes.count else { return nil }
      return zip(sizes, wanted).map { size, times in size.flatMap { known in times.flatMap { known * $0 } } }
    }
    let rank = max(sizes.count, wanted.count)
    guard rank <= ONNXTensor.rankLimit else { return nil }
    let one = Optional(ONNXSize(factor: 1))
    func padded(_ list: [ONNXSize?]) -> [ONNXSize?] { [ONNXSize?](repeating: one, count: rank - list.count) + list }
    return zip(padded(sizes), padded(wanted)).map { own, target in
      own == one ? target : target == one || own == target ? own : nil
    }
  }
}
