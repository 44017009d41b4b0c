import LSTMCheckpoints

extension Regularization {
  /// The places where one kind of regularization acts, and where it would act if more of the model were trainable.
  package struct Reach: Sendable, Equatable {
    /// The kind.
    package let kind: Kind
    /// The inputs or outputs that are dropped or penalized; for weight drop, the layers.
    package let active: [ModelStage]
    /// The places where it would act if more were trainable.
    package let inactive: [ModelStage]
    /// Whether it has no effect: hidden dropout with one layer, embedding dropout without an embedding, ...
    package var isIdle: Bool { active.isEmpty }
  }

  /// For each kind that is on, the places where it acts in the training passes of a plan.
  package func reach(in configuration: ModelConfiguration, _ plan: GradientPlan) -> [Reach] {
    let sites = Sites(configuration, entry: plan.entry, reachesStack: plan.lowestLayer != nil)
    let layers = configuration.layers.count
    var hasTokens = false
    if case .tokens = configuration.input { hasTokens = true }
    return Self.kinds.filter { self[$0] != 0 }.map { kind in
      let places: [Int] =
        switch kind {
        case .dropout, .hiddenDropout: Array(1..<layers)
        case .inputDropout: [0]
        case .embeddingDropout: hasTokens ? [0] : []
        case .weightDrop: Array(0..<layers)
        case .outputDropout, .activationRegularization, .temporalActivationRegularization: [layers]
        }
      func stage(_ place: Int) -> ModelStage { place == 0 && kind != .weightDrop ? .input : .layer(place) }
      if kind == .outputDropout, sites.dropsHeadInput { return Reach(kind: kind, active: [.head(0)], inactive: []) }
      func acts(_ place: Int) -> Bool { kind.isPenalty ? sites.penalizes : place >= sites.firstPlace }
      return Reach(
        kind: kind, active: places.filter(acts).map(stage), inactive: places.filter { !acts($0) }.map(stage))
    }
  }

  /// The places where regularization acts in a pass.
  struct Sites {
    /// The lowest layer whose input and recurrent weights are dropped; the number of layers stands for the last layer's
    /// output.
    let firstPlace: Int
    /// Whether the head's input is dropped instead of the last layer's output.
    let dropsHeadInput: Bool
    /// Whether a gradient reaches the last layer's output.
    let penalizes: Bool

    init(_ configuration: ModelConfiguration, entry: ModelStage, reachesStack: Bool) {
      switch entry {
      case .input: (firstPlace, dropsHeadInput) = (0, false)
      case .layer(let layer): (firstPlace, dropsHeadInput) = (layer, false)
      case .head(let index): (firstPlace, dropsHeadInput) = (configuration.layers.count + 1, index == 0)
      }
      penalizes = reachesStack
    }
  }
}
