/// Tells what each tensor of a file is.
struct TensorKinds {
  /// module -> leaf -> shape
  private var modules: [String: [String: [Int]]] = [:]
  /// Modules that together are an attention: `q_proj`, `k_proj` and `v_proj` of one parent.
  private var attention = Set<String>()
  /// Recurrent modules that are no LSTM: module, layer number and direction as in their names.
  private var recurrent: [String: TensorKind] = [:]
  /// Recurrent modules with a normalization among their own tensors.
  private var normalizedCells = Set<String>()
  private let decisions = Decisions()

  /// By name, each decided once, when it is asked for.
  private final class Decisions {
    var known: [String: TensorKind] = [:]
  }

  init(_ candidates: [Candidate]) {
    for candidate in candidates {
      let (module, leaf) = Self.parts(candidate.name)
      modules[module, default: [:]][leaf] = candidate.shape
    }
    findFamilies()
    for (module, leaves) in modules {
      for (leaf, shape) in leaves where leaf.hasPrefix("weight_hh") && shape.count == 2 {
        let suffix = String(leaf.dropFirst("weight_hh".count))
        guard !suffix.hasSuffix("_raw"), leaves["weight_hr" + suffix] == nil, shape[1] > 0,
          let rows = leaves["weight_ih" + suffix]?.first, rows == shape[0],
          ["bias_ih", "bias_hh"].allSatisfy({ leaves[$0 + suffix].map { $0 == [rows] } ?? true })
        else { continue }
        if shape[0] % 3 == 0, shape[0] / 3 == shape[1] { recurrent[module + "|" + suffix] = .gru(shape[1]) }
        if shape[0] == shape[1] { recurrent[module + "|" + suffix] = .rnn(shape[1]) }
      }
      if let shape = leaves["recurrent_kernel"], shape.count == 2, shape[0] > 0, leaves["kernel"]?.last == shape[1] {
        if shape[1] % 3 == 0, shape[1] / 3 == shape[0] { recurrent[module + "|"] = .gru(shape[0]) }
        if shape[1] == shape[0] { recurrent[module + "|"] = .rnn(shape[0]) }
      }
    }
    for (module, leaves) in modules {
      let parent = Self.parts(module).module
      guard let gain = leaves["weight"] ?? leaves["gamma"], gain.count == 1, !parent.isEmpty,
        let cell = modules[parent],
        cell.keys.contains(where: { $0.hasPrefix("weight_hh") || $0 == "recurrent_kernel" })
      else { continue }
      normalizedCells.insert(parent)
    }
  }

  /// Whether any cell may have a normalization in it.
  var mayNormalizeCells: Bool { !normalizedCells.isEmpty || modules.values.contains { $0["recurrent_kernel"] != nil } }

  private static func parts(_ name: String) -> (module: String, leaf: String) {
    withoutVariableNumber(name).moduleAndLeaf
  }

  private static let families: [Set<String>] =
    attentionNames + [
      ["w", "u", "v"], ["w1", "w2", "v"], ["wa", "ua", "va"], ["w_a", "u_a", "v_a"], ["w_h", "w_s", "v"],
      ["key_layer", "query_layer", "energy_layer"],
    ]

  /// The names of query, key and value that only an attention has together.
  private static let attentionNames: [Set<String>] = {
    func named(_ form: (String) -> String) -> [Set<String>] {
      [["q", "k", "v"], ["query", "key", "value"], ["queries", "keys", "values"]].map { Set($0.map(form)) }
    }
    return named { $0 } + named { "\($0)_proj" } + named { "\($0)_projection" } + named { "\($0)_layer" }
      + named { "\($0)_linear" } + named { "linear_\($0)" } + named { "lin_\($0)" } + named { "fc_\($0)" }
      + named { "to_\($0)" } + named { "w_\($0)" } + named { "w\($0)" } + named { "proj_\($0)" }
  }()

  /// Modules of one parent whose names only an attention has together.
  private mutating func findFamilies() {
    var children: [String: [String: String]] = [:]
    for module in modules.keys {
      let (parent, last) = Self.parts(module)
      children[parent, default: [:]][last.lowercased()] = module
    }
    // Parameters without a module of their own.
    for (module, leaves) in modules {
      for leaf in leaves.keys { children[module, default: [:]][leaf.lowercased()] = module + "." + leaf }
    }
    for names in children.values {
      for family in Self.families where family.allSatisfy({ names[$0] != nil }) {
        for member in family { if let module = names[member] { attention.insert(module) } }
        guard Self.attentionNames.contains(family) else { continue }
        for out in ["out_proj", "o_proj", "w_o", "wo", "to_out"] {
          if let module = names[out] { attention.insert(module) }
        }
      }
    }
  }

  /// What the recurrent tensor is a part of, when that is no LSTM.
  func recurrentKind(_ candidate: Candidate) -> TensorKind? {
    if recurrent.isEmpty { return nil }
    let (module, leaf) = Self.parts(candidate.name)
    if ["kernel", "recurrent_kernel", "bias"].contains(leaf) { return recurrent[module + "|"] }
    for prefix in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] where leaf.hasPrefix(prefix) {
      return recurrent[module + "|" + leaf.dropFirst(prefix.count)]
    }
    return nil
  }

  func kind(of candidate: Candidate) -> TensorKind {
    if let kind = decisions.known[candidate.name] { return kind }
    let kind = decided(candidate)
    decisions.known[candidate.name] = kind
    return kind
  }

  private func decided(_ candidate: Candidate) -> TensorKind {
    if let kind = recurrentKind(candidate) { return kind }
    let (module, leaf) = Self.parts(candidate.name)
    let lower = leaf.lowercased()
    let words = Self.words(candidate.name)
    let said = words.compactMap { Self.subjects[$0] }
    let leaves = modules[module] ?? [:]
    if said.contains(.optimizer) || Self.optimizerLeaves.contains(lower) { return .optimizer }
    if said.contains(.loss) || lower == "pos_weight" || lower == "class_weights" { return .loss }
    if lower == "num_batches_tracked" || lower == "n_averaged" { return .counter }
    if said.contains(.average) { return .average }
    if ["running_mean", "running_var", "moving_mean", "moving_variance"].contains(where: { leaves[$0] != nil }) {
      return .batchNormalization
    }
    if said.contains(.attention) || saysAttention(module, leaf, words) { return .attention }
    if said.contains(.crf) || ["transitions", "start_transitions", "end_transitions"].contains(lower) { return .crf }
    if Self.initialLeaves.contains(lower) { return .initialState }
    if ["pe", "positional_encoding", "position_ids", "pos_embedding", "pos_embed"].contains(lower)
      || said.contains(.positions)
    {
      return .positions
    }
    return kind(shapesOf: candidate, module, leaf, leaves)
  }

  private func kind(shapesOf candidate: Candidate, _ module: String, _ leaf: String, _ leaves: [String: [Int]])
    -> TensorKind
  {
    let weight = leaves["weight"] ?? leaves["kernel"] ?? leaves["weight_v"]
    if let weight, weight.count >= 3, ["weight", "kernel", "bias", "weight_v", "weight_g"].contains(leaf) {
      return .convolution(weight.count - 2)
    }
    let isGain = ["gamma", "beta", "gamma_h", "beta_h"].contains(leaf)
    if isGain, leaves["recurrent_kernel"] != nil || normalizedCells.contains(Self.parts(module).module) {
      return .cellNormalization
    }
    if ["gamma", "beta", "a_2", "b_2"].contains(leaf), candidate.shape.count == 1 { return .normalization }
    if let weight, weight.count == 1, leaf == "weight" || leaf == "bias" {
      guard leaves["bias"] == weight else { return .scaling }
      if Self.saysGroups(module) { return .groupNormalization }
      return normalizedCells.contains(Self.parts(module).module) ? .cellNormalization : .normalization
    }
    if let weight, weight.count == 2, ["weight", "kernel", "bias"].contains(leaf) {
      return leaves["bias"] == nil && Self.saysEmbedding(candidate.name) ? .embedding : .dense
    }
    if leaf == "embeddings" || leaf == "embedding" { return .embedding }
    if candidate.shape.isEmpty, !candidate.tensor.dataType.isFloatingPoint { return .counter }
    return Self.saysScale(leaf, candidate.shape) ? .scales : .unknown
  }

  private func saysAttention(_ module: String, _ leaf: String, _ words: [String]) -> Bool {
    if leaf.hasPrefix("in_proj_") { return true }
    if words.contains(where: { $0.utf8.count > 4 && ($0.contains("attention") || $0.contains("attn")) }) { return true }
    if ["context_vector", "context_weight", "attention_vector"].contains(leaf) { return true }
    return attention.contains(module) || attention.contains(module + "." + leaf)
  }

  /// Whether a name has a word that embeddings go by.
  static func saysEmbedding(_ name: String) -> Bool {
    let name = name.lowercased()
    return ["emb", "wte", "token", "lookup"].contains { name.contains($0) }
  }

  /// `input_mean`, `std`: a vector whose name says nothing but that.
  private static func saysScale(_ leaf: String, _ shape: [Int]) -> Bool {
    guard shape.count == 1, let last = words(leaf).last else { return false }
    let isWhose = words(leaf).dropLast().allSatisfy(
      ["input", "output", "x", "y", "in", "out", "data", "feature", "target"].contains)
    return isWhose && ["mean", "std", "stddev", "var", "min", "max", "scale", "offset", "mu", "sigma"].contains(last)
  }

  /// Whether a normalization is of groups, or of each feature over the steps, by its name.
  static func saysGroups(_ name: String) -> Bool {
    let words = words(name)
    return words.contains { ["gn", "groupnorm", "instancenorm", "inorm"].contains($0) }
      || words.contains("norm") && words.contains { ["group", "instance"].contains($0) }
  }

  /// Whether a normalization takes each feature by itself, by its name.
  static func saysInstances(_ name: String) -> Bool {
    words(name).contains { ["instancenorm", "inorm", "instance"].contains($0) }
  }

  /// The words of a name in small letters: `self_attn2` is `self` and `attn`.
  static func words(_ name: String) -> [String] {
    name.utf8.split { !(0x61...0x7a ~= $0 | 0x20) && $0 < 0x80 }.map { String($0)?.lowercased() ?? "" }
  }

  private enum Subject { case optimizer, loss, average, attention, crf, positions }

  /// Words of a name that say what it is about.
  private static let subjects: [String: Subject] = {
    let words: [(Subject, [String])] = [
      (
        .optimizer,
        [
          "optimizer", "optimizers", "optimiser", "optim", "adam", "adamw", "rmsprop", "adagrad", "momentum",
          "scheduler",
        ]
      ),
      (.loss, ["loss", "losses", "criterion", "criteria", "metric", "metrics"]),
      (.average, ["ema", "swa", "shadow"]),
      (.attention, ["atten", "att", "attn", "attend", "multihead", "mha", "omega"]),
      (.crf, ["crf"]),
      (.positions, ["positional"]),
    ]
    return Dictionary(words.flatMap { subject, words in words.map { ($0, subject) } }) { first, _ in first }
  }()
  private static let optimizerLeaves: Set<String> = [
    "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "acc_delta", "exp_inf", "grad_avg",
  ]
  private static let initialLeaves: Set<String> = [
    "h0", "c0", "h_0", "c_0", "h_init", "c_init", "init_h", "init_c", "init_hidden", "init_cell", "hidden_init",
    "cell_init", "initial_hidden", "initial_cell", "initial_state", "learned_h0", "learned_c0",
  ]
}
