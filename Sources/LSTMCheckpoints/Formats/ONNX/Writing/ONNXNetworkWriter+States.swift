import FileIO

extension StoredModel {
  /// The source's own inputs and outputs, where its states were among them and the model still has them.
  var carriedInterface: Provenance.Interface? {
    provenance?.interface.flatMap { $0.fits(configuration) ? $0 : nil }
  }

  /// What a program gives and takes, where states are among it.
  func interface(_ options: WriteOptions) -> Provenance.Interface? {
    guard let carries = options.carriesState else { return carriedInterface }
    return carries ? carriedInterface ?? Provenance.Interface(configuration) : nil
  }
}

extension Provenance.Interface {
  /// Every state that begins with zeros, under PyTorch's names; nil when there is none.
  fileprivate init?(_ configuration: ModelConfiguration) {
    let layers = configuration.recurrentLayers.filter { $0.kind.initialFrom == nil && $0.kind.initial == .zero }
    guard !layers.isEmpty else { return nil }
    self.init(inputs: [], outputs: [], states: [], others: [], order: [])
    for input in configuration.inputs {
      var axes: [Axis] = input.isPerSequence ? [.batch] : [.batch, .time]
      if input.vocabulary == nil { axes.append(.row) }
      inputs.append(.init(name: input.name, part: input.name, axes: axes, type: input.vocabulary == nil ? 1 : 7))
    }
    let own = configuration.outputs.isEmpty ? [configuration.layers.last?.name ?? ""] : configuration.outputs
    for name in own {
      let isPerStep = (configuration.value(of: name) ?? configuration.output).isPerStep
      outputs.append(
        .init(
          name: own.count == 1 ? "output" : "output." + name, part: name,
          axes: isPerStep ? [.batch, .time, .row] : [.batch, .row], type: 1))
    }
    func add(_ suffix: String, _ list: [(index: Int, name: String, kind: Layer.Recurrent)]) {
      for (letter, isCell) in [("h", false), ("c", true)] {
        let parts = list.filter { !isCell || $0.kind.cell == .lstm }
        if parts.isEmpty { continue }
        states.append(
          .init(
            input: "\(letter)_0\(suffix)", output: "\(letter)_n\(suffix)", inputAxes: [.slots, .batch, .row],
            outputAxes: [.slots, .batch, .row], parts: parts.map { .init(layer: $0.name, isCell: isCell) }))
      }
    }
    if configuration.stack != nil, Set(layers.map(\.kind.size)).count == 1 {
      add("", layers)
    } else {
      for layer in layers { add("_" + layer.name, [layer]) }
    }
  }
}

extension ONNXNetworkWriter {
  private typealias Interface = Provenance.Interface

  private func kind(of layer: String) -> Layer.Recurrent? {
    configuration.recurrentLayers.first { $0.name == layer }?.kind
  }

  private func slots(_ state: Provenance.Interface.State) -> Int {
    state.parts.reduce(0) { $0 + (kind(of: $1.layer)?.directions ?? 1) }
  }

  /// What comes in, as the layers read it: (batch, time, features), and states (directions, batch, H).
  mutating func takeInputs(_ interface: Provenance.Interface) {
    let inputs = interface.inputs.map { value in
      (value, configuration.inputs.first { $0.name == value.part } ?? configuration.inputs[0])
    }
    let states = interface.states
    let known = interface.order.filter { name in
      inputs.contains { $0.0.name == name } || states.contains { $0.input == name }
        || interface.others.contains { $0.name == name }
    }
    let rest = inputs.map(\.0.name) + states.map(\.input) + interface.others.map(\.name)
    for name in known + rest.filter({ !known.contains($0) }) {
      if let (value, input) = inputs.first(where: { $0.0.name == name }) {
        builder.input(
          name,
          value.axes.map { axis in
            switch axis {
            case .batch: .symbol("batch")
            case .time: input.steps.map { .number($0) } ?? .symbol("time")
            case .row: .number(input.width)
            case .one, .slots: .number(1)
            }
          }, type: value.type)
        let isToken = input.vocabulary != nil
        let wanted: [Provenance.Interface.Axis] =
          (input.isPerSequence ? [.batch] : [.batch, .time]) + (isToken ? [] : [.row])
        names[input.name] = moved(name, value.axes, wanted)
      } else if let state = states.first(where: { $0.input == name }) {
        take(state)
      } else if let other = interface.others.first(where: { $0.name == name }) {
        builder.input(
          name, other.shape.enumerated().map { $1.map { .number($0) } ?? .symbol("\(name)_\($0)") }, type: other.type)
      }
    }
  }

  private mutating func take(_ state: Provenance.Interface.State) {
    let count = slots(state)
    builder.input(state.input, sizes(state.inputAxes, of: state))
    let all = moved(state.input, state.inputAxes, [.slots, .batch, .row])
    var start = 0
    for part in state.parts {
      let directions = kind(of: part.layer)?.directions ?? 1
      let value =
        directions == count
        ? all
        : builder.node(
          "Slice",
          [all, builder.integers([start]), builder.integers([start + directions]), builder.integers([0])])
      start += directions
      var list = carried[part.layer] ?? (kind(of: part.layer)?.cell == .lstm ? ["", ""] : [""])
      list[part.isCell ? 1 : 0] = value
      carried[part.layer] = list
    }
  }

  /// What goes out, as the interface has it.
  mutating func give(_ value: String, as wanted: Provenance.Interface.Value, of kind: LayerValue) {
    let own: [Provenance.Interface.Axis] = kind.isPerStep ? [.batch, .time, .row] : [.batch, .row]
    builder.node("Identity", [moved(value, own, wanted.axes)], outputs: [wanted.name])
    builder.output(
      wanted.name,
      wanted.axes.map { axis in
        switch axis {
        case .batch: .symbol("batch")
        case .time: .symbol(kind.clock == 0 ? "time" : "steps_\(wanted.name)")
        case .row: .number(kind.width)
        case .one, .slots: .number(1)
        }
      })
  }

  mutating func giveStates(_ interface: Provenance.Interface) {
    for state in interface.states {
      let list = state.parts.compactMap { part in
        states[part.layer].map { part.isCell ? $0.cell : $0.hidden }
      }
      let all = list.count == 1 ? list[0] : builder.node("Concat", list, ["axis": .integer(0)])
      builder.node("Identity", [moved(all, [.slots, .batch, .row], state.outputAxes)], outputs: [state.output])
      builder.output(state.output, sizes(state.outputAxes, of: state))
    }
  }

  private func sizes(
    _ axes: [Provenance.Interface.Axis], of state: Provenance.Interface.State
  ) -> [ONNXGraphBuilder.Size] {
    let size = state.parts.first.flatMap { kind(of: $0.layer) }?.size ?? 1
    return axes.map { axis in
      switch axis {
      case .batch: .symbol("batch")
      case .row: .number(size)
      case .slots: .number(slots(state))
      case .one, .time: .number(1)
      }
    }
  }

  /// A value under other axes: those of size 1 go and come.
  private mutating func moved(
    _ value: String, _ from: [Provenance.Interface.Axis], _ to: [Provenance.Interface.Axis]
  ) -> String {
    if from == to { return value }
    var (name, axes) = (value, from)
    let gone = axes.indices.filter { axes[$0] == .one || !to.contains(axes[$0]) }
    if !gone.isEmpty {
      name = builder.node("Squeeze", [name, builder.integers(gone)])
      axes = axes.indices.filter { !gone.contains($0) }.map { axes[$0] }
    }
    let order = to.compactMap { axes.firstIndex(of: $0) }
    if order != Array(axes.indices) { name = transposed(name, order) }
    axes = order.map { axes[$0] }
    let new = to.indices.filter { !axes.contains(to[$0]) }
    return new.isEmpty ? name : builder.node("Unsqueeze", [name, builder.integers(new)])
  }
}
