import FileIO
import Foundation

extension ONNXGraphTranslation {
  /// The graph is what runs; what lstm-ft wrote beside it counts where it says the same under other names.
  func reconcile(_ found: inout ONNXTranslator.Result, _ translation: inout Translation) {
    guard let text = model.metadata[ONNXModel.configurationKey] else { return }
    let written: ModelConfiguration
    do throws(CheckpointError) {
      written = try ModelConfiguration(json: Data(text.utf8), file: file)
    } catch {
      translation.notes.append("its \(ONNXModel.configurationKey) is not used: \(error.message)")
      return
    }
    let (own, said) = (Core(found.configuration), Core(written))
    let pairs = Array(zip(own.layers, said.layers))
    guard own.layers.count == said.layers.count, pairs.allSatisfy({ $0.kind == $1.kind }) else {
      translation.notes.append("its \(ONNXModel.configurationKey) is not used: it says other than the graph")
      return
    }
    // From the graph's names to those that were written; a second bias of zeros was none.
    var names: [String: String] = [:]
    for (one, other) in pairs {
      let (a, b) = (one.parameters, other.parameters)
      for (key, name) in a { names[name] = b[key] ?? "" }
      guard b.keys.allSatisfy({ a[$0] != nil }) else {
        translation.notes.append("its \(ONNXModel.configurationKey) is not used: it has other tensors than the graph")
        return
      }
    }
    let spare = found.candidates.filter { names[$0.name] == "" }
    guard spare.allSatisfy({ isZero($0.tensor) }) else {
      translation.notes.append("its \(ONNXModel.configurationKey) is not used: it has fewer tensors than the graph")
      return
    }
    var others: [String: String] = [:]
    for (one, other) in zip(found.configuration.recurrentLayers, written.recurrentLayers) {
      others[one.name] = other.name
    }
    for (one, other) in zip(found.configuration.inputs, written.inputs) { others[one.name] = other.name }
    for (one, other) in zip(found.configuration.outputs, written.outputs) { others[one] = other }
    found.interface = found.interface?.renamed { others[$0] ?? $0 }
    found.configuration = written
    found.candidates = found.candidates.compactMap { candidate in
      guard let name = names[candidate.name], !name.isEmpty else { return nil }
      return Candidate(name: name, tensor: candidate.tensor, how: candidate.how)
    }
  }

  private func isZero(_ tensor: StoredTensor) -> Bool {
    (try? tensor.floats().allSatisfy { $0 == 0 }) ?? false
  }

  /// What a graph computes, without names and without layers that change nothing.
  private struct Core {
    struct Entry {
      let kind: AnyHashable
      /// Part and direction of each parameter -> its name.
      var parameters: [String: String] = [:]
    }

    var layers: [Entry] = []

    init(_ configuration: ModelConfiguration) {
      let places = configuration.layers.indices
      var readers: [Int: Int] = [:]
      for sources in configuration.sources { for source in sources { readers[source, default: 0] += 1 } }
      /// The activation that alone reads a layer.
      func activation(after index: Int) -> Activation? {
        let value = configuration.inputs.count + index
        guard readers[value] == 1, let next = places.first(where: { configuration.sources[$0] == [value] }),
          let layer = configuration.layers[next].kind as? Layer.ActivationLayer, layer.alpha == nil
        else { return nil }
        return layer.activation
      }
      var folded = Set<Int>()
      for index in places where !folded.contains(index) {
        let layer = configuration.layers[index]
        var kind = layer.kind.plainlyPadded
        switch layer.kind.plainlyPadded {
        case var dense as Layer.Dense where dense.activation == .none:
          if let found = activation(after: index) {
            dense.activation = found
            folded.insert(configuration.sources.firstIndex { $0 == [configuration.inputs.count + index] } ?? index)
          }
          kind = dense
        case var convolution as Layer.Convolution where convolution.activation == .none:
          if let found = activation(after: index), found.isElementwise {
            convolution.activation = found
            folded.insert(configuration.sources.firstIndex { $0 == [configuration.inputs.count + index] } ?? index)
          }
          kind = convolution
        case var recurrent as Layer.Recurrent:
          recurrent.initialFrom = recurrent.initialFrom.map { _ in "" }
          if recurrent.initial == .learned { recurrent.initial = .stored }
          if recurrent.bias == .single { recurrent.bias = .dual }
          recurrent.forgetOffset = 0
          if recurrent.merge == .concatenate, !recurrent.isBidirectional { recurrent.merge = .concatenate }
          kind = recurrent
        case var norm as Layer.BatchNorm:
          norm.isUnbiased = true
          norm.momentum = (norm.momentum * 1e4).rounded() / 1e4
          kind = norm
        case var embedding as Layer.Embedding:
          embedding.paddingToken = nil
          kind = embedding
        case is Layer.Dropout: continue
        case let readout as Layer.Readout where readout.take == .all || readout.take == .undecided: continue
        case let reshape as Layer.Reshape where reshape.form == .grid || reshape.form == .row: continue
        default: break
        }
        var entry = Entry(kind: AnyHashable(kind))
        for parameter in layer.kind.parameters(configuration.inputs(ofLayer: index)) {
          entry.parameters["\(parameter.name) \(parameter.isReverse)"] =
            layer.parameterName(parameter.name, isReverse: parameter.isReverse)
        }
        layers.append(entry)
      }
    }
  }
}

extension LayerKind {
  /// The same with its padding said in numbers, as a graph says it.
  fileprivate var plainlyPadded: any LayerKind {
    switch self {
    case var convolution as Layer.Convolution:
      if convolution.padding == .causal {
        if convolution.pad.isEmpty { convolution.pad = convolution.kernel.flatMap { _ in [0, 0] } }
        convolution.pad[0] += (convolution.kernel[0] - 1) * convolution.dilation[0]
        convolution.padding = .valid
      }
      if convolution.pad.allSatisfy({ $0 == 0 }) { (convolution.pad, convolution.reflects) = ([], false) }
      return convolution
    case var pooling as Layer.Pooling:
      if pooling.stride.isEmpty { pooling.stride = pooling.window }
      if pooling.pad.allSatisfy({ $0 == 0 }) { (pooling.pad, pooling.countsPad) = ([], false) }
      return pooling
    default: return self
    }
  }
}
