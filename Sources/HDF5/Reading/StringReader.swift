import CHDF5
import Foundation

/// Reads variable-length strings, which libhdf5 looks up in the file's heaps, within a limit on memory.
struct StringReader {
  let dataset: HDF5Dataset

  private var call: Call { dataset.call }

  /// Limited memory for libhdf5's strings: many elements may refer to the same megabyte of the file.
  private final class Arena {
    var room: Int
    var isExhausted = false
    var blocks: [UnsafeMutableRawPointer] = []
    init(room: Int) { self.room = room }

    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
      guard size <= room, let block = malloc(max(size, 1)) else {
        isExhausted = true
        return nil
      }
      room -= size
      blocks.append(block)
      return block
    }

    deinit { for block in blocks { free(block) } }
  }

  /// `H5Dread` with `H5Pset_vlen_mem_manager`.
  func readVariable() throws(HDF5Error) -> [String] {
    try dataset.file.withOpenFile { open throws(HDF5Error) in
      let reader = DatasetReader(dataset: dataset, open: open)
      // libhdf5 inflates chunks without a limit, so they are checked here first.
      if case .chunked(_, let filters) = dataset.storage, !filters.isEmpty { _ = try reader.readAll() }
      guard dataset.elementCount > 0 else { return [] }
      let handle = try reader.openDataset()
      return try Library.locked { () throws(HDF5Error) in try read(handle.id) }
    }
  }

  private func read(_ id: hid_t) throws(HDF5Error) -> [String] {
    let failed = "its strings cannot be read"
    let type = try call.handle(DatatypeKind.self, H5Dget_type(id), failed)
    let space = try call.handle(DataspaceKind.self, H5Dget_space(id), failed)
    guard H5Tis_variable_str(type.id) > 0, H5Sget_simple_extent_npoints(space.id) == dataset.elementCount else {
      throw call.error(.corrupt, "it has changed since it was listed")
    }
    let transfer = try call.handle(PropertyListKind.self, H5Pcreate(chdf5_class_dataset_transfer()), failed, .io)
    let arena = Arena(room: dataset.file.limits.stringBytes)
    defer { withExtendedLifetime(arena) {} }
    try call.check(
      H5Pset_vlen_mem_manager(
        transfer.id,
        { size, context in
          guard let context else { return nil }
          return Unmanaged<Arena>.fromOpaque(context).takeUnretainedValue().allocate(size)
        }, Unmanaged.passUnretained(arena).toOpaque(),
        { _, _ in }, Unmanaged.passUnretained(arena).toOpaque()),
      failed, .io)
    var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: dataset.elementCount)
    let result = H5Dread(id, type.id, chdf5_all(), chdf5_all(), transfer.id, &pointers)
    if arena.isExhausted {
      throw call.error(.limitExceeded, "its strings take more than \(dataset.file.limits.stringBytes) bytes")
    }
    try call.check(result, failed)
    return try call.texts(pointers) { "its string \($0) is not UTF-8" }
  }
}
