/// Models of which something reads the steps that the mask hides.
extension ModelConfiguration {
  /// A layer that reads every step, and the layer or input that it reads them from.
  package struct EveryStepUse: Hashable {
    package let reader: String
    package let source: String

    package init(reader: String, source: String) { (self.reader, self.source) = (reader, source) }
  }

  /// The same model, whose outputs have a row at every step, as Keras gives them; the parameters are the same.
  /// - Throws: `GraphError` naming a layer that gives none at a hidden step.
  package func showingHiddenSteps() throws(GraphError) -> ModelConfiguration {
    let shown = outputPlaces.filter { values[$0].isPerStep && values[$0].clock == 0 }.map(name(ofValue:))
    guard mask != nil, !shown.isEmpty else { return self }
    return try unmasking([], outputs: shown)
  }

  /// The same model with `unmask` where a layer reads every step.
  /// - Parameters:
  ///   - uses: of the first input's steps.
  ///   - shown: outputs that have a row at every step.
  ///   - zeroed: recurrent layers that give zeros at hidden steps beside those of two directions.
  /// - Throws: `GraphError` naming a layer that gives nothing at a hidden step.
  package func unmasking(
    _ uses: Set<EveryStepUse>, outputs shown: [String] = [], zeroed: Set<String> = []
  ) throws(GraphError) -> ModelConfiguration {
    var needs = HiddenStepNeeds(self, uses)
    for name in shown { try needs.show(name) }
    for use in uses { try needs.show(use.source) }
    try needs.settle(uses)
    let (made, names) = needs.layers(uses, zeroed: zeroed)
    let outputs = outputPlaces.map(name(ofValue:)).map { shown.contains($0) ? names[$0] ?? $0 : $0 }
    let last = made.last?.name
    return try ModelConfiguration(
      inputs: inputs, layers: made, outputs: outputs == [last] ? [] : outputs, ties: ties, mask: mask)
  }
}

/// Which layers of a model have to give a row at every step.
private struct HiddenStepNeeds {
  private let model: ModelConfiguration
  /// Layers that are computed for every step, each by itself.
  private var everywhere: Set<String> = []
  /// Layers and inputs whose rows at hidden steps are known from the others.
  private var filled: Set<String> = []
  /// Layers that hide steps again, of which every one is read.
  private var seenThrough: Set<String> = []
  /// Layers whose output has every step because they read every one.
  private var derived: Set<String> = []

  init(_ model: ModelConfiguration, _ uses: Set<ModelConfiguration.EveryStepUse>) {
    self.model = model
    let readers = Set(uses.map(\.reader))
    for layer in model.layers where isMasked(layer.name) {
      let isEach = !(layer.kind is Layer.Recurrent) && sources(layer.name).allSatisfy { derived.contains($0) }
      let asks =
        layer.kind is Layer.DotAttention
        && sources(layer.name).first.map { uses.contains(.init(reader: layer.name, source: $0)) } ?? false
      if layer.kind is Layer.Recurrent && readers.contains(layer.name) || isEach || asks { derived.insert(layer.name) }
    }
  }

  private func layer(_ name: String) -> Layer? { model.index(of: name).map { model.layers[$0] } }
  private func isMasked(_ name: String) -> Bool {
    model.value(of: name).map { $0.isPerStep && $0.clock == 0 } ?? false
  }
  private func sources(_ name: String) -> [String] {
    model.index(of: name).map { model.sources[$0].map(model.name(ofValue:)) } ?? []
  }

  mutating func show(_ name: String) throws(ModelConfiguration.GraphError) {
    guard isMasked(name), !everywhere.contains(name), !derived.contains(name) else { return }
    guard let layer = layer(name) else {
      guard model.value(of: name)?.vocabulary == nil else {
        throw .init(layer: name, detail: "it has tokens, and no rows for the steps that the mask hides")
      }
      filled.insert(name)
      return
    }
    switch layer.kind {
    case is Layer.Recurrent, is Layer.Embedding: filled.insert(name)
    // Keras' heads see all steps alike where their own is hidden; its Attention gives zeros.
    case let attention as Layer.DotAttention where !attention.isScaled: filled.insert(name)
    // What it reads has every row.
    case is Layer.Remask: seenThrough.insert(name)
    case is Layer.Dense, is Layer.ActivationLayer, is Layer.PReLU, is Layer.BatchNorm, is Layer.LayerNorm,
      is Layer.Rescale,
      is Layer.Dropout, is Layer.L2, is Layer.Slice, is Layer.Reshape, is Layer.Merge, is Layer.Readout,
      is Layer.Convolution, is Layer.Pooling, is Layer.Magnitude, is Layer.CRF:
      everywhere.insert(name)
      for source in sources(name) { try show(source) }
    default:
      throw .init(layer: name, detail: "it gives no row at a step that the mask hides, and one is read there")
    }
  }

  /// Finds the layers that read a row of every step beside others.
  mutating func settle(_ uses: Set<ModelConfiguration.EveryStepUse>) throws(ModelConfiguration.GraphError) {
    let names = Set(uses.map(\.reader))
    for layer in model.layers where names.contains(layer.name) && isMasked(layer.name) {
      if layer.kind is Layer.Recurrent { derived.insert(layer.name) } else { try show(layer.name) }
    }
    var count = -1
    while count != everywhere.count + derived.count {
      count = everywhere.count + derived.count
      for layer in model.layers where isMasked(layer.name) && layer.kind is Layer.Merge {
        if sources(layer.name).contains(where: { derived.contains($0) }) { try show(layer.name) }
      }
      for layer in model.layers where isMasked(layer.name) && !(layer.kind is Layer.Recurrent) {
        if sources(layer.name).first.map({ derived.contains($0) }) ?? false { derived.insert(layer.name) }
      }
    }
  }

  /// The layers with `unmask` and `remask` among them, and the names that every step has.
  func layers(
    _ uses: Set<ModelConfiguration.EveryStepUse>, zeroed: Set<String>
  ) -> (layers: [Layer], names: [String: String]) {
    var taken = Set(model.layers.map(\.name) + model.inputs.map(\.name))
    func fresh(_ stem: String) -> String {
      var (name, number) = (stem, 0)
      while !taken.insert(name).inserted {
        number += 1
        name = "\(stem)_\(number)"
      }
      return name
    }
    var made: [Layer] = []
    var names: [String: String] = [:]
    var hiddenAgain: [String: String] = [:]
    func unmask(_ name: String, _ fill: Layer.Unmask.Fill) {
      let unique = fresh("\(name)_steps".replacing("/", with: "_"))
      names[name] = unique
      made.append(Layer(unique, Layer.Unmask(fill), from: [name]))
    }
    for input in model.inputs where filled.contains(input.name) { unmask(input.name, .zero) }
    for name in everywhere.union(derived) { names[name] = name }
    for (index, layer) in model.layers.enumerated() {
      var copy = layer
      let reads = model.sources[index].map(model.name(ofValue:))
      copy.from = reads.map { source in
        let readsAll = everywhere.contains(layer.name) || uses.contains(.init(reader: layer.name, source: source))
        if readsAll { return names[source] ?? source }
        guard names[source] == source, !derived.contains(source) else { return source }
        if let known = hiddenAgain[source] { return known }
        let unique = fresh("\(source)_visible".replacing("/", with: "_"))
        hiddenAgain[source] = unique
        made.append(Layer(unique, Layer.Remask(), from: [source]))
        return unique
      }
      if seenThrough.contains(layer.name), let source = copy.from.first { names[layer.name] = source }
      let before = made.last?.name ?? model.inputs[0].name
      if copy.from == [before] { copy.from = [] }
      made.append(copy)
      guard filled.contains(layer.name) else { continue }
      switch layer.kind {
      case let kind as Layer.Recurrent:
        unmask(layer.name, kind.isBidirectional || zeroed.contains(layer.name) ? .zero : .held)
      case is Layer.Embedding: unmask(layer.name, .token)
      default: unmask(layer.name, .zero)
      }
    }
    return (made, names)
  }
}
