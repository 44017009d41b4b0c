import LSTMCheckpoints
import LSTMLayers

/// Which parameters train and which stay as they are, made from selectors before anything runs.
///
/// Selectors: `layer0`, `layer1.forward`, `layer1.reverse`, `lstm` (all layers), `embedding`, `attention`, `head`,
/// `head.0`, and globs over tensor names such as `lstm.weight_hh_*`. Freezing comes first, then unfreezing.
public struct FreezePlan: Sendable {
  /// What becomes of a group of parameters.
  public enum Fate: String, Sendable, Codable {
    case frozen
    /// Frozen, but something below it trains.
    case passesGradient = "frozen, gradient passes through"
    case trainable
    case mixed = "partly frozen"
  }

  public struct Group: Sendable {
    public let name: String
    public let parameterCount: Int
    public let trainableCount: Int
    public let fate: Fate
  }

  /// For each of the model's parameters, in its order.
  public let trainable: [Bool]
  public let parameters: [ParameterSpecification]

  /// - Throws: `FineTuningError.unknownSelector` with near matches, or `.nothingToTrain`.
  public init(_ model: LSTMModel, freezing: [String] = [], unfreezing: [String] = []) throws(FineTuningError) {
    try self.init(model.configuration, freezing: freezing, unfreezing: unfreezing)
  }

  public init(
    _ configuration: ModelConfiguration, freezing: [String] = [], unfreezing: [String] = []
  ) throws(FineTuningError) {
    parameters = configuration.parameters
    var trainable = parameters.map { _ in true }
    for (selectors, value) in [(freezing, false), (unfreezing, true)] {
      for selector in selectors {
        let chosen = try Self.select(selector, parameters)
        for index in chosen { trainable[index] = value }
      }
    }
    guard trainable.contains(true) else { throw .nothingToTrain }
    self.trainable = trainable
  }

  private static func select(
    _ selector: String, _ parameters: [ParameterSpecification]
  ) throws(FineTuningError) -> [Int] {
    let chosen = parameters.indices.filter { index in
      names(of: parameters[index].role).contains(selector) || matches(parameters[index].name, glob: selector)
    }
    guard !chosen.isEmpty else {
      var known: [String] = []
      for parameter in parameters {
        for name in names(of: parameter.role) where !known.contains(name) { known.append(name) }
      }
      let all = known + parameters.map(\.name)
      throw .unknownSelector(selector, nearest: nearestNames(to: selector, among: all), known: known)
    }
    return chosen
  }

  private static func names(of role: ParameterRole) -> [String] {
    switch role {
    case .embedding: ["embedding"]
    case .attention: ["attention"]
    case .head(let index): ["head", "head.\(index)"]
    case .lstm(let layer, let reverse):
      ["lstm", "layer\(layer)", "layer\(layer)." + (reverse ? "reverse" : "forward")]
    }
  }

  public var trainableCount: Int { count { $0 } }
  public var frozenCount: Int { count { !$0 } }

  private func count(where isCounted: (Bool) -> Bool) -> Int {
    zip(parameters, trainable).reduce(0) { $0 + (isCounted($1.1) ? $1.0.elementCount : 0) }
  }

  /// The plan from the input up, a row for each part of the model.
  public var groups: [Group] {
    var names: [String] = []
    var members: [String: [Int]] = [:]
    for (index, parameter) in parameters.enumerated() {
      let name =
        switch parameter.role {
        case .embedding: "embedding"
        case .attention: "attention"
        case .head(let place): "head.\(place)"
        case .lstm(let layer, _): "layer\(layer)"
        }
      if members[name] == nil { names.append(name) }
      members[name, default: []].append(index)
    }
    var somethingBelowTrains = false
    return names.map { name in
      let indices = members[name] ?? []
      let moving = indices.filter { trainable[$0] }
      let fate: Fate =
        moving.count == indices.count
        ? .trainable : !moving.isEmpty ? .mixed : somethingBelowTrains ? .passesGradient : .frozen
      if !moving.isEmpty { somethingBelowTrains = true }
      return Group(
        name: name, parameterCount: indices.reduce(0) { $0 + parameters[$1].elementCount },
        trainableCount: moving.reduce(0) { $0 + parameters[$1].elementCount }, fate: fate)
    }
  }
}
