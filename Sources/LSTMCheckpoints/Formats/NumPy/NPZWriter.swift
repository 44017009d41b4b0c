import FileIO

/// Writes an `.npz` archive that `numpy.load` reads, uncompressed: one `.npy` entry for each tensor.
enum NPZWriter {
  static func write(_ tensors: [NamedTensor], to path: String) throws -> [WrittenTensor] {
    let dataByteCount = try ContainerFile.byteCount(of: tensors)
    let entries = try tensors.map { item throws(CheckpointError) in
      guard let descr = item.tensor.dataType.npyDescr else {
        throw .refused(
          file: path, detail: "\(item.name) is \(item.tensor.dataType.rawValue), a type that NumPy has not",
          advice: ["write float32, which holds each of its values exactly: \(.dataType, "float32")"])
      }
      return (item, header: NPY.header(descr, item.tensor.shape))
    }
    let byteCount = entries.reduce(dataByteCount) { $0 + 128 + $1.header.count }
    try ContainerFile.write(to: path, byteCount: byteCount) { file in
      var zip = ZipFileWriter(file, archive: path)
      for (item, header) in entries {
        try zip.add(item.name + ".npy", size: header.count + item.tensor.byteCount) {
          try file.write(header)
          try file.write(item.tensor)
        }
      }
      try zip.finish()
    }
    return tensors.map(WrittenTensor.init)
  }
}
