import FileIO

/// Where recurrent layers take their first states from, and where their last ones go.
struct ONNXCarriedStates {
  struct End {
    let layer: Int
    let isCell: Bool
    /// Whether an axis of directions comes first.
    let hasDirections: Bool
  }

  /// Of a layer: the names of h and, of an LSTM, c before the first step.
  var starts: [Int: [String]] = [:]
  var ends: [String: End] = [:]
  /// What a branch gives under another name.
  var aliases: [String: String] = [:]
  /// Whether a caller says how long sequences are, which no file that is written here asks for.
  var hasLengths = false
}

/// A part of an input that holds states.
private struct ONNXStateView {
  enum Axis {
    case one
    case of(Int, start: Int, count: Int?)
  }

  var input: String
  var axes: [Axis]
  /// Of axes that are gone: the place that was taken.
  var fixed: [Int: Int] = [:]
}

/// Last states side by side.
private struct ONNXEndView {
  var axes: [Provenance.Interface.Axis]
  var parts: [ONNXCarriedStates.End]
}

extension ONNXTranslator {
  /// What a program carries from call to call, if all of it is understood.
  /// - Parameter names: of inputs and layers, by place.
  func interface(
    _ names: (Int) -> String?, outputs: [(name: String, rows: ONNXRows)]
  ) -> Provenance.Interface? {
    guard !hypothesis.states.isEmpty, !carried.hasLengths, let states = states(names) else { return nil }
    func axes(_ list: [ONNXRows.Axis]) -> [Provenance.Interface.Axis]? {
      let known = list.compactMap { axis -> Provenance.Interface.Axis? in
        switch axis {
        case .one: .one
        case .batch: .batch
        case .time: .time
        case .row(0): .row
        default: nil
        }
      }
      return known.count == list.count ? known : nil
    }
    var interface = Provenance.Interface(inputs: [], outputs: [], states: states, others: [], order: [])
    var taken = Set(states.map(\.output))
    for input in model.inputs {
      interface.order.append(input.name)
      if hypothesis.states.contains(input.name) { continue }
      if hypothesis.roles[input.name] != nil {
        guard case .rows(let rows)? = values[input.name], let axes = axes(rows.axes), rows.factors.count <= 1,
          ONNXTypeCode.isUsual(input.typeCode), let part = names(rows.source)
        else { return nil }
        interface.inputs.append(.init(name: input.name, part: part, axes: axes, type: input.typeCode))
      } else {
        guard let shape = input.shape, input.typeCode > 0 else { return nil }
        interface.others.append(.init(name: input.name, type: input.typeCode, shape: shape))
      }
    }
    for (name, rows) in outputs where taken.insert(name).inserted {
      guard let axes = axes(rows.axes), rows.factors.count <= 1, let part = names(rows.source) else { return nil }
      interface.outputs.append(.init(name: name, part: part, axes: axes, type: 1))
    }
    guard model.outputs.allSatisfy(taken.contains), !interface.inputs.isEmpty, !interface.outputs.isEmpty else {
      return nil
    }
    interface.order += model.outputs
    return interface
  }

  private func states(_ names: (Int) -> String?) -> [Provenance.Interface.State]? {
    typealias State = Provenance.Interface.State
    struct Found {
      var start: Int
      var count: Int
      var part: State.Part
      var axes: [Provenance.Interface.Axis]
    }
    var inputs: [String: [Found]] = [:]
    for (layer, list) in carried.starts.sorted(by: { $0.key < $1.key }) {
      // What nothing reads is no layer of the model.
      guard let kind = draft[layer].kind as? Layer.Recurrent, let name = names(layer) else { continue }
      for (index, value) in list.enumerated() {
        guard let view = view(value), let shape = model.inputs.first(where: { $0.name == view.input })?.shape,
          2...3 ~= shape.count, view.axes.count >= 2, case .of(let row, 0, _)? = view.axes.last,
          shape[row] == kind.size,
          case .of(let batch, 0, _) = view.axes[view.axes.count - 2]
        else { return nil }
        var axes = [Provenance.Interface.Axis](repeating: .slots, count: shape.count)
        (axes[batch], axes[row]) = (.batch, .row)
        var start = 0
        if let slots = axes.firstIndex(of: .slots) {
          if view.axes.count == 3, case .of(slots, let from, let count) = view.axes[0] {
            guard count == kind.directions else { return nil }
            start = from
          } else if let place = view.fixed[slots], kind.directions == 1 {
            start = place
          } else {
            return nil
          }
        }
        inputs[view.input, default: []].append(
          Found(start: start, count: kind.directions, part: .init(layer: name, isCell: index == 1), axes: axes))
      }
    }
    var ends: [(name: String, view: ONNXEndView)] = []
    for name in model.outputs { if let view = end(name) { ends.append((name, view)) } }
    var states: [State] = []
    guard Set(inputs.keys) == hypothesis.states else { return nil }
    for input in model.inputs where hypothesis.states.contains(input.name) {
      guard let found = inputs[input.name]?.sorted(by: { $0.start < $1.start }), let shape = input.shape else {
        return nil
      }
      var next = 0
      for one in found {
        guard one.start == next, one.axes == found[0].axes else { return nil }
        next += one.count
      }
      if let slots = found[0].axes.firstIndex(of: .slots), shape[slots] ?? next != next { return nil }
      let parts = found.map(\.part)
      let fitting = ends.filter { end in
        end.view.parts.map { State.Part(layer: names($0.layer) ?? "", isCell: $0.isCell) } == parts
          && !states.contains { $0.output == end.name }
      }
      // A model may also give a last state as what it computes.
      guard let end = fitting.first(where: { $0.view.axes.count == shape.count }) ?? fitting.first else { return nil }
      states.append(
        State(
          input: input.name, output: end.name, inputAxes: found[0].axes, outputAxes: end.view.axes, parts: parts))
    }
    return states
  }

  /// The outputs that a program gives back as states.
  /// - Parameter sources: of all outputs that may be none.
  func statesTakenBack(_ sources: [Int]) -> Set<String> {
    guard !hypothesis.states.isEmpty else { return [] }
    let needed = Set(draft.needed(by: sources))
    return Set((states { needed.contains($0) ? "\($0)" : nil } ?? []).map(\.output))
  }

  /// Whether a program can take a layer's last state back.
  func isGivenBack(_ layer: Int) -> Bool {
    model.outputs.contains { end($0)?.parts.contains { $0.layer == layer } ?? false }
  }

  private func node(of name: String) -> (ONNXModel.Node, String)? {
    var name = name
    for _ in 0..<16 { if let other = carried.aliases[name] { name = other } }
    return producers[name].map { ($0, name) }
  }

  /// What of which input a value is.
  private func view(_ name: String, depth: Int = 0) -> ONNXStateView? {
    if hypothesis.states.contains(name) {
      guard let shape = model.inputs.first(where: { $0.name == name })?.shape else { return nil }
      return ONNXStateView(input: name, axes: shape.indices.map { .of($0, start: 0, count: shape[$0]) })
    }
    guard depth < 32, let (node, real) = node(of: name), let below = node.inputs.first,
      var view = view(below, depth: depth + 1)
    else { return nil }
    func drop(_ place: Int, _ index: Int) -> Bool {
      if case .of(let axis, let start, let count) = view.axes[place] {
        let at = index < 0 ? index &+ (count ?? 0) : index
        guard 0..<(count ?? ModelConfiguration.sizeLimit) ~= at else { return false }
        view.fixed[axis] = start + at
      }
      view.axes.remove(at: place)
      return true
    }
    func cut(_ place: Int, _ range: Range<Int>) -> Bool {
      guard case .of(let axis, let start, _) = view.axes[place] else { return false }
      view.axes[place] = .of(axis, start: start + range.lowerBound, count: range.count)
      return true
    }
    func size(_ place: Int) -> Int? { if case .of(_, _, let count) = view.axes[place] { count } else { 1 } }
    switch node.operation {
    case "Identity", "Cast", "Dropout": return view
    case "Gather":
      guard let place = axis(integer(node, "axis") ?? 0, view.axes.count), let indices = numbers(node, 1),
        let index = indices.known, index.count == 1, drop(place, index[0])
      else { return nil }
      if !indices.isScalar { view.axes.insert(.one, at: place) }
      return view
    case "Slice":
      guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
        starts.count == ends.count
      else { return nil }
      let axes = integers(node, "axes", input: 3) ?? Array(starts.indices)
      guard axes.count == starts.count, (integers(node, "steps", input: 4) ?? []).allSatisfy({ $0 == 1 }) else {
        return nil
      }
      for (index, at) in axes.enumerated() {
        guard let place = axis(at, view.axes.count), let count = size(place) else { return nil }
        let range = ONNXNumbers.range(starts[index], ends[index], 1, count: count)
        guard let first = range.first, cut(place, first..<first + range.count) else { return nil }
      }
      return view
    case "Split":
      guard let place = axis(integer(node, "axis") ?? 0, view.axes.count), let count = size(place),
        let index = node.outputs.firstIndex(of: real)
      else { return nil }
      let sizes =
        integers(node, "split", input: 1)
        ?? (count % node.outputs.count == 0
          ? [Int](repeating: count / node.outputs.count, count: node.outputs.count) : [])
      guard sizes.count == node.outputs.count, sizes.allSatisfy({ 0...count ~= $0 }) else { return nil }
      let first = sizes[..<index].reduce(0, +)
      return cut(place, first..<first + sizes[index]) ? view : nil
    case "Squeeze":
      guard let axes = integers(node, "axes", input: 1) else { return nil }
      for place in Set(axes.compactMap { axis($0, view.axes.count) }).sorted(by: >) {
        guard size(place) == 1, drop(place, 0) else { return nil }
      }
      return view
    default:
      guard let axes = rearranged(view.axes, by: node, one: .one) else { return nil }
      view.axes = axes
      return view
    }
  }

  /// Which last states a value is.
  private func end(_ name: String, depth: Int = 0) -> ONNXEndView? {
    if let end = carried.ends[carried.aliases[name] ?? name] ?? carried.ends[name] {
      let directions = (draft[end.layer].kind as? Layer.Recurrent)?.directions ?? 1
      return ONNXEndView(
        axes: (end.hasDirections ? [directions == 1 ? .one : .slots] : []) + [.batch, .row], parts: [end])
    }
    guard depth < 32, let (node, real) = node(of: name), !node.inputs.isEmpty else { return nil }
    if real != name, let found = end(real, depth: depth + 1) { return found }
    if node.operation == "Concat" {
      let views = node.inputs.compactMap { end($0, depth: depth + 1) }
      guard views.count == node.inputs.count, var all = views.first,
        let place = axis(integer(node, "axis") ?? 0, all.axes.count)
      else { return nil }
      all.axes[place] = .slots
      for view in views {
        guard view.axes.count == all.axes.count, view.axes[place] == .one || view.axes[place] == .slots,
          view.axes.indices.allSatisfy({ $0 == place || view.axes[$0] == all.axes[$0] })
        else { return nil }
      }
      all.parts = views.flatMap(\.parts)
      return all
    }
    if node.operation == "Add", node.inputs.count == 2 {
      // Zeros that keep another input alive.
      for (one, other) in [(0, 1), (1, 0)] {
        if case .zeros? = values[node.inputs[other]] { return end(node.inputs[one], depth: depth + 1) }
      }
      return nil
    }
    guard var view = end(node.inputs[0], depth: depth + 1) else { return nil }
    switch node.operation {
    case "Identity", "Cast", "Dropout": return view
    case "Squeeze":
      let axes = integers(node, "axes", input: 1)
      let places =
        axes.map { $0.compactMap { axis($0, view.axes.count) } }
        ?? view.axes.indices.filter { view.axes[$0] == .one }
      for place in Set(places).sorted(by: >) {
        guard view.axes[place] == .one else { return nil }
        view.axes.remove(at: place)
      }
      return view
    default:
      guard let axes = rearranged(view.axes, by: node, one: .one) else { return nil }
      view.axes = axes
      return view
    }
  }

  /// Axes in another order, or with axes of size 1 between them; nil after any other node.
  private func rearranged<Axis>(_ axes: [Axis], by node: ONNXModel.Node, one: Axis) -> [Axis]? {
    switch node.operation {
    case "Unsqueeze":
      guard let added = integers(node, "axes", input: 1) else { return nil }
      var all = axes
      for place in added.compactMap({ axis($0, axes.count + added.count) }).sorted() {
        guard place <= all.count else { return nil }
        all.insert(one, at: place)
      }
      return all
    case "Transpose":
      let order = integers(node, "perm") ?? Array(axes.indices.reversed())
      guard order.sorted() == Array(axes.indices) else { return nil }
      return order.map { axes[$0] }
    default: return nil
    }
  }
}
