extension Layer {
  /// An LSTM, a GRU or a plain recurrent layer: (N, T, I) -> (N, T, D * (P or H)).
  ///
  /// Parameters are PyTorch's: weight_ih (G, I), weight_hh (G, P or H), bias_ih (G), bias_hh (G), weight_hr (P, H), with G
  /// = 4H, 3H or H rows in the order of PyTorch's gates, and peephole (3H).
  public struct Recurrent: LayerKind {
    /// The cell, by its number of gates.
    public enum Cell: String, LayerChoice, Codable {
      case lstm, gru, rnn

      /// Blocks of H rows in a weight.
      public var gateCount: Int {
        switch self {
        case .lstm: 4;
        case .gru: 3;
        case .rnn: 1
        }
      }
    }

    /// How the outputs of two directions become one.
    public enum DirectionMerge: String, LayerChoice, Codable {
      case concatenate, sum, product, average
    }

    /// What a layer's state is before the first step.
    public enum Initial: String, LayerChoice, Codable {
      case zero
      /// Parameters that are stored and stay as they are: initial_h (D, P or H) and, of an LSTM, initial_c (D, H).
      case stored
      /// The same, trained.
      case learned
    }

    /// Which cell it is.
    public var cell: Cell
    /// H
    public var size: Int
    /// Whether it has a second direction, which reads from the end.
    public var isBidirectional = false
    /// How the two directions' outputs become one.
    public var merge = DirectionMerge.concatenate
    /// Whether a single direction reads from the end. Its outputs lie where their steps do.
    public var isReversed = false
    /// P, or nil without a projection; of an LSTM.
    public var projectionSize: Int?
    /// Its bias vectors.
    public var bias = Layer.Bias.dual
    /// Of the gates: i, f and o, or r and z.
    public var gateActivation = Activation.sigmoid
    /// Of the candidate: g, n, or the plain cell's own.
    public var activation = Activation.tanh
    /// Of an LSTM's cell state on its way out; `activation` when nil.
    public var outputActivation: Activation?
    /// Whether gates see the cell's state: i and f the one before, o the new one; of an LSTM.
    public var hasPeepholes = false
    /// What the source adds to the forget gate beside its stored bias.
    public var forgetOffset: Float = 0
    /// Of a GRU: whether the reset gate acts on the recurrent product (PyTorch, Keras' `reset_after`), not on the state.
    public var resetsAfter = true
    /// Clips the cell's state to -clip ... clip after each step (TensorFlow 1, ELMo); of an LSTM.
    public var cellClip: Float?
    /// Clips the projected output; of an LSTM with a projection.
    public var projectionClip: Float?
    /// Clips what goes into the activations (ONNX).
    public var inputClip: Float?
    /// The state before the first step.
    public var initial = Initial.zero
    /// The recurrent layer whose final state is this one's first, direction by direction. Of one direction, it starts from
    /// both of a bidirectional layer, side by side.
    public var initialFrom: String?

    /// PyTorch's layer of H hidden values.
    public init(_ cell: Cell, size: Int = 1) {
      self.cell = cell
      self.size = size
    }

    public var kind: String { cell.rawValue }
    public var example: String {
      switch cell {
      case .lstm: "8 features -> biLSTM 64 -> LSTM 32 -> last -> dense 1"
      case .gru: "8 features -> GRU 64 -> last -> dense 1"
      case .rnn: "8 features -> RNN 64 relu -> last -> dense 1"
      }
    }
    public var words: String { cell.rawValue.uppercased() }
    public var stem: String { "layer" }
    public var references: [String] { initialFrom.map { [$0] } ?? [] }

    /// D
    public var directions: Int { isBidirectional ? 2 : 1 }
    /// How many directions of another layer make one of this one's first state, side by side.
    package func directionsJoined(from other: Layer.Recurrent) -> Int {
      isBidirectional || !other.isBidirectional ? 1 : 2
    }
    /// P or H
    public var stateSize: Int { projectionSize ?? size }
    /// Width of what it gives.
    public var outputSize: Int { merge == .concatenate ? directions * stateSize : stateSize }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      let limit = Layer.sizeLimit
      try d.size("size", &size)
      try d.flag("bidirectional", &isBidirectional, usual: false)
      if isBidirectional { try d.choice("merge", &merge, usual: .concatenate, isBare: false) }
      if !isBidirectional { try d.flag("reversed", &isReversed, usual: false) }
      try d.choice("bias", &bias, usual: .dual, isBare: false)
      try d.choice("gates", &gateActivation, usual: .sigmoid, isBare: false)
      try d.choice("activation", &activation, usual: cell == .rnn ? .tanh : .tanh)
      if cell == .lstm {
        try d.whole("projection", &projectionSize, in: 1...limit)
        var output = outputActivation ?? activation
        try d.choice("output_activation", &output, usual: activation, isBare: false)
        outputActivation = output == activation ? nil : output
        try d.flag("peepholes", &hasPeepholes, usual: false)
        try d.real("forget_offset", &forgetOffset, usual: 0)
        try d.real("cell_clip", &cellClip)
        try d.real("projection_clip", &projectionClip)
      }
      if cell == .gru { try d.flag("reset_after", &resetsAfter, usual: true) }
      try d.real("clip", &inputClip)
      try d.choice("initial", &initial, usual: .zero, isBare: false)
      try d.layer("initial_from", &initialFrom)
      try validate()
      if forgetOffset != 0, bias == .none { throw LayerError("forget_offset", "it needs a bias to be added to") }
      if initialFrom != nil, initial != .zero { throw LayerError("initial", "it excludes initial_from") }
    }

    /// - Throws: `LayerError` about settings that no recurrent layer can have.
    private func validate() throws(LayerError) {
      for activation in [gateActivation, activation, outputActivation ?? activation] where !activation.isElementwise {
        throw LayerError("activation", "\(activation.rawValue) cannot be a recurrent layer's activation")
      }
      for (key, clip) in [("cell_clip", cellClip), ("projection_clip", projectionClip), ("clip", inputClip)] {
        guard let clip, !(clip > 0) else { continue }
        throw LayerError(key, "expected a number above 0, found \(clip)")
      }
      guard cell == .lstm || projectionSize == nil else { throw LayerError("projection", "only an LSTM can have one") }
      guard cell == .lstm || !hasPeepholes else { throw LayerError("peepholes", "only an LSTM can have them") }
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try validate()
      try inputs[0].requireSteps()
      return inputs[0].with(width: outputSize)
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let rows = cell.gateCount * size
      let bound = LayerParameter.Start.uniform(1 / Float(size).squareRoot())
      var list: [LayerParameter] = []
      for isReverse in isBidirectional ? [false, true] : [isReversed] {
        func add(_ part: RecurrentPart, _ shape: [Int], _ start: LayerParameter.Start = bound) {
          list.append(.init(part.rawValue, shape, .cell(part), isReverse: isReverse && isBidirectional, start: start))
        }
        add(.inputWeight, [rows, inputs[0].width])
        add(.recurrentWeight, [rows, stateSize])
        if bias != .none { add(.inputBias, [rows]) }
        // Of a single bias a GRU that resets after has, like Keras, none on the recurrent side.
        if bias == .dual { add(.recurrentBias, [rows]) }
        if let projectionSize { add(.projection, [projectionSize, size]) }
        if hasPeepholes { add(.peephole, [3 * size]) }
        if initial != .zero {
          add(.initialHidden, [stateSize], .constant(0))
          if cell == .lstm { add(.initialCell, [size], .constant(0)) }
        }
      }
      return list
    }
  }
}
