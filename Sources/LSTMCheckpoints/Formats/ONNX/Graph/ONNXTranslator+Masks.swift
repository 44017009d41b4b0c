import FileIO

/// Steps that a mask hides, and layers that read them all the same.
extension ONNXTranslator {
  /// The model's mask; nil where nothing passes over hidden steps.
  /// - Parameter places: of the inputs and layers that are left.
  func mask(_ places: [Int]) throws(Failure) -> ONNXMask? {
    let used = places.compactMap { masks.layers[$0] }
    guard let mask = used.first else {
      guard let cleared = masks.cleared, cleared.number != 0, places.contains(cleared.input) else { return nil }
      throw Failure(
        position: position,
        text: "its input has zeros in place of steps of \(cleared.number), and no layer passes over them")
    }
    guard used.allSatisfy({ $0.isOfSameSteps(as: mask) }) else {
      throw Failure(position: position, text: "has two masks; a model here has one")
    }
    guard places.first(where: { draft[$0].input != nil }) == mask.input else {
      throw Failure(
        position: position, text: "has a mask of another input than the first, which has no counterpart here")
    }
    guard mask.mask != nil else {
      throw Failure(position: position, text: "has a mask of steps of \(mask.number), which no input can hold")
    }
    return mask
  }

  /// The layers that read hidden steps as well, with what they read them from.
  func hiddenStepUses(
    _ places: [Int], _ mask: ONNXMask, _ pruned: ONNXDraft.Pruned, _ names: [Int: String]
  ) -> Set<ModelConfiguration.EveryStepUse> {
    let clock = draft[mask.input].value.clock
    var uses: Set<ModelConfiguration.EveryStepUse> = []
    for place in places where mixesSteps(place) {
      for read in draft[place].reads.map(pruned.place) {
        let value = draft[read].value
        guard value.isPerStep, value.clock == clock, let reader = names[place], let source = names[read] else {
          continue
        }
        uses.insert(.init(reader: reader, source: source))
      }
    }
    return uses
  }

  /// Whether a layer puts steps together without regard to the mask.
  private func mixesSteps(_ place: Int) -> Bool {
    if masks.respecting.contains(place) { return false }
    switch draft[place].kind {
    case is Layer.Recurrent: return masks.layers[place] == nil
    case let readout as Layer.Readout:
      guard let below = draft[place].reads.first, let cell = draft[below].kind as? Layer.Recurrent,
        masks.layers[below] != nil, !masks.zeroed.contains(below), !cell.isBidirectional
      else { return ![.all, .undecided].contains(readout.take) }
      // What a hidden step gives is what the visible one before it gave.
      return readout.take != (cell.isReversed ? .first : .last)
    case let reshape as Layer.Reshape: return reshape.form == .split
    case is Layer.Dense, is Layer.ActivationLayer, is Layer.PReLU, is Layer.BatchNorm, is Layer.LayerNorm,
      is Layer.Rescale, is Layer.Dropout, is Layer.L2, is Layer.Slice, is Layer.Merge, is Layer.Magnitude,
      is Layer.Embedding:
      return false
    default: return true
    }
  }

  /// The model with its mask, and with `unmask` where a layer reads hidden steps.
  func masked(
    _ made: ModelConfiguration, _ mask: ONNXMask, _ uses: Set<ModelConfiguration.EveryStepUse>, _ zeroed: Set<String>
  ) throws(Failure) -> ModelConfiguration {
    var made = made
    made.mask = mask.mask
    // What a model gives at hidden steps by itself is held.
    let shown =
      zeroed.isEmpty
      ? []
      : made.outputPlaces.filter { made.values[$0].isPerStep && made.values[$0].clock == 0 }.map(made.name(ofValue:))
    guard !uses.isEmpty || !shown.isEmpty else { return made }
    do throws(ModelConfiguration.GraphError) {
      made = try made.unmasking(uses, outputs: shown, zeroed: zeroed)
    } catch {
      throw Failure(
        position: position,
        text: Message("its mask hides steps that another layer reads, which cannot be computed: \(error.description)"))
    }
    let isInputRead = made.layers.enumerated().contains { index, layer in
      layer.kind is Layer.Unmask && made.sources[index] == [0]
    }
    guard !isInputRead || mask.number == 0 else {
      throw Failure(
        position: position,
        text: "steps of \(mask.number) are hidden, and another layer reads them: there is no counterpart here")
    }
    return made
  }
}
