import FileIO

/// Puts modules one behind the other, each reading what the one before gives.
struct GraphChain {
  private(set) var draft = GraphDraft(inputs: [])
  /// k, where a dense layer reads k times what one step has: readouts side by side.
  private(set) var joined: (step: Int, count: Int)?
  /// Whether a dense layer reads further values of each sequence.
  private(set) var isBeside = false
  /// Whether dense layers read the same values.
  private(set) var hasSeveralHeads = false
  /// Whether a head reads one half of what two directions give.
  private(set) var halves: Int?
  /// Whether a layer of the head is a convolution with a window of one step, which no plain stack is called.
  private(set) var hasWindowOfOne = false
  /// Steps that a head reads one after the other.
  private(set) var flattened: Int?
  private let kinds: TensorKinds
  private let options: LoadOptions
  /// What the first layer of the head reads.
  private var trunk: Int?
  private var hasReadout = false

  /// What is chosen of an attention by products.
  private let choice: GraphAttention.Choice
  /// The modules in the order in which they stand.
  private(set) var sequence: [TensorModule] = []
  /// Whether a dense layer reads what an attention gives, and the last state beside it.
  private(set) var joinsState = false

  init(_ kinds: TensorKinds, _ options: LoadOptions, _ choice: GraphAttention.Choice = .init()) {
    (self.kinds, self.options, self.choice) = (kinds, options, choice)
  }

  /// nil when one cannot read what the one before it gives.
  init?(
    _ parts: GraphParts, _ kinds: TensorKinds, _ options: LoadOptions, _ choice: GraphAttention.Choice = .init()
  ) {
    self.init(kinds, options, choice)
    let top = parts.sequence.lastIndex { $0.recurrent != nil } ?? -1
    sequence = parts.sequence.enumerated().map { $0 > top ? $1.asDense : $1 }
    hasWindowOfOne = zip(sequence, parts.sequence).contains { $0.isLinear != $1.isLinear }
    let stepwise = sequence.lastIndex { $0.isStepwise } ?? -1
    for (index, module) in sequence.enumerated() {
      let next = sequence.dropFirst(index + 1).first
      if index == stepwise + 1 {
        let hasHead = sequence[index...].contains { $0.isLinear }
        let steps = (draft.value?.width).map { width in
          sequence[index...].first { $0.isLinear }.map { $0.inputs / max(width, 1) } ?? 1
        }
        if !readOut(parts, hasHead: hasHead, steps: steps ?? 1) { return nil }
      }
      guard add(module, next: next) else { return nil }
    }
    if sequence.count == stepwise + 1 { guard readOut(parts, hasHead: false, steps: 1) else { return nil } }
    guard finish(parts) else { return nil }
  }

  // MARK: - One module

  /// - Parameter next: the module behind it, which tells an embedding from a dense layer.
  mutating func add(_ module: TensorModule, next: TensorModule?) -> Bool {
    if draft.inputs.isEmpty { begin(module, next: next) }
    guard let value = draft.value ?? (draft.steps.isEmpty ? LayerValue(width: draft.inputs[0].width) : nil) else {
      return false
    }
    if GraphChain.isSpectrum(draft), let reads = module.reads, 2 * reads == value.width {
      guard append(.init(Layer.Magnitude())) else { return false }
    } else if let reads = module.reads, !module.isLinear, reads != value.width {
      return false
    }
    if case .linear(let outputs, let inputs) = module.content {
      if draft.inputs[0].vocabulary != nil, draft.steps.isEmpty {
        return append(.init(Layer.Embedding(size: inputs, paddingToken: nil), module))
      }
      let dense = Layer.Dense(size: outputs, hasBias: module.hasBias)
      let width = draft.outputs.isEmpty ? draft.value?.width : self.value(of: draft.steps.count - 1)?.width
      return addDense(.init(dense, module), inputs: inputs, width: width ?? value.width)
    }
    guard let step = Self.step(module) else { return false }
    return append(step)
  }

  /// A module as a layer; nil for what has no place in a row of layers.
  static func step(_ module: TensorModule) -> GraphDraft.Step? {
    switch module.content {
    case .recurrent(let kind, _): return .init(kind, module)
    case .linear(let outputs, _): return .init(Layer.Dense(size: outputs, hasBias: module.hasBias), module)
    case .convolution(let outputs, _, let kernel):
      guard kernel.count == 1 else { return nil }
      var convolution = Layer.Convolution(size: outputs, kernel: kernel)
      convolution.hasBias = module.hasBias
      return .init(convolution, module)
    case .batchNorm:
      var norm = Layer.BatchNorm()
      norm.hasScale = module.parts["weight"] != nil
      norm.hasOffset = module.hasBias
      return .init(norm, module)
    case .layerNorm:
      var norm = Layer.LayerNorm()
      norm.hasOffset = module.hasBias
      return .init(norm, module)
    case .groupNorm(let size): return .init(Layer.GroupNorm(groups: GraphQuestions.groups(module, size)[0]), module)
    case .selfAttention:
      var attention = Layer.SelfAttention()
      attention.hasBias = module.parts["in_proj_bias"] != nil
      return .init(attention, module)
    case .slope(let count): return .init(Layer.PReLU(isShared: count == 1), module)
    case .crf, .lone, .unknown: return nil
    }
  }

  /// Whether the draft is real and imaginary parts of a spectrum so far: one signal, convolved with as many waves as a
  /// window of the kernel's length has.
  private static func isSpectrum(_ draft: GraphDraft) -> Bool {
    guard draft.steps.count == 1, let front = draft.steps[0].kind as? Layer.Convolution else { return false }
    return draft.inputs[0].width == 1 && !front.hasBias && front.kernel.count == 1 && front.size == front.kernel[0] + 2
  }

  /// An input of features, for layers that are put on it by hand.
  mutating func begin(width: Int) { draft.inputs = [.init(.features(size: width))] }

  /// Puts on what does not follow one after the other.
  /// - Parameter base: the step that is read, -1 for the input.
  mutating func arrange(_ body: (inout GraphDraft, _ base: Int) -> Bool) -> Bool {
    body(&draft, draft.steps.count - 1)
  }

  private mutating func append(_ step: GraphDraft.Step) -> Bool {
    draft.steps.append(step)
    if draft.value != nil { return true }
    draft.steps.removeLast()
    return false
  }

  private mutating func begin(_ module: TensorModule, next: TensorModule?) {
    func features(_ size: Int) -> ModelConfiguration.Input { .init(.features(size: size)) }
    switch module.content {
    case .recurrent(_, let inputSize): draft.inputs = [features(inputSize)]
    case .batchNorm(let size), .layerNorm(let size), .groupNorm(let size), .selfAttention(let size):
      draft.inputs = [features(size)]
    case .convolution(_, let inputs, _): draft.inputs = [features(inputs)]
    case .linear(let outputs, let inputs):
      // A table gives rows, a matrix columns.
      let wanted = next?.reads
      let isTable =
        !module.hasBias && wanted != outputs
        || !module.hasBias && module.parts.values.contains { kinds.kind(of: $0) == .embedding }
      draft.inputs = [
        isTable && (wanted == nil || wanted == inputs) ? .init(.tokens(vocabulary: outputs)) : features(inputs)
      ]
    default: draft.inputs = [features(1)]
    }
  }

  private mutating func addDense(_ step: GraphDraft.Step, inputs: Int, width: Int) -> Bool {
    if inputs == width {
      if trunk == nil, hasReadout { trunk = draft.steps.count - 1 }
      guard append(step) else { return false }
      // A layer above the one before, which may be a head's.
      if !draft.outputs.isEmpty { draft.outputs[draft.outputs.count - 1] = draft.steps.count - 1 }
      return true
    }
    // A head beside the one before.
    if let trunk, hasReadout, let value = value(of: trunk), value.width == inputs {
      var beside = step
      beside.reads = [trunk]
      if draft.outputs.isEmpty { draft.outputs = [draft.steps.count - 1] }
      guard append(beside) else { return false }
      draft.outputs.append(draft.steps.count - 1)
      hasSeveralHeads = true
      return true
    }
    guard trunk == nil, hasReadout else { return false }
    if joined == nil, inputs % width == 0, 2...3 ~= inputs / width, draft.steps.last?.kind is Layer.Readout {
      joined = (draft.steps.count - 1, inputs / width)
      // As good as any of that width until it is asked.
      let below = draft.steps.count - 2
      let take = options.readout.flatMap { Layer.Readout.Take(rawValue: $0.rawValue) } ?? .last
      draft.steps.removeLast()
      let takes = Self.joins(inputs / width)[0]
      let first = draft.steps.count
      for one in takes { draft.steps.append(.init(Layer.Readout(takes.count == 1 ? take : one), nil, reads: [below])) }
      draft.steps.append(.init(Layer.Merge(.concatenate), nil, reads: Array(first..<draft.steps.count)))
      trunk = draft.steps.count - 1
      return append(step)
    }
    if inputs > width, inputs % width != 0 || inputs / width > 3, draft.inputs.count == 1, joined == nil,
      draft.steps.last?.kind is Layer.Readout
    {
      isBeside = true
      draft.inputs[0].name = "series"
      draft.inputs.append(.init(.features(size: inputs - width), name: "static", isPerSequence: true))
      draft.steps.append(.init(Layer.Merge(.concatenate), nil, reads: [draft.steps.count - 1, -2]))
      return append(step)
    }
    if inputs * 2 == width, let at = draft.steps.lastIndex(where: \.isRecurrent),
      var cell = draft.steps[at].kind as? Layer.Recurrent, cell.isBidirectional, cell.merge == .concatenate
    {
      halves = at
      cell.merge = .sum
      draft.steps[at].kind = cell
      return append(step)
    }
    return false
  }

  private func value(of step: Int) -> LayerValue? {
    var copy = draft
    copy.steps = Array(draft.steps.prefix(step + 1))
    copy.outputs = []
    return copy.value
  }

  static func joins(_ count: Int) -> [[Layer.Readout.Take]] {
    count == 2 ? [[.mean, .max], [.max, .mean]] : [[.last, .max, .mean], [.last, .mean, .max]]
  }

  // MARK: - Behind the recurrent layers

  /// - Parameter steps: how many steps the head reads at once, by its width.
  mutating func readOut(_ parts: GraphParts, hasHead: Bool, steps: Int) -> Bool {
    guard draft.steps.contains(where: \.isRecurrent) else { return true }
    if let attention = parts.attention {
      hasReadout = true
      return append(attention)
    }
    if let products = parts.products {
      let width = draft.value?.width ?? 0
      joinsState = products.isReadout && steps == 2 && width > 0
      guard products.add(to: &draft, choice, joins: joinsState) else { return false }
      if products.isReadout {
        hasReadout = true
        return true
      }
    }
    if parts.crf != nil { return true }
    if steps > 3, hasHead, parts.products == nil, !draft.steps.contains(where: { $0.kind is Layer.Convolution }) {
      flattened = steps
      draft.inputs[0].steps = steps
      hasReadout = true
      return append(.init(Layer.Flatten()))
    }
    guard hasHead || options.readout != nil else { return true }
    hasReadout = true
    let take = options.readout.flatMap { Layer.Readout.Take(rawValue: $0.rawValue) }
    return append(.init(Layer.Readout(take ?? .undecided)))
  }

  /// Puts on what has its place by its nature, and what a user says.
  mutating func finish(_ parts: GraphParts) -> Bool {
    if let crf = parts.crf { guard append(.init(Layer.CRF(), crf)) else { return false } }
    guard parts.addStates(to: &draft) else { return false }
    guard draft.value != nil else { return false }
    if let activation = options.readoutActivation, activation != .none, let at = draft.readoutEnd {
      draft.insert(.init(Layer.ActivationLayer(activation)), at: at + 1)
    }
    if let activation = options.outputActivation { draft = draft.ending(in: activation) }
    return true
  }
}

extension TensorModule {
  var isStepwise: Bool {
    switch content {
    case .recurrent, .convolution, .selfAttention: true
    default: false
    }
  }

  var isLinear: Bool { if case .linear = content { true } else { false } }
  var inputs: Int { if case .linear(_, let inputs) = content { inputs } else { 1 } }

  /// Width of what it reads; nil for what takes any.
  var reads: Int? {
    switch content {
    case .recurrent(_, let inputSize): inputSize
    case .linear(_, let inputs), .convolution(_, let inputs, _): inputs
    case .batchNorm(let size), .layerNorm(let size), .groupNorm(let size), .selfAttention(let size), .crf(let size):
      size
    case .slope, .lone, .unknown: nil
    }
  }

  /// A convolution with a window of one step as the dense layer that it is; others as they are.
  var asDense: TensorModule {
    guard case .convolution(let outputs, let inputs, let kernel) = content, kernel == [1],
      let weight = parts["weight"]
    else { return self }
    var copy = self
    copy.content = .linear(outputs: outputs, inputs: inputs)
    copy.parts["weight"] = Candidate(
      name: weight.name, tensor: weight.tensor.reshaped([outputs, inputs]), how: "a window of one step")
    return copy
  }

  /// A convolution over several steps that is no spectrum.
  var isFront: Bool {
    guard case .convolution(_, _, let kernel) = content else { return false }
    return kernel.contains { $0 > 1 } && !isSpectrum
  }

  /// Waves of a spectrum, with one signal to read: real and imaginary parts side by side.
  var isSpectrum: Bool {
    guard case .convolution(let outputs, 1, let kernel) = content, kernel.count == 1 else { return false }
    return !hasBias && outputs == kernel[0] + 2
  }

  /// Width of what it gives.
  var gives: Int? {
    switch content {
    case .recurrent(let kind, _): kind.outputSize
    case .linear(let outputs, _), .convolution(let outputs, _, _): outputs
    case .batchNorm(let size), .layerNorm(let size), .groupNorm(let size), .selfAttention(let size), .crf(let size):
      size
    case .slope, .lone, .unknown: nil
    }
  }
}
