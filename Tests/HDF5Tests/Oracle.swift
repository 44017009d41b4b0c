import CHDF5
import Foundation

@testable import HDF5

/// What libhdf5 reads from a file, by hard links only, for comparison.
struct Oracle {
  struct Attribute: Equatable {
    let name: String
    let shape: [Int]
    /// Texts, or numbers as libhdf5 converts them to Double; nil for other types.
    var texts: [String]?
    var numbers: [Double]?
  }

  struct Dataset {
    let shape: [Int]
    let attributes: [Attribute]
    /// In the file's byte order; nil for types without bytes of their own.
    var bytes: [UInt8]?
    var texts: [String]?
    let isBigEndian: Bool
  }

  private(set) var datasets: [String: Dataset] = [:]
  private(set) var groups: [String: [Attribute]] = [:]
  /// Members of each group, in order.
  private(set) var members: [String: [String]] = [:]
  private var visited: Set<UInt64> = []

  /// nil if libhdf5 does not open it.
  init?(_ path: String) {
    let file = H5Fopen(path, chdf5_open_read_only(), chdf5_default())
    guard file >= 0 else { return nil }
    defer { H5Fclose(file) }
    let root = H5Oopen(file, "/", chdf5_default())
    guard root >= 0 else { return nil }
    defer { H5Oclose(root) }
    walk(root, "/")
  }

  private final class Names {
    var all: [(name: String, isHard: Bool)] = []
  }

  private mutating func walk(_ group: hid_t, _ path: String) {
    var info = chdf5_object()
    guard chdf5_object_info(group, &info) >= 0, visited.insert(info.key.0).inserted else { return }
    let properties = H5Gget_create_plist(group)
    defer { H5Pclose(properties) }
    groups[path] = attributes(group, properties)
    var flags: UInt32 = 0
    let isByCreation =
      H5Pget_link_creation_order(properties, &flags) >= 0 && flags & UInt32(H5P_CRT_ORDER_TRACKED) != 0
    let names = Names()
    _ = chdf5_iterate_links(
      group, isByCreation ? 1 : 0,
      { name, type, context in
        guard let name, let context else { return -1 }
        Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().all.append((String(cString: name), type == 0))
        return 0
      }, Unmanaged.passUnretained(names).toOpaque())
    for (name, isHard) in names.all where isHard {
      let place = path == "/" ? "/" + name : path + "/" + name
      let object = H5Oopen(group, name, chdf5_default())
      guard object >= 0 else { continue }
      defer { H5Oclose(object) }
      guard chdf5_object_info(object, &info) >= 0 else { continue }
      switch info.type {
      case H5O_TYPE_GROUP: walk(object, place)
      case H5O_TYPE_DATASET:
        if let dataset = dataset(object) { datasets[place] = dataset }
      default: continue
      }
      members[path, default: []].append(place)
    }
  }

  private func shape(_ space: hid_t) -> [Int] {
    switch H5Sget_simple_extent_type(space) {
    case H5S_NULL: return [0]
    case H5S_SIMPLE: break
    default: return []
    }
    var extents = [hsize_t](repeating: 0, count: max(0, Int(H5Sget_simple_extent_ndims(space))))
    H5Sget_simple_extent_dims(space, &extents, nil)
    return extents.map { Int($0) }
  }

  private func dataset(_ id: hid_t) -> Dataset? {
    let properties = H5Dget_create_plist(id)
    defer { H5Pclose(properties) }
    // These open other files.
    guard H5Pget_layout(properties) != H5D_VIRTUAL, H5Pget_external_count(properties) == 0 else { return nil }
    let (space, type) = (H5Dget_space(id), H5Dget_type(id))
    defer {
      H5Sclose(space)
      H5Tclose(type)
    }
    var result = Dataset(
      shape: shape(space), attributes: attributes(id, properties), isBigEndian: H5Tget_order(type) == H5T_ORDER_BE)
    let count = result.shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
    let width = H5Tget_size(type)
    guard count >= 0, width > 0, count < 1 << 24 else { return nil }
    if H5Tis_variable_str(type) > 0 {
      result.texts = texts(type, space, count) { H5Dread(id, type, chdf5_all(), chdf5_all(), chdf5_default(), $0) }
    } else if [H5T_INTEGER, H5T_FLOAT, H5T_STRING, H5T_OPAQUE, H5T_ENUM].contains(H5Tget_class(type)) {
      var bytes = [UInt8](repeating: 0, count: count * width)
      if bytes.isEmpty || H5Dread(id, type, chdf5_all(), chdf5_all(), chdf5_default(), &bytes) >= 0 {
        result.bytes = bytes
      }
    }
    return result
  }

  private func texts(
    _ type: hid_t, _ space: hid_t, _ count: Int, _ read: (UnsafeMutableRawPointer) -> herr_t
  ) -> [String]? {
    guard count > 0 else { return [] }
    var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
    defer { _ = chdf5_reclaim(type, space, &pointers) }
    guard pointers.withUnsafeMutableBytes({ $0.baseAddress.map(read) ?? -1 }) >= 0 else { return nil }
    return pointers.map { $0.map { String(cString: $0) } ?? "" }
  }

  private func attributes(_ id: hid_t, _ properties: hid_t) -> [Attribute] {
    var flags: UInt32 = 0
    let isByCreation =
      H5Pget_attr_creation_order(properties, &flags) >= 0 && flags & UInt32(H5P_CRT_ORDER_TRACKED) != 0
    let names = Names()
    var position: hsize_t = 0
    H5Aiterate2(
      id, isByCreation ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, &position,
      { _, name, _, context in
        guard let name, let context else { return -1 }
        Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().all.append((String(cString: name), true))
        return 0
      }, Unmanaged.passUnretained(names).toOpaque())
    return names.all.compactMap { attribute(id, $0.name) }
  }

  private func attribute(_ owner: hid_t, _ name: String) -> Attribute? {
    let id = H5Aopen(owner, name, chdf5_default())
    guard id >= 0 else { return nil }
    let (space, type) = (H5Aget_space(id), H5Aget_type(id))
    defer {
      H5Sclose(space)
      H5Tclose(type)
      H5Aclose(id)
    }
    var result = Attribute(name: name, shape: shape(space))
    let count = result.shape.reduce(1, *)
    switch H5Tget_class(type) {
    case H5T_STRING where H5Tis_variable_str(type) > 0:
      result.texts = texts(type, space, count) { H5Aread(id, type, $0) }
    case H5T_INTEGER, H5T_FLOAT:
      guard H5Tget_size(type) > 1 || H5Tget_class(type) == H5T_INTEGER else { break }
      var values = [Double](repeating: 0, count: count)
      if values.isEmpty || H5Aread(id, chdf5_type_f64(), &values) >= 0 { result.numbers = values }
    default: break
    }
    return result
  }
}
