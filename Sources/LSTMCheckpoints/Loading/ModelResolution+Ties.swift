import FileIO
import Foundation

/// Which parameters are one, and which row of the embedding is padding.
///
/// A file that stores two names as one tensor proves a tie. Equal values of an embedding and a dense layer's weight all but
/// prove it, and a row of zeros all but proves a padding row: such things are assumed aloud.
extension ModelResolution {
  /// - Returns: where the file contradicts the configuration.
  /// - Throws: `CheckpointError.invalidOption` when the padding row that is asked for is none of the embedding's.
  mutating func settleTies(
    _ checkpoint: Checkpoint, _ layout: Layout, _ options: LoadOptions
  ) throws(CheckpointError) -> [ResolvedModel.TieConflict] {
    let isNative = checkpoint.format.holdsWholeModel
    var conflicts: [ResolvedModel.TieConflict] = []
    if options.untie {
      untie(checkpoint, layout, isNative: isNative)
    } else {
      conflicts = completeTies()
      for group in sharedPlaces(checkpoint, layout) where tie(group) {
        notes.append("\(sources(of: group)) are one tensor in the file: tied, one parameter from here on")
      }
      if !isNative {
        assumeEqualAreTied(layout)
        findTiedHead(options)
      }
    }
    try settlePadding(options, mayAssume: !isNative && [.pytorch, .onnx].contains(layout))
    return conflicts
  }

  // MARK: - Ties

  /// What a tied parameter is called in the file; what it is called here, where the file reads one tensor twice.
  private func sources(of group: [String]) -> String {
    let names = group.map { mapping[$0]?.tensor.name ?? $0 }
    return (Set(names).count == 1 ? group : names).joined(separator: " and ")
  }

  private mutating func tie(_ group: [String]) -> Bool {
    var changed = configuration
    let fresh = group.filter { name in !configuration.ties.joined().contains(name) }
    guard fresh.count > 1, (try? changed.tie(fresh)) != nil else { return false }
    configuration = changed
    return true
  }

  /// One of a tied group's places is enough; where there are more, they have to agree.
  private mutating func completeTies() -> [ResolvedModel.TieConflict] {
    var conflicts: [ResolvedModel.TieConflict] = []
    for group in configuration.validTies {
      guard let first = group.first(where: { mapping[$0] != nil }), let known = mapping[first] else { continue }
      if first != group[0] { mapping[group[0]] = known }
      for name in group.dropFirst() where name != first {
        guard let other = mapping[name], !areEqual(known.tensor, other.tensor) else { continue }
        conflicts.append(ResolvedModel.TieConflict(place: name, other: known.tensor.name))
      }
    }
    return conflicts
  }

  /// Groups of places whose tensors are one in the file.
  private func sharedPlaces(_ checkpoint: Checkpoint, _ layout: Layout) -> [[String]] {
    var groups: [String: Int] = [:]
    for (number, names) in checkpoint.sharing.enumerated() { for name in names { groups[name] = number } }
    if layout == .onnx {
      // An initializer that is read in two places. Of an LSTM's, each place has a part.
      guard let table = mapping["embedding.weight"] else { return [] }
      return headPlaces.filter { mapping[$0]?.tensor.name == table.tensor.name && isEqualToEmbedding($0) }
        .map { ["embedding.weight", $0] }
    }
    guard layout == .pytorch, !groups.isEmpty else { return [] }
    var places: [Int: [String]] = [:]
    for place in configuration.places {
      guard let candidate = mapping[place.name], candidate.how == nil, candidate.shape == place.shape,
        let group = groups[candidate.tensor.name]
      else { continue }
      places[group, default: []].append(place.name)
    }
    return places.sorted { $0.key < $1.key }.map(\.value).filter { $0.count > 1 }
  }

  private var headPlaces: [String] { configuration.head.indices.map { "head.\($0).weight" } }

  private func isEqualToEmbedding(_ place: String) -> Bool {
    guard let table = mapping["embedding.weight"], let weight = mapping[place] else { return false }
    return table.shape == weight.shape && table.tensor.dataType.isFloatingPoint
      && areEqual(table.tensor, weight.tensor)
  }

  /// Keras' own layers cannot be tied.
  private mutating func assumeEqualAreTied(_ layout: Layout) {
    guard !layout.isKeras else { return }
    for place in headPlaces where isEqualToEmbedding(place) && isVaried("embedding.weight") {
      guard tie(["embedding.weight", place]) else { continue }
      let names = sources(of: ["embedding.weight", place])
      assumed.add("\(names) have equal values: they are tied, one parameter", change: "\(.untie) keeps them apart")
    }
  }

  /// A state_dict that keeps a tied weight once: of the layer that shares it the bias is left.
  private mutating func findTiedHead(_ options: LoadOptions) {
    guard case .tokens(let vocabulary, let size) = configuration.input, let table = mapping["embedding.weight"] else {
      return
    }
    let group = configuration.validTies.first { $0[0] == "embedding.weight" }
    let known = group?.compactMap { name in headPlaces.firstIndex(of: name) }.first
    let place = known ?? 0
    guard mapping["head.\(place).weight"] == nil, mapping["head.\(place).bias"] == nil,
      known.map({ configuration.head[$0].hasBias })
        ?? (configuration.head.isEmpty && size == configuration.readoutSize && options.given == nil)
    else { return }
    let biases = leftOver.indices.filter { index in
      let candidate = leftOver[index].candidate
      return candidate.shape == [vocabulary] && candidate.name.hasSuffix("bias")
        && candidate.tensor.dataType.isFloatingPoint
        && options.globsAllowing(candidate).isEmpty
    }
    guard biases.count == 1 else { return }
    let bias = leftOver.remove(at: biases[0]).candidate
    mapping["head.\(place).bias"] = bias
    let name = String(bias.tensor.name.dropLast(4)) + "weight"
    mapping["head.\(place).weight"] = Candidate(
      name: String(bias.name.dropLast(4)) + "weight", tensor: table.tensor.renamed(name))
    let what: Message =
      "\(name), which the file has not, is tied to \(table.tensor.name): the layer of \(bias.tensor.name)"
    if known != nil { return notes.append(what) }
    configuration.head = [.init(size: vocabulary)]
    guard tie(["embedding.weight", "head.0.weight"]) else { return }
    assumed.add(what, change: "\(.allowedUnexpected, bias.tensor.name) leaves the layer out")
  }

  /// Gives each place of what would be tied a tensor of its own.
  private mutating func untie(_ checkpoint: Checkpoint, _ layout: Layout, isNative: Bool) {
    let given = configuration.validTies
    for group in given {
      guard let known = group.compactMap({ mapping[$0] }).first else { continue }
      for name in group where mapping[name] == nil { mapping[name] = known }
    }
    var apart = given.map { sources(of: $0) } + sharedPlaces(checkpoint, layout).map { sources(of: $0) }
    if apart.isEmpty, !isNative {
      apart = headPlaces.filter(isEqualToEmbedding).map { sources(of: ["embedding.weight", $0]) }
    }
    configuration.ties = []
    notes += apart.map { "\($0) are not tied, as asked: they begin equal and come apart in training" }
    if apart.isEmpty { notes.append("\(.untie) has no effect: nothing is tied") }
  }

  // MARK: - The padding row

  private mutating func settlePadding(_ options: LoadOptions, mayAssume: Bool) throws(CheckpointError) {
    guard case .tokens(let vocabulary, _) = configuration.input else {
      if case .row(let row) = options.padding {
        throw .invalid(.padding, "\(row)", "the model reads features and has no embedding")
      }
      return
    }
    switch options.padding {
    case .absent: configuration.paddingToken = nil
    case .row(let row):
      guard 0..<vocabulary ~= row else {
        throw .invalid(.padding, "\(row)", "expected a row of the embedding, 0 to \(vocabulary - 1), or none")
      }
      configuration.paddingToken = row
    case nil:
      guard mayAssume, configuration.paddingToken == nil, let table = mapping["embedding.weight"],
        let row = zeroRow(of: table.tensor)
      else { return }
      configuration.paddingToken = row
      assumed.add(
        "row \(row) of \(table.tensor.name) is all zero: it stands for padding (padding_idx=\(row)) and is not"
          + " trained", change: "\(.padding, "none")")
    }
  }
}

/// Row 0 when it is zero, else the only row that is; nil when all are.
func zeroRow(of tensor: StoredTensor) -> Int? {
  guard tensor.shape.count == 2, tensor.dataType.isFloatingPoint, tensor.byteCount <= 1 << 32 else { return nil }
  let width = tensor.shape[1] * tensor.dataType.byteCount
  guard width > 0, tensor.shape[0] > 1 else { return nil }
  var (rows, position, isZero) = ([Int](), 0, true)
  do {
    try tensor.forEachPiece { piece in
      var at = 0
      while at < piece.count {
        let end = min(at + width - position % width, piece.count)
        if isZero { isZero = piece[at..<end].allSatisfy { $0 == 0 } }
        position += end - at
        at = end
        guard position % width == 0 else { continue }
        if isZero { rows.append(position / width - 1) }
        isZero = true
        if rows.count > 1, rows[0] != 0 { throw Enough() }
      }
    }
  } catch {
    // A file that cannot be read says so when its tensors are loaded.
    return nil
  }
  return rows.count == tensor.shape[0] ? nil : rows.first
}

/// Reading may stop.
private struct Enough: Error {}

/// Whether two tensors hold the same bytes. Ones that differ do so early: no more than their beginnings are read.
func areEqual(_ one: StoredTensor, _ other: StoredTensor) -> Bool {
  guard one.dataType == other.dataType, one.shape == other.shape, 1...(1 << 32) ~= one.byteCount,
    beginning(of: one) == beginning(of: other), let bytes = try? one.bytes()
  else { return false }
  var at = 0
  let isRead: Void? = try? other.forEachPiece { piece in
    let isSame = bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let found = piece.baseAddress, piece.count <= bytes.count - at else {
        return piece.isEmpty
      }
      return memcmp(base + at, found, piece.count) == 0
    }
    if !isSame { throw Enough() }
    at += piece.count
  }
  return isRead != nil && at == bytes.count
}

/// The first bytes of a tensor; nil when it cannot be read.
private func beginning(of tensor: StoredTensor) -> [UInt8]? {
  var found: [UInt8]?
  do {
    try tensor.forEachPiece { piece in
      found = Array(piece.prefix(4096))
      throw Enough()
    }
  } catch {
    return error is Enough ? found : nil
  }
  return found
}

extension ModelResolution {
  /// Whether a tensor has more than one value: constants are equal without being one.
  private func isVaried(_ place: String) -> Bool {
    guard let tensor = mapping[place]?.tensor, let bytes = try? tensor.bytes() else { return false }
    let width = tensor.dataType.byteCount
    return bytes.dropFirst(width).enumerated().contains { $0.element != bytes[$0.offset % width] }
  }
}

extension Checkpoint {
  /// Tensors under the second names that the source has for them.
  /// - Parameter key: what all names have lost that they began with.
  func secondNames(
    _ tensors: [(key: String, tensor: StoredTensor)], key: String?
  ) -> [(key: String, tensor: StoredTensor)] {
    func dropped(_ name: String) -> String { key.flatMap { name.dropping(module: $0) } ?? name }
    return (provenance?.twins ?? [:]).sorted { isNaturallyBefore($0.key, $1.key) }.compactMap { twin, kept in
      tensors.first { $0.key == dropped(kept) }.map { (dropped(twin), $0.tensor.renamed(dropped(twin))) }
    }
  }

  /// The places of tied parameters that the tensors' names do not have.
  var tiedTensors: [StoredTensor] {
    (configuration?.validTies ?? []).flatMap { group in
      let stored = self[group[0]]
      return group.dropFirst().compactMap { stored?.renamed($0) }
    }
  }
}
