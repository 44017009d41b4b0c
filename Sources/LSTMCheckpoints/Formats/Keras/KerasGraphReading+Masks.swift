import FileIO

/// Steps that a mask hides, and layers that read them all the same.
extension KerasGraphReading {
  /// What Keras 3 computes of masks stands in its graph; nil for what is none.
  func maskValue(_ use: KerasUse) throws(CheckpointError) -> KerasValue? {
    // An HDF5 file does not say whose module a class is of; no layer is called so.
    guard use.layer.isOperation || ["NotEqual", "Concatenate"].contains(use.layer.className) else { return nil }
    if use.layer.className == "NotEqual" {
      guard use.read.count == 1, case .input(let input)? = use.read[0].special,
        let number = use.call.arguments.last?.constant?.number
      else { throw unsupported(use.layer, "has no counterpart here: it compares what is no input with a number") }
      return KerasValue(special: .mask(input: input, hidden: number))
    }
    let isMask = use.read.map { if case .mask? = $0.special { true } else { false } }
    if ["ZerosLike", "OnesLike"].contains(use.layer.className), use.layer.config["dtype"]?.string == "bool" {
      return KerasValue(special: .mask(input: nil, hidden: nil))
    }
    guard !isMask.isEmpty, isMask.allSatisfy(\.self) else { return nil }
    if ["Any", "ConvertToTensor", "Cast"].contains(use.layer.className), use.read.count == 1 { return use.read[0] }
    return KerasValue(special: .mask(input: nil, hidden: nil))
  }

  /// Masks that a layer is called with are those that Keras carried to it, which are known already, or the model's own
  /// mask.
  func takeMasks(_ use: inout KerasUse) throws(CheckpointError) {
    for key in ["mask", "query_mask", "value_mask", "key_mask"] {
      for value in use.keywords[key] ?? [] {
        guard case .mask(let input, let hidden)? = value.special else {
          throw unsupported(use.layer, "is called with a mask of its own (\(key)), which has no counterpart here")
        }
        guard let input, let hidden else { continue }
        let own: PlainStack.Mask? = self.mask.flatMap { $0.input == input ? $0.mask : nil }
        guard own == .value(Float(hidden)) || own == Int(exactly: hidden).map({ .token($0) }) else {
          throw unsupported(use.layer, "is called with a mask of its own (\(key)), which has no counterpart here")
        }
        for index in use.read.indices { use.read[index].hasMask = true }
      }
    }
  }

  /// A layer puts steps together without regard to a mask.
  mutating func mixesSteps(_ value: KerasValue, _ layer: KerasLayer) {
    stepUses.append(.init(layer: layer, source: value.name, clock: values[value.name]?.clock, respectsMask: false))
  }

  /// A layer passes over the steps that the mask hides, where Keras carried it so far.
  mutating func passesOverHiddenSteps(_ value: KerasValue, _ layer: KerasLayer) {
    stepUses.append(
      .init(layer: layer, source: value.name, clock: values[value.name]?.clock, respectsMask: value.hasMask))
  }

  mutating func hide(_ mask: PlainStack.Mask, input: Int, _ layer: KerasLayer) {
    if let known = self.mask, known.mask != mask || known.input != input {
      maskConflict = unsupported(layer, "hides steps, and so does \(known.layer.text): one mask is read")
    } else if input != 0 {
      maskConflict = unsupported(layer, "hides steps of another input than the first, which has no counterpart here")
    }
    self.mask = (mask, layer, input)
    maskedInputs.insert(input)
  }

  /// The only input whose steps are hidden, where it is not the first, as it has to be here.
  var needsFirst: Int? {
    guard maskedInputs.count == 1, let input = maskedInputs.first, input != 0, (try? settleMask()) == nil else {
      return nil
    }
    return input
  }

  /// Whether the mask acts on anything.
  func settleMask() throws(CheckpointError) -> Bool {
    guard let mask else { return false }
    let reads = stepUses.filter { $0.clock == mask.input }
    if !reads.contains(where: \.respectsMask) {
      guard case .value(let value) = mask.mask, value != 0 else { return false }
    }
    if let maskConflict { throw maskConflict }
    return true
  }

  /// The same model, with `unmask` where a layer reads the steps that the mask hides.
  /// - Parameter renamed: the model's layers, by their places among those that were read.
  func unmasked(
    _ model: ModelConfiguration, _ renamed: [Int: Layer]
  ) throws(CheckpointError) -> ModelConfiguration {
    guard let mask else { return model }
    let names = Dictionary(
      layers.enumerated().compactMap { place, layer in renamed[place].map { (layer.name, $0.name) } }
        + inputs.compactMap { $0.map { ($0.name, $0.name) } }
    ) { first, _ in first }
    var uses: Set<ModelConfiguration.EveryStepUse> = []
    for use in stepUses where use.clock == mask.input && !use.respectsMask {
      for (place, layer) in layers.enumerated() where owners[place] == use.layer.name {
        guard layer.from.contains(use.source), let reader = renamed[place]?.name, let source = names[use.source] else {
          continue
        }
        uses.insert(.init(reader: reader, source: source))
      }
    }
    var shown = openOutputs.compactMap { names[$0] }.filter { name in
      model.value(of: name).map { $0.isPerStep && $0.clock == 0 } ?? false
    }
    // What a model gives at hidden steps by itself is held.
    if shown.isEmpty, !zeroed.isEmpty {
      shown = model.outputPlaces.filter { model.values[$0].isPerStep && model.values[$0].clock == 0 }
        .map(model.name(ofValue:))
    }
    guard !uses.isEmpty || !shown.isEmpty else { return model }
    let made: ModelConfiguration
    do {
      made = try model.unmasking(uses, outputs: shown, zeroed: Set(zeroed.compactMap { names[$0] }))
    } catch {
      throw unsupported(
        "\(mask.layer.text) hides steps that another layer reads, which cannot be computed: "
          + "\(error.layer.map { "\($0): " } ?? "")\(error.detail)")
    }
    let isReadItself =
      made.layers.contains { $0.kind is Layer.Unmask && $0.from == [made.inputs[0].name] }
      || made.layers.first.map { $0.kind is Layer.Unmask && $0.from.isEmpty } ?? false
    if case .value(let value) = mask.mask, value != 0, isReadItself, rawReads.contains(mask.input) {
      throw unsupported(
        mask.layer,
        "puts zeros in place of steps of \(value), which another layer reads as they are: there is no counterpart here")
    }
    return made
  }
}
