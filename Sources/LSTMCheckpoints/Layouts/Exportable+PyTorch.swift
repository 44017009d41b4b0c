extension Exportable {
  /// A state_dict: the source's own names where it had PyTorch's, else the project's, which are the same.
  func pyTorchTensors() throws(CheckpointError) -> [NamedTensor] {
    let cells = try cells(
      Capabilities(
        target: "PyTorch's LSTM", biases: isFromPyTorch ? [.none, .single, .dual] : [.none, .dual],
        gates: isFromPyTorch ? Set(PlainStack.GateActivation.allCases) : [.sigmoid], projection: true,
        peepholes: isFromPyTorch))
    var result: [NamedTensor] = []
    func add(_ name: String, _ tensor: StoredTensor?, how: String? = nil) {
      guard let tensor else { return }
      result.append(NamedTensor(name: stateName(of: name), tensor: tensor, source: name, how: how))
    }
    var written = Set<Int>()
    for parameter in configuration.places {
      guard let layer = parameter.role.stackLayer else {
        add(parameter.name, self[parameter.name])
        continue
      }
      guard written.insert(layer).inserted else { continue }
      for (cell, reverse) in zip(cells[layer], [false, true]) {
        let steps = biasSteps(layer: layer, cell)
        for (part, tensor) in cell.parts {
          add(PyTorchName.parameter(part, layer: layer, isReverse: reverse), tensor, how: steps[part])
        }
      }
    }
    return sharing(result) + twins(of: sharing(result))
  }

  /// What the source has under a second name.
  private func twins(of tensors: [NamedTensor]) -> [NamedTensor] {
    guard isFromPyTorch, let twins = provenance?.twins else { return [] }
    let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    return twins.sorted { isNaturallyBefore($0.key, $1.key) }.compactMap { twin, kept in
      guard let item = byName[withoutStateKey(kept)] else { return nil }
      return NamedTensor(
        name: withoutStateKey(twin), tensor: item.tensor, source: item.source, how: item.how,
        sharedWith: item.sharedWith ?? item.name)
    }
  }

  /// Has tied parameters be one tensor, where nothing was done to them on the way.
  private func sharing(_ tensors: [NamedTensor]) -> [NamedTensor] {
    guard !configuration.validTies.isEmpty else { return tensors }
    let bySource = Dictionary(tensors.map { ($0.source, $0) }) { first, _ in first }
    return tensors.map { item in
      let name = configuration.parameterName(of: item.source)
      guard name != item.source, item.how == nil, let first = bySource[name], first.how == nil else { return item }
      var item = item
      item.sharedWith = first.name
      return item
    }
  }

  private var isFromPyTorch: Bool { provenance?.knownLayout == .pytorch }

  /// As the module itself calls it, for `load_state_dict`: what a `.pt` file kept its state_dict under is left away.
  private func stateName(of name: String) -> String {
    withoutStateKey(stateDictName(of: name, provenance: provenance, configuration: ModelConfiguration(configuration)))
  }

  private func withoutStateKey(_ name: String) -> String {
    provenance?.stateKey.flatMap { name.dropping(module: $0) } ?? name
  }
}

/// A model that did not come from PyTorch gets PyTorch's names: one `nn.LSTM` holds equal layers; what it cannot hold is
/// exported as one module per layer (`rnns.{k}.*_l0`).
func stateDictName(of name: String, provenance: Provenance?, configuration: ModelConfiguration?) -> String {
  if let provenance, provenance.knownLayout == .pytorch, let known = provenance.mapping[name] { return known }
  guard let stack = configuration?.stack, !stack.fitsOneModule, let parsed = PyTorchName(name), parsed.module == "lstm"
  else { return name }
  return "rnns.\(parsed.layer).\(parsed.kind.rawValue)_l0" + (parsed.isReverse ? "_reverse" : "")
}

extension PlainStack {
  /// Whether one `nn.LSTM` can hold the stack: equal sizes and directions all the way up.
  var fitsOneModule: Bool { layers.allSatisfy { $0 == layers[0] } }
}
