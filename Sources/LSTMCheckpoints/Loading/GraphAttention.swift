import FileIO

/// An attention of several matrices that a file's names and shapes tell: query and key, or query, key and value.
struct GraphAttention {
  /// What scores are made of.
  enum Form {
    /// Products of queries and keys, each step looking at all: the matrices, and one behind the sum where there is one.
    case products(query: TensorModule, key: TensorModule, value: TensorModule, out: TensorModule?)
    /// A vector times tanh of query and key, of the last state.
    case additive(query: TensorModule, key: TensorModule, score: TensorModule)
    /// Products of the last state with the steps, one of them multiplied by a matrix.
    case general(TensorModule)
    /// A vector times tanh of each step.
    case vector(TensorModule)
  }

  private(set) var form: Form
  /// Whether names tell which matrix is whose.
  private(set) var isNamed = true

  /// nil when the modules are none of these.
  init?(_ modules: [TensorModule]) {
    func only(_ words: Set<String>) -> TensorModule? {
      let found = modules.filter { words.contains(Self.role($0)) }
      return found.count == 1 ? found[0] : nil
    }
    if modules.count == 3 || modules.count == 4, let query = only(Self.queries), let key = only(Self.keys),
      let value = only(Self.values), query.isMatrix, key.isMatrix, value.isMatrix
    {
      let out = modules.first { ![query.path, key.path, value.path].contains($0.path) }
      guard out?.isMatrix ?? true, query.gives == key.gives else { return nil }
      form = .products(query: query, key: key, value: value, out: out)
      return
    }
    guard modules.count == 3, let at = modules.firstIndex(where: { $0.scoreWidth != nil }) else { return nil }
    let score = modules[at]
    let matrices = modules.indices.filter { $0 != at }.map { modules[$0] }
    guard matrices.allSatisfy(\.isMatrix), matrices.allSatisfy({ $0.gives == score.scoreWidth }) else { return nil }
    if let query = only(Self.queries), let key = only(Self.keys) {
      form = .additive(query: query, key: key, score: score)
    } else {
      form = .additive(query: matrices[0], key: matrices[1], score: score)
      isNamed = false
    }
  }

  /// Of one matrix, where a dense layer behind it reads the last state as well.
  init(general module: TensorModule) {
    form = .general(module)
    isNamed = false
  }

  /// Of one vector, times tanh of each step.
  init(vector module: TensorModule) {
    form = .vector(module)
    isNamed = false
  }

  /// The same with query and key exchanged.
  var exchanged: GraphAttention {
    var copy = self
    if case .additive(let query, let key, let score) = form {
      copy.form = .additive(query: key, key: query, score: score)
    }
    return copy
  }

  /// Whether one row a sequence comes of it.
  var isReadout: Bool { if case .products = form { false } else { true } }

  var modules: [TensorModule] {
    switch form {
    case .products(let query, let key, let value, let out): [query, key, value] + (out.map { [$0] } ?? [])
    case .additive(let query, let key, let score): [query, key, score]
    case .general(let module), .vector(let module): [module]
    }
  }

  var names: String { nameList(modules.map(\.name)) }

  // MARK: - As layers

  /// Choices that tensors leave open.
  struct Choice {
    var heads = 1
    var isScaled = true
    /// Of one matrix: whether it multiplies the steps, not the last state.
    var turnsSteps = true
    /// Whether the last state comes before what the attention gives, where a dense layer reads both.
    var stateFirst = false
  }

  /// Puts the layers on a draft whose last step is the recurrent one; nil when widths do not go together.
  /// - Parameter joins: whether the last state is put beside what the attention gives.
  func add(to draft: inout GraphDraft, _ choice: Choice, joins: Bool) -> Bool {
    let base = draft.steps.count - 1
    guard base >= 0, let recurrent = draft.steps[base].kind as? Layer.Recurrent, recurrent.merge == .concatenate else {
      return false
    }
    func dense(_ module: TensorModule, _ reads: Int) -> GraphDraft.Step {
      var step = GraphDraft.Step(Layer.Dense(size: module.gives ?? 1, hasBias: module.hasBias), module, reads: [reads])
      step.name = module.path
      return step
    }
    switch form {
    case .products(let query, let key, let value, let out):
      // Keys of another width are of what the network reads.
      let given = draft.value?.width
      func source(_ module: TensorModule) -> Int? {
        if module.reads == given { return base }
        return draft.inputs[0].vocabulary == nil && module.reads == draft.inputs[0].width ? -1 : nil
      }
      guard let keys = source(key), let values = source(value), query.reads == given else { return false }
      draft.steps += [dense(query, base), dense(key, keys), dense(value, values)]
      var kind = Layer.DotAttention()
      (kind.heads, kind.isScaled) = (choice.heads, choice.isScaled)
      draft.steps.append(.init(kind, nil, reads: [base + 1, base + 3, base + 2]))
      if let out { draft.steps.append(dense(out, base + 4)) }
    case .additive(let query, let key, let score):
      draft.steps.append(.init(Layer.Readout(recurrent.isBidirectional ? .final : .last)))
      draft.steps += [dense(query, base + 1), dense(key, base)]
      draft.steps.append(Self.additive(score, reads: [base + 2, base, base + 3]))
    case .vector(let score):
      // Additive, with a query of zeros.
      draft.steps.append(.init(Layer.Readout(recurrent.isBidirectional ? .final : .last)))
      draft.steps.append(.init(Layer.Merge(.subtract), nil, reads: [base + 1, base + 1]))
      draft.steps.append(Self.additive(score, reads: [base + 2, base]))
    case .general(let module):
      draft.steps.append(.init(Layer.Readout(recurrent.isBidirectional ? .final : .last)))
      draft.steps.append(dense(module, choice.turnsSteps ? base : base + 1))
      let reads = choice.turnsSteps ? [base + 1, base, base + 2] : [base + 2, base]
      draft.steps.append(.init(Layer.DotAttention(), nil, reads: reads))
    }
    if joins {
      let parts = choice.stateFirst ? [base + 1, draft.steps.count - 1] : [draft.steps.count - 1, base + 1]
      draft.steps.append(.init(Layer.Merge(.concatenate), nil, reads: parts))
    }
    return draft.value != nil
  }

  private static func additive(_ score: TensorModule, reads: [Int]) -> GraphDraft.Step {
    var kind = Layer.DotAttention()
    (kind.isAdditive, kind.hasScale, kind.hasBias) = (true, true, score.hasBias)
    var step = GraphDraft.Step(kind, nil, reads: reads)
    step.name = score.path
    step.source = score.name
    step.parts["scale"] = score.parts["weight"].map { weight in
      Candidate(
        name: weight.name, tensor: weight.tensor.reshaped([weight.tensor.elementCount]), how: "read as a vector")
    }
    step.parts["bias"] = score.parts["bias"]
    return step
  }

  // MARK: - Names

  /// The last part of a module's name that says something, in small letters.
  private static func role(_ module: TensorModule) -> String {
    module.path.moduleAndLeaf.leaf.lowercased()
  }

  private static func family(_ letter: String, _ word: String, _ plural: String) -> Set<String> {
    Set(
      [letter, word, plural].flatMap { name in
        [
          name, "\(name)_proj", "\(name)_projection", "\(name)_layer", "\(name)_linear", "linear_\(name)",
          "lin_\(name)", "fc_\(name)", "to_\(name)", "w_\(name)", "w\(name)", "\(name)_net", "proj_\(name)",
        ]
      })
  }

  private static let queries = family("q", "query", "queries").union(["wa", "w_a", "w_decoder", "decoder_att"])
  private static let keys = family("k", "key", "keys").union(["ua", "u_a", "w_encoder", "encoder_att", "memory_layer"])
  private static let values = family("v", "value", "values")
}

extension TensorModule {
  /// A dense layer that may be one of an attention's.
  var isMatrix: Bool { isLinear && (gives ?? 0) > 1 }

  /// The width of what a vector of scores reads; nil for what is none.
  var scoreWidth: Int? {
    guard let weight = parts["weight"], Set(parts.keys).isSubset(of: ["weight", "bias"]),
      parts["bias"].map({ $0.tensor.elementCount == 1 }) ?? true, let width = weight.shape.max(),
      weight.tensor.elementCount == width, width > 1
    else { return nil }
    return width
  }
}
