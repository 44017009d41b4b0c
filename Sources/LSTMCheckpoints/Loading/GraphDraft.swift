import FileIO

/// A graph that is being put together of a file's modules, layer by layer.
struct GraphDraft {
  /// A layer, and where its parameters come from.
  struct Step {
    var kind: any LayerKind
    /// The layer's parameter -> the tensor.
    var parts: [String: Candidate] = [:]
    /// What the file calls it; nil for a layer without tensors.
    var source: String?
    /// Of a recurrent module that has several.
    var level = 0
    /// The steps that it reads; nil for the one before it, -1 for the first input, -2 for the second.
    var reads: [Int]?
    /// Another recurrent step whose final state it starts from.
    var startsFrom: Int?
    /// What it is called; nil for the usual name.
    var name: String?

    init(_ kind: any LayerKind, _ module: TensorModule? = nil, reads: [Int]? = nil) {
      self.kind = kind
      self.reads = reads
      parts = module?.parts ?? [:]
      source = module?.name
      level = module?.layer ?? 0
    }
  }

  var inputs: [ModelConfiguration.Input]
  var steps: [Step] = []
  /// The steps whose values are the outputs; empty for the last.
  var outputs: [Int] = []

  /// What the last layer gives; nil when one cannot read what it is given.
  var value: LayerValue? { try? configuration().output }

  /// - Throws: `GraphError` when a layer cannot read what it is given.
  func configuration() throws(ModelConfiguration.GraphError) -> ModelConfiguration {
    let names = names
    func name(_ index: Int) -> String { index < 0 ? inputs[-1 - index].name : names[index] }
    var layers: [Layer] = []
    for (index, step) in steps.enumerated() {
      var kind = step.kind
      if var recurrent = kind as? Layer.Recurrent, let other = step.startsFrom {
        recurrent.initialFrom = names[other]
        kind = recurrent
      }
      layers.append(Layer(names[index], kind, from: step.reads.map { $0.map(name) } ?? []))
    }
    return try ModelConfiguration(inputs: inputs, layers: layers, outputs: outputs.map { names[$0] })
  }

  private var names: [String] {
    let usual = ModelConfiguration.defaultNames(of: steps.map(\.kind))
    return steps.indices.map { index in
      // What goes by its usual name comes first.
      guard let name = steps[index].name,
        !usual.indices.contains(where: { $0 != index && steps[$0].name == nil && usual[$0] == name })
      else { return usual[index] }
      return name
    }
  }

  /// The project's name of each parameter -> the tensor.
  func mapping(_ configuration: ModelConfiguration) -> [String: Candidate] {
    var mapping: [String: Candidate] = [:]
    for (step, layer) in zip(steps, configuration.layers) {
      for (part, candidate) in step.parts {
        let isReverse = layer.kind is Layer.Recurrent && part.hasSuffix("_reverse")
        let name = isReverse ? String(part.dropLast("_reverse".count)) : part
        mapping[layer.parameterName(name, isReverse: isReverse)] = candidate
      }
    }
    return mapping
  }

  // MARK: - Variants, for questions

  /// The same with a readout that is not left open.
  func taking(_ take: Layer.Readout.Take) -> GraphDraft {
    var copy = self
    for (index, step) in steps.enumerated() where step.kind as? Layer.Readout == Layer.Readout(.undecided) {
      copy.steps[index].kind = Layer.Readout(take)
    }
    return copy
  }

  /// The same with the file's own names of modules whose shapes do not tell them apart.
  func named() -> GraphDraft {
    var copy = self
    let taken = Set(ModelConfiguration.defaultNames(of: steps.map(\.kind)))
    let levels = Set(steps.filter { $0.level > 0 }.compactMap(\.source))
    let sources = steps.indices.filter { index in
      steps[index].source.map { !levels.contains($0) } ?? false && !steps[index].parts.isEmpty
    }
    for (_, alike) in sources.grouped(by: { steps[$0].parts.mapValues(\.shape) }) where alike.count > 1 {
      let paths = alike.map { steps[$0].parts.values.first?.name.moduleAndLeaf.module ?? "" }
      let leaves = paths.map(\.moduleAndLeaf.leaf)
      let names = Set(leaves).count == leaves.count ? leaves : paths
      guard Set(names).count == names.count,
        names.allSatisfy({ !$0.isEmpty && !taken.contains($0) && Layer.number(of: $0) == nil })
      else { continue }
      // Numbers that rise are order enough.
      let isNumbered = Set(names.map { $0.filter { !$0.isNumber } }).count == 1
      if isNumbered, zip(names, names.dropFirst()).allSatisfy({ isNaturallyBefore($0, $1) }) { continue }
      for (index, name) in zip(alike, names) { copy.steps[index].name = name }
    }
    return copy
  }

  /// The same with an activation after each of some steps; after the normalization that follows where there is one.
  func activated(_ places: [Int], by activation: Activation) -> GraphDraft {
    guard activation != .none else { return self }
    var copy = self
    for place in places.sorted(by: >) {
      var last = place
      while last + 1 < steps.count, steps[last + 1].isNormalization, steps[last + 1].reads == nil { last += 1 }
      if last == place, var dense = steps[place].kind as? Layer.Dense {
        dense.activation = activation
        copy.steps[place].kind = dense
      } else if last == place, var convolution = steps[place].kind as? Layer.Convolution {
        convolution.activation = activation
        copy.steps[place].kind = convolution
      } else {
        copy.insert(Step(Layer.ActivationLayer(activation)), at: last + 1)
      }
    }
    return copy
  }

  /// Puts a step in between: what read the one before it by name goes on doing so.
  mutating func insert(_ step: Step, at index: Int) {
    func moved(_ place: Int) -> Int { place >= index ? place + 1 : place }
    for at in steps.indices {
      steps[at].reads = steps[at].reads.map { $0.map(moved) }
      steps[at].startsFrom = steps[at].startsFrom.map(moved)
    }
    outputs = outputs.map(moved)
    steps.insert(step, at: index)
  }
}

extension GraphDraft.Step {
  var isNormalization: Bool { kind is Layer.BatchNorm || kind is Layer.LayerNorm || kind is Layer.GroupNorm }
  /// Whether it is a sum of products, after which an activation may stand.
  var isLinear: Bool { kind is Layer.Dense || kind is Layer.Convolution }
  var isRecurrent: Bool { kind is Layer.Recurrent }
}
