import FileIO

extension HDF5Document {
  /// Writes the file atomically: after a crash, a kill or a full disk, either the complete old file or the complete new
  /// one exists. The new file is read back and compared before it replaces the old one. Equal documents give equal files.
  /// - Throws: ``HDF5Error``: `invalid` for a document that cannot be written, `cannotCreate` for a path at which
  ///   no file can be created, `io` for a failing device; and what a dataset's provider throws.
  public func write(to path: String) throws {
    try write(to: path, faults: .none)
  }

  /// - Parameter imageLimit: the most bytes of data for which the file is laid out in memory.
  package func write(to path: String, imageLimit: Int = 16 << 20, faults: Faults = .none) throws {
    do {
      try replaceFile(at: path, imageLimit: imageLimit, faults: faults)
    } catch let error as FileError where error.file == path {
      let isCreating = if case .cannotCreate = error { true } else { false }
      throw HDF5Error(isCreating ? .cannotCreate : .io, file: path, message: error.detail)
    }
  }

  #if HDF5Writing
    private func replaceFile(at path: String, imageLimit: Int, faults: Faults) throws {
      var plan = try DocumentPlan(self, file: path)
      let file = try AtomicFile(path, faults: faults)
      let inMemory = plan.byteCount <= imageLimit
      // A file laid out in memory is written at once: waiting would save no time.
      if inMemory, let lateText { plan.replace(lateText.placeholder, with: try lateText.value()) }
      var hashes: [String: ContentHash] = [:]
      try file.replace { descriptor, temporary in
        let writer = DocumentWriter(plan: plan, file: path, inMemory: inMemory, faults: faults)
        let written = try writer.write(descriptor, temporary)
        hashes = written.hashes
        if !inMemory, let lateText {
          // The data is verified while the text is still being computed.
          try DocumentVerifier(plan: plan, hashes: hashes, file: path, part: .data).verify(temporary)
          let text = try lateText.value()
          try writer.replace(lateText.placeholder, with: text, descriptor, apartFrom: written.data)
          plan.replace(lateText.placeholder, with: text)
        }
        if let lastText {
          // Under their names as they were given.
          let named = hashes.map { (String($0.key.drop { $0 == "/" }), $0.value.value) }
          let text = try lastText.value(Dictionary(named, uniquingKeysWith: { $1 }))
          try writer.replace(lastText.placeholder, with: text, descriptor, apartFrom: written.data)
          plan.replace(lastText.placeholder, with: text)
        }
      } verify: { temporary in
        let isRead = !inMemory && lateText != nil
        try DocumentVerifier(plan: plan, hashes: hashes, file: path, part: isRead ? .structure : .all).verify(temporary)
      }
    }
  #else
    private func replaceFile(at path: String, imageLimit: Int, faults: Faults) throws {
      throw HDF5Error(
        .cannotCreate, file: path,
        message: "this build only reads HDF5; a build with the package trait HDF5Writing also writes it")
    }
  #endif
}
