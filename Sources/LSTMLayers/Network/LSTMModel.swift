import FileIO
import LSTMCheckpoints

/// A model: its configuration and its weights. A value type; copies share the weights until one of them is changed.
///
///     let checkpoint = try Checkpoint(contentsOf: weights)
///     var model = try LSTMModel(checkpoint)            // throws the complete load report
///     let (y, state) = try model(x)                    // (N, T, I) -> (N, T, D*H) and h_n, c_n
public struct LSTMModel: Sendable {
  /// The network's description.
  public private(set) var configuration: ModelConfiguration
  /// The weights, to read only: ``set(_:to:)`` changes a copy.
  public private(set) var parameters: ParameterStore
  /// The stored tensors of parameters that have not changed since they were read, by name. They are written back
  /// byte-identical, in their own type.
  package private(set) var origins: [String: StoredTensor]
  /// What is done to data before the model reads it: scalers, vocabulary, window.
  public var preprocessing = Preprocessing()
  /// Where the weights come from.
  public var provenance: Provenance?

  /// A model with random weights, initialized as in PyTorch: recurrent layers U(-1/sqrt(H), 1/sqrt(H)), biases included;
  /// dense layers and convolutions U(-1/sqrt(I), 1/sqrt(I)) for I values that an output reads; embeddings N(0, 1);
  /// normalizations with weight 1, bias 0, mean 0 and variance 1.
  public init(_ configuration: ModelConfiguration, seed: UInt64 = 0) {
    self.configuration = configuration
    parameters = ParameterStore(configuration.parameters)
    origins = [:]
    for index in parameters.slots.indices { initialize(index, seed: seed) }
  }

  /// A model from a checkpoint in any known layout.
  /// - Parameters:
  ///   - options: what to assume where the file leaves a choice.
  ///   - seed: of the random values of parameters that may be missing.
  /// - Throws: `CheckpointError.incomplete` with the complete load report, or `.ambiguous` with the setting that decides.
  public init(_ checkpoint: Checkpoint, options: LoadOptions = LoadOptions(), seed: UInt64 = 0) throws {
    try self.init(LoadPlan(checkpoint, options: options), seed: seed)
  }

  /// A model from a plan; parameters that may be missing are initialized at random.
  /// - Throws: `CheckpointError` when a required parameter is missing or cannot be read.
  public init(_ plan: LoadPlan, seed: UInt64 = 0) throws {
    try plan.validate()
    configuration = plan.configuration
    preprocessing = plan.preprocessing
    // Without a digest: it would read the whole file.
    provenance = plan.provenance(sha256: "")
    parameters = ParameterStore(configuration.parameters)
    origins = plan.tensors
    for (index, slot) in parameters.slots.enumerated() {
      if let tensor = plan.tensors[slot.name] {
        try parameters.load(index, tensor)
      } else {
        initialize(index, seed: seed)
      }
    }
  }

  private func initialize(_ index: Int, seed: UInt64) {
    let slot = parameters.slots[index]
    var random = RandomNumbers(seed: seed, name: slot.name)
    let values: [Float]
    switch slot.specification.start {
    case .constant(let value): values = [Float](repeating: value, count: slot.count)
    case .uniform(let bound): values = (0..<slot.count).map { _ in random.uniform(bound) }
    case .normal:
      var table = (0..<slot.count).map { _ in random.normal() }
      let layer = configuration.index(of: slot.specification.role.layer).map { configuration.layers[$0].kind }
      if let embedding = layer as? Layer.Embedding, let row = embedding.paddingToken {
        let width = embedding.size
        table.replaceSubrange(row * width..<(row + 1) * width, with: repeatElement(0, count: width))
      }
      values = table
    }
    parameters.set(index, values)
  }

  /// Runs the model on sequences of features.
  /// - Parameters:
  ///   - x: (N, T, I), or (T, N, I) with `order: .timeMajor`.
  ///   - state: initial h and c, zero when nil.
  ///   - lengths: valid steps of each sequence.
  /// - Returns: the output, (N, T, O) or (T, N, O) when it has a row for each step and (N, O) otherwise, with fewer steps
  ///   behind strides and pooling; and the final state of each recurrent layer and direction.
  /// - Throws: `ShapeError` when the input does not fit.
  public func callAsFunction(
    _ x: Tensor, state: LSTMState? = nil, lengths: [Int]? = nil, order: SequenceOrder = .batchFirst
  ) throws(ShapeError) -> (output: Tensor, state: LSTMState) {
    let (output, state) = try self(SequenceBatch(x, order: order, lengths: lengths), state: state)
    return (order == .timeMajor && output.shape.count == 3 ? output.swappingFirstAxes() : output, state)
  }

  /// Runs the model on a batch of features or tokens. For many batches, create one ``Network`` and reuse it.
  /// - Returns: the output, (N, T, O) or (N, O), and the final state of each recurrent layer and direction.
  /// - Throws: `ShapeError` when the batch or the state does not fit.
  public func callAsFunction(
    _ batch: SequenceBatch, state: LSTMState? = nil
  ) throws(ShapeError) -> (output: Tensor, state: LSTMState) {
    let (network, batch) = try masked(batch)
    return (try network.forward(batch, state: state, forBackward: false), network.finalState())
  }

  /// A network and a batch of it without the steps that the mask hides.
  private func masked(_ batch: SequenceBatch) throws(ShapeError) -> (Network, SequenceBatch) {
    let network = Network(configuration, weights: parameters, kernels: .best)
    guard let mask = configuration.mask, let hidden = try batch.hidden(by: mask) else { return (network, batch) }
    try hidden.check(configuration)
    return (try network.showingHiddenSteps(), try batch.moved(hidden))
  }

  /// Runs a model with several inputs or outputs.
  /// - Parameters:
  ///   - batch: of the first input.
  ///   - others: of further inputs, in the configuration's order.
  /// - Returns: every output in the configuration's order, and the final state of each layer and direction.
  /// - Throws: `ShapeError` when a batch or the state does not fit the model.
  public func callAsFunction(
    _ batch: SequenceBatch, others: [SequenceBatch], state: LSTMState? = nil
  ) throws(ShapeError) -> (outputs: [Tensor], state: LSTMState) {
    let (network, batch) = try masked(batch)
    _ = try network.forward(batch, others: others, state: state, forBackward: false)
    return (network.outputTensors(), network.finalState())
  }

  /// A parameter's values by the project's name for it; nil when there is none with that name.
  public subscript(name: String) -> Tensor? {
    guard let index = parameters.index(of: name) else { return nil }
    return Tensor(shape: parameters.slots[index].specification.shape, values: parameters.values(index))
  }

  /// Replaces a parameter's values.
  /// - Throws: `ShapeError` when there is no such parameter or the shape differs.
  public mutating func set(_ name: String, to tensor: Tensor) throws(ShapeError) {
    guard let index = parameters.index(of: name) else {
      throw ShapeError(what: "parameter", expected: "one of the model's", found: name)
    }
    let expected = parameters.slots[index].specification.shape
    guard tensor.shape == expected else {
      throw ShapeError(what: name, expected: shapeText(expected), found: shapeText(tensor.shape))
    }
    parameters = parameters.copy()
    parameters.set(index, tensor.values)
    origins[parameters.slots[index].name] = nil
  }

  /// The same model with other weights; parameters for which `changed` is false are still written byte-identical.
  /// - Precondition: `weights` has the model's parameters.
  public func replacing(weights: ParameterStore, changed: [Bool]) -> LSTMModel {
    precondition(weights.slots.map(\.specification) == parameters.slots.map(\.specification))
    var model = self
    model.parameters = weights.copy()
    for (slot, isChanged) in zip(weights.slots, changed) where isChanged {
      // float64 represents float32 exactly and is kept; narrower types would round the trained values.
      let isWider = origins[slot.name]?.dataType == .float64
      model.origins[slot.name] = isWider ? slot.widened(parameters: model.parameters) : nil
    }
    return model
  }

  /// The same weights with another configuration. A parameter keeps its values where the new one has it under the same name
  /// and in the same shape; the others are initialized at random.
  public func reconfigured(_ configuration: ModelConfiguration, seed: UInt64 = 0) -> LSTMModel {
    var model = LSTMModel(configuration, seed: seed)
    for (index, slot) in model.parameters.slots.enumerated() {
      guard let old = parameters.index(of: slot.name),
        parameters.slots[old].specification.shape == slot.specification.shape
      else { continue }
      model.parameters.set(index, parameters.values(old))
      model.origins[slot.name] = origins[parameters.slots[old].name]?.renamed(slot.name)
    }
    model.preprocessing = preprocessing
    model.provenance = provenance
    return model
  }

  /// The same model with a new last dense layer with random weights, in place of the head's last layer or, if there is
  /// none, on top of the readout. All other parameters are still written byte-identical; an L2 normalization of the
  /// output is removed.
  /// - Parameters:
  ///   - size: O, 1 to 2^24.
  ///   - activation: of the new layer.
  ///   - seed: of the weights, U(-1/sqrt(S), 1/sqrt(S)) for a layer that reads S values, as in `torch.nn.Linear`.
  /// - Throws: `ShapeError` when a layer cannot have that size.
  public func replacingHead(
    size: Int, activation: Activation = .none, seed: UInt64 = 0
  ) throws(ShapeError) -> LSTMModel {
    guard 1...ModelConfiguration.sizeLimit ~= size else {
      throw ShapeError(
        what: "new head", expected: "a size from 1 to \(ModelConfiguration.sizeLimit)", found: "\(size)")
    }
    let (changed, head) = try replacedHead(size: size, activation: activation)
    var model = reconfigured(changed, seed: seed)
    // Otherwise a layer of the same shape would keep its weights.
    for (index, slot) in model.parameters.slots.enumerated() where slot.specification.role.layer == head {
      model.initialize(index, seed: seed)
      model.origins[slot.name] = nil
    }
    return model
  }

  private func replacedHead(
    size: Int, activation: Activation
  ) throws(ShapeError) -> (configuration: ModelConfiguration, head: String) {
    var layers = configuration.layers
    let dense = Layer.Dense(size: size, activation: activation)
    let last = configuration.lastDense
    let head: Layer
    if let last {
      head = Layer(layers[last].name, dense, from: layers[last].from)
      layers.removeSubrange(last...)
    } else {
      if layers.last?.kind is Layer.L2 { layers.removeLast() }
      var number = 0
      while layers.contains(where: { $0.name == "head.\(number)" }) { number += 1 }
      head = Layer("head.\(number)", dense)
    }
    do {
      // A replaced layer is no longer tied.
      return (try configuration.untying { $0.layer == head.name }.with(layers: layers + [head], outputs: []), head.name)
    } catch {
      throw ShapeError(what: "new head", expected: "a layer that fits the model", found: "\(error)")
    }
  }

  /// One line that describes what `replacingHead` does with these arguments.
  package func headReplacementNote(size: Int, activation: Activation = .none) -> String {
    guard let (changed, head) = try? replacedHead(size: size, activation: activation),
      let place = changed.index(of: head)
    else { return "" }
    let width = changed.inputs(ofLayer: place)[0].width
    let layer = "a new dense layer \(width) -> \(size)" + (activation == .none ? "" : " \(activation.rawValue)")
    var note = "head: the model has none; \(layer) starts from random values"
    if let old = configuration.finalDense {
      note =
        "head: \(layer) with random values replaces \(head), which gave \(old.size)"
        + (old.activation == .none ? "" : " \(old.activation.rawValue)")
    }
    if changed.ties != configuration.validTies { note += "; it was tied, and the new one is not" }
    return note + (configuration.normalizesOutput ? "; its output is no longer normalized" : "")
  }

  /// The same model for a larger vocabulary. New rows of the embedding are the mean of the existing ones, without a padding
  /// row; if the last head layer has one output per token, its new outputs get the mean weights and the mean bias. Existing
  /// rows and all other parameters are still written byte-identical.
  /// - Parameter count: tokens to add; 0 or less changes nothing.
  /// - Throws: `ShapeError` when the model reads no tokens, or its embedding is tied to a layer that cannot grow with it.
  public func extendingVocabulary(by count: Int) throws(ShapeError) -> LSTMModel {
    guard let vocabulary = configuration.inputs[0].vocabulary else {
      throw ShapeError(what: "vocabulary", expected: "a model that reads tokens", found: "one that reads features")
    }
    guard count > 0 else { return self }
    let (larger, grown) = try extendedConfiguration(vocabulary, count)
    guard larger.validTies == configuration.validTies else {
      throw ShapeError(
        what: "vocabulary", expected: "an embedding tied to nothing or to the last dense layer",
        found: configuration.summary)
    }
    let padding = configuration.layers.lazy.compactMap { ($0.kind as? Layer.Embedding)?.paddingToken }.first
    var model = self
    model.configuration = larger
    model.parameters = ParameterStore(larger.parameters)
    for (index, slot) in model.parameters.slots.enumerated() {
      // The same parameters, in the same order.
      var values = parameters.values(index)
      if grown.contains(slot.name) {
        let width = values.count / vocabulary
        let rows = (0..<vocabulary).filter { $0 != padding || vocabulary == 1 }
        let mean = (0..<width).map { column in
          Float(rows.reduce(0.0) { $0 + Double(values[$1 * width + column]) } / Double(rows.count))
        }
        for _ in 0..<count { values += mean }
        model.origins[slot.name] = slot.extended(origins[slot.name], by: values.suffix(count * width))
      }
      model.parameters.set(index, values)
    }
    return model
  }

  /// The configuration with a larger vocabulary, and the names of the parameters that grow with it.
  private func extendedConfiguration(
    _ vocabulary: Int, _ count: Int
  ) throws(ShapeError) -> (ModelConfiguration, grown: [String]) {
    var (inputs, layers, grown) = (configuration.inputs, configuration.layers, [String]())
    inputs[0].content = .tokens(vocabulary: vocabulary + count)
    for (index, layer) in layers.enumerated()
    where layer.kind is Layer.Embedding && configuration.sources[index] == [0] {
      grown.append(layer.parameterName("weight"))
    }
    if let last = configuration.lastDense, var dense = layers[last].kind as? Layer.Dense, dense.size == vocabulary {
      dense.size += count
      layers[last].kind = dense
      grown += [layers[last].parameterName("weight"), layers[last].parameterName("bias")]
    }
    do {
      let larger = try ModelConfiguration(
        inputs: inputs, layers: layers, outputs: configuration.outputs, ties: configuration.ties,
        mask: configuration.mask)
      return (larger, grown)
    } catch {
      throw ShapeError(what: "vocabulary", expected: "a size that fits the model", found: "\(error)")
    }
  }

  /// The model as it is written: parameters that have not changed since they were read keep their stored bytes.
  public var stored: StoredModel {
    StoredModel(
      configuration,
      tensors: parameters.slots.enumerated().map { index, slot in
        origins[slot.name]
          ?? StoredTensor(name: slot.name, shape: slot.specification.shape, values: parameters.values(index))
      }, preprocessing: preprocessing, provenance: provenance)
  }

  /// Writes the model in any format, as ``StoredModel/write(path:as:options:sourceDigest:)`` does.
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.refused` when the format cannot hold the model, with the option that decides.
  @discardableResult
  public func write(
    path: String, as format: Checkpoint.Format = .native, options: WriteOptions = WriteOptions()
  ) throws -> [WrittenTensor] {
    try stored.write(path: path, as: format, options: options)
  }
}

extension Network {
  /// A network with a copy of the model's weights.
  /// - Parameter kernels: the instruction set and threads to use.
  public convenience init(_ model: LSTMModel, kernels: Kernels = .best) {
    self.init(model.configuration, weights: model.parameters.copy(), kernels: kernels)
  }
}

extension ParameterStore.Slot {
  /// The stored rows followed by new ones, if their type represents float32 exactly; otherwise nil.
  fileprivate func extended(_ stored: StoredTensor?, by rows: ArraySlice<Float>) -> StoredTensor? {
    guard let stored, stored.dataType == .float32 || stored.dataType == .float64 else { return nil }
    let isDouble = stored.dataType == .float64
    let more = rows.flatMap { value in
      isDouble
        ? withUnsafeBytes(of: Double(value).bitPattern.littleEndian) { [UInt8]($0) }
        : withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
    }
    return StoredTensor(
      name: name, shape: specification.shape, dataType: stored.dataType, isBigEndian: stored.isBigEndian
    ) { try stored.bytes() + more }
  }

  /// The parameter as float64, which represents float32 exactly.
  fileprivate func widened(parameters: ParameterStore) -> StoredTensor {
    let values = parameters.index(of: name).map(parameters.values) ?? []
    return StoredTensor(name: name, shape: specification.shape, dataType: .float64) {
      values.flatMap { value in withUnsafeBytes(of: Double(value).bitPattern.littleEndian) { [UInt8]($0) } }
    }
  }
}
