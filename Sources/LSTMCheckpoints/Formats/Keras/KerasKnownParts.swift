import FileIO

/// The layers of a model whose graph the file does not tell, or has a layer of a class of somebody's own. Of those of
/// Keras' own the file says what they do, and no description may say otherwise.
struct KerasKnownParts: FileReading {
  let file: String
  private var layers: [KerasLayer] = []

  init(_ structure: KerasStructure, file: String) {
    self.file = file
    if let model = structure.model { collect(model) }
  }

  func configs(_ className: String) -> [KerasJSON] { layers.filter { $0.className == className }.map(\.config) }

  /// `layer lambda (Lambda)`, the first of a class.
  func first(_ className: String) -> String? { layers.first { $0.className == className }?.text }

  private mutating func collect(_ json: KerasJSON) {
    guard let list = json["config"]?["layers"]?.array ?? json["config"]?.array else { return }
    for entry in list {
      guard let layer = KerasLayer(listed: entry, layers.count) else { continue }
      if KerasGraph.modelClasses.contains(layer.className) { collect(entry) } else { layers.append(layer) }
    }
  }

  /// - Throws: `CheckpointError.unsupported` naming a layer that has no counterpart here; `.invalidOption` naming the key
  ///   in which the description says other than the file.
  func check(against given: PlainStack) throws(CheckpointError) {
    func other(_ detail: Message, _ advice: Message...) -> CheckpointError {
      .invalid(.configuration, nil, detail, advice: advice)
    }
    var units: [(layer: KerasLayer, isBidirectional: Bool, units: Int?)] = []
    for layer in layers {
      func refuse(_ what: String) -> CheckpointError { unsupported("\(layer.text) \(what)") }
      if let what = KerasLayerKinds.computing(layer.className) { throw refuse("has no counterpart here: \(what)") }
      switch layer.className {
      case "LSTM", "CuDNNLSTM", "Bidirectional":
        let isBidirectional = layer.className == "Bidirectional"
        guard let forward = isBidirectional ? layer.inner("layer") : layer else { throw refuse("wraps nothing") }
        let backward = layer.inner("backward_layer") ?? forward
        for (cell, isReverse) in isBidirectional ? [(forward, false), (backward, true)] : [(forward, false)] {
          if let what = KerasModelReading.refusal(of: cell, in: layer, isReverse: isReverse) { throw refuse(what) }
        }
        if isBidirectional, layer.config["merge_mode"]?.string != "concat" {
          throw refuse("merges its directions by \(layer.config["merge_mode"]?.string ?? "nothing"), not concat")
        }
        let gates = (forward.config["recurrent_activation"] ?? forward.config["inner_activation"])?.functionName
        guard gates == nil || gates == "sigmoid" || gates == "hard_sigmoid" else {
          throw refuse("has the recurrent_activation \(gates ?? ""), not sigmoid or hard_sigmoid")
        }
        units.append((layer, isBidirectional, forward.config["units"]?.integer))
      case "Dense":
        let name = layer.config["activation"]?.functionName ?? "linear"
        guard let activation = KerasModelReading.activation(name) else { throw refuse("has the activation \(name)") }
        guard activation == .none || given.head.contains(where: { $0.activation == activation }) else {
          throw other("no dense layer of head has the activation \(name), but \(layer.text) of \(file) has it")
        }
      case "Masking" where given.mask == nil:
        throw other(
          "it has no mask, but \(layer.text) of \(file) masks steps",
          "say \"mask\": {\"value\": \(layer.config["mask_value"]?.number ?? 0)}")
      default: break
      }
      if layer.className == "Embedding", layer.config["mask_zero"]?.bool == true, given.mask == nil {
        throw other("it has no mask, but \(layer.text) of \(file) masks token 0", "say \"mask\": {\"token\": 0}")
      }
    }
    guard units.count == given.layers.count else {
      throw other("the number of layers is \(given.layers.count), but \(file) itself says \(units.count)")
    }
    for (index, (unit, said)) in zip(units, given.layers).enumerated() {
      if let count = unit.units, count != said.hiddenSize {
        throw other(
          "layers[\(index)].hidden is \(said.hiddenSize), but \(unit.layer.text) of \(file) has \(count) units")
      }
      guard unit.isBidirectional == said.isBidirectional else {
        throw other(
          "layers[\(index)].bidirectional is \(said.isBidirectional), but \(unit.layer.text) of \(file) is "
            + (unit.isBidirectional ? "" : "not"))
      }
    }
  }
}
