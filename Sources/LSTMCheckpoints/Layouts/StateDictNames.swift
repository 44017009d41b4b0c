/// What the tensors of a model are called in a state_dict, and which of them are one.
struct StateDictNames {
  let provenance: Provenance?
  let configuration: ModelConfiguration

  var isFromPyTorch: Bool { provenance?.knownLayout == .pytorch }

  /// As the module itself calls it, for `load_state_dict`: what a `.pt` file kept its state_dict under is left away.
  func name(of parameter: String) -> String {
    withoutStateKey(stateDictName(of: parameter, provenance: provenance, configuration: configuration))
  }

  /// The shape that the source has a parameter in, where that is another.
  func sourceShape(of parameter: String) -> [Int]? {
    guard isFromPyTorch, let source = provenance?.mapping[parameter] else { return nil }
    return provenance?.shapes?[source]
  }

  func withoutStateKey(_ name: String) -> String {
    provenance?.stateKey.flatMap { name.dropping(module: $0) } ?? name
  }

  /// The tensors with what is tied made one, and what the source has under a second name.
  func completed(_ tensors: [NamedTensor]) -> [NamedTensor] {
    let shared = sharing(tensors)
    return shared + twins(of: shared)
  }

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
}

/// A model that did not come from PyTorch gets PyTorch's names: one `nn.LSTM` holds equal layers of a plain stack; what it
/// cannot hold is exported as one module per layer (`rnns.{k}.*_l0`), and so are the layers of a graph (`layer{k}.*_l0`).
func stateDictName(of name: String, provenance: Provenance?, configuration: ModelConfiguration?) -> String {
  if let provenance, provenance.knownLayout == .pytorch, let known = provenance.mapping[name] { return known }
  guard let configuration, let parsed = PyTorchName(name), !parsed.isCell,
    Layer.Recurrent.Cell(rawValue: parsed.module) != nil
  else { return name }
  let leaf = parsed.kind.rawValue + "_l0" + (parsed.isReverse ? "_reverse" : "")
  guard let stack = configuration.stack else { return "layer\(parsed.layer)." + leaf }
  return stack.fitsOneModule ? name : "rnns.\(parsed.layer)." + leaf
}

extension PlainStack {
  /// Whether one `nn.LSTM` can hold the stack: equal sizes and directions all the way up.
  var fitsOneModule: Bool { layers.allSatisfy { $0 == layers[0] } }
}
