import FileIO
import Foundation
import HDF5

extension Checkpoint.Format {
  /// The project's own: an ordinary HDF5 file with PyTorch's names and JSON attributes.
  public static let native = Checkpoint.Format("lstm-ft")
}

struct NativeFormat: CheckpointFormat {
  static let versionAttribute = "lstm_ft_version"
  /// The attributes that are texts, in the order in which their checksum takes them.
  private static let texts = ["configuration", "preprocessing", "provenance"]

  let identifier = Checkpoint.Format.native
  let suffix = ".h5"
  let documentation: FormatDocumentation? = .init(
    "native (`model.h5`)",
    read: "yes",
    write: "HDF5 datasets under PyTorch's names; configuration, preprocessing and provenance as JSON attributes")
  let holds: FormatContents? = .everything

  func recognizes(_ file: ProbedFile) throws -> Recognition {
    try file.isHDF5() ? try file.hdf5().root.attribute(Self.versionAttribute) == nil ? .no : .certain : .no
  }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    let contents = try file.hdf5()
    try contents.requireWhole()
    var checkpoint = contents.checkpoint(identifier, path: file.path)
    if let text = try contents.root.text(NativeChecksums.attribute, file.path) {
      let checksums = try NativeChecksums(text, file: file.path)
      var texts: [String?] = []
      for name in Self.texts { texts.append(try contents.root.text(name, file.path)) }
      try checksums.verify(texts)
      checkpoint.tensors = try checksums.verified(checkpoint.tensors)
      checkpoint.hasChecksums = true
    }
    // Training state is for exact resume; it is no part of the model.
    checkpoint.extras = checkpoint.tensors.filter { $0.name.hasPrefix("training/") }
    checkpoint.tensors.removeAll { $0.name.hasPrefix("training/") }
    try checkpoint.readNativeAttributes(contents.root)
    return checkpoint
  }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    var document = HDF5Document()
    var provenance = model.provenance
    if let sourceDigest = target.sourceDigest {
      // Nobody can have put these digits into another attribute.
      let placeholder = (0..<4).map { _ in
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
      }.joined()
      provenance?.sha256 = placeholder
      if provenance != nil { document.complete(placeholder) { try sourceDigest.value() } }
    }
    document.setAttribute(Self.versionAttribute, .integers([1]))
    let texts = [
      try json(model.configuration), model.preprocessing.isEmpty ? nil : try json(model.preprocessing),
      try provenance.map { try json($0) },
    ]
    for (name, text) in zip(Self.texts, texts) {
      if let text { document.setAttribute(name, .strings([text])) }
    }
    let typed = model.tensors.map { tensor in target.options.dataType.map { tensor.converted(to: $0) } ?? tensor }
    for tensor in typed { document.add(tensor, at: tensor.name) }
    for tensor in model.extras { document.add(tensor, at: tensor.name) }
    let placeholder = provenance?.sha256
    try document.addChecksums(of: (typed + model.extras).map(\.name)) {
      guard let digest = target.sourceDigest, let placeholder else { return texts }
      let value = try digest.value()
      return texts.map { $0?.replacing(placeholder, with: value) }
    }
    try document.write(to: target.path)
    return typed.map { WrittenTensor(source: $0.name, target: $0.name, shape: $0.shape, dataType: $0.dataType) }
  }
}

extension HDF5Document {
  /// - Parameters:
  ///   - names: of the tensors.
  ///   - texts: the attributes as they are in the end.
  fileprivate mutating func addChecksums(
    of names: [String], _ texts: @escaping @Sendable () throws -> [String?]
  ) throws {
    // Nobody can have put these digits into another attribute.
    func any() -> UInt64 { UInt64.random(in: .min ... .max) }
    let placeholder = try NativeChecksums(
      attributes: any(), tensors: Dictionary(names.map { ($0, any()) }, uniquingKeysWith: { $1 })
    ).text()
    setAttribute(NativeChecksums.attribute, .strings([placeholder]))
    completeLast(placeholder) { hashes in
      try NativeChecksums(attributes: NativeChecksums.hash(texts()), tensors: hashes).text()
    }
  }
}

extension Checkpoint {
  fileprivate mutating func readNativeAttributes(_ root: HDF5Group) throws {
    let file = path
    guard let version = root.attribute(NativeFormat.versionAttribute)?.integer, version >= 1 else {
      throw CheckpointError.unknownFormat(
        file: file, detail: "its \(NativeFormat.versionAttribute) attribute is not a version number")
    }
    guard version == 1 else {
      throw CheckpointError.unknownFormat(
        file: file, detail: "written by a newer lstm-ft (file version \(version); this one reads 1)",
        advice: ["update lstm-ft"])
    }
    if let json = try root.text("configuration", file) {
      configuration = try ModelConfiguration(json: Data(json.utf8), file: file)
    }
    if let json = try root.text("preprocessing", file) {
      do {
        preprocessing = try JSONDecoder().decode(Preprocessing.self, from: Data(json.utf8))
      } catch {
        preprocessingError = .badPreprocessing(file: file, detail: Message(describe(error)))
      }
    }
    if let json = try root.text("provenance", file) {
      do {
        provenance = try JSONDecoder().decode(Provenance.self, from: Data(json.utf8))
      } catch {
        throw CheckpointError.unknownFormat(
          file: file, detail: "its provenance attribute is not what lstm-ft writes: \(describe(error))")
      }
    }
  }
}
