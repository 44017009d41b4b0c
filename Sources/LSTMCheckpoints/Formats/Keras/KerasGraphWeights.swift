import FileIO

/// A file of weights for a graph that somebody describes: its layers as Keras would have them, each with the first
/// tensors of its shapes that no layer before it took.
struct KerasGraphWeights: FileReading {
  /// Tensors that stand together in the file.
  private struct Unit {
    let name: String
    /// Of the class that the file says, in snake case; nil where it does not.
    let className: String?
    let tensors: [String]
  }

  let file: String
  private let given: ModelConfiguration
  private let structure: KerasStructure
  private let candidates: [Candidate]
  private let shapes: [String: [Int]]

  init(_ structure: KerasStructure, _ candidates: [Candidate], file: String, given: ModelConfiguration) {
    (self.structure, self.candidates, self.file, self.given) = (structure, candidates, file, given)
    shapes = Dictionary(candidates.map { ($0.tensor.name, $0.shape) }) { first, _ in first }
  }

  func translation() throws(CheckpointError) -> Translation {
    let configuration = given.withOneBias
    if let layer = configuration.layers.first(where: { ($0.kind as? Layer.Rescale)?.hasCenter == false }) {
      throw .invalid(
        .configuration, nil, "\(file) holds weights alone, and not the numbers that its layer \(layer.name) scales by")
    }
    let export = try keras(configuration)
    var units = found
    var groups: [KerasStructure.Group] = []
    // The project's names of what each tensor of the file holds.
    var meanings: [String: [String]] = [:]
    // Tensors by the parameter that they are; one that stands in several places by its first.
    var known: [String: String] = [:]
    let first = Dictionary(
      configuration.validTies.flatMap { group in group.dropFirst().map { ($0, group[0]) } }
    ) { first, _ in first }
    func own(_ names: [String]) -> String { names.map { first[$0] ?? $0 }.joined(separator: " ") }
    for (number, node) in export.nodes.enumerated() {
      let parts = export.parts.filter { $0.node == number }
      let wanted = parts.map(\.tensor.shape)
      if wanted.isEmpty { continue }
      let shared = parts.compactMap { known[own($0.source)] }
      if shared.count == parts.count {
        groups.append(.init(name: node.name, weights: shared))
        continue
      }
      guard let (range, names) = place(of: wanted, kerasSnakeCase(node.className), in: units) else {
        let text = wanted.map { shapeText($0) }.joined(separator: ", ")
        throw .invalid(
          .configuration, nil, "\(file) has no weights for its \(node.className) \(node.name): expected \(text)")
      }
      units.removeSubrange(range)
      for (name, part) in zip(names, parts) {
        meanings[name] = part.source
        known[own(part.source)] = name
      }
      groups.append(.init(name: node.name, weights: names))
    }
    let described = KerasStructure(
      weights: .layers(groups), version: export.version, model: export.json(withModules: false))
    let read = try KerasGraphReading(described, candidates, file: file, timeAxis: 0).reading.translation
    // What stands in several places is read once.
    var taken = Set<String>()
    let named = read.candidates.compactMap { Self.renamed($0, meanings) }.filter { taken.insert($0.name).inserted }
    var translation = Translation(.keras, candidates: named)
    for item in read.leftOver {
      translation.leaveOut(item.candidate, reason: item.reason, isHarmless: item.isHarmless, kind: item.kind)
    }
    translation.notes = read.notes
    translation.tellsGates = true
    translation.graph = configuration
    if configuration.layers.contains(where: { ($0.kind as? Layer.Convolution)?.kernel.count == 2 }) {
      translation.assumed.add("the first axis of each kernel over two axes is time")
    }
    let names = groups.map { "\($0.name) from \($0.weights.joined(separator: ", "))" }
    translation.assumed.add("which weights are whose, by their order and shapes: \(nameList(names))")
    return translation
  }

  /// A candidate under the name that the description has for it.
  private static func renamed(_ candidate: Candidate, _ meanings: [String: [String]]) -> Candidate? {
    let first = candidate.tensor.name.components(separatedBy: " + ")[0]
    guard let names = meanings[first] else { return nil }
    // One tensor may hold both biases of a GRU.
    let last = candidate.name.split(separator: ".").last ?? ""
    let name = names.count > 1 && (last.hasPrefix("bias_hh") || last == "offset") ? names[1] : names[0]
    return Candidate(name: name, tensor: candidate.tensor, how: candidate.how)
  }

  /// The layers of Keras that the description is.
  private func keras(_ configuration: ModelConfiguration) throws(CheckpointError) -> KerasGraphExport {
    let tensors = configuration.parameters.map { parameter in
      let count = parameter.elementCount
      // What is divided by is not zero.
      let one: [UInt8] = parameter.name.hasSuffix(".scale") ? [0, 0, 0x80, 0x3f] : [0, 0, 0, 0]
      return StoredTensor(name: parameter.name, shape: parameter.shape, dataType: .float32) {
        (0..<4 * count).map { one[$0 % 4] }
      }
    }
    do {
      return try KerasGraphExport(
        StoredModel(configuration, tensors: tensors), to: file, options: WriteOptions(), .legacy,
        adaptsNormalizations: true)
    } catch let error as CheckpointError {
      throw .invalid(.configuration, nil, "\(error.message)")
    } catch {
      throw .invalid(.configuration, nil, "it is no model of Keras': \(error)")
    }
  }

  // MARK: - What the file has

  private var found: [Unit] {
    switch structure.weights {
    case .layers(let groups):
      return groups.flatMap { group -> [Unit] in
        // A group may be a model's; what stands together in it has one path.
        var units: [Unit] = []
        for name in group.weights where shapes[name] != nil && !KerasStructure.isHarmless(name) {
          let path = name.split(separator: "/").dropLast().joined(separator: "/")
          if let last = units.last, last.name == path {
            units[units.count - 1] = Unit(name: path, className: nil, tensors: last.tensors + [name])
          } else {
            units.append(Unit(name: path, className: nil, tensors: [name]))
          }
        }
        return units
      }
    case .objects(let tree):
      var units: [Unit] = []
      collect(tree, &units)
      return units
    }
  }

  private func collect(_ tree: KerasTree, _ units: inout [Unit]) {
    for (key, child) in (tree.container ?? tree).children.sorted(by: { isNaturallyBefore($0.key, $1.key) }) {
      if ["optimizer", "metrics", "_metrics", "_optimizer"].contains(key) { continue }
      if child.container != nil {
        collect(child, &units)
      } else {
        let names = child.inOrder.filter { shapes[$0] != nil }
        if !names.isEmpty { units.append(Unit(name: key, className: KerasTree.stem(key), tensors: names)) }
      }
    }
  }

  /// The first units whose tensors have these shapes; of the class where the file says classes.
  private func place(_ wanted: [[Int]], at start: Int, in units: [Unit]) -> (Range<Int>, [String])? {
    var (names, end): ([String], Int) = ([], start)
    while end < units.count, names.count < wanted.count {
      names += units[end].tensors
      end += 1
    }
    return names.count == wanted.count && names.map { shapes[$0] } == wanted ? (start..<end, names) : nil
  }

  private func place(of wanted: [[Int]], _ className: String, in units: [Unit]) -> (Range<Int>, [String])? {
    for isStrict in [true, false] {
      for start in units.indices where !isStrict || [nil, className].contains(units[start].className) {
        if let found = place(wanted, at: start, in: units) { return found }
      }
    }
    return nil
  }
}
