import FileIO

/// Writes the JSON that RTNeural's `json_parser` reads: a list of layers, each with its activation, its shape and its
/// weights in Keras' layout. RTNeural runs sample by sample, so that a model gives something at every step.
enum RTNeuralWriter {
  private static let capabilities = Capabilities(target: "RTNeural", biases: [.single], bidirectional: false)

  static func write(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    let configuration = model.configuration
    try check(configuration, file: path)
    let cells = try model.cells(capabilities)
    var written: [WrittenTensor] = []
    var layers: [Layer] = []
    func add(_ tensor: StoredTensor, _ sources: [String], _ part: Int) {
      let source = sources.filter { model[$0] != nil }.joined(separator: " + ")
      let name = "layers[\(layers.count)].weights[\(part)]"
      written.append(WrittenTensor(NamedTensor(name: name, tensor: tensor, source: source)))
    }
    for (index, cell) in cells.map({ $0[0] }).enumerated() {
      let parts = RecurrentLayout.keras.write(cell)
      let tensors = parts.input + parts.recurrent + parts.inputBias
      let kinds: [[RecurrentPart]] = [[.inputWeight], [.recurrentWeight], [.inputBias, .recurrentBias]]
      for (part, (tensor, kinds)) in zip(tensors, kinds).enumerated() {
        add(tensor, kinds.map { PyTorchName.parameter($0, layer: index) }, part)
      }
      layers.append(Layer(kind: "lstm", activation: "", size: cell.hiddenSize, weights: tensors))
    }
    for (index, dense) in configuration.head.enumerated() {
      guard let weight = model["head.\(index).weight"] else { continue }
      let kernel = weight.transposed()
      // RTNeural's dense layer always adds a bias.
      let bias = model["head.\(index).bias"] ?? .zeros("bias", shape: [dense.size], like: weight)
      add(kernel, ["head.\(index).weight"], 0)
      add(bias, ["head.\(index).bias"], 1)
      let activation = dense.activation == .none ? "" : dense.activation.rawValue
      layers.append(Layer(kind: "dense", activation: activation, size: dense.size, weights: [kernel, bias]))
    }
    try atomicallyWriteFile(to: path) { descriptor in
      try put("{\n  \"in_shape\": [null, null, \(configuration.input.size)],\n  \"layers\": [", descriptor)
      for (index, layer) in layers.enumerated() {
        try put(index == 0 ? "\n" : ",\n", descriptor)
        try layer.write(to: descriptor)
      }
      try put("\n  ]\n}\n", descriptor)
    }
    return written
  }

  private static func check(_ configuration: PlainStack, file: String) throws(CheckpointError) {
    func refuse(_ what: String, _ advice: [Message] = []) -> CheckpointError {
      .refused(file: file, detail: "the model has \(what), which RTNeural has not", advice: advice)
    }
    if case .tokens = configuration.input { throw refuse("an embedding") }
    if configuration.skip { throw refuse("a concatenation of all layers") }
    if configuration.normalizesOutput { throw refuse("an L2 normalization") }
    if configuration.readoutActivation != .none {
      throw refuse("\(configuration.readoutActivation.rawValue) between the LSTM and the head")
    }
    switch configuration.readout {
    case nil, .all: break
    case .last where configuration.layers.allSatisfy({ !$0.isBidirectional }): break
    case .final where configuration.layers.allSatisfy({ !$0.isBidirectional }): break
    case let readout?:
      throw refuse(
        "the readout \(readout.rawValue)", ["it runs step by step: all, last and final are what it can give"])
    }
  }

  private static func put(_ text: String, _ descriptor: Int32) throws {
    try [UInt8](text.utf8).withUnsafeBytes { try writeAll($0, to: descriptor) }
  }

  private struct Layer {
    let kind: String
    let activation: String
    let size: Int
    let weights: [StoredTensor]

    func write(to descriptor: Int32) throws {
      try put(
        "    {\n      \"type\": \"\(kind)\",\n      \"activation\": \"\(activation)\",\n"
          + "      \"shape\": [null, null, \(size)],\n      \"weights\": [", descriptor)
      for (index, tensor) in weights.enumerated() {
        try put((index == 0 ? "\n" : ",\n") + "        ", descriptor)
        if tensor.dataType == .float64 {
          try numbers(tensor.doubles(), tensor, to: descriptor)
        } else {
          try numbers(tensor.floats(), tensor, to: descriptor)
        }
      }
      try put("\n      ]\n    }", descriptor)
    }

    /// Each number in the fewest digits that give it back. JSON has no infinities.
    private func numbers<Number: BinaryFloatingPoint>(
      _ values: [Number], _ tensor: StoredTensor, to descriptor: Int32
    ) throws {
      guard values.allSatisfy(\.isFinite) else {
        throw CheckpointError.corrupt(
          tensor: tensor.name, detail: "it has values that are not finite, which JSON cannot hold")
      }
      func list(_ values: ArraySlice<Number>) -> String { "[" + values.map { "\($0)" }.joined(separator: ", ") + "]" }
      guard tensor.shape.count == 2 else { return try RTNeuralWriter.put(list(values[...]), descriptor) }
      let width = tensor.shape[1]
      for row in 0..<tensor.shape[0] {
        let numbers = list(values[row * width..<(row + 1) * width])
        try RTNeuralWriter.put((row == 0 ? "[" : ",\n         ") + numbers, descriptor)
      }
      try RTNeuralWriter.put("]", descriptor)
    }
  }
}
