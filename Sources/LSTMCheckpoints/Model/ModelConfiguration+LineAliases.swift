/// Words of a line without capitals and joints, so that `Batch Norm`, `batch_norm` and `BatchNorm` are one.
struct LineWords {
  /// What people write, by the kind that it stands for. Nothing is here that means two things: a `conv2d` of `kernel 3` has a
  /// kernel of 3 x 3 in Keras, and none over time alone.
  private static let kinds: [(kind: String, aliases: [String])] = [
    ("convolution", ["conv1d", "convolution1d"]),
    ("dense", ["fully connected", "fc", "time distributed dense"]),
    ("batch_norm", ["batch normalization", "batch norm 1d"]),
    ("layer_norm", ["layer normalization"]),
    ("max_pooling", ["max pooling 1d", "max pool 1d"]),
    ("average_pooling", ["average pooling 1d", "avg pool", "avg pooling", "mean pool", "mean pooling", "avg pool 1d"]),
    ("rnn", ["simple RNN"]),
    ("self_attention", ["multi-head attention"]),
    ("repeat", ["repeat vector"]),
    ("concatenate", ["concat", "concatenation"]),
    ("l2", ["L2 normalization", "L2 norm"]),
    ("rescale", ["rescaling"]),
  ]

  /// A kind without words of its own is told by a choice, which has other names, too.
  private static let choices: [(choice: String, aliases: [String])] = [
    ("none", ["linear", "identity"]),
    ("swish", ["silu"]),
    ("exponential", ["exp"]),
    ("all", ["all steps", "every step", "sequences"]),
    ("last", ["last step"]),
    ("first", ["first step"]),
    ("final", ["final state"]),
    ("mean", ["mean over time", "average over time", "global average pooling 1d"]),
    ("max", ["max over time", "maximum over time", "global max pooling 1d"]),
    ("sum", ["sum over time"]),
    ("concatenate", ["concat"]),
    ("average", ["ave", "mean"]),
    ("product", ["mul", "multiply"]),
  ]

  private static let settings: [(key: String, aliases: [String])] = [
    ("size", ["units", "hidden", "hidden size", "filters", "out channels"]),
    ("kernel", ["kernel size"]),
    ("window", ["pool size"]),
    ("stride", ["strides"]),
    ("projection", ["projected to", "proj size"]),
    ("padding_index", ["padding idx"]),
    ("peepholes", ["peephole"]),
    ("gates", ["gate activation", "recurrent activation"]),
    ("heads", ["num heads"]),
    ("initial_from", ["state from"]),
  ]

  /// The longest phrase of any table, in words.
  static let longest = 4

  static func joined(_ text: String) -> String { String(text.lowercased().filter { !" _-".contains($0) }) }

  /// Kinds by their words. `isTold` marks the words of a choice that tells its kind: they are read again as a setting.
  static let kindByWords: [String: (kind: any LayerKind, isTold: Bool)] = {
    var table: [String: (kind: any LayerKind, isTold: Bool)] = [:]
    for kind in LayerRegistry.standard {
      for words in [kind.words, kind.kind] + (kinds.first { $0.kind == kind.kind }?.aliases ?? []) where !words.isEmpty
      {
        table[joined(words)] = (kind, false)
      }
    }
    table["attentionovertime"] = table["attention"]
    for kind in LayerRegistry.standard where kind.words.isEmpty {
      for choice in LayerRegistry.grammar(of: kind).bareChoices.prefix(1) {
        for word in choice.words.flatMap({ [$0] + names(of: $0) }) where table[joined(word)] == nil {
          table[joined(word)] = (kind, true)
        }
      }
    }
    return table
  }()

  /// What a choice is called by others.
  private static func names(of choice: String) -> [String] { choices.first { $0.choice == choice }?.aliases ?? [] }

  /// A choice's raw value by words; nil when there is none of these.
  static func choice(_ words: String, among known: [String]) -> String? {
    if let exact = known.first(where: { joined($0) == words }) { return exact }
    return known.first { names(of: $0).contains { joined($0) == words } }
  }

  /// A setting by its key in words.
  static func setting(_ words: String, in grammar: LayerGrammar) -> LayerGrammar.Setting? {
    if let exact = grammar.settings.first(where: { joined($0.key) == words }) { return exact }
    return grammar.settings.first { setting in
      settings.first { $0.key == setting.key }?.aliases.contains { joined($0) == words } ?? false
    }
  }

  /// What layers may be called, for an error that asks what was meant.
  static let knownLayers: [String] =
    LayerRegistry.standard.flatMap { kind in
      kind.words.isEmpty
        ? LayerRegistry.grammar(of: kind).bareChoices.prefix(1).flatMap(\.words) : [kind.words]
    } + ["biLSTM", "biGRU"]
}
