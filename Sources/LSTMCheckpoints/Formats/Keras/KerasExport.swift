import FileIO
import Foundation

/// A model as Keras' layers: what is written, under which names, and whether Keras can describe the whole.
struct KerasExport {
  enum Target { case legacy, weights, archive }

  /// A tensor at its place.
  struct Weight {
    let path: String
    let tensor: StoredTensor
    let source: String
  }

  /// A layer of the configuration.
  struct Layer {
    let className: String
    let name: String
    let config: KerasJSON
  }

  let model: Exportable
  /// The source's own names and structure are used.
  let isOwn: Bool
  let isKeras1: Bool
  let version: KerasVersion
  private let target: Target
  private let isThree: Bool
  /// The model is described too.
  private let isWhole: Bool
  private(set) var weights: [Weight] = []
  /// The model as Keras describes it; empty when only weights are written.
  private(set) var layers: [Layer] = []
  /// Names that are taken, and how many objects of a class there are.
  private var taken = Set<String>()
  private var objects: [String: Int] = [:]
  /// The source's layers that are still to come.
  private var source: [Provenance.SourceLayer] = []

  /// - Throws: `CheckpointError.refused` with the reason when the target cannot hold the model.
  init(_ model: Exportable, _ target: Target) throws(CheckpointError) {
    self.model = model
    self.target = target
    let configuration = model.configuration
    let layout = model.options.layout
    guard layout?.isKeras != false, layout != .keras1 || target == .legacy
    else {
      throw .invalid(
        .layout, "\(layout?.rawValue ?? "")",
        "this format has Keras' own" + (target == .legacy ? ": keras, keras-cudnn or keras1" : ""))
    }
    // h5py has no such type, and gives Keras bytes without meaning.
    if target == .legacy { try model.refuse([.bfloat16], of: "Keras' HDF5") }
    let known = model.provenance?.knownLayout
    let formats: [Checkpoint.Format] =
      target == .legacy ? [.kerasH5] : target == .weights ? [.kerasWeights, .kerasArchive] : []
    let names = model.provenance?.mapping ?? [:]
    isOwn =
      formats.map(\.rawValue).contains(model.provenance?.format) && (layout == nil || layout == known)
      && configuration.places.allSatisfy { names[$0.name] != nil }
    isKeras1 = target == .legacy && (layout == .keras1 || isOwn && known == .keras1)
    let keepsCuDNN = layout == nil && known == .kerasCuDNN && (target == .legacy || isOwn)
    guard layout != .kerasCuDNN || target == .legacy || isOwn else {
      throw .refused(
        file: model.file, detail: "Keras 3 has no CuDNNLSTM",
        advice: ["write \(.format, "keras-h5"), or the biases' sum with \(.layout, "keras") \(.bias, "single")"])
    }

    let obstacle = Self.obstacle(configuration)
    let gates = Set(configuration.layers.map(\.gateActivation))
    isThree =
      target != .legacy || gates.contains(.hardSigmoidKeras3)
      || isOwn && !gates.contains(.hardSigmoid) && !names.values.contains { $0.hasSuffix(":0") }
    isWhole =
      target == .archive
      || target == .legacy && obstacle == nil && !isKeras1 && (!isOwn || Self.hasOwnGroups(configuration, names))
    if let obstacle, target == .archive || !isOwn && (target == .weights || !obstacle.onlyReadout) {
      if target != .weights || !obstacle.onlyReadout {
        throw .refused(file: model.file, detail: "Keras' own layers have no \(obstacle.what)", advice: obstacle.advice)
      }
    }
    // Whoever reads mere weights of hard gates is to ask for them: a version of which nothing is taken for granted.
    let two = isWhole || !gates.contains(.hardSigmoid) ? "2.15.0" : "2.2.5"
    version = isKeras1 ? .one : KerasVersion(isThree ? "3.0.0" : two)

    var capabilities = Capabilities(
      target: isKeras1 ? "Keras 1's LSTM" : isThree ? "Keras 3's LSTM" : "Keras 2's LSTM", biases: [.none, .single],
      gates: [.sigmoid, isThree ? .hardSigmoidKeras3 : .hardSigmoid])
    if isKeras1 { capabilities.biases = [.single] }
    if keepsCuDNN { capabilities.biases = [.none, .single, .dual] }
    if layout == .kerasCuDNN {
      capabilities = Capabilities(target: "Keras' CuDNNLSTM", biases: [.dual])
    }
    let cells = try model.cells(capabilities)
    // A name that is there twice is no name; a slash would be another group.
    let all = model.provenance?.layers ?? []
    source = Set(all.map(\.name)).count == all.count && !all.contains { $0.name.contains("/") } ? all : []
    taken = Set(source.map(\.name))
    build(cells)
    if !isWhole { layers = [] }
  }

  struct Obstacle {
    let what: String
    /// Only a whole model has it.
    var onlyReadout = false
    var advice: [Message] = []
  }

  /// Whether layers of Keras that are no plain stack may compute it.
  static func hasGraph(_ configuration: PlainStack) -> Bool {
    configuration.readout != nil && obstacle(configuration) != nil
  }

  /// What no stock layer of Keras does in a line.
  private static func obstacle(_ configuration: PlainStack) -> Obstacle? {
    if configuration.readout == .attention { return Obstacle(what: "attention readout of this kind") }
    if configuration.skip { return Obstacle(what: "place for the concatenation of all layers (skip)") }
    if configuration.normalizesOutput { return Obstacle(what: "L2 normalization in a plain stack of layers") }
    if configuration.readout == nil, !configuration.head.isEmpty {
      return Obstacle(
        what: "undecided readout", onlyReadout: true,
        advice: ["import the model with \(.readout, "last"), final, all, mean or max"])
    }
    if configuration.readout == .last, configuration.layers.last?.isBidirectional == true {
      return Obstacle(
        what: "readout of a bidirectional LSTM's last step (theirs is the final state of each direction)",
        onlyReadout: true, advice: ["it is another number than \(.readout, "final") gives"])
    }
    return nil
  }

  /// Whether each layer was a group of a whole model's weights, so that a configuration can name them.
  private static func hasOwnGroups(_ configuration: PlainStack, _ names: [String: String]) -> Bool {
    var owners: [String: String] = [:]
    for parameter in configuration.places {
      let parts = (names[parameter.name] ?? "").split(separator: "/")
      guard parts.count > 2, parts[0] == "model_weights" else { return false }
      let layer = parameter.role.layer
      if let owner = owners.updateValue(layer, forKey: String(parts[1])), owner != layer { return false }
    }
    return true
  }
}

// Laying the model out as Keras' layers.
extension KerasExport {
  private var names: [String: String] { model.provenance?.mapping ?? [:] }

  private mutating func build(_ cells: [[RecurrentCell]]) {
    let configuration = model.configuration
    var shape: KerasJSON = [nil, nil]
    if case .features(let size) = configuration.input { shape = [nil, nil, .number(Double(size))] }
    let isTokens = configuration.input.vocabulary != nil
    // Keras 3 understands the older name too, where it reads the older format.
    let isOld = target == .legacy
    let input = source.first { $0.kind == "InputLayer" }?.name ?? fresh(isOld ? "input_1" : "input_layer")
    source.removeAll { $0.kind == "InputLayer" }
    add(
      "InputLayer", input, nil,
      [isOld ? "batch_input_shape" : "batch_shape": shape, "dtype": isTokens ? "int32" : "float32"])
    if let scaler = model.scalers.input { addScaler(scaler, part: "scaler") }
    if case .value(let value) = configuration.mask {
      let name = name("masking", of: nil, part: "mask")
      add("Masking", name.layer, nil, ["mask_value": .number(Double(value))])
    }
    if case .tokens(let vocabulary, let size) = configuration.input, let table = model["embedding.weight"] {
      let name = name("embedding", of: "embedding.weight", part: "embedding")
      add(
        "Embedding", name.layer, table,
        [
          "input_dim": .number(Double(vocabulary)), "output_dim": .number(Double(size)),
          "mask_zero": .bool(configuration.mask == .token(0)),
        ])
      put(table, "embedding.weight", name, ["embeddings"], index: 0)
    }
    for (index, directions) in cells.enumerated() { addLSTM(directions, index, isLast: index == cells.count - 1) }
    let pools: [PlainStack.Readout: String] = [.mean: "GlobalAveragePooling1D", .max: "GlobalMaxPooling1D"]
    if let readout = configuration.readout, let pool = pools[readout] {
      add(pool, name(kerasSnakeCase(pool), of: nil, part: "readout").layer, nil, [:])
    }
    if configuration.readoutActivation != .none {
      let name = fresh("activation")
      add("Activation", name, nil, ["activation": .string(configuration.readoutActivation.rawValue)])
    }
    if let attention = model["attention.weight"] {
      put(
        attention.transposed(), "attention.weight", (layer: "attention", object: "attention"), ["attention_W"], index: 0
      )
    }
    for (index, dense) in configuration.head.enumerated() {
      guard let kernel = model["head.\(index).weight"] else { continue }
      let name = name("dense", of: "head.\(index).weight", part: "head.\(index)")
      add(
        "Dense", name.layer, kernel,
        [
          "units": .number(Double(dense.size)), "use_bias": .bool(dense.hasBias),
          "activation": .string(dense.activation == .none ? "linear" : dense.activation.rawValue),
        ])
      put(kernel.transposed(), "head.\(index).weight", name, [isKeras1 ? "\(name.layer)_W" : "kernel"], index: 0)
      if let bias = model["head.\(index).bias"] {
        put(bias, "head.\(index).bias", name, [isKeras1 ? "\(name.layer)_b" : "bias"], index: 1)
      }
    }
    if let scaler = model.scalers.target { addScaler(scaler, part: "target scaler") }
    addIdle(before: source.count)
  }

  /// Layers of the source that act in training alone, in the places that they had.
  private mutating func addIdle(before end: Int) {
    for layer in source.prefix(end) where layer.part == nil {
      var config: [String: KerasJSON] = [:]
      for (key, value) in layer.values ?? [:] { config[key] = .number(value) }
      // Keras 1's words.
      if let rate = layer.values?["p"] { (config["rate"], config["p"]) = (.number(rate), nil) }
      if let deviation = layer.values?["sigma"] { (config["stddev"], config["sigma"]) = (.number(deviation), nil) }
      guard KerasLayerKinds.idle.contains(layer.kind), !["NotEqual", "Any", "Identity"].contains(layer.kind) else {
        continue
      }
      add(layer.kind, layer.name, nil, config)
    }
    source.removeFirst(min(end, source.count))
  }

  /// The source's own scaling, with the numbers that the model has now.
  private mutating func addScaler(_ scaler: Scaler, part: String) {
    let isInput = part == "scaler"
    // The decimals that the native file's JSON shows.
    func decimals(_ values: [Float]) -> [Double] { values.map { Double("\($0)") ?? Double($0) } }
    let (mean, deviation) = (decimals(scaler.mean), decimals(scaler.deviation))
    func list(_ values: [Double]) -> KerasJSON {
      Set(values).count == 1 ? .number(values[0]) : .array(values.map { .number($0) })
    }
    let known = source.first { $0.part == part }
    if isInput, known?.kind != "Rescaling" {
      let place = name("normalization", of: nil, part: part)
      let name = place.layer
      if let own = KerasScaling.Statistics(known), own.isSame(scaler), own.count != nil {
        let isScalar = known?.values?["is_scalar"] == 1
        add("Normalization", name, nil, ["axis": isScalar ? .null : .array([.number(-1)]), "invert": false])
        for (index, tensor) in own.tensors(isScalar: isScalar).enumerated() {
          put(tensor, tensor.name, place, [tensor.name], index: index)
        }
        return
      }
      add(
        "Normalization", name, nil,
        [
          "axis": .array([.number(-1)]), "invert": false, "mean": .array(mean.map { .number($0) }),
          "variance": .array(deviation.map { .number($0 * $0) }),
        ])
      return
    }
    let name = name("rescaling", of: nil, part: part).layer
    let scale = isInput ? deviation.map { 1 / $0 } : deviation
    let offset = isInput ? zip(mean, deviation).map { -$0 / $1 } : mean
    add("Rescaling", name, nil, ["scale": list(scale), "offset": list(offset)])
  }

  private mutating func addLSTM(_ directions: [RecurrentCell], _ index: Int, isLast: Bool) {
    let isBidirectional = directions.count == 2
    let dropouts = source.first { $0.part == "layer\(index)" }?.values ?? [:]
    let name = name(isBidirectional ? "bidirectional" : "lstm", of: "lstm.weight_ih_l\(index)", part: "layer\(index)")
    let readout = model.configuration.readout
    let gives = !isLast || readout == nil || [.all, .mean, .max, .attention].contains(readout)
    var lstm: [String: KerasJSON] = [
      "units": .number(Double(directions[0].hiddenSize)), "activation": "tanh",
      "recurrent_activation": directions[0].gateActivation == .sigmoid ? "sigmoid" : "hard_sigmoid",
      "use_bias": .bool(directions[0].bias != .none), "return_sequences": .bool(gives),
      // The default, an orthogonal matrix, cannot be made in bfloat16; the weights come from the file anyway.
      "recurrent_initializer": "glorot_uniform",
    ]
    for (key, value) in dropouts { lstm[key] = .number(value) }
    if isBidirectional {
      // What is wrapped has its module in every version.
      let inner = entry("LSTM", "lstm", directions[0].inputWeight, lstm).json(withModules: true)
      add("Bidirectional", name.layer, directions[0].inputWeight, ["layer": inner, "merge_mode": "concat"])
    } else {
      add("LSTM", name.layer, directions[0].inputWeight, lstm)
    }
    for (cell, isReverse) in zip(directions, [false, true]) {
      let part = isBidirectional ? [isReverse ? "backward" : "forward"] : []
      put(cell, layer: index, isReverse: isReverse, name, part)
    }
  }

  /// The tensors of one cell in Keras' order.
  private mutating func put(_ cell: RecurrentCell, layer: Int, isReverse: Bool, _ name: Name, _ part: [String]) {
    func source(_ kind: RecurrentPart) -> String { PyTorchName.parameter(kind, layer: layer, isReverse: isReverse) }
    let biases = cell.bias == .dual ? source(.inputBias) + " + " + source(.recurrentBias) : source(.inputBias)
    if isKeras1 {
      let parts = RecurrentLayout.keras1.write(cell)
      let module = (part.first.map { $0 + "_" } ?? "") + (part.isEmpty ? name.layer : "lstm")
      for (gate, letter) in ["i", "c", "f", "o"].enumerated() {
        put(parts.input[gate], source(.inputWeight), name, ["\(module)_W_\(letter)"], index: 0, gate: gate)
        put(parts.recurrent[gate], source(.recurrentWeight), name, ["\(module)_U_\(letter)"], index: 1, gate: gate)
        if parts.inputBias.count == 4 {
          put(parts.inputBias[gate], biases, name, ["\(module)_b_\(letter)"], index: 2, gate: gate)
        }
      }
      return
    }
    let isCuDNN = cell.bias == .dual
    let parts = (isCuDNN ? RecurrentLayout.cudnn : .keras).write(cell)
    let path = part.map { target == .legacy ? $0 + (isCuDNN ? "_cu_dnnlstm" : "_lstm") : $0 + "_layer" }
    let module = path + (target == .legacy ? (isCuDNN ? [] : ["lstm_cell"]) : ["cell"])
    put(parts.input[0], source(.inputWeight), name, module + ["kernel"], index: 0)
    put(parts.recurrent[0], source(.recurrentWeight), name, module + ["recurrent_kernel"], index: 1)
    if let bias = parts.inputBias.first { put(bias, biases, name, module + ["bias"], index: 2) }
  }

  /// - Parameters:
  ///   - path: within the layer, the role last.
  ///   - index: its number among the variables of its object.
  ///   - gate: which of a source's joined tensors it is.
  private mutating func put(
    _ tensor: StoredTensor, _ source: String, _ layer: Name, _ path: [String], index: Int, gate: Int = 0
  ) {
    let first = source.components(separatedBy: " + ")[0]
    let own = names[first].map { $0.components(separatedBy: " + ") } ?? []
    let place: String
    if isOwn, own.indices.contains(gate) {
      place = own[gate]
    } else if target == .legacy {
      let base = isWhole ? "model_weights/" : ""
      let ending = isThree || isKeras1 ? "" : ":0"
      let name = layer.layer
      // Keras 2 keeps these without the name of their layer.
      let isBare =
        ["mean", "variance", "count"].contains(source) && (!isOwn || names.values.contains { $0.hasSuffix(":0") })
      place =
        isBare
        ? base + name + "/" + path.joined(separator: "/") + ending
        : base + name + "/" + (isKeras1 ? path : [name] + path).joined(separator: "/") + ending
    } else {
      place = (["layers", layer.object] + path.dropLast() + ["vars", "\(index)"]).joined(separator: "/")
    }
    weights.append(.init(path: place, tensor: tensor, source: source))
  }

  // MARK: - Names and configuration

  /// What a layer is called, and the object that Keras 3 keeps its weights in.
  private typealias Name = (layer: String, object: String)

  private mutating func fresh(_ stem: String) -> String {
    var (name, number) = (stem, 0)
    while !taken.insert(name).inserted {
      number += 1
      name = "\(stem)_\(number)"
    }
    return name
  }

  /// The name of a layer: the source's, or Keras' usual one. What came before it in the source comes before it here.
  private mutating func name(_ stem: String, of parameter: String?, part: String) -> Name {
    let count = objects[stem, default: 0]
    objects[stem] = count + 1
    let object = count == 0 ? stem : "\(stem)_\(count)"
    if isOwn, isWhole, target == .legacy, let parameter, let own = names[parameter] {
      if let place = source.firstIndex(where: { $0.part == part }) {
        addIdle(before: place)
        source.removeFirst()
      }
      return (String(own.split(separator: "/")[1]), object)
    }
    guard let place = source.firstIndex(where: { $0.part == part }) else { return (fresh(stem), object) }
    addIdle(before: place)
    return (source.removeFirst().name, object)
  }

  private mutating func add(_ className: String, _ name: String, _ weight: StoredTensor?, _ config: [String: KerasJSON])
  {
    layers.append(entry(className, name, weight, config))
  }

  private func entry(
    _ className: String, _ name: String, _ weight: StoredTensor?, _ config: [String: KerasJSON]
  ) -> Layer {
    var config = config
    config["name"] = .string(name)
    if className != "InputLayer" {
      // SpatialDropout1D of Keras 3 takes no such word.
      if weight != nil { config["trainable"] = true }
      // Weights of 16 bits are read into layers that compute with 32, as they are here.
      config["dtype"] = weight?.dataType == .float64 ? "float64" : "float32"
    }
    return Layer(className: className, name: name, config: .object(config))
  }
}

extension KerasExport.Layer {
  /// - Parameter withModules: as Keras 3 writes it.
  func json(withModules: Bool) -> KerasJSON {
    withModules
      ? ["module": "keras.layers", "class_name": .string(className), "config": config, "registered_name": nil]
      : ["class_name": .string(className), "config": config]
  }
}

extension KerasExport {
  /// The whole model: `Sequential` of its layers.
  func json(withModules: Bool) -> KerasJSON {
    let config: KerasJSON = [
      "name": "sequential", "layers": .array(layers.map { $0.json(withModules: withModules) }),
    ]
    return withModules
      ? ["module": "keras", "class_name": "Sequential", "config": config, "registered_name": nil]
      : ["class_name": "Sequential", "config": config]
  }
}

extension PlainStack.Input {
  fileprivate var vocabulary: Int? { if case .tokens(let vocabulary, _) = self { vocabulary } else { nil } }
}
