import FileIO

/// Finds the tensors of a graph that is known: one that the file itself describes, or a person.
struct GraphResolution: FileReading {
  let file: String
  private(set) var model: ResolvedModel

  /// - Parameters:
  ///   - graph: the whole model.
  ///   - translation: the file's tensors, under the project's names as far as the format knows them.
  ///   - keepsOrder: whether the file has its tensors in the model's own order.
  init(
    file: String, graph: ModelConfiguration, translation: Translation, checkpoint: Checkpoint, options: LoadOptions
  ) throws(CheckpointError) {
    self.file = file
    model = ResolvedModel(configuration: graph)
    model.notes = translation.notes
    model.assumed = translation.assumed
    model.leftOver = translation.leftOver
    // What is left out is in nobody's way.
    let allowed = translation.candidates.filter { !options.globsAllowing($0).isEmpty }
    var candidates =
      allowed.isEmpty ? translation.candidates : translation.candidates.filter { options.globsAllowing($0).isEmpty }
    if translation.graph == nil, !checkpoint.format.holdsWholeModel {
      swapImages(&candidates)
      let expanded = TagTransitions.expanding(SplitProjections.expanding(candidates))
      candidates = expanded.candidates
      model.assumed += expanded.assumed
    }
    let kinds = TensorKinds(candidates)
    var others: [Candidate] = []
    takeExactNames(candidates, isKnown: translation.graph != nil || checkpoint.format.holdsWholeModel, &others)
    if !others.isEmpty, translation.graph == nil {
      var places = GraphPlaces(
        graph, taken: Set(model.mapping.keys), kinds: kinds, file: file, keepsOrder: checkpoint.keepsOrder)
      let (modules, idle) = TensorModule.modules(of: others, kinds)
      let rest = try places.assign(modules)
      model.mapping.merge(places.mapping) { first, _ in first }
      model.notes += places.notes
      model.assumed += places.assumed
      model.expectedNames = places.expectedNames
      // A slope that the graph says is no parameter.
      let slopes = rest.filter { module in graph.layers.contains { module.isSlope(of: $0) } }
      model.leftOver += idle + slopes.compactMap(\.slopeLeftOver)
      let isSlope = Set(slopes.map(\.path))
      others = rest.filter { !isSlope.contains($0.path) }.flatMap { module in
        module.parts.values.sorted { isNaturallyBefore($0.name, $1.name) }
      }
    }
    model.leftOver += others.map { other in
      other.isLoneNumber
        ? LeftOver(candidate: other, reason: "a single number that no layer reads", isHarmless: true)
        : LeftOver(candidate: other, reason: kinds.kind(of: other).reason, kind: kinds.kind(of: other))
    }
    let all = TensorKinds(translation.candidates)
    model.leftOver += allowed.map {
      let kind = all.kind(of: $0)
      return LeftOver(
        candidate: $0, reason: "\(kind == .unknown ? "" : kind.noun + "; ")left out as allowed", kind: kind)
    }
    settleTies(checkpoint, options)
  }

  /// - Parameter model: what was found in a file that describes nothing.
  init(file: String, found model: ResolvedModel, checkpoint: Checkpoint, options: LoadOptions) {
    self.file = file
    self.model = model
    settleTies(checkpoint, options)
  }

  /// PyTorch's images are (C, height, width), and sequences run along the width.
  private mutating func swapImages(_ candidates: inout [Candidate]) {
    var names: [String] = []
    for (index, candidate) in candidates.enumerated() {
      guard candidate.shape.count == 4, candidate.shape[3] > 1 || candidate.shape[2] > 1 else { continue }
      names.append(candidate.tensor.name)
      candidates[index] = Candidate(
        name: candidate.name, tensor: candidate.tensor.swappingLastAxes(), how: "height and time swapped")
    }
    guard !names.isEmpty else { return }
    model.assumed.add(
      "steps run along the last axis of what \(nameList(names)) convolves, as along the width of an image")
  }

  /// A file that already uses the project's names is taken at its word, layer by layer.
  /// - Parameter isKnown: whether the names are the project's for certain, as the format gave them.
  private mutating func takeExactNames(_ candidates: [Candidate], isKnown: Bool, _ others: inout [Candidate]) {
    let graph = model.configuration
    var shapes: [String: (layer: Int, shape: [Int])] = [:]
    for index in graph.layers.indices {
      for place in graph.parameters(ofLayer: index) { shapes[place.name] = (index, place.shape) }
    }
    // A sequence called `head` counts its activations, too: a layer of which one shape differs is another.
    var foreign = Set<Int>()
    for candidate in candidates {
      guard let place = shapes[candidate.name], place.shape != candidate.shape else { continue }
      if !(graph.layers[place.layer].kind is Layer.Recurrent) { foreign.insert(place.layer) }
    }
    // `lstm` beside another LSTM need not be the first.
    let areOwn =
      isKnown
      || candidates.allSatisfy { candidate in
        PyTorchName(candidate.name).map { ["lstm", "gru", "rnn"].contains($0.module) } ?? true
      }
    if !isKnown { foreign.formUnion(doubtful(candidates, shapes.mapValues(\.layer))) }
    for candidate in candidates {
      if let place = shapes[candidate.name], model.mapping[candidate.name] == nil, !foreign.contains(place.layer),
        areOwn || PyTorchName(candidate.name) == nil
      {
        model.mapping[candidate.name] = candidate
      } else {
        others.append(candidate)
      }
    }
  }

  /// The layers whose names have a number that may be another's count: `conv1` beside `conv0` need not be the first.
  /// - Parameter places: parameter -> its layer.
  private func doubtful(_ candidates: [Candidate], _ places: [String: Int]) -> Set<Int> {
    let layers = model.configuration.layers
    let usual = ModelConfiguration.defaultNames(of: layers.map(\.kind))
    func isCounted(_ layer: Int) -> Bool {
      layers[layer].name == usual[layer] && usual[layer].contains(where: \.isNumber)
        && !(layers[layer].kind is Layer.Recurrent)
    }
    // What goes by another name and has the shapes of such a layer may as well be it.
    let shapes = candidates.filter { places[$0.name] == nil && PyTorchName($0.name) == nil }
      .grouped(by: \.name.moduleAndLeaf.module).map { module in
        Dictionary(module.members.map { ($0.name.moduleAndLeaf.leaf, $0.shape) }) { first, _ in first }
      }
    // A name that a rule gave is meant.
    let told = Set(
      candidates.filter { !$0.tensor.name.dotted.hasSuffix($0.name) }.compactMap { places[$0.name] })
    return Set(
      layers.indices.filter { layer in
        guard isCounted(layer), !told.contains(layer) else { return false }
        let own = Dictionary(
          model.configuration.parameters(ofLayer: layer).map { ($0.name.moduleAndLeaf.leaf, $0.shape) }
        ) { first, _ in first }
        return !own.isEmpty && shapes.contains(own)
      })
  }

  /// Places whose tensors are one in the file are one parameter; of a tied group one place is enough.
  private mutating func settleTies(_ checkpoint: Checkpoint, _ options: LoadOptions) {
    if options.untie { model.configuration.ties = [] }
    var groups: [String: Int] = [:]
    for (number, names) in checkpoint.sharing.enumerated() { for name in names { groups[name] = number } }
    if !options.untie, !groups.isEmpty {
      var shared: [Int: [String]] = [:]
      for place in model.configuration.places {
        guard let candidate = model.mapping[place.name], candidate.how == nil, candidate.shape == place.shape,
          let group = groups[candidate.tensor.name]
        else { continue }
        shared[group, default: []].append(place.name)
      }
      for group in shared.sorted(by: { $0.key < $1.key }).map(\.value) where group.count > 1 {
        let fresh = group.filter { !model.configuration.ties.joined().contains($0) }
        guard fresh.count > 1, (try? model.configuration.tie(fresh)) != nil else { continue }
        let names = group.compactMap { model.mapping[$0]?.tensor.name }.joined(separator: " and ")
        model.notes.append("\(names) are one tensor in the file: tied, one parameter from here on")
      }
    }
    for group in model.configuration.validTies {
      guard let first = group.first(where: { model.mapping[$0] != nil }), let known = model.mapping[first] else {
        continue
      }
      if first != group[0] { model.mapping[group[0]] = known }
      for name in group.dropFirst() where name != first {
        guard let other = model.mapping[name], !areEqual(known.tensor, other.tensor) else { continue }
        model.conflicts.append(.init(place: name, other: known.tensor.name))
      }
    }
  }
}
