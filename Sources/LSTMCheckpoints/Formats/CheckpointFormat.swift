import FileIO

/// A kind of file that holds models: a folder beside this file, and a line in `FormatRegistry.standard`.
protocol CheckpointFormat: Sendable {
  var identifier: Checkpoint.Format { get }
  /// What the name of such a file ends in.
  var suffix: String { get }
  /// Its row in the table of formats.
  var documentation: FormatDocumentation? { get }
  /// The program whose ZIP archives these are, for messages.
  var archiveOf: String? { get }
  /// What can be written; nil for a format that is read only.
  var holds: FormatContents? { get }

  func recognizes(_ file: ProbedFile) throws -> Recognition
  func read(_ file: ProbedFile) throws -> Checkpoint
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.refused` when the format cannot hold the model, with the setting that decides.
  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor]
  /// Writes named arrays, a model's or others; a format of whole models alone has no such thing.
  /// - Parameter metadata: texts to keep beside them.
  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor]
  /// The layout in which named arrays are written when none is asked for.
  func usualLayout(of model: StoredModel) -> Layout

  /// What names in a file of another format say about a model, where they are those of this one.
  func structure(of names: [String], layout: Layout?) -> (any ModelStructure)?
}

/// A row of the table of formats, in Markdown.
struct FormatDocumentation: Sendable {
  let title: String
  let read: String
  let write: String

  init(_ title: String, read: String, write: String) { (self.title, self.read, self.write) = (title, read, write) }
}

/// Where and how a model is to be written.
struct WriteTarget {
  let path: String
  let options: WriteOptions
  /// Becomes `provenance.sha256` of the native file.
  let sourceDigest: FileDigest?
}

/// How sure a format is that a file is one of its own; of equals the first in the registry has it.
enum Recognition: Int {
  case no
  /// Worth a try when no format recognizes it.
  case unknown
  case likely
  case certain
}

/// What a format can hold beside the tensors.
struct FormatContents: OptionSet, Sendable {
  let rawValue: Int

  /// Configuration, preprocessing and all.
  static let everything = FormatContents(rawValue: 1)
  /// Masks, and layers that act in training alone.
  static let layers = FormatContents(rawValue: 2)
  /// What the model does to its input and output.
  static let scaling = FormatContents(rawValue: 4)
  /// Names and shapes in a layout that is asked for.
  static let anyLayout = FormatContents(rawValue: 8)
}

extension CheckpointFormat {
  var documentation: FormatDocumentation? { nil }
  var archiveOf: String? { nil }
  var holds: FormatContents? { [] }

  func structure(of names: [String], layout: Layout?) -> (any ModelStructure)? { nil }
  func usualLayout(of model: StoredModel) -> Layout { .pytorch }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try write(
      model.namedTensors(target, usual: usualLayout(of: model)), metadata: model.provenance?.metadata ?? [:],
      to: target.path)
  }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(
      file: path, detail: "\(identifier.rawValue) holds models, and no arrays by themselves")
  }
}
