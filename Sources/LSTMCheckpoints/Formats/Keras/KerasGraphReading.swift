import FileIO

/// A graph of layers from Keras' own description of a model: branches, several inputs and outputs, models within
/// models.
/// Every layer means something that is known here, or reading stops.
struct KerasGraphReading: FileReading {
  /// A parameter of a layer, and the tensor that it is.
  struct Parameter {
    var layer: Int
    var name: String
    var isReverse = false
    var tensor: StoredTensor
    var how: String?
  }

  /// Steps of one layer's input that it puts together, and whether it passes over those that a mask hides.
  struct StepUse {
    let layer: KerasLayer
    let source: String
    let clock: Int?
    let respectsMask: Bool
  }

  var reading: KerasReading
  var file: String { reading.file }
  var version: KerasVersion { reading.version }
  /// Which axis of an input of three is time: 0 or 1.
  private(set) var timeAxis: Int
  var isKeras1: Bool { reading.version.major == 1 }

  private(set) var layers: [Layer] = []
  private(set) var values: [String: LayerValue] = [:]
  private(set) var parameters: [Parameter] = []
  var inputs: [ModelConfiguration.Input?] = []
  var inputShapes: [KerasJSON?] = []
  var inputNames: [String] = []
  /// The names that each use of a layer's parameters has, by the layer's own place in the file.
  private var uses: [String: [Int]] = [:]
  private var taken: Set<String> = ["input"]
  private var recurrentCount = 0
  private var clockCount = 1 << 20
  /// Readouts of recurrent layers' last outputs that there are already.
  var finals: [String: String] = [:]
  var stepUses: [StepUse] = []
  /// What hides steps: the mask, the layer, and the place of its input.
  var mask: (mask: PlainStack.Mask, layer: KerasLayer, input: Int)?
  var maskConflict: CheckpointError?
  /// Inputs of which steps are hidden.
  var maskedInputs: Set<Int> = []
  /// The Keras layer that each of `layers` is of.
  private(set) var owners: [String] = []
  /// Recurrent layers that give zeros where a step is hidden, beside those of two directions.
  var zeroed: Set<String> = []
  /// Outputs to which Keras carries no mask.
  var openOutputs: Set<String> = []
  /// Inputs that another layer than a mask reads.
  var rawReads: Set<Int> = []
  var notes: [Message] = []
  var idle: [String] = []
  /// A product, maximum or minimum of steps of which a mask hides some.
  var mergedWithMasks: KerasLayer?
  /// Both directions' states side by side, by the layer of Keras that joins them.
  var joined: [String: String] = [:]
  /// Zeros around steps that are steps here, by the layer of Keras that puts them there.
  var paddings: [String: String] = [:]
  /// Dense layers that are parts of an attention, and of no head of the model.
  var projections: Set<String> = []
  /// Layers that Keras computes with 16 bits.
  var half: [String] = []
  /// What a function of Python's is taken for, where somebody says.
  private(set) var lambda: KerasLambda.Form?
  private(set) var source: [Provenance.SourceLayer] = []

  init(
    _ structure: KerasStructure, _ candidates: [Candidate], file: String, timeAxis: Int,
    lambda: KerasLambda.Form? = nil,
    firstInput: Int = 0
  ) throws(CheckpointError) {
    self.lambda = lambda
    reading = KerasReading(structure, candidates, file: file)
    self.timeAxis = timeAxis
    guard let model = structure.model else { throw unsupported("it describes no model") }
    let graph = KerasGraph(structure: structure, file: file)
    let network = try KerasNetwork(model, graph.place, graph)
    let places = [firstInput] + network.inputs.indices.filter { $0 != firstInput }
    for place in places { addInput(network.inputs[place].layer) }
    let starts = network.inputs.indices.map { KerasValue(special: .input(places.firstIndex(of: $0) ?? 0)) }
    let results = try run(network, starts, path: "")
    if firstInput == 0, let place = needsFirst {
      self = try Self(
        structure, candidates, file: file, timeAxis: timeAxis, lambda: lambda, firstInput: place)
      reading.translation.notes.append(
        "\(printable(network.inputs[place].layer)) is the first input here, and not number \(place + 1) as in Keras: its steps are hidden"
      )
      return
    }
    try finish(results, candidates)
  }

  func unsupported(_ layer: KerasLayer, _ what: Message) -> CheckpointError { unsupported("\(layer.text) \(what)") }

  private mutating func addInput(_ name: String) {
    inputs.append(nil)
    inputShapes.append(nil)
    inputNames.append(name)
  }

  // MARK: - Running a network symbol by symbol

  /// - Parameters:
  ///   - path: the models that it lies in, with a slash behind each.
  ///   - onEachStep: whether a wrapper runs it on each step.
  mutating func run(
    _ network: KerasNetwork, _ arguments: [KerasValue], path: String, onEachStep: Bool = false
  ) throws(CheckpointError) -> [KerasValue] {
    guard arguments.count == network.inputs.count else {
      throw unsupported("a model within it has \(network.inputs.count) inputs and is given \(arguments.count)")
    }
    struct Place: Hashable { let layer: String, node: Int }
    var given: [Place: [KerasValue]] = [:]
    let starts = Dictionary(zip(network.inputs, arguments)) { first, _ in first }
    func value(_ reference: KerasReference) throws(CheckpointError) -> KerasValue {
      if reference == KerasNetwork.unnamedInput, let start = starts[reference] { return start }
      guard let list = given[Place(layer: reference.layer, node: reference.node)],
        list.indices.contains(reference.tensor)
      else {
        throw unknownFormat(
          "its graph names output \(reference.tensor) of \"\(printable(reference.layer))\", which is not there")
      }
      return list[reference.tensor]
    }
    if path.isEmpty, network.inputs == [KerasNetwork.unnamedInput] {
      inputShapes[0] = network.members.first.flatMap { Self.shape($0.layer.config) } ?? network.builtShape
    }
    for (member, number) in try network.order(file) {
      let (layer, call) = (network.members[member].layer, network.members[member].calls[number])
      let place = Place(layer: layer.name, node: number)
      if layer.className == "InputLayer" {
        guard let start = starts[.init(layer: layer.name, node: 0, tensor: 0)] else {
          throw unsupported(layer, "is no input of its model")
        }
        if case .input(let index)? = start.special, !onEachStep, inputShapes[index] == nil || path.isEmpty {
          inputShapes[index] = Self.shape(layer.config) ?? inputShapes[index]
        }
        given[place] = [start]
        if path.isEmpty {
          let isImage = Self.shape(layer.config)?.array?.count == 4
          remember(layer, nil, timeAxis == 1 && isImage ? ["time_axis": 2] : [:])
        }
        continue
      }
      var read: [KerasValue] = []
      for reference in call.arguments.flatMap(\.references) { read.append(try value(reference)) }
      if let inside = network.members[member].inside.first {
        let isWrapped = layer.className == "TimeDistributed"
        if isWrapped { remember(layer) }
        given[place] = try run(inside, read, path: path + layer.name + "/", onEachStep: onEachStep || isWrapped)
        continue
      }
      var keywords: [String: [KerasValue]] = [:]
      for (key, argument) in call.keywords {
        var list: [KerasValue] = []
        for reference in argument.references { list.append(try value(reference)) }
        if !list.isEmpty { keywords[key] = list }
      }
      let use = KerasUse(layer: layer, path: path + layer.name, read: read, keywords: keywords, call: call)
      given[place] = onEachStep ? [try applyToEachStep(use)] : try apply(use)
    }
    var results: [KerasValue] = []
    for output in network.outputs { results.append(try value(output)) }
    return results
  }

  private static func shape(_ config: KerasJSON) -> KerasJSON? { config["batch_shape"] ?? config["batch_input_shape"] }

  // MARK: - Adding layers

  /// Adds a layer that gives a value.
  /// - Parameters:
  ///   - key: the Keras layer that its parameters are of: where that is used again, they are the same ones.
  ///   - parameters: by their names here.
  mutating func add(
    _ kind: any LayerKind, _ name: String, of layer: KerasLayer, reading from: [String], key: String,
    parameters list: [(name: String, isReverse: Bool, tensor: StoredTensor, how: String?)] = []
  ) throws(CheckpointError) -> String {
    guard layers.count < ModelConfiguration.depthLimit else { throw unsupported("the model has too many layers") }
    let read = from.compactMap { values[$0] }
    guard read.count == from.count else { throw unsupported(layer, "reads what no layer gives") }
    var value: LayerValue
    do throws(LayerError) {
      value = try kind.output(read)
    } catch {
      throw unsupported(layer, "cannot be computed here: \(error.key.map { "\($0): " } ?? "")\(error.detail)")
    }
    guard value.width >= 1, value.width <= 1 << 36 else { throw unsupported(layer, "would give \(value.width) values") }
    if value.clock == nil {
      clockCount += 1
      value.clock = clockCount
    }
    let unique: String
    if kind is Layer.Recurrent {
      unique = "layer\(recurrentCount)"
      recurrentCount += 1
    } else {
      unique = fresh(name)
    }
    layers.append(Layer(unique, kind, from: from))
    owners.append(layer.name)
    values[unique] = value
    for item in list {
      let number = parameters.count
      parameters.append(
        .init(
          layer: layers.count - 1, name: item.name, isReverse: item.isReverse, tensor: item.tensor, how: item.how))
      uses["\(key) \(item.name) \(item.isReverse)", default: []].append(number)
    }
    return unique
  }

  /// A name that no layer has, of letters that every file can hold.
  private mutating func fresh(_ name: String) -> String {
    var clean = String(
      name.map { ($0.isASCII && ($0.isLetter || $0.isNumber)) || $0 == "_" || $0 == "-" ? $0 : "_" }.prefix(200))
    // Recurrent layers and the head have these.
    if clean.isEmpty || Layer.number(of: clean) != nil || clean == "head" { clean += "_" }
    var (unique, number) = (clean, 0)
    while !taken.insert(unique).inserted {
      number += 1
      unique = "\(clean)_\(number)"
    }
    return unique
  }

  mutating func setInput(_ index: Int, _ input: ModelConfiguration.Input) throws(CheckpointError) {
    var input = input
    input.name = inputNames.count == 1 ? "input" : fresh(inputNames[index])
    do throws(LayerError) {
      values[input.name] = try input.value(clock: index)
    } catch {
      throw unsupported("its input \(inputNames[index]): \(error.detail)")
    }
    inputs[index] = input
  }

  mutating func remember(
    _ layer: KerasLayer, _ part: String? = nil, _ values: [String: Double] = [:], lists: [String: [Double]]? = nil
  ) {
    if let part, let place = source.firstIndex(where: { $0.name == layer.name && $0.part == nil }) {
      source[place].part = part
    } else if !source.contains(where: { $0.name == layer.name }) {
      source.append(
        .init(name: layer.name, kind: layer.className, part: part, values: values.isEmpty ? nil : values, lists: lists))
    }
  }

  /// A layer of the source has become a part of another here.
  mutating func rename(part: String, _ name: String) {
    for index in source.indices where source[index].part == part { source[index].part = name }
  }

  // MARK: - The whole

  private mutating func finish(_ results: [KerasValue], _ candidates: [Candidate]) throws(CheckpointError) {
    var outputs: [String] = []
    for result in results { outputs.append(try output(result)) }
    let isMasked = try settleMask()
    try checkMerged(outputs)
    if let mask {
      notes.append(
        isMasked
          ? "layer \(mask.layer.name) masks \(mask.mask.summary): such steps are passed over wherever they lie, as in Keras"
          : "layer \(mask.layer.name) masks \(mask.mask.summary), which has no effect: Keras does not carry the mask to a "
            + "layer that would pass over such steps")
    }
    for index in inputs.indices where inputs[index] == nil {
      throw unsupported("its input \(printable(inputNames[index])) is read by no layer")
    }
    let (kept, renamed) = arranged(outputs)
    var names: [Int: String] = [:]
    for (number, parameter) in parameters.enumerated() {
      guard let layer = renamed[parameter.layer] else { continue }
      names[number] = layer.parameterName(parameter.name, isReverse: parameter.isReverse)
    }
    for (_, group) in uses.sorted(by: { $0.key < $1.key }) {
      for (place, number) in group.enumerated() where place == 0 || names[group[0]] == nil {
        if let name = names[number] {
          reading.translation.add(name, parameters[number].tensor, how: parameters[number].how)
          break
        }
      }
    }
    let ties = uses.values.map { $0.compactMap { names[$0] } }.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
    let outputNames = outputs.map { output in
      layers.firstIndex { $0.name == output }.flatMap { renamed[$0]?.name } ?? output
    }
    let whole = try configuration(kept, outputNames, ties, mask: isMasked ? mask?.mask : nil)
    reading.translation.graph = isMasked ? try unmasked(whole, renamed) : whole
    for index in source.indices {
      guard let part = source[index].part, let place = layers.firstIndex(where: { $0.name == part }) else { continue }
      source[index].part = renamed[place]?.name
    }
    if !half.isEmpty { notes.append(kerasComputesInHalf(half)) }
    if !idle.isEmpty { notes.append("in training only, and without effect here: \(idle.joined(separator: ", "))") }
    reading.leaveOutTheRest(candidates, because: "no layer of the model's configuration has it")
    reading.translation.layout = reading.layout
    reading.translation.notes += notes
    reading.translation.tellsGates = true
    reading.translation.sourceLayers = source
  }

  /// The layers that the outputs need, with the dense ones above the last recurrent layer called `head.0`, ...
  private func arranged(_ outputs: [String]) -> (kept: [Layer], renamed: [Int: Layer]) {
    let places = Dictionary(layers.enumerated().map { ($1.name, $0) }) { first, _ in first }
    var needed = Set<Int>()
    var waiting = outputs.compactMap { places[$0] }
    while let next = waiting.popLast() {
      guard needed.insert(next).inserted else { continue }
      waiting += (layers[next].from + layers[next].kind.references).compactMap { places[$0] }
    }
    let order = needed.sorted()
    let lastRecurrent = order.last { layers[$0].kind is Layer.Recurrent } ?? -1
    var names: [String: String] = [:]
    if outputs.count == 1, lastRecurrent >= 0 {
      let head = order.filter {
        $0 > lastRecurrent && layers[$0].kind is Layer.Dense && !projections.contains(layers[$0].name)
      }
      for (number, place) in head.enumerated() { names[layers[place].name] = "head.\(number)" }
    }
    var (kept, renamed): ([Layer], [Int: Layer]) = ([], [:])
    for place in order {
      var layer = layers[place]
      layer.name = names[layer.name] ?? layer.name
      layer.from = layer.from.map { names[$0] ?? $0 }
      let before = kept.last?.name ?? inputs.first.flatMap { $0?.name }
      if layer.from.count == 1, layer.from[0] == before { layer.from = [] }
      kept.append(layer)
      renamed[place] = layer
    }
    return (kept, renamed)
  }

  /// A fixed number of steps is only asked for where a layer needs it.
  private func configuration(
    _ layers: [Layer], _ outputs: [String], _ ties: [[String]], mask: PlainStack.Mask?
  ) throws(CheckpointError) -> ModelConfiguration {
    let fixed = inputs.compactMap(\.self)
    let free = fixed.map { input in
      var input = input
      input.steps = nil
      return input
    }
    let names = outputs.count == 1 && outputs[0] == layers.last?.name ? [] : outputs
    if let model = try? ModelConfiguration(inputs: free, layers: layers, outputs: names, ties: ties, mask: mask) {
      return model
    }
    do {
      return try ModelConfiguration(inputs: fixed, layers: layers, outputs: names, ties: ties, mask: mask)
    } catch {
      let layer = error.layer.map { name in source.first { $0.part == name }?.name ?? name }
      throw unsupported("\(layer.map { "layer \($0): " } ?? "")\(error.detail)")
    }
  }
}

/// One use of a layer: what it reads and how it is called.
struct KerasUse {
  let layer: KerasLayer
  /// Its place in the file, which a second use shares.
  let path: String
  var read: [KerasValue]
  let keywords: [String: [KerasValue]]
  let call: KerasNetwork.Call
}
