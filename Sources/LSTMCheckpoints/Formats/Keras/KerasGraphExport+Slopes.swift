import FileIO

extension KerasGraphExport {
  /// Keras has a slope for each value of a sequence, but for the axes that share theirs.
  mutating func addPReLU(_ layer: Layer, _ kind: Layer.PReLU, _ read: Value) throws(CheckpointError) {
    let slopes = try tensor(layer, "weight")
    if let steps = stepsOfSlopes(layer, kind), let width = steps.shape[1] {
      pass(layer, "PReLU", ["shared_axes": .null], steps)
      guard let node = values[layer.name]?.node else { return }
      put(
        slopes.reshaped([slopes.elementCount / width, width]), node, "alpha", 0, source: [layer.parameterName("weight")]
      )
      return
    }
    let shared = 1..<(kind.isShared ? read.axes.count + 1 : read.axes.count)
    let axes: KerasJSON = shared.isEmpty ? .null : .array(shared.map { .number(Double($0)) })
    pass(layer, "PReLU", ["shared_axes": axes], read)
    guard let node = values[layer.name]?.node else { return }
    let shape = [Int](repeating: 1, count: read.axes.count - 1) + [slopes.elementCount]
    put(slopes.reshaped(shape), node, "alpha", 0, source: [layer.parameterName("weight")])
  }

  /// What a row of all steps was, whose slopes are those of each step and which is divided into as many steps again.
  private func stepsOfSlopes(_ layer: Layer, _ kind: Layer.PReLU) -> Value? {
    guard !kind.isShared, let place = configuration.index(of: layer.name) else { return nil }
    let below = configuration.sources[place][0] - configuration.inputs.count
    guard below >= 0, configuration.layers[below].kind as? Layer.Flatten == Layer.Flatten(),
      let steps = values[configuration.name(ofValue: configuration.sources[below][0])], steps.axes == KerasValue.steps,
      let readers = readers[layer.name], readers.count == 1, let reshape = readers[0].kind as? Layer.Reshape,
      reshape.form == .steps, reshape.steps == steps.shape[0], !configuration.outputs.contains(layer.name)
    else { return nil }
    return steps
  }
}
