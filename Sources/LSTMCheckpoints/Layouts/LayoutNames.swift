import FileIO

/// How a framework names the tensors of an LSTM and of what stands around it: a table for each layout, that reading and
/// writing share.
///
/// Names are dotted here whatever stands between their parts in a file.
public struct LayoutNames: Sendable {
  public enum Kind: Hashable, Sendable { case input, recurrent, inputBias, recurrentBias, projection, peephole }

  /// A part of a cell: a whole matrix or vector, or one gate's.
  public struct Slot: Hashable, Sendable {
    public let kind: Kind
    public var gate: Gate?
  }

  /// The end of a name, behind that of the module.
  public struct Leaf: Sendable {
    public let path: String
    public let slot: Slot

    init(_ path: String, _ kind: Kind, _ gate: Gate? = nil) {
      self.path = path
      slot = Slot(kind: kind, gate: gate)
    }
  }

  /// What tells a cell's module from another with the same leaves; compared without its number.
  public enum Module: Sendable {
    case any
    /// Its last part contains this.
    case containing(String)
    /// Its last part ends so, and it has no recurrent_kernel: that would be Keras'.
    case ending([String])
  }

  /// Dense layers and embeddings. What is transposed is (in, out) in the file.
  public struct Dense: Sendable {
    public let weight: String
    public let bias: String
    public let isTransposed: Bool
    public let embedding: String
  }

  /// The names of what did not come from this framework; `#` stands for the number of the layer.
  public struct Usual: Sendable {
    /// The one layer of a model, in one direction.
    public let single: String
    /// Layers of one direction; without its number for the first where `skipsZero`.
    public let stacked: String
    public var skipsZero = false
    /// In a stack where some have two directions: those that have one, and each direction of the others.
    public let among: String
    public let forward: String
    public let backward: String
    public let embedding: String
    public let dense: String
    /// Stands between the parts of a name.
    public let separator: Character
  }

  public let layout: Layout
  /// For messages: "Flax' LSTM".
  public let title: String
  public let evidence: Message
  /// The first of a slot is the name that is written.
  public let leaves: [Leaf]
  public var module = Module.any
  public let dense: Dense
  public let usual: Usual
  /// What it can hold.
  public let biases: Set<ModelConfiguration.Bias>
  public var isBidirectional = true
  public var hasPeepholes = false
  public var hasProjection = false

  func first(_ slot: Slot) -> String? { leaves.first { $0.slot == slot }?.path }
}

extension LayoutNames {
  public static let all = [mlx, keras, flax, flaxOptimized, haiku, tf1, s4tf, burn]

  /// The table of a layout that is known by names; nil for PyTorch's, which has its own, and for those of graphs.
  public static func of(_ layout: Layout) -> LayoutNames? {
    layout == .kerasCuDNN ? cudnn : all.first { $0.layout == layout }
  }

  static let mlx = LayoutNames(
    layout: .mlx, title: "MLX' LSTM", evidence: "Wx and Wh: MLX' names",
    leaves: [Leaf("Wx", .input), Leaf("Wh", .recurrent), Leaf("bias", .inputBias)],
    dense: Dense(weight: "weight", bias: "bias", isTransposed: false, embedding: "weight"),
    usual: Usual(
      single: "lstm", stacked: "layers.#", among: "layers.#", forward: "layers.#.forward",
      backward: "layers.#.backward",
      embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.none, .single], isBidirectional: false)

  private static let kerasLeaves = [
    Leaf("kernel", .input), Leaf("recurrent_kernel", .recurrent), Leaf("bias", .inputBias),
  ]
  private static let kerasDense = Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embeddings")

  static let keras = LayoutNames(
    layout: .keras, title: "Keras' LSTM", evidence: "kernel and recurrent_kernel: Keras' names",
    leaves: kerasLeaves, dense: kerasDense,
    usual: Usual(
      single: "lstm.lstm_cell", stacked: "lstm_#.lstm_cell", skipsZero: true, among: "rnn_#.lstm_cell",
      forward: "rnn_#.forward_lstm.lstm_cell", backward: "rnn_#.backward_lstm.lstm_cell", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.none, .single])

  static let cudnn = LayoutNames(
    layout: .kerasCuDNN, title: "Keras' CuDNNLSTM",
    evidence: "kernel and recurrent_kernel with a bias of 8 H: Keras' CuDNNLSTM", leaves: kerasLeaves,
    dense: kerasDense,
    usual: Usual(
      single: "cu_dnnlstm", stacked: "cu_dnnlstm_#", skipsZero: true, among: "rnn_#",
      forward: "rnn_#.forward_cu_dnnlstm", backward: "rnn_#.backward_cu_dnnlstm", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.dual])

  static let flax = LayoutNames(
    layout: .flax, title: "Flax' LSTMCell", evidence: "ii, if, ig, io and hi, hf, hg, ho: Flax' names",
    leaves: Gate.allCases.flatMap { gate in
      [
        Leaf("i\(gate.letter).kernel", .input, gate), Leaf("h\(gate.letter).kernel", .recurrent, gate),
        Leaf("h\(gate.letter).bias", .inputBias, gate),
      ]
    } + [Leaf("if_.kernel", .input, .forget)],
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embedding"),
    usual: Usual(
      single: "LSTMCell_0", stacked: "LSTMCell_#", among: "layers_#.cell", forward: "layers_#.forward_rnn.cell",
      backward: "layers_#.backward_rnn.cell", embedding: "Embed_0", dense: "Dense_#", separator: "/"),
    biases: [.single])

  static let flaxOptimized = LayoutNames(
    layout: .flaxOptimized, title: "Flax' OptimizedLSTMCell", evidence: "dense_i and dense_h: Flax' names",
    leaves: [
      Leaf("dense_i.kernel", .input), Leaf("dense_h.kernel", .recurrent), Leaf("dense_h.bias", .inputBias),
    ],
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embedding"),
    usual: Usual(
      single: "layers.0.cell", stacked: "layers.#.cell", among: "layers.#.cell", forward: "layers.#.forward_rnn.cell",
      backward: "layers.#.backward_rnn.cell", embedding: "embedding", dense: "head.#", separator: "/"),
    biases: [.single])

  static let haiku = LayoutNames(
    layout: .haiku, title: "Haiku's LSTM", evidence: "lstm/linear/w: Haiku's names",
    leaves: [Leaf("linear.w", .input), Leaf("linear.b", .inputBias)], module: .containing("lstm"),
    dense: Dense(weight: "w", bias: "b", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "lstm", stacked: "lstm_#", skipsZero: true, among: "lstm_#", forward: "lstm_#.forward",
      backward: "lstm_#.backward", embedding: "embed", dense: "linear_#", separator: "/"),
    biases: [.single], isBidirectional: false)

  static let tf1 = LayoutNames(
    layout: .tf1, title: "TensorFlow 1's LSTMCell",
    evidence: "lstm_cell/kernel without recurrent_kernel: TensorFlow 1's names",
    leaves: [
      Leaf("kernel", .input), Leaf("bias", .inputBias), Leaf("weights", .input), Leaf("biases", .inputBias),
      Leaf("w_i_diag", .peephole, .input), Leaf("w_f_diag", .peephole, .forget), Leaf("w_o_diag", .peephole, .output),
      Leaf("projection.kernel", .projection),
    ],
    module: .ending(["lstm_cell", "lstm_block_cell", "lstm_fused_cell"]),
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "rnn.lstm_cell", stacked: "rnn.multi_rnn_cell.cell_#.lstm_cell",
      among: "stack_bidirectional_rnn.cell_#.rnn.lstm_cell",
      forward: "stack_bidirectional_rnn.cell_#.bidirectional_rnn.fw.lstm_cell",
      backward: "stack_bidirectional_rnn.cell_#.bidirectional_rnn.bw.lstm_cell", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.single], hasPeepholes: true, hasProjection: true)

  static let s4tf = LayoutNames(
    layout: .s4tf, title: "swift-apis' LSTMCell", evidence: "fusedWeight: swift-apis' name",
    leaves: [Leaf("fusedWeight", .input), Leaf("fusedBias", .inputBias)],
    dense: Dense(weight: "weight", bias: "bias", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "lstm.cell", stacked: "layers.#.cell", among: "layers.#.cell", forward: "layers.#.forward.cell",
      backward: "layers.#.backward.cell", embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.single])

  static let burn = LayoutNames(
    layout: .burn, title: "burn's Lstm", evidence: "input_gate.input_transform: burn's names",
    leaves: zip(Gate.allCases, ["input_gate", "forget_gate", "cell_gate", "output_gate"]).flatMap { gate, name in
      [
        Leaf("\(name).input_transform.weight", .input, gate), Leaf("\(name).hidden_transform.weight", .recurrent, gate),
        Leaf("\(name).input_transform.bias", .inputBias, gate),
        Leaf("\(name).hidden_transform.bias", .recurrentBias, gate),
      ]
    },
    dense: Dense(weight: "weight", bias: "bias", isTransposed: true, embedding: "weight"),
    usual: Usual(
      single: "lstm", stacked: "layers.#", among: "layers.#", forward: "layers.#.forward", backward: "layers.#.reverse",
      embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.none, .dual])

  /// The table that a user asks for whose file has one weight (I + H, 4H) for each cell under another name than the
  /// framework gives it: order of gates and shape are known, the names are those that such weights go by.
  func withLooseNames() -> LayoutNames {
    var known = Set(leaves.map(\.path))
    let loose = Self.looseFused.filter { known.insert($0.path).inserted }
    return LayoutNames(
      layout: layout, title: title, evidence: "\(.layout, layout.rawValue)", leaves: leaves + loose,
      module: .containing("lstm"), dense: dense, usual: usual, biases: biases, isBidirectional: isBidirectional,
      hasPeepholes: hasPeepholes, hasProjection: hasProjection)
  }

  /// Names of one weight for input and state, which several frameworks give.
  static let looseFused = [
    Leaf("kernel", .input), Leaf("w", .input), Leaf("weights", .input), Leaf("weight", .input),
    Leaf("fusedWeight", .input), Leaf("linear.w", .input), Leaf("bias", .inputBias), Leaf("b", .inputBias),
    Leaf("biases", .inputBias), Leaf("fusedBias", .inputBias), Leaf("linear.b", .inputBias),
  ]
}

extension RecurrentLayout {
  /// - Parameter forgetBias: what a TensorFlow 1 cell adds.
  init?(_ layout: Layout, forgetBias: Float = 0) {
    switch layout {
    case .pytorch: self = .pytorch
    case .keras: self = .keras
    case .kerasCuDNN: self = .cudnn
    case .mlx: self = .mlx
    case .flax: self = .flax
    case .flaxOptimized: self = .flaxOptimized
    case .haiku: self = .haiku
    case .tf1: self = .tf1(forgetBias: forgetBias)
    case .s4tf: self = .s4tf
    case .burn: self = .burn
    case .keras1, .onnx: return nil
    }
  }

  var isFused: Bool { matrices == .fused }

  /// What reading does to a part of a cell, for the report; nil where it comes as it is.
  func how(_ kind: PyTorchName.Kind) -> String? {
    let order = "gates \(gates.map { String($0.letter) }.joined(separator: " ")) put in order"
    let reordered = gates == Gate.allCases ? [] : [order]
    var steps: [String]
    switch (kind, matrices) {
    case (.inputWeight, .rows), (.recurrentWeight, .rows): steps = []
    case (.inputWeight, .columns), (.recurrentWeight, .columns): steps = ["transposed"]
    case (.inputWeight, .cudnn), (.recurrentWeight, .cudnn): steps = ["each gate's block read as (H, K)"]
    case (.inputWeight, .fused): steps = ["the rows of the input, transposed"]
    case (.recurrentWeight, .fused): steps = ["the rows of the state, transposed"]
    case (.inputWeight, .perGate), (.recurrentWeight, .perGate): steps = ["four gates joined, transposed"]
    case (.inputBias, _), (.recurrentBias, _):
      steps = biases == .joined ? ["one half of the bias"] : matrices == .perGate ? ["four gates joined"] : []
    case (.projection, _): return matrices == .fused ? "transposed" : nil
    case (.peephole, _): return matrices == .fused ? "three gates joined" : nil
    }
    if matrices != .perGate { steps += reordered }
    return steps.isEmpty ? nil : steps.joined(separator: ", ")
  }
}
