import FileIO

extension StoredModel {
  /// Whether a file of a format scales input and output itself, as the model's source did, so that no caller must.
  public func scalesItself(as format: Checkpoint.Format) -> Bool {
    let scales = provenance?.layers?.contains { $0.part == "scaler" || $0.part == "target scaler" } ?? false
    return scales && format.contents?.contains(.scaling) ?? false
  }

  /// Lines for people about what a format cannot hold, and code that runs the file has to do.
  public func exportNotes(as format: Checkpoint.Format, options: WriteOptions = WriteOptions()) -> [Message] {
    guard let contents = format.contents, !contents.contains(.everything) else { return [] }
    var notes: [Message] = []
    if format == .onnx, let interface = interface(options) {
      let states = interface.states.map { "\($0.input) -> \($0.output)" }.joined(separator: ", ")
      notes.append("a program carries the state from call to call: \(states)")
      if !interface.others.isEmpty {
        notes.append("it takes \(nameList(interface.others.map(\.name))) as its source did, and reads nothing from it")
      }
    }
    let unneeded = [.kerasArchive, .kerasH5, .kerasWeights].contains(format) ? configuration.unneededLayers : []
    if !unneeded.isEmpty {
      notes.append(
        "no output needs \(nameList(unneeded)), which Keras has no place for: \(unneeded.count == 1 ? "it is" : "they are") "
          + "not written")
    }
    let holdsLayers = contents.contains(.layers)
    if let mask = configuration.mask, !holdsLayers {
      notes.append("the mask is not in this format: code that runs it has to leave out \(mask.summary)")
    }
    let layers = provenance?.layers ?? []
    let scaling = layers.filter { $0.part == "scaler" || $0.part == "target scaler" }
    if !scaling.isEmpty, !contents.contains(.scaling) {
      notes.append(
        "what scales the input or the output (\(nameList(scaling.map { "\($0.name): \($0.kind)" }))) is not in this format"
      )
    }
    let idle = layers.filter { layer in
      layer.part == nil && !["InputLayer", "NotEqual", "Any", "Flatten"].contains(layer.kind)
        || layer.values?["dropout"] != nil || layer.values?["recurrent_dropout"] != nil
    }
    if !idle.isEmpty, !holdsLayers {
      notes.append(
        "layers for training alone are not in this format: \(nameList(idle.map { "\($0.name) (\($0.kind))" }))")
    }
    return notes
  }
}
