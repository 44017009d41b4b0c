import FileIO

/// A model about to be written: its tensors as `RecurrentCell`s and by name.
struct Exportable {
  let file: String
  let configuration: PlainStack
  let options: WriteOptions
  let provenance: Provenance?
  /// What the source itself did to input and output.
  let scalers: OwnScalers
  private let tensors: [String: StoredTensor]

  /// - Throws: `CheckpointError.cannotWrite` when a tensor is missing.
  init(_ model: StoredModel, to file: String, options: WriteOptions) throws(CheckpointError) {
    self.file = file
    guard let stack = model.configuration.stack else {
      throw .refused(
        file: file, detail: "this layout holds stacks of LSTM layers, and the model is \(model.configuration.summary)",
        advice: [])
    }
    configuration = stack
    self.options = options
    provenance = model.provenance
    scalers = OwnScalers(model.preprocessing, model.provenance)
    var tensors = Dictionary(model.tensors.map { ($0.name, $0) }) { first, _ in first }
    // Each place of a tied parameter has it.
    for group in configuration.validTies {
      for name in group.dropFirst() { tensors[name] = tensors[group[0]]?.renamed(name) }
    }
    self.tensors = tensors
    for parameter in configuration.places where tensors[parameter.name]?.shape != parameter.shape {
      throw .cannotWrite(file: file, detail: "the model has no \(parameter.name) \(shapeText(parameter.shape))")
    }
  }

  /// A tensor that is none of a cell's, in the type asked for.
  subscript(name: String) -> StoredTensor? { tensors[name].map(typed) }

  /// The type that a tensor is written in.
  func writtenType(_ name: String) -> DataType? { options.dataType ?? tensors[name]?.dataType }

  /// Refuses types that a target does not load.
  func refuse(_ types: Set<DataType>, of target: String) throws(CheckpointError) {
    for parameter in configuration.parameters {
      guard let type = writtenType(parameter.name), types.contains(type) else { continue }
      throw .refused(
        file: file, detail: "\(target) cannot be loaded with \(type.rawValue), the type of \(parameter.name)",
        advice: ["write it with \(.dataType, "float32")"])
    }
  }

  func typed(_ tensor: StoredTensor) -> StoredTensor {
    options.dataType.map { tensor.converted(to: $0) } ?? tensor
  }

  /// The cells of each layer, forward then backward, with no more than the target can hold.
  /// - Throws: `CheckpointError.refused`, naming the layer, the reason and the flag that decides.
  func cells(_ capabilities: Capabilities) throws(CheckpointError) -> [[RecurrentCell]] {
    var result: [[RecurrentCell]] = []
    for (index, layer) in configuration.layers.enumerated() {
      try check(layer, index, capabilities)
      var directions: [RecurrentCell] = []
      for reverse in layer.isBidirectional ? [false, true] : [false] {
        directions.append(try cell(index, reverse, capabilities))
      }
      result.append(directions)
    }
    return result
  }

  private func check(
    _ layer: PlainStack.Layer, _ index: Int, _ capabilities: Capabilities
  ) throws(CheckpointError) {
    func refuse(_ what: String, _ advice: [Message] = []) -> CheckpointError {
      .refused(file: file, detail: "layer \(index) has \(what), which \(capabilities.target) has not", advice: advice)
    }
    if layer.projectionSize != nil, !capabilities.projection { throw refuse("a projection") }
    if layer.hasPeepholes, !capabilities.peepholes { throw refuse("peepholes") }
    if layer.isBidirectional, !capabilities.bidirectional { throw refuse("two directions") }
    if !capabilities.gates.contains(layer.gateActivation) { throw refuse("\(layer.gateActivation.rawValue) gates") }
  }

  private func cell(_ index: Int, _ reverse: Bool, _ capabilities: Capabilities) throws(CheckpointError)
    -> RecurrentCell
  {
    func tensor(_ kind: RecurrentPart) -> StoredTensor? {
      tensors[PyTorchName.parameter(kind, layer: index, isReverse: reverse)]
    }
    guard let input = tensor(.inputWeight), let recurrent = tensor(.recurrentWeight) else {
      throw .cannotWrite(file: file, detail: "the model has no weights of layer \(index)")
    }
    var cell = RecurrentCell(
      inputWeight: input, recurrentWeight: recurrent, inputBias: tensor(.inputBias),
      recurrentBias: tensor(.recurrentBias), projection: tensor(.projection), peephole: tensor(.peephole))
    let layer = configuration.layers[index]
    cell.gateActivation = layer.gateActivation
    try settleBias(&cell, index, capabilities)
    let offset = layer.forgetOffset - capabilities.forgetOffset
    if offset != 0 {
      let h = cell.hiddenSize
      cell.inputBias = (cell.inputBias ?? .zeros("bias", shape: [4 * h], like: input)).adding(offset, to: h..<2 * h)
    }
    cell.forgetOffset = capabilities.forgetOffset
    cell.inputWeight = typed(cell.inputWeight)
    cell.recurrentWeight = typed(cell.recurrentWeight)
    cell.inputBias = cell.inputBias.map(typed)
    cell.recurrentBias = cell.recurrentBias.map(typed)
    cell.projection = cell.projection.map(typed)
    cell.peephole = cell.peephole.map(typed)
    return cell
  }

  private func settleBias(
    _ cell: inout RecurrentCell, _ index: Int, _ capabilities: Capabilities
  ) throws(CheckpointError) {
    let can = capabilities.biases
    if cell.bias == .none {
      guard !can.contains(.none) else { return }
      cell.inputBias = .zeros("bias", shape: [4 * cell.hiddenSize], like: cell.inputWeight)
      if !can.contains(.single) { cell.recurrentBias = cell.inputBias }
      return
    }
    if options.bias == .single || options.bias == nil && cell.bias == .single, let one = cell.inputBias {
      cell.inputBias = cell.recurrentBias.map { one.adding($0) } ?? one
      cell.recurrentBias = nil
      if can.contains(.single) { return }
    } else if !can.contains(.dual) {
      guard cell.bias == .dual else {
        throw .refused(
          file: file, detail: "\(capabilities.target) has one bias, and so has layer \(index)",
          advice: ["leave \(.bias, "dual") away"])
      }
      throw .refused(
        file: file, detail: "layer \(index) has two biases, \(capabilities.target) has one",
        advice: ["write their sum with \(.bias, "single"): the same outputs, but training on moves it half as fast"])
    }
    // A single bias goes into a layout of two as itself and zeros: nothing is lost.
    if cell.recurrentBias == nil { cell.recurrentBias = cell.inputBias.map { .zeros($0.name, like: $0) } }
  }
}

extension Exportable {
  /// What was done to a cell's biases so that the target computes the same, for the report; nothing where they are as
  /// they were.
  func biasSteps(layer index: Int, _ cell: RecurrentCell) -> [RecurrentPart: String] {
    let layer = configuration.layers[index]
    var steps: [RecurrentPart: String] = [:]
    var first: [String] = []
    switch (layer.bias, cell.bias) {
    case (.dual, .single): first.append("two biases summed")
    case (.none, .single): first.append("zeros, there was no bias")
    case (.none, .dual):
      first.append("zeros, there was no bias")
      steps[.recurrentBias] = "zeros, there was no bias"
    case (.single, .dual): steps[.recurrentBias] = "zeros, there was one bias"
    default: break
    }
    let shift = layer.forgetOffset - cell.forgetOffset
    if shift != 0 {
      first.append("\(shift.magnitude) \(shift > 0 ? "added to" : "taken off") the forget gate's, rounded once")
    }
    if !first.isEmpty { steps[.inputBias] = first.joined(separator: "; ") }
    return steps
  }
}
