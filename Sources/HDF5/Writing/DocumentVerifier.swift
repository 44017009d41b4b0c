import FileIO

/// Reads a written file back and compares it with the plan.
struct DocumentVerifier {
  let plan: DocumentPlan
  let hashes: [String: ContentHash]
  let file: String
  var part = Part.all

  enum Part {
    case all
    /// The bytes of the datasets.
    case data
    /// Everything except the bytes of the numeric datasets.
    case structure
  }

  func verify(_ temporary: String) throws {
    do {
      let written = try HDF5File(reading: temporary)
      defer { written.close() }
      let root = try written.contents()
      try compare(root)
      var count = 0
      tally(root, &count)
      guard count == plan.items.count else { throw mismatch("/", "its objects") }
    } catch let error as HDF5Error {
      throw HDF5Error(
        error.kind == .limitExceeded ? .limitExceeded : .io, file: file, object: error.object,
        message: "the new file does not read back and was not put in place: \(error.message)",
        libraryStack: error.libraryStack)
    }
  }

  private func mismatch(_ path: String, _ what: String) -> HDF5Error {
    HDF5Error(.io, file: file, object: path, message: "\(what) are not what was written")
  }

  private func tally(_ group: HDF5Group, _ count: inout Int) {
    count += 1 + group.datasets.count
    for group in group.groups { tally(group, &count) }
  }

  /// Objects are looked up in dictionaries: a checkpoint may have thousands in one group.
  private func compare(_ root: HDF5Group) throws {
    var groups: [String: HDF5Group] = [:]
    var datasets: [String: HDF5Dataset] = [:]
    func index(_ group: HDF5Group) {
      groups[group.path] = group
      for dataset in group.datasets { datasets[dataset.path] = dataset }
      for group in group.groups { index(group) }
    }
    index(root)
    for item in plan.items {
      let attributes: [HDF5Attribute]
      switch item.content {
      case .group:
        guard let group = groups[item.path] else { throw mismatch(item.path, "its contents") }
        attributes = group.attributes
      case .strings(let strings):
        guard let dataset = datasets[item.path], try dataset.readStrings() == strings else {
          throw mismatch(item.path, "its strings")
        }
        attributes = dataset.attributes
      case .data(let data):
        guard let dataset = datasets[item.path] else { throw mismatch(item.path, "its contents") }
        try compare(dataset, data)
        attributes = dataset.attributes
      }
      guard
        part == .data
          || attributes.count == item.attributes.count
            && zip(attributes, item.attributes).allSatisfy({ $0.name == $1.name && Self.same($0.value, $1.value) })
      else { throw mismatch(item.path, "its attributes") }
    }
  }

  private func compare(_ dataset: HDF5Dataset, _ data: HDF5Document.Data) throws {
    guard dataset.shape == data.shape, dataset.type == data.type else {
      throw mismatch(dataset.path, "its shape and datatype")
    }
    if part == .structure { return }
    var hash = ContentHash()
    try dataset.forEachRawPiece(swapping: !dataset.type.isString) { hash.update($0) }
    guard hash == hashes[dataset.path] else { throw mismatch(dataset.path, "its bytes") }
  }

  /// Equality in which NaN equals NaN.
  private static func same(_ a: HDF5Value, _ b: HDF5Value) -> Bool {
    if case .floats(let a) = a, case .floats(let b) = b { return a.map(\.bitPattern) == b.map(\.bitPattern) }
    return a == b
  }
}
