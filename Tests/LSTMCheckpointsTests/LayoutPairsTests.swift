import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Every way that a model can go: from each layout through each other and back. What is lost on a way is stated in
/// docs/interchange.md, which this test writes (LSTM_FT_WRITE_DOCS=1) or finds equal; and it loses nothing else.
@Suite struct LayoutPairsTests {
  /// A format, with the layout of its tensors where it leaves a choice.
  struct Place: Sendable, Equatable {
    let format: Checkpoint.Format
    var layout: Layout?

    var name: String { layout.map { "\(format.rawValue) `\($0.rawValue)`" } ?? format.rawValue }
    var load: LoadOptions { LoadOptions(readout: .all, layout: layout, forgetBias: layout == .tf1 ? 1 : nil) }

    func write(_ model: StoredModel, to path: String, bias: PlainStack.Bias? = nil) throws {
      try model.write(path: path, as: format, options: WriteOptions(bias: bias, layout: layout))
    }
  }

  /// The rows and columns of the table: what is added here is tested and documented.
  static let places: [Place] =
    [Place(format: .native)]
    + ([.pt, .safetensors, .npz] as [Checkpoint.Format]).map { Place(format: $0, layout: .pytorch) }
    + ([.mlx, .kerasH5, .kerasWeights, .kerasArchive, .onnx] as [Checkpoint.Format]).map { Place(format: $0) }
    + ([.pytorch, .mlx, .keras, .kerasCuDNN, .flax, .flaxOptimized, .haiku, .tf1, .s4tf, .burn] as [Layout])
    .map { Place(format: .pytorchHDF5, layout: $0) }

  /// What becomes of a model on its way.
  enum Fate: Hashable, Comparable {
    case same, summed, zeros, shifted, oneDirection, noBfloat16, noFloat64
    case refused(String)

    var mark: String {
      switch self {
      case .same: "="
      case .summed: "Σ"
      case .zeros: "0"
      case .shifted: "±1"
      case .oneDirection: "→"
      case .noBfloat16: "b"
      case .noFloat64: "d"
      case .refused(let reason): "refused: \(reason)"
      }
    }
  }

  @Test func everyWayLosesWhatTheDocumentSays() throws {
    let rows = try Self.places.map(Self.row)
    // A way back to where it came from loses nothing.
    for index in Self.places.indices { #expect(rows[index][index] == [.same], "\(Self.places[index].name)") }

    let url = fixtures.deletingLastPathComponent().appendingPathComponent("docs/interchange.md")
    let text = Self.document(rows)
    if ProcessInfo.processInfo.environment["LSTM_FT_WRITE_DOCS"] == "1" {
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    let found = try? String(contentsOf: url, encoding: .utf8)
    #expect(found == text, "docs/interchange.md is out of date: run this test with LSTM_FT_WRITE_DOCS=1")
  }

  // MARK: - Models

  /// 1 to 3 layers, I = H and I != H, odd sizes, each of the four types, with embedding and head and without.
  static let shapes: [(layers: Int, input: Int, hidden: Int, type: DataType, isWhole: Bool)] = [
    (1, 4, 4, .float32, false), (2, 3, 5, .float16, true), (2, 5, 5, .bfloat16, false), (3, 3, 7, .float64, true),
  ]

  static func models(offset: Float) -> [StoredModel] {
    var list: [StoredModel] = []
    for shape in shapes {
      for bias in PlainStack.Bias.allCases where offset == 0 || bias != .none {
        for isBidirectional in [false, true] {
          let layer = PlainStack.Layer(
            hiddenSize: shape.hidden, isBidirectional: isBidirectional, bias: bias, forgetOffset: offset)
          let configuration = ModelConfiguration(
            input: shape.isWhole ? .tokens(vocabulary: 13, size: shape.input) : .features(size: shape.input),
            layers: .init(repeating: layer, count: shape.layers), readout: .all,
            head: shape.isWhole ? [.init(size: 2)] : [])
          var state: UInt64 = 88_172_645_463_325_252
          let tensors = configuration.parameters.map { parameter in
            StoredTensor(
              name: parameter.name, shape: parameter.shape,
              values: (0..<parameter.elementCount).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Float(state >> 40) / 0x1p24 - 0.5
              }
            ).converted(to: shape.type)
          }
          list.append(StoredModel(configuration, tensors: tensors))
        }
      }
    }
    return list
  }

  /// A model as `import` makes it; its tensors in memory.
  static func imported(_ path: String, _ place: Place) throws -> (StoredModel, [StoredTensor]) {
    let file = try Checkpoint(path: path)
    let plan = try LoadPlan(file, options: place.load)
    try plan.validate()
    return (
      StoredModel(
        plan.configuration,
        tensors: try plan.configuration.parameters.compactMap { try plan.tensors[$0.name].map(inMemory) },
        provenance: place.format == .native ? nil : plan.provenance(sha256: "")),
      try file.tensors.map(inMemory)
    )
  }

  static func inMemory(_ tensor: StoredTensor) throws -> StoredTensor {
    let bytes = try tensor.bytes()
    return StoredTensor(name: tensor.name, shape: tensor.shape, dataType: tensor.dataType) { bytes }
  }

  /// The models that a place holds as they are, each with the tensors of its file.
  static func sources(_ place: Place, _ folder: TemporaryFolder) throws -> [(StoredModel, [StoredTensor])] {
    for offset: Float in [0, 1] {
      var list: [(StoredModel, [StoredTensor])] = []
      for model in models(offset: offset) {
        let path = folder.path("source")
        guard (try? place.write(model, to: path)) != nil else { continue }
        let (made, tensors) = try imported(path, place)
        guard made.configuration.layers == model.configuration.layers else { continue }
        try expectEqual(made.tensors, model.tensors, place.name)
        list.append((made, tensors))
      }
      if !list.isEmpty { return list }
    }
    Issue.record("\(place.name) holds no model")
    return []
  }

  static func expectEqual(_ found: [StoredTensor], _ wanted: [StoredTensor], _ way: String) throws {
    let byName = Dictionary(found.map { ($0.name, $0) }) { first, _ in first }
    #expect(Set(byName.keys) == Set(wanted.map(\.name)), "\(way)")
    for tensor in wanted {
      guard let other = byName[tensor.name] else { continue }
      #expect(other.shape == tensor.shape && other.dataType == tensor.dataType, "\(way): \(tensor.name)")
      #expect(try other.bytes() == tensor.bytes(), "\(way): \(tensor.name)")
    }
  }

  // MARK: - Ways

  static func row(_ source: Place) throws -> [Set<Fate>] {
    let folder = try TemporaryFolder()
    let models = try sources(source, folder)
    return try places.map { target in
      var fates = Set<Fate>()
      for (model, tensors) in models { fates.formUnion(try fate(model, tensors, source, target, folder)) }
      return fates
    }
  }

  /// What becomes of a model that goes from one place to another; nothing else does.
  static func fate(
    _ model: StoredModel, _ tensors: [StoredTensor], _ source: Place, _ target: Place, _ folder: TemporaryFolder
  ) throws -> Set<Fate> {
    let (path, way) = (folder.path("there"), "\(source.name) to \(target.name)")
    var fates = Set<Fate>()
    do {
      do {
        try target.write(model, to: path)
      } catch let error as CheckpointError where error.message.contains("has two biases") {
        try target.write(model, to: path, bias: .single)
        fates.insert(.summed)
      }
    } catch let error as CheckpointError {
      if error.message.contains("has two directions") { return [.oneDirection] }
      if error.message.contains("is bfloat16, a type that NumPy has not") { return [.noBfloat16] }
      if error.message.contains("cannot be loaded with bfloat16") { return [.noBfloat16] }
      if error.message.contains("cannot be loaded with float64") { return [.noFloat64] }
      return [.refused(error.message.description.replacing("cannot write \(path): ", with: ""))]
    }
    let (made, _) = try imported(path, target)
    let (layers, others) = (model.configuration.plain.layers, made.configuration.plain.layers)
    #expect(layers.count == others.count && made.configuration.input == model.configuration.input, "\(way)")
    #expect(made.configuration.plain.head == model.configuration.plain.head, "\(way)")
    for (index, (layer, other)) in zip(layers, others).enumerated() {
      #expect(layer.hiddenSize == other.hiddenSize && layer.isBidirectional == other.isBidirectional, "\(way)")
      let shift = layer.forgetOffset - other.forgetOffset
      if layer.bias == .none, other.bias != .none { fates.insert(.zeros) }
      if layer.bias != .none, shift != 0 { fates.insert(.shifted) }
      for suffix in layer.isBidirectional ? ["_l\(index)", "_l\(index)_reverse"] : ["_l\(index)"] {
        func name(_ part: String) -> String { "lstm.\(part)\(suffix)" }
        let weight = try #require(model[name("weight_ih")])
        let size = 4 * layer.hiddenSize
        var one = model[name("bias_ih")] ?? .zeros(name("bias_ih"), shape: [size], like: weight)
        var two = model[name("bias_hh")] ?? .zeros(name("bias_hh"), shape: [size], like: weight)
        if fates.contains(.summed) {
          one = one.adding(two)
          two = .zeros(name("bias_hh"), like: two)
        }
        one = one.adding(shift, to: layer.hiddenSize..<2 * layer.hiddenSize)
        let wanted = [(name("bias_ih"), one), (name("bias_hh"), two)]
        for (name, bias) in wanted {
          guard let found = made[name] else { continue }
          #expect(try found.bytes() == bias.bytes() && found.dataType == bias.dataType, "\(way): \(name)")
        }
      }
    }
    // All but the biases is never touched.
    try expectEqual(
      made.tensors.filter { !$0.name.contains("bias_") }, model.tensors.filter { !$0.name.contains("bias_") }, way)
    guard fates.isEmpty else { return fates }
    let bias: PlainStack.Bias? = layers[0].bias == .single && others[0].bias == .dual ? .single : nil
    let back = folder.path("back")
    // Keras' names in one format go into another as they are.
    var returning = made
    if source.format != target.format { returning.provenance = nil }
    try source.write(returning, to: back, bias: bias)
    var found = try Checkpoint(path: back).tensors.map(inMemory)
    // The native file keeps the second bias of zeros that another layout had to give.
    if source.format == .native, bias == .single { found.removeAll { $0.name.contains("bias_hh") } }
    try expectEqual(found, tensors, way + " and back")
    return [.same]
  }

  // MARK: - Document

  static func document(_ rows: [[Set<Fate>]]) -> String {
    var lines = [
      "# What is kept between layouts", "",
      "Every way from a layout (rows) to another (columns), over models of 1 to 3 layers, in one direction and two, with "
        + "I = H and I ≠ H, odd H, without bias, with as many biases as the source has, in float16, bfloat16, float32 and "
        + "float64, with embedding and head and without. `LayoutPairsTests` writes this table and fails when it is not so; "
        + "what a cell does not say is kept byte for byte: all weights always, in the type they have.", "",
      "| mark | what becomes of the model |", "|---|---|",
      "| = | there and back again gives the same bytes |",
      "| Σ | two biases are refused; with one bias asked for, their sum is written, rounded once: the same outputs, but in "
        + "training it moves half as fast |",
      "| 0 | a model without bias gets one of zeros: the same outputs, but training moves it |",
      "| ±1 | one side adds 1 to the forget gate when it runs (Haiku; TensorFlow 1, whose `forget_bias` is 1 here) and the "
        + "other does not: 1 is added to or taken off the forget gate's bias, rounded once |",
      "| → | two directions are refused |",
      "| b | bfloat16, which NumPy and h5py have not, is refused; as float32 it is kept exactly |",
      "| d | float64, which MLX does not load, is refused; as float32 it is rounded |", "",
      "Where a source has one bias and the target two, the second is zeros and nothing is lost. Projections go between "
        + "PyTorch and TensorFlow 1, peepholes between TensorFlow 1 and the native file; these other layouts refuse them.",
      "",
    ]
    lines.append("| from \\ to | " + places.map(\.name).joined(separator: " | ") + " |")
    lines.append("|---" + String(repeating: "|---", count: places.count) + "|")
    for (place, row) in zip(places, rows) {
      let cells = row.map { $0.sorted().map(\.mark).joined(separator: " ") }
      lines.append("| \(place.name) | " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
