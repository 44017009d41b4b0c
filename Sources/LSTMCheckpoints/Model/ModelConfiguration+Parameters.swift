/// What part of a model a parameter belongs to.
public struct ParameterRole: Hashable, Sendable {
  /// The layer's name: `embedding`, `layer0`, `head.0`.
  public let layer: String
  /// The layer's kind: `lstm`, `dense`.
  public let kind: String
  /// Whether it belongs to the direction that runs in reverse.
  public let isReverse: Bool
  /// Whether its layer stands above the last recurrent layer, attention apart; in a model without one, above the last
  /// convolution, embedding or self-attention.
  public let isHead: Bool

  package init(layer: String, kind: String, isReverse: Bool = false, isHead: Bool = false) {
    self.layer = layer
    self.kind = kind
    self.isReverse = isReverse
    self.isHead = isHead
  }

  /// Whether it is of a recurrent layer.
  public var isRecurrent: Bool { Layer.Recurrent.Cell(rawValue: kind) != nil }

  /// The number of the layer of a plain stack, 0 of `layer0`.
  var stackLayer: Int? { isRecurrent ? Layer.number(of: layer) : nil }

  /// The part of the model, whatever the direction: `embedding`, `layer0`, `attention`, `head.0`.
  public var name: String { layer }
}

/// A parameter that a configuration calls for.
public struct ParameterSpecification: Hashable, Sendable {
  /// The project's name, which is PyTorch's: `lstm.weight_ih_l0`, `head.0.bias`, ...
  public let name: String
  /// The shape of its tensor, in C order.
  public let shape: [Int]
  /// The layer that it belongs to.
  public let role: ParameterRole
  /// What of that layer it is.
  public let part: ParameterPart
  /// How it starts in a model that is not loaded.
  public let start: LayerParameter.Start
  /// Where else in the model it stands, when it is tied.
  public let tied: [Place]

  /// One place in a model.
  public struct Place: Hashable, Sendable {
    /// The project's name.
    public let name: String
    /// The layer that it belongs to.
    public let role: ParameterRole
  }

  /// - Parameter tied: its other places in the model.
  public init(
    name: String, shape: [Int], role: ParameterRole, part: ParameterPart = .weight,
    start: LayerParameter.Start = .constant(0), tied: [Place] = []
  ) {
    self.name = name
    self.shape = shape
    self.role = role
    self.part = part
    self.start = start
    self.tied = tied
  }

  /// Its own place first.
  public var places: [Place] { [Place(name: name, role: role)] + tied }

  /// Whether the input's size is its second dimension, in a plain stack.
  var readsInput: Bool { role.stackLayer == 0 && part == .cell(.inputWeight) }

  /// How many values it has.
  public var elementCount: Int { shape.reduce(1, *) }

  /// The gate of each block of its rows, from the first; none where rows belong to no gate.
  public var gates: [Gate] {
    guard case .cell(let part) = part, let cell = Layer.Recurrent.Cell(rawValue: role.kind) else { return [] }
    return part.gates(of: cell)
  }
}

extension ModelConfiguration {
  /// Every parameter with its shape, layer by layer, in the order of the source frameworks: for each direction of a
  /// recurrent layer weight_ih, weight_hh, bias_ih, bias_hh, weight_hr. What is tied is there once, at its first place.
  public var parameters: [ParameterSpecification] { ties.isEmpty ? places : tiedParameters }

  /// The same with every place that a parameter stands in: what a file has that knows no ties.
  public var places: [ParameterSpecification] {
    let last = lastBelowHead
    return layers.indices.flatMap { parameters(ofLayer: $0, lastBelowHead: last) }
  }

  /// The place of the last layer below the head; -1 where all layers are the head's.
  private var lastBelowHead: Int {
    layers.lastIndex { $0.kind is Layer.Recurrent }
      ?? layers.lastIndex {
        $0.kind is Layer.Convolution || $0.kind is Layer.Embedding || $0.kind is Layer.SelfAttention
      }
      ?? -1
  }

  /// The places of one layer's parameters.
  public func parameters(ofLayer index: Int) -> [ParameterSpecification] {
    parameters(ofLayer: index, lastBelowHead: lastBelowHead)
  }

  private func parameters(ofLayer index: Int, lastBelowHead: Int) -> [ParameterSpecification] {
    let layer = layers[index]
    let isHead = index > lastBelowHead && !(layer.kind is Layer.Attention)
    return layer.kind.parameters(inputs(ofLayer: index)).map { parameter in
      ParameterSpecification(
        name: layer.parameterName(parameter.name, isReverse: parameter.isReverse), shape: parameter.shape,
        role: ParameterRole(
          layer: layer.name, kind: layer.kind.kind, isReverse: parameter.isReverse, isHead: isHead),
        part: parameter.part, start: parameter.start)
    }
  }

  /// How many values all parameters have; a tied one counts once.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.elementCount } }
}

extension Layer {
  /// The project's name of a parameter: `conv1.weight`; of recurrent layers called `layer0`, `layer1`, ... PyTorch's,
  /// `lstm.weight_ih_l0_reverse`.
  public func parameterName(_ parameter: String, isReverse: Bool = false) -> String {
    let suffix = isReverse ? "_reverse" : ""
    if let cell = (kind as? Layer.Recurrent)?.cell, let number = Self.number(of: name) {
      return "\(cell.rawValue).\(parameter)_l\(number)\(suffix)"
    }
    return "\(name).\(parameter)\(suffix)"
  }

  /// 3 of `layer3`.
  static func number(of name: String) -> Int? {
    guard name.hasPrefix("layer"), let number = Int(name.dropFirst(5)), "layer\(number)" == name, number >= 0 else {
      return nil
    }
    return number
  }
}
