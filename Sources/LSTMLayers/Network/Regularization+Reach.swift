import LSTMCheckpoints

extension Regularization {
  /// The places where one kind of regularization acts, and where it would act if more of the model were trainable.
  package struct Reach: Sendable, Equatable {
    /// The kind.
    package let kind: Kind
    /// The layers whose outputs are dropped or penalized; for weight drop, the layers themselves.
    package let active: [String]
    /// The places where it would act if more were trainable.
    package let inactive: [String]
    /// Whether it has no effect: hidden dropout with one layer, embedding dropout without an embedding, ...
    package var isIdle: Bool { active.isEmpty }
  }

  /// For each kind that is on, the places where it acts in the training passes of a plan.
  package func reach(in configuration: ModelConfiguration, _ plan: GradientPlan) -> [Reach] {
    let sites = plan.sites
    let recurrent = configuration.recurrentLayers
    let count = recurrent.count
    // What each recurrent layer reads, then the last one itself.
    let inputs = recurrent.map { configuration.name(ofValue: configuration.sources[$0.index][0]) }
    let hasEmbedding = configuration.layers.contains { $0.kind is Layer.Embedding }
    return Self.kinds.filter { self[$0] != 0 }.map { kind in
      switch kind {
      case .weightDrop:
        return Reach(
          kind: kind, active: (0..<count).filter { sites.inputs[$0] }.map { recurrent[$0].name },
          inactive: (0..<count).filter { !sites.inputs[$0] }.map { recurrent[$0].name })
      case .dropout, .hiddenDropout, .inputDropout, .embeddingDropout:
        let places =
          kind == .inputDropout || kind == .embeddingDropout && hasEmbedding
          ? Array(0..<min(count, 1)) : kind == .embeddingDropout ? [] : Array((0..<count).dropFirst())
        return Reach(
          kind: kind, active: places.filter { sites.inputs[$0] }.map { inputs[$0] },
          inactive: places.filter { !sites.inputs[$0] }.map { inputs[$0] })
      case .outputDropout where sites.dropsHeadInput:
        return Reach(kind: kind, active: ["head"], inactive: [])
      case .outputDropout, .activationRegularization, .temporalActivationRegularization:
        let top = recurrent.last.map { [$0.name] } ?? []
        let acts = kind.isPenalty ? sites.penalizes : sites.output
        return Reach(kind: kind, active: acts ? top : [], inactive: acts ? [] : top)
      }
    }
  }

  /// The places where regularization acts in a pass.
  struct Sites {
    /// For each recurrent layer, whether what it reads and its weights are dropped.
    let inputs: [Bool]
    /// Whether the last recurrent layer's output is dropped.
    let output: Bool
    /// Whether the head's input is dropped instead.
    let dropsHeadInput: Bool
    /// Whether a gradient reaches the last recurrent layer's output.
    let penalizes: Bool

    /// All of them.
    static func everywhere(_ count: Int) -> Sites {
      Sites(inputs: [Bool](repeating: true, count: count), output: true, dropsHeadInput: false, penalizes: true)
    }

    private init(inputs: [Bool], output: Bool, dropsHeadInput: Bool, penalizes: Bool) {
      (self.inputs, self.output) = (inputs, output)
      (self.dropsHeadInput, self.penalizes) = (dropsHeadInput, penalizes)
    }

    /// Nothing is dropped below what trains: those outputs are the same in every epoch.
    init(_ configuration: ModelConfiguration, _ plan: GradientPlan) {
      let (first, recurrent) = (configuration.inputs.count, configuration.recurrentLayers)
      inputs = recurrent.map { plan.runs[first + $0.index] }
      guard let top = recurrent.last else {
        (output, dropsHeadInput, penalizes) = (false, false, false)
        return
      }
      let place = first + top.index
      penalizes = plan.wantsGradient[place]
      output = plan.runs[place] || plan.entry.places.contains(place)
      // The first dense layer above the recurrent ones, where nothing below it trains.
      let dense = configuration.layers.indices.first { $0 > top.index && configuration.layers[$0].kind is Layer.Dense }
      let read = dense.map { configuration.sources[$0] } ?? []
      dropsHeadInput = !output && !read.isEmpty && plan.entry.places == read
    }
  }
}

extension GradientPlan {
  /// The dropout layers that drop nothing in a plan's passes, because only what stays the same in every epoch reads them.
  package func idleDropout(in configuration: ModelConfiguration) -> [String] {
    configuration.layers.enumerated().filter { index, layer in
      ((layer.kind as? Layer.Dropout)?.rate ?? 0) > 0 && !runs[configuration.inputs.count + index]
    }.map(\.element.name)
  }
}
