extension Exportable {
  /// A state_dict: the source's own names where it had PyTorch's, else the project's, which are the same.
  func pyTorchTensors() throws(CheckpointError) -> [NamedTensor] {
    let names = StateDictNames(provenance: provenance, configuration: ModelConfiguration(configuration))
    let isFromPyTorch = names.isFromPyTorch
    let cells = try cells(
      Capabilities(
        target: "PyTorch's LSTM", biases: isFromPyTorch ? [.none, .single, .dual] : [.none, .dual],
        gates: isFromPyTorch ? Set(PlainStack.GateActivation.allCases) : [.sigmoid], projection: true,
        peepholes: isFromPyTorch))
    var result: [NamedTensor] = []
    func add(_ name: String, _ tensor: StoredTensor?, how: String? = nil) {
      guard let tensor else { return }
      result.append(NamedTensor(name: names.name(of: name), tensor: tensor, source: name, how: how))
    }
    var written = Set<Int>()
    for parameter in configuration.places {
      guard let layer = parameter.role.stackLayer else {
        // A vector by itself may be a column in the source.
        let known = names.sourceShape(of: parameter.name)
        let isOther = known.map { elementCount($0) == parameter.elementCount } ?? false
        add(parameter.name, isOther ? self[parameter.name]?.reshaped(known ?? parameter.shape) : self[parameter.name])
        continue
      }
      guard written.insert(layer).inserted else { continue }
      for (cell, reverse) in zip(cells[layer], [false, true]) {
        let steps = biasSteps(layer: layer, cell)
        for (part, tensor) in cell.parts {
          add(PyTorchName.parameter(part, layer: layer, isReverse: reverse), tensor, how: steps[part])
        }
      }
    }
    return names.completed(result)
  }
}
