import FileIO
import LSTMCheckpoints

/// Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685): chosen matrices W (O, I) stay as they are, and what is learned
/// is the difference (alpha / r) B A, with A (r, I) and B (O, r). The kernels (O, C, K) of a convolution are a matrix
/// (O, C K).
public struct LoRA: Sendable, Equatable, Codable {
  /// r, at least 1.
  public var rank: Int
  /// Above 0; the difference is scaled by alpha / r.
  public var alpha: Double
  /// A freeze plan's selectors. Of what they choose, weight_ih and weight_hh of recurrent layers, the weights of dense
  /// layers and convolutions, and the matrices of attention get a pair each.
  public var targets: [String]

  /// alpha / r
  public var scale: Double { alpha / Double(rank) }

  /// Adapters of a rank; `FreezePlan` checks that numbers and targets make sense.
  public init(rank: Int, alpha: Double, targets: [String] = ["recurrent"]) {
    self.rank = rank
    self.alpha = alpha
    self.targets = targets
  }

  /// The parameters that get adapters, as places in the model's order.
  /// - Throws: `FineTuningError` when a number is out of range, a selector matches nothing, or matches nothing that an
  ///   adapter can be put on.
  func adapted(of configuration: ModelConfiguration) throws(FineTuningError) -> [Int] {
    let parameters = configuration.parameters
    var chosen: Set<Int> = []
    if targets == ["recurrent"], !parameters.contains(where: { $0.places.contains(where: \.role.isRecurrent) }) {
      throw .invalid(
        .lora, nil, "adapters go on recurrent layers unless told otherwise, and the model has none",
        advice: ["say which layers get them, for example \(.loraTargets, "head")"])
    }
    for selector in targets {
      let selection = Set(try Selection(selector, of: parameters).indices)
      let matrices = parameters.indices.filter { selection.contains($0) && Self.canAdapt(parameters[$0]) }
      if matrices.isEmpty,
        let tied = parameters.indices.first(where: { selection.contains($0) && Self.isTiedTable(parameters[$0]) })
      {
        let names = parameters[tied].places.map(\.name)
        throw .invalid(
          .loraTargets, "\(selector)",
          "\(names.joined(separator: " and ")) are one parameter, and an adapter on one of them"
            + " would part them",
          advice: ["leave it out, or import the model with \(.untie), which makes two of them"])
      }
      guard !matrices.isEmpty else {
        throw .invalid(
          .loraTargets, "\(selector)", "there is no matrix in it that an adapter can be put on",
          advice: [
            "adapters go on weight_ih and weight_hh of recurrent layers, and on matrices of dense layers, convolutions and attention"
          ])
      }
      chosen.formUnion(matrices)
    }
    guard !chosen.isEmpty else {
      throw .invalid(
        .loraTargets, nil, "expected at least one part of the model, found none",
        advice: ["for example \(.loraTargets, "recurrent")"])
    }
    let places = chosen.sorted()
    let largest = places.reduce(0) { max($0, min(parameters[$1].matrix.rows, parameters[$1].matrix.columns)) }
    guard 1...largest ~= rank else {
      throw .invalid(
        .lora, nil,
        "expected a rank from 1 to \(largest), the smaller side of the largest matrix that it is for, found \(rank)",
        advice: [])
    }
    guard alpha.isFinite, alpha > 0 else {
      throw .invalid(.lora, nil, "expected an alpha above 0, found \(alpha)", advice: [])
    }
    return places
  }

  /// Whether it is the embedding and a layer's weight in one.
  private static func isTiedTable(_ parameter: ParameterSpecification) -> Bool {
    parameter.role.kind == "embedding" && !parameter.tied.isEmpty
  }

  private static func canAdapt(_ parameter: ParameterSpecification) -> Bool {
    switch parameter.part {
    case .cell(.inputWeight), .cell(.recurrentWeight): true
    // A vector that scores steps is no matrix.
    case .weight where ["convolution", "attention", "self_attention"].contains(parameter.role.kind):
      min(parameter.matrix.rows, parameter.matrix.columns) > 1
    case .weight: parameter.role.kind == "dense"
    default: false
    }
  }
}

extension ParameterSpecification {
  /// Its shape as a matrix (O, I): kernels (O, C, K) are (O, C K).
  var matrix: (rows: Int, columns: Int) {
    let rows = shape.first ?? 1
    return (rows, elementCount / rows)
  }
}
