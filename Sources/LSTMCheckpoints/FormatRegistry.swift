import FileIO

/// The formats that are known.
struct FormatRegistry: Sendable {
  var formats: [any CheckpointFormat]

  static let standard = FormatRegistry(formats: [
    NativeFormat(),
    PyTorchHDF5Format(),
    PTFormat(),
    SafetensorsFormat(),
    NPZFormat(),
    NPYFormat(),
    KerasH5Format(),
    KerasWeightsFormat(),
    KerasArchiveFormat(),
    ONNXFormat(),
    MLXFormat(),
    RTNeuralFormat(),
  ])

  subscript(identifier: Checkpoint.Format) -> (any CheckpointFormat)? {
    formats.first { $0.identifier == identifier }
  }

  /// - Throws: `CheckpointError.cannotWrite` when the format is not known here.
  func writer(_ format: Checkpoint.Format, _ path: String) throws(CheckpointError) -> any CheckpointFormat {
    guard let known = self[format] else {
      throw .cannotWrite(file: path, detail: "no format is called \(format.rawValue)")
    }
    return known
  }

  /// - Throws: `CheckpointError` naming the file and what it is instead.
  func read(_ file: ProbedFile) throws -> Checkpoint {
    if let foreign = try ForeignFile(file) { throw foreign.error(file: file.path) }
    var (best, owner) = (Recognition.no, (any CheckpointFormat)?.none)
    for format in formats where best != .certain {
      let found = try format.recognizes(file)
      if found.rawValue > best.rawValue { (best, owner) = (found, format) }
    }
    guard let owner else { throw try unknown(file) }
    return try owner.read(file).withoutLongNames().withoutEndlessShapes()
  }

  private func unknown(_ file: ProbedFile) throws -> CheckpointError {
    let names = try file.archive().fileNames
    if let foreign = ForeignFile(archive: names, file: file.path) { return foreign.error(file: file.path) }
    let known = formats.compactMap(\.archiveOf)
    return .unknownFormat(
      file: file.path,
      detail: "is a ZIP archive of neither \(known.dropLast().joined(separator: ", ")) nor \(known.last ?? "another")",
      advice: ["it holds \(nameList(names))"])
  }

  /// What names that are none of a file's own say about its model.
  func structure(of names: [String], layout: Layout?) -> (any ModelStructure)? {
    formats.lazy.compactMap { $0.structure(of: names, layout: layout) }.first
  }
}

extension Checkpoint.Format: RawRepresentable, Codable, CaseIterable {
  /// nil for what is no format.
  public init?(rawValue: String) {
    self.init(rawValue)
    if !Self.allCases.contains(self) { return nil }
  }

  public static var allCases: [Checkpoint.Format] { FormatRegistry.standard.formats.map(\.identifier) }
  /// What `write` can make.
  public static var writable: [Checkpoint.Format] { allCases.filter { $0.contents != nil } }

  /// What the name of such a file ends in.
  public var suffix: String { FormatRegistry.standard[self]?.suffix ?? "" }
  /// Whether tensors can be written in any layout that is asked for.
  public var hasLayouts: Bool { contents?.contains(.anyLayout) ?? false }

  /// Whether such a file is a model with its configuration, preprocessing and provenance, under the project's names.
  public var holdsWholeModel: Bool { contents?.contains(.everything) ?? false }

  var contents: FormatContents? { FormatRegistry.standard[self].flatMap(\.holds) }
}
