import Foundation
import HDF5

/// All that this project reads from a file, as JSON.
private struct Dump: Encodable {
  struct Attribute: Encodable {
    let name: String
    let shape: [Int]
    var texts: [String]?
    var integers: [String]?
    /// The bits of a Double.
    var floats: [String]?
    var bools: [Bool]?
    var unsupported: String?

    init(_ attribute: HDF5Attribute) {
      (name, shape) = (attribute.name, attribute.shape)
      switch attribute.value {
      case .strings(let values): texts = values
      case .integers(let values): integers = values.map(String.init)
      case .unsigned(let values): integers = values.map(String.init)
      case .floats(let values): floats = values.map { String($0.bitPattern, radix: 16) }
      case .bools(let values): bools = values
      case .unsupported(let name): unsupported = name
      }
    }
  }

  struct Dataset: Encodable {
    let path: String
    let shape: [Int]
    let type: String
    let attributes: [Attribute]
    let unreadableAttributes: [String]
    var texts: [String]?
    /// In base 64, little-endian.
    var bytes: String?
    var error: String?

    init(_ dataset: HDF5Dataset) {
      (path, shape, type) = (dataset.path, dataset.shape, dataset.type.description)
      attributes = dataset.attributes.map(Attribute.init)
      unreadableAttributes = dataset.unreadableAttributes.map(\.detail)
      do {
        if dataset.type.isString {
          texts = try dataset.readStrings()
        } else {
          bytes = Data(try dataset.readBytes()).base64EncodedString()
        }
      } catch {
        self.error = "\(error)"
      }
    }
  }

  struct Group: Encodable {
    let path: String
    let aliasOf: String?
    let attributes: [Attribute]
    let unreadableAttributes: [String]
    let members: [String]
    let types: [String]
  }

  let file: String
  var error: String?
  var groups: [Group] = []
  var datasets: [Dataset] = []
  var unreadable: [String: String] = [:]

  init(_ path: String) {
    file = path
    do {
      add(try HDF5File(reading: path).contents())
    } catch {
      self.error = "\(error)"
    }
  }

  private mutating func add(_ group: HDF5Group) {
    groups.append(
      Group(
        path: group.path, aliasOf: group.aliasOf, attributes: group.attributes.map(Attribute.init),
        unreadableAttributes: group.unreadableAttributes.map(\.detail),
        members: group.datasets.map(\.name) + group.groups.map(\.name), types: group.namedTypes))
    datasets += group.datasets.map(Dataset.init)
    for error in group.unreadable { unreadable[error.object ?? ""] = error.detail }
    for group in group.groups { add(group) }
  }
}

extension HDF5Check {
  /// One line of JSON.
  static func dump(_ path: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    guard let data = try? encoder.encode(Dump(path)) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }
}
