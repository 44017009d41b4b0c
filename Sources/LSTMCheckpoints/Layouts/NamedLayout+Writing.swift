import FileIO
import Foundation

extension NamedLayout {
  /// A model under the names, order of gates and shapes of a layout: the source's own names where it had that layout, else
  /// the framework's usual ones.
  /// - Throws: `CheckpointError.refused` when the framework's LSTM cannot hold the model.
  static func tensors(_ model: Exportable, _ layout: Layout) throws(CheckpointError) -> [NamedTensor] {
    guard let names = model.options.layouts[layout] else {
      let formats = model.options.layouts.entries.compactMap(\.format).joined(separator: ", ")
      throw .refused(
        file: model.file, detail: "\(layout.rawValue) is the layout of a file format, not of named tensors",
        advice: ["choose it with \(.format): \(formats)"])
    }
    let recurrent = names.recurrent(forgetBias: forgetBias(model, layout))
    let own = OwnNames(model, names, recurrent)
    let layers = model.configuration.layers
    let cells = try model.cells(
      Capabilities(
        target: names.title,
        biases: own == nil ? names.biases : names.biases.union(layers.map(\.bias)),
        gates: own == nil ? [.sigmoid] : Set(PlainStack.GateActivation.allCases),
        projection: names.hasProjection, peepholes: names.hasPeepholes,
        bidirectional: names.isBidirectional || own != nil, forgetOffset: recurrent.forgetOffset))
    var result: [NamedTensor] = []
    for (layer, directions) in cells.enumerated() {
      for (cell, reverse) in zip(directions, [false, true]) {
        func source(_ kind: RecurrentPart) -> String { PyTorchName.parameter(kind, layer: layer, isReverse: reverse) }
        let module = names.usual.module(layer, reverse, of: layers)
        let steps = model.biasSteps(layer: layer, cell)
        for part in recurrent.write(cell).named(names, recurrent) {
          let known = own?.name(source(part.kind), part.index)
          let name = known ?? names.usual.joined(module, names.first(part.slot) ?? "")
          let both = recurrent.isFused && part.slot.kind == .input
          result.append(
            NamedTensor(
              name: name, tensor: part.tensor,
              source: both ? source(.inputWeight) + " + " + source(.recurrentWeight) : source(part.kind),
              how: recurrent.step(part.kind, part.slot, steps)))
        }
      }
    }
    for parameter in model.configuration.places {
      if parameter.role.isRecurrent { continue }
      guard let tensor = model[parameter.name] else { continue }
      let (usual, isTransposed) = names.other(parameter)
      result.append(
        NamedTensor(
          name: own?.name(parameter.name, 0) ?? usual, tensor: isTransposed ? tensor.transposed() : tensor,
          source: parameter.name))
    }
    return result
  }

  /// A cell adds 1 unless it was made otherwise; what came from one keeps what it was read with.
  private static func forgetBias(_ model: Exportable, _ layout: Layout) -> Float {
    model.provenance?.knownLayout == layout ? model.configuration.layers.first?.forgetOffset ?? 1 : 1
  }
}

/// The names that a model's tensors had in a file of the same layout.
private struct OwnNames {
  private let mapping: [String: [String]]

  /// nil when the model came from elsewhere, or a part of a cell has no name.
  init?(_ model: Exportable, _ names: LayoutNames, _ layout: RecurrentLayout) {
    guard let provenance = model.provenance, provenance.knownLayout == names.layout else { return nil }
    mapping = provenance.mapping.mapValues { $0.components(separatedBy: " + ") }
    let perGate = layout.matrices == .perGate ? 4 : 1
    for parameter in model.configuration.places {
      guard parameter.role.isRecurrent else { continue }
      let isPeephole = PyTorchName(parameter.name)?.kind == .peephole
      guard mapping[parameter.name]?.count == (isPeephole ? 3 : perGate) else { return nil }
    }
  }

  func name(_ parameter: String, _ index: Int) -> String? {
    guard let known = mapping[parameter], known.indices.contains(index) else { return nil }
    return known[index]
  }
}

extension RecurrentLayout {
  /// A bias of which there is one for each gate: a shift of the forget gate's is no matter of the others.
  fileprivate func step(_ kind: RecurrentPart, _ slot: LayoutNames.Slot, _ steps: [RecurrentPart: String]) -> String? {
    let step =
      biases == .joined && kind == .inputBias
      ? [steps[.inputBias], steps[.recurrentBias]].compactMap { $0 }.joined(separator: "; ") : steps[kind] ?? ""
    let parts = step.split(separator: "; ").filter {
      slot.gate == nil || slot.gate == .forget || !$0.contains("forget")
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}

extension RecurrentLayout.Parts {
  fileprivate struct Named {
    let kind: RecurrentPart
    let slot: LayoutNames.Slot
    /// Among the tensors of its kind.
    let index: Int
    let tensor: StoredTensor
  }

  /// Each tensor with what it is.
  fileprivate func named(_ names: LayoutNames, _ layout: RecurrentLayout) -> [Named] {
    var list: [Named] = []
    func add(_ tensors: [StoredTensor], _ kind: RecurrentPart, _ slot: LayoutNames.Kind) {
      for (index, tensor) in tensors.enumerated() {
        let gate = tensors.count == 1 ? nil : layout.gates[index]
        list.append(Named(kind: kind, slot: .init(kind: slot, gate: gate), index: index, tensor: tensor))
      }
    }
    add(input, .inputWeight, .input)
    add(recurrent, .recurrentWeight, .recurrent)
    add(inputBias, .inputBias, .inputBias)
    add(recurrentBias, .recurrentBias, .recurrentBias)
    if let projection { add([projection.transposed()], .projection, .projection) }
    if let peephole {
      let h = peephole.shape[0] / 3
      for (index, gate) in [Gate.input, .forget, .output].enumerated() {
        let tensor = peephole.gathering([index * h..<(index + 1) * h])
        list.append(Named(kind: .peephole, slot: .init(kind: .peephole, gate: gate), index: index, tensor: tensor))
      }
    }
    return list
  }
}

extension LayoutNames {
  /// The usual name of a tensor that is none of a cell's, and whether the file has it turned.
  fileprivate func other(_ parameter: ParameterSpecification) -> (name: String, isTransposed: Bool) {
    switch parameter.role.layer {
    case "embedding": return (usual.joined(usual.embedding, dense.embedding), false)
    case "attention": return (usual.joined("attention", dense.weight), dense.isTransposed)
    case let layer:
      guard parameter.role.isHead, let index = layer.split(separator: ".").last.flatMap({ Int($0) }) else {
        return (parameter.name, false)
      }
      let module = usual.numbered(usual.dense, index)
      guard parameter.shape.count == 2 else { return (usual.joined(module, dense.bias), false) }
      return (usual.joined(module, dense.weight), dense.isTransposed)
    }
  }
}

extension LayoutNames.Usual {
  fileprivate func module(_ layer: Int, _ reverse: Bool, of layers: [PlainStack.Layer]) -> String {
    if layers.contains(where: \.isBidirectional) {
      guard layers[layer].isBidirectional else { return numbered(among, layer) }
      return numbered(reverse ? backward : forward, layer)
    }
    return layers.count == 1 ? single : numbered(stacked, layer)
  }

  fileprivate func numbered(_ template: String, _ index: Int) -> String {
    if skipsZero, index == 0 { return template.replacing("_#", with: "") }
    return template.replacing("#", with: String(index))
  }

  fileprivate func joined(_ module: String, _ leaf: String) -> String {
    String((module + "." + leaf).map { $0 == "." ? separator : $0 })
  }
}
