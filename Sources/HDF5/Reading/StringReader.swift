/// Reads text of variable length, within a limit on memory: many elements may refer to the same megabyte of the file.
struct StringReader {
  let dataset: HDF5Dataset
  let open: OpenFile

  func readVariable() throws(HDF5Error) -> [String] {
    let raw = try DatasetReader(dataset: dataset, open: open).readAll()
    let file = open.metadata()
    return try dataset.call.naming { () throws(Damage) in
      var references = Cursor(raw, file.widths, "its strings")
      let texts = try GlobalHeap(file).texts(
        &references, count: dataset.elementCount, limit: dataset.file.limits.stringBytes, "its strings")
      return try texts.enumerated().map { index, text throws(Damage) in
        guard let text else { throw Damage("its string \(index) is not UTF-8") }
        return text
      }
    }
  }
}
