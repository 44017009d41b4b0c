import LSTMCheckpoints
import LSTMLayers

/// What a run minimizes: the loss of the model's output or, of several outputs, the weighted sum of their losses, as
/// `loss_weights` in Keras.
public struct Objective: Sendable, Equatable, Codable {
  /// The loss of one output.
  public struct OutputLoss: Sendable, Equatable, Codable {
    /// The output's name.
    public var name: String
    /// What is minimized of it.
    public var loss: Loss
    /// What its loss is multiplied by, of at least 0.
    public var weight: Double

    /// A loss for an output.
    public init(_ name: String, _ loss: Loss, weight: Double = 1) {
      (self.name, self.loss, self.weight) = (name, loss, weight)
    }
  }

  /// Of the model's first output.
  public var loss: Loss
  /// What that is multiplied by.
  public var weight: Double
  /// Of further outputs; one that is not among them is not trained.
  public var others: [OutputLoss]

  /// - Parameters:
  ///   - loss: of the model's first output.
  ///   - weight: what it is multiplied by.
  ///   - others: those of further outputs.
  public init(_ loss: Loss, weight: Double = 1, others: [OutputLoss] = []) {
    (self.loss, self.weight, self.others) = (loss, weight, others)
  }

  /// Whether it is the loss of the first output and nothing else.
  public var isSingle: Bool { others.isEmpty && weight == 1 }

  /// `mse`, or `price mse, kind 0.2 cross-entropy`.
  /// - Parameter first: the first output's name.
  public func summary(first: String) -> String {
    guard !isSingle else { return loss.name }
    return ([OutputLoss(first, loss, weight: weight)] + others).filter { $0.weight > 0 }
      .map { "\($0.name) \($0.weight == 1 ? "" : "\($0.weight) ")\($0.loss.name)" }.joined(separator: ", ")
  }

  /// What validation reports: see `Loss.forEvaluation`.
  var forEvaluation: Objective {
    Objective(
      loss.forEvaluation, weight: weight,
      others: others.map { OutputLoss($0.name, $0.loss.forEvaluation, weight: $0.weight) })
  }

  /// The loss of each of a model's outputs, in order; nil for one that is not trained.
  /// - Throws: `ShapeError` when it names an output that the model lacks.
  func byOutput(_ configuration: ModelConfiguration) throws(ShapeError) -> [OutputLoss?] {
    let names = configuration.outputNames
    if let unknown = others.first(where: { !names.dropFirst().contains($0.name) }) {
      throw ShapeError(what: "losses", expected: "for outputs \(names.joined(separator: ", "))", found: unknown.name)
    }
    return [OutputLoss(names[0], loss, weight: weight)]
      + names.dropFirst().map { name in others.first { $0.name == name } }
  }
}

extension ModelConfiguration {
  /// For each parameter whether an output that an objective counts depends on it.
  func countingParameters(for objective: Objective) -> [Bool] {
    let names = Set(objective.others.filter { $0.weight > 0 }.map(\.name))
    let all = outputPlaces
    let counting = all.enumerated().filter {
      $0.offset == 0 ? objective.weight > 0 : names.contains(name(ofValue: $0.element))
    }.map(\.element)
    guard counting.count < all.count else { return parameters.map { _ in true } }
    var (reached, open) = (Set<Int>(), counting)
    while let place = open.popLast() {
      guard place >= inputs.count, reached.insert(place).inserted else { continue }
      open += sources[place - inputs.count]
      open += layers[place - inputs.count].kind.references.compactMap { index(of: $0).map { $0 + inputs.count } }
    }
    return parameters.map { parameter in
      parameter.places.contains { index(of: $0.role.layer).map { reached.contains($0 + inputs.count) } ?? false }
    }
  }
}
