import FileIO

/// What a file of weights says of layers that have none: their usual names, or, since Keras 3, their classes.
struct KerasEvidence: FileReading {
  let file: String
  private let options: LoadOptions
  /// In order, where the file has one.
  private var layers: [(name: String, className: String)] = []
  /// Names of all layers in order, of those that are none of the above too; empty where there is no order.
  private var order: [String] = []

  init(_ structure: KerasStructure, file: String, options: LoadOptions) {
    self.file = file
    self.options = options
    // One part of a file was chosen; what lies beside it is not looked at.
    guard options.prefix == nil else { return }
    switch structure.weights {
    case .layers(let groups):
      order = groups.map(\.name)
      for group in groups where group.weights.isEmpty {
        if let known = KerasLayerKinds.className(ofUsualName: group.name) { layers.append((group.name, known)) }
      }
      for group in groups where KerasTree.stem(group.name) == "time_distributed" {
        if group.weights.contains(where: { $0.contains("recurrent_kernel") }) {
          layers.append((group.name, Self.inner))
        }
      }
    case .objects(let tree): collect(tree)
    }
  }

  /// A recurrent layer of what each step holds.
  private static let inner = "TimeDistributed"

  private mutating func collect(_ tree: KerasTree) {
    for (key, child) in (tree.container?.children ?? [:]).sorted(by: { isNaturallyBefore($0.key, $1.key) }) {
      if child.container != nil {
        collect(child)
      } else if KerasTree.stem(key) == "time_distributed", child.holds("cell") {
        layers.append((child.label ?? key, Self.inner))
      } else if !child.hasWeights, let known = KerasLayerKinds.className(ofUsualName: key) {
        layers.append((child.label ?? key, known))
      }
    }
  }

  var hasMasking: Bool { layers.contains { $0.className == "Masking" } }

  /// - Throws: `CheckpointError` naming a layer that has no counterpart here, or of which a description is needed.
  func check() throws(CheckpointError) {
    for (name, className) in layers {
      switch className {
      case "Masking": continue
      case Self.inner:
        throw unsupported(
          "layer \(name) (TimeDistributed) runs a recurrent layer over a sequence within each step, which has no "
            + "counterpart here")
      case "GlobalAveragePooling1D", "GlobalMaxPooling1D":
        let readout: PlainStack.Readout = className == "GlobalMaxPooling1D" ? .max : .mean
        let said = options.readout ?? options.given?.readout
        guard said != readout else { continue }
        throw ambiguous(
          "its layer \(name) (\(className)) says that the readout is \(readout.rawValue)"
            + (said.map { ", not \($0.rawValue)" } ?? ""), "say \(.readout, readout.rawValue)")
      case "Flatten" where followsVector(name): continue
      case "Activation", "ReLU", "Softmax":
        guard options.given == nil || !followsDense(name) else { continue }
        guard followsDense(name) else {
          throw unsupported(
            "layer \(name) (\(className)) applies a function to what is no dense layer's output, and "
              + "\(kerasWeightsSayLittle)", kerasWholeAdvice)
        }
        throw ambiguous(
          "layer \(name) (\(className)) applies a function that a file of weights does not say",
          "describe the model with \(.configuration, "FILE"), with the \"activation\" of each dense layer of head")
      default:
        guard let what = KerasLayerKinds.computing(className) else { continue }
        throw unsupported("layer \(name) (\(className)): \(what), and \(kerasWeightsSayLittle)", kerasWholeAdvice)
      }
    }
  }

  /// What comes before a layer, past those that change nothing; nil where the file has no order.
  private func before(_ name: String) -> String? {
    guard let place = order.firstIndex(of: name) else { return nil }
    return order[..<place].last { other in
      let stem = KerasTree.stem(other)
      return !["dropout", "spatial_dropout1d", "gaussian_noise", "gaussian_dropout", "alpha_dropout"].contains(stem)
    }
  }

  private func followsDense(_ name: String) -> Bool {
    guard !order.isEmpty else { return true }
    return before(name).map { $0.contains("dense") || $0.hasPrefix("time_distributed") } ?? false
  }

  /// A pooling gives one row a sequence, which is flat already.
  private func followsVector(_ name: String) -> Bool {
    before(name).map { KerasTree.stem($0).hasPrefix("global_") } ?? false
  }
}
