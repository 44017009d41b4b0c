import Foundation
import LSTMCheckpoints

/// Which parts of a model train in which epochs, and how fast against each other.
///
/// The model is taken apart from the output down: its head (and attention) first, then its layers from the last to the
/// first, then the embedding. Parts that a freeze plan keeps frozen do not count.
public enum Recipe: String, Sendable, Codable, CaseIterable {
  /// Everything from the first step, at one rate.
  case full
  /// The head alone for the first epoch, so that a fresh one does not drag the rest about; then everything, at a tenth of
  /// the rate.
  case headFirst = "head-first"
  /// ULMFiT (Howard and Ruder 2018): one part more with every epoch, from the head down; each part at the rate of the one
  /// above divided by 2.6.
  case ulmfit

  /// Which parameters train from an epoch on, until the next phase.
  public struct Phase: Sendable, Equatable {
    /// From 1.
    public let firstEpoch: Int
    /// For each of the model's parameters, in its order.
    public let trainable: [Bool]
    /// For all rates.
    public var rateFactor = 1.0
  }

  /// The schedule that the recipe goes with, when no other is asked for.
  public var schedule: Schedule { self == .ulmfit ? Schedule(.slantedTriangle()) : .constant }

  /// How far from the output a parameter is: 0 for head and attention. What is tied goes with its place nearest the output,
  /// as fast.ai has the encoder of a language model go with its decoder.
  private static func depth(_ parameter: ParameterSpecification, _ layers: ModelConfiguration) -> Int {
    parameter.tied.reduce(depth(parameter.role, layers)) { min($0, depth($1.role, layers)) }
  }

  /// What stands above the last recurrent layer is one part, what stands below the first each its own. Without recurrent
  /// layers the head is one part, and each layer below it.
  private static func depth(_ role: ParameterRole, _ configuration: ModelConfiguration) -> Int {
    let recurrent = configuration.recurrentLayers
    guard !role.isHead, let place = configuration.index(of: role.layer) else { return 0 }
    guard let first = recurrent.first?.index, let last = recurrent.last?.index else {
      return configuration.layers.indices.count {
        $0 >= place && configuration.parameters(ofLayer: $0).contains { !$0.role.isHead }
      }
    }
    guard place <= last else { return 0 }
    // Recurrent layers at or above it, then the layers with parameters below the first.
    if place >= first { return recurrent.count { $0.index >= place } }
    let below = configuration.layers[place..<first].indices.count { !configuration.parameters(ofLayer: $0).isEmpty }
    return recurrent.count + below
  }

  /// For each parameter, its part counted from the output down among those that train; nil for frozen ones.
  private static func parts(_ configuration: ModelConfiguration, _ trainable: [Bool]) -> [Int?] {
    let depths = configuration.parameters.map { depth($0, configuration) }
    let all = Set(zip(depths, trainable).filter(\.1).map(\.0)).sorted()
    return zip(depths, trainable).map { $1 ? all.firstIndex(of: $0) : nil }
  }

  /// What trains from which epoch on.
  func phases(_ configuration: ModelConfiguration, _ trainable: [Bool]) -> [Phase] {
    let parts = Self.parts(configuration, trainable)
    let count = (parts.compactMap(\.self).max() ?? 0) + 1
    switch self {
    case .full: return [.init(firstEpoch: 1, trainable: trainable)]
    case .headFirst:
      guard count > 1 else { return [.init(firstEpoch: 1, trainable: trainable)] }
      return [
        .init(firstEpoch: 1, trainable: parts.map { $0 == 0 }),
        .init(firstEpoch: 2, trainable: trainable, rateFactor: 0.1),
      ]
    case .ulmfit:
      return (0..<count).map { last in
        .init(firstEpoch: last + 1, trainable: parts.map { $0.map { $0 <= last } ?? false })
      }
    }
  }

  /// For each parameter, its rate against that of the output's part.
  func rateFactors(_ configuration: ModelConfiguration, _ trainable: [Bool]) -> [Double] {
    Self.parts(configuration, trainable).map { part in
      self == .ulmfit ? pow(2.6, -Double(part ?? 0)) : 1
    }
  }
}
