/// Found graphs as layers that know what they read, and in Keras' own order.
extension KerasFoundJoins {
  /// The order in which Keras lists the layers of a graph: by the length of the way to the output, and by their turn when
  /// it is walked from there.
  static func listing(_ nodes: [Node]) -> [Int] {
    var turn: [Int: Int] = [:]
    var finished: [Int] = []
    var done = Set<Int>()
    func walk(_ node: Int) {
      if done.contains(node) { return }
      if turn[node] == nil { turn[node] = turn.count }
      for source in nodes[node].sources { walk(source) }
      if done.insert(node).inserted { finished.append(node) }
    }
    let read = Set(nodes.flatMap(\.sources))
    for node in nodes.indices where !read.contains(node) { walk(node) }
    var depths = nodes.map { _ in 0 }
    for node in finished.reversed() {
      for source in nodes[node].sources { depths[source] = max(depths[source], depths[node] + 1) }
    }
    return nodes.indices.sorted { (-depths[$0], turn[$0] ?? 0) < (-depths[$1], turn[$1] ?? 0) }
  }

  // MARK: - Layers that know what they read

  /// Without the layers that change nothing.
  static func active(_ nodes: [Node]) -> [Node] {
    var places: [Int] = []
    var result: [Node] = []
    for node in nodes {
      var node = node
      node.reads = node.reads.map { places[$0] }
      node.initial = node.initial.map { places[$0] }
      if let source = node.reads.first, KerasLayerKinds.idle.contains(node.layer.className) {
        places.append(source)
      } else {
        places.append(result.count)
        result.append(node)
      }
    }
    return result
  }

  static func called(_ nodes: [Node]) -> [KerasFoundLayer] {
    nodes.map { node in
      var layer = node.layer
      layer.calls = [
        node.reads.map { .init(layer: nodes[$0].layer.name) }
          + (node.initial.map {
            nodes[$0].layer.states.map { [name = nodes[$0].layer.name] in .init(layer: name, tensor: $0) }
          } ?? [])
      ]
      return layer
    }
  }

  /// With a second input that the layers below the merge read as well.
  static func twins(_ nodes: [Node], _ second: KerasFoundLayer) -> [KerasFoundLayer] {
    guard let merge = nodes.firstIndex(where: \.layer.isMerge) else { return [] }
    var below = Set<Int>()
    func collect(_ node: Int) {
      for source in nodes[node].reads where below.insert(source).inserted { collect(source) }
    }
    collect(merge)
    var result: [KerasFoundLayer] = []
    for (index, node) in nodes.enumerated() {
      var layer = node.layer
      let reads = node.reads.map { KerasFoundLayer.Reference(layer: nodes[$0].layer.name) }
      if index == merge {
        layer.calls = [reads + reads.map { .init(layer: $0.layer, node: 1) }]
      } else if below.contains(index), layer.className != "InputLayer" {
        let isFirst = node.reads.allSatisfy { nodes[$0].layer.className == "InputLayer" }
        let others = reads.map {
          isFirst ? .init(layer: second.name) : KerasFoundLayer.Reference(layer: $0.layer, node: 1)
        }
        layer.calls = [reads, others]
      } else {
        layer.calls = [reads]
      }
      result.append(layer)
      if layer.className == "InputLayer" {
        var other = second
        other.calls = [[]]
        result.append(other)
      }
    }
    return result
  }
}
