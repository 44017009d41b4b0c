import LSTMCheckpoints

extension Regularization {
  /// The places at which one kind acts, and those at which it would if more of the model trained.
  public struct Reach: Sendable, Equatable {
    public let kind: Kind
    /// What is dropped or penalized: what is read at a place, and for weight drop the layer.
    public let active: [ModelStage]
    public let inactive: [ModelStage]
    /// Whether it changes nothing: hidden dropout with one layer, embedding dropout without an embedding, ...
    public var isIdle: Bool { active.isEmpty }
  }

  /// For each kind that is on, where it acts in the training passes of a plan.
  public func reach(in configuration: ModelConfiguration, _ plan: GradientPlan) -> [Reach] {
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

  /// Where regularization acts in a pass.
  struct Sites {
    /// What layer k reads is dropped from this k on, and so are its recurrent weights; the number of layers stands for the
    /// stack's output.
    let firstPlace: Int
    /// Whether what the head reads stands in for the stack's output.
    let dropsHeadInput: Bool
    /// Whether a gradient reaches the stack's output.
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
