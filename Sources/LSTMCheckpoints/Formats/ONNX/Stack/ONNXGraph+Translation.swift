import FileIO
import Foundation

extension ONNXGraph {
  /// What reads the LSTM stack, from its output to the graph's.
  private struct Tail {
    var readout: PlainStack.Readout
    var skip = false
    var activation = PlainStack.Activation.none
    /// Places in `denses`, in order.
    var head: [(dense: Int, activation: PlainStack.Activation)] = []
    var attention: Int?
    var isNormalized = false
    /// What constants do to the output.
    var affine: ONNXAffine?
  }

  mutating func translation(_ candidates: [Candidate], options: LoadOptions) throws(CheckpointError) -> Translation {
    try checkLayers()
    let count = layers.count
    var translation = Translation(
      .onnx, evidence: ["its graph has \(count) layer\(count == 1 ? "" : "s") of the operator LSTM"])
    let written = metadata(&translation)
    let given = options.given
    try addLayers(&translation, (given ?? written)?.layers, given)

    if let embedding { translation.add("embedding.weight", embedding.value, how: Self.how(embedding)) }
    guard stackIsOne(), let tail = modelTail() else { throw giveUp() }
    for (index, (dense, _)) in tail.head.enumerated() { add(denses[dense], "head.\(index)", &translation) }
    if let attention = tail.attention { add(denses[attention], "attention", &translation) }
    try addScalers(tail, &translation)
    var configuration = configuration(tail, translation)
    if let written { configuration = reconcile(configuration, written, &translation) }
    translation.configuration = configuration
    translation.notes += notes
    leaveOut(candidates, &translation)
    return translation
  }

  private static func how(_ constant: ONNXConstant) -> String? { constant.isTransposed ? "transposed" : nil }

  // MARK: - The stack

  private func checkLayers() throws(CheckpointError) {
    guard !layers.isEmpty else {
      let quantized = ["DynamicQuantizeLSTM", "DynamicQuantizeGRU"]
      if let node = model.nodes.first(where: { quantized.contains($0.operation) }) {
        throw unsupported(
          "\(node.description): it is quantized, which is not computed here",
          "import the model as it was before it was quantized")
      }
      if let node = model.nodes.first(where: { ["If", "Loop", "Scan"].contains($0.operation) && $0.domain.isEmpty }) {
        throw unsupported(
          "has no node with the operator LSTM outside of \(node.description): "
            + (node.operation == "If"
              ? "which of its branches runs is only known when it runs" : "what it repeats is not followed"))
      }
      var operations: [String] = []
      for node in model.nodes where !operations.contains(node.operation) && operations.count < 8 {
        operations.append(node.operation)
      }
      throw unsupported("has no node with the operator LSTM; it has \(nameList(operations))")
    }
    if let reversed = layers.first(where: { $0.cells[false] == nil }) {
      throw unsupported(
        "\(reversed.node) runs in reverse alone; a layer here runs forward, or in both directions",
        "reverse the sequences beforehand and export the model with a forward LSTM")
    }
  }

  private func addLayers(
    _ translation: inout Translation, _ wanted: [PlainStack.Layer]?, _ given: PlainStack?
  ) throws(CheckpointError) {
    for (index, layer) in layers.enumerated() {
      let layerWanted = wanted.flatMap { $0.count == layers.count ? $0[index] : nil }
      for reverse in [false, true] {
        guard var cell = layer.cells[reverse] else { continue }
        if let said = given?.layers, said.count == layers.count, said[index].gateActivation != cell.gateActivation {
          throw .invalidConfiguration(
            file: file,
            detail: "layers[\(index)].gates: \(layer.node) has \(cell.gateActivation.rawValue) gates, the configuration"
              + " \(said[index].gateActivation.rawValue)")
        }
        // A single bias was written as itself and zeros.
        if layerWanted?.bias == .single,
          let zeros = cell.recurrentBias, isZero(ONNXConstant(tensor: zeros, sources: []))
        {
          cell.recurrentBias = nil
        }
        translation.add(cell, layer: index, reverse: reverse) { _ in layer.how[reverse] }
      }
    }
  }

  /// Whether each layer reads all of the one before, and the first an input or an embedding.
  private func stackIsOne() -> Bool {
    layers.indices.allSatisfy { index in
      guard let input = layers[index].input, input.parts.allSatisfy({ $0.pick == .every }) else { return false }
      if index > 0 { return input.parts.map(\.source) == sources(index - 1) }
      guard input.parts.count == 1 else { return false }
      switch input.parts[0].source {
      case .input, .embedding: return true
      default: return false
      }
    }
  }

  private func sources(_ layer: Int) -> [ONNXFlow.Source] {
    [false, true].filter { layers[layer].cells[$0] != nil }.map { .hidden(layer: layer, reverse: $0) }
  }

  // MARK: - What reads it

  /// The output with the longest way from the stack; nil when one is not understood.
  private func modelTail() -> Tail? {
    var best: Tail?
    for name in model.outputs {
      guard case .flow(let flow)? = values[name] else { return nil }
      // h_n and c_n are given beside the output.
      guard let tail = tail(normalized(flow)) else {
        if flow.parts.allSatisfy({ $0.pick == .final }) { continue }
        return nil
      }
      if tail.head.count > best?.head.count ?? -1 { best = tail }
    }
    return best
  }

  private func tail(_ output: ONNXFlow) -> Tail? {
    var flow = output
    var head: [(dense: Int, activation: PlainStack.Activation)] = []
    var pick = ONNXFlow.Pick.every
    var affine: ONNXAffine?
    while flow.parts.count == 1, case .dense(let index, let activation) = flow.parts[0].source {
      if let found = flow.parts[0].affine {
        // Of the last layer alone it is the output's.
        guard head.isEmpty else { return nil }
        affine = found
      }
      // Each step goes through a dense layer alone, so that one may be picked after it as well.
      if flow.parts[0].pick != .every { pick = flow.parts[0].pick }
      guard let input = denses[index].input, head.count < PlainStack.depthLimit else { return nil }
      head.insert((index, activation), at: 0)
      flow = input
    }
    if pick != .every {
      guard pick == .last, let picked = flow.picking(pick) else { return nil }
      flow = picked
    }
    guard !flow.axes.contains(.stack) || flow.parts.count == 1 else { return nil }
    guard !flow.isScaled, flow.activation == .none || !head.isEmpty else { return nil }
    let top = sources(layers.count - 1)
    let everything = (layers[0].input?.parts.map(\.source) ?? []) + layers.indices.flatMap(sources)
    let found = flow.parts.map(\.source)
    guard found == top || found == everything, let readout = readout(flow) else { return nil }
    var tail = Tail(readout: readout, skip: found != top, head: head, isNormalized: output.isNormalized)
    if case .attention(let index) = flow.parts[0].pick { tail.attention = index }
    (tail.affine, tail.activation) = (affine, flow.activation)
    // What joins the input with the stack's output would have to scale it alike.
    return tail.skip && layers[0].input?.isScaled == true ? nil : tail
  }

  private func readout(_ flow: ONNXFlow) -> PlainStack.Readout? {
    let picks = flow.parts.map(\.pick)
    if picks.allSatisfy({ $0 == picks[0] }) {
      switch picks[0] {
      case .every: return .all
      case .last: return .last
      case .mean: return .mean
      case .max: return .max
      case .attention: return .attention
      case .final where flow.parts.allSatisfy({ if case .hidden = $0.source { true } else { false } }): return .final
      default: return nil
      }
    }
    // Each direction's own last step.
    let isFinal = flow.parts.allSatisfy { part in
      if case .hidden(_, true) = part.source { return part.pick == .final || part.pick == .first }
      if case .hidden = part.source { return part.pick == .final || part.pick == .last }
      return part.pick == .last
    }
    return isFinal ? .final : nil
  }

  /// Constant scaling of the input and of the output, as the model's scalers.
  private func addScalers(_ tail: Tail, _ translation: inout Translation) throws(CheckpointError) {
    if let affine = layers[0].input?.parts.first?.affine {
      translation.inputScaler = affine.scaler("input", width: layers[0].cells[false]?.inputSize ?? 1)
      translation.sourceLayers.append(.init(name: "input", kind: "Rescaling", part: "scaler"))
      guard translation.inputScaler != nil else { throw unscaled("input") }
    }
    if let affine = tail.affine?.undone, let last = tail.head.last {
      translation.outputScaler = affine.scaler("output", width: denses[last.dense].weight.shape[0])
      translation.sourceLayers.append(.init(name: "output", kind: "Rescaling", part: "target scaler"))
      guard translation.outputScaler != nil else { throw unscaled("output") }
    }
  }

  private func unscaled(_ what: String) -> CheckpointError {
    unsupported("it scales its \(what) by constants of another width")
  }

  private mutating func add(_ dense: Dense, _ name: String, _ translation: inout Translation) {
    translation.add(name + ".weight", dense.weight.value, how: Self.how(dense.weight))
    used.formUnion(dense.weight.sources)
    if let bias = dense.bias {
      translation.add(name + ".bias", bias.value)
      used.formUnion(bias.sources)
    }
  }

  private func configuration(_ tail: Tail, _ translation: Translation) -> PlainStack {
    let stack = layers.enumerated().map { index, layer in
      let cell = layer.cells[false]
      return PlainStack.Layer(
        hiddenSize: layer.hiddenSize, isBidirectional: layer.cells.count == 2,
        bias: translation.layers[index]?.bias ?? .dual, gateActivation: cell?.gateActivation ?? .sigmoid,
        hasPeepholes: cell?.peephole != nil)
    }
    let input: PlainStack.Input =
      if let embedding {
        .tokens(vocabulary: embedding.shape[0], size: embedding.shape[1])
      } else {
        .features(size: layers[0].cells[false]?.inputSize ?? 1)
      }
    return PlainStack(
      input: input, layers: stack, skip: tail.skip, readout: tail.readout,
      head: tail.head.map { dense, activation in
        .init(size: denses[dense].weight.shape[0], hasBias: denses[dense].bias != nil, activation: activation)
      },
      normalizesOutput: tail.isNormalized, readoutActivation: tail.activation)
  }

  // MARK: - What lstm-ft wrote beside the graph

  private func metadata(_ translation: inout Translation) -> PlainStack? {
    guard let text = model.metadata[ONNXModel.configurationKey] else { return nil }
    do throws(CheckpointError) {
      return try ModelConfiguration(json: Data(text.utf8), file: file).stack
    } catch {
      translation.notes.append("its \(ONNXModel.configurationKey) is not used: \(error.message)")
      return nil
    }
  }

  /// The graph is what runs; what is written beside it counts where it says the same and more.
  private func reconcile(
    _ found: PlainStack, _ written: PlainStack, _ translation: inout Translation
  ) -> PlainStack {
    var same = written
    same.readout = written.readout ?? (written.head.isEmpty ? .all : nil)
    // A graph shows no padding row, and its ties are looked for when all of it is known.
    (same.paddingToken, same.ties) = (found.paddingToken, found.ties)
    guard same == found else {
      translation.notes.append(
        "its \(ONNXModel.configurationKey) is not used: it says other than the graph, \(written.summary)")
      return found
    }
    return written
  }

  // MARK: - What is left

  /// The node that stands in the way. What a graph computes it says: no description can say otherwise.
  private func giveUp() -> CheckpointError {
    let first = misunderstood.first.map { "\($0.node): \($0.detail)" as Message }
    return unsupported(first ?? "what its outputs are made of is no model that can be described here")
  }

  private func leaveOut(_ candidates: [Candidate], _ translation: inout Translation) {
    var readers: [String: String] = [:]
    for node in model.nodes { for name in node.inputs { readers[name] = node.description } }
    for candidate in candidates where !used.contains(candidate.tensor.name) {
      let name = candidate.tensor.name
      if let reason = harmless[name] {
        translation.leaveOut(candidate, reason: Message(reason), isHarmless: true)
      } else if readers[name] == nil {
        translation.leaveOut(candidate, reason: "no node reads it", isHarmless: true)
      } else {
        translation.leaveOut(
          candidate, reason: "read by \(readers[name] ?? ""), which is no part of the model",
          isHarmless: candidate.tensor.elementCount == 1)
      }
    }
  }
}
