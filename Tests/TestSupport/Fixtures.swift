import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers

/// The repository's `fixtures` folder.
public let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("fixtures")

/// A golden file: datasets and root attributes by name.
public struct Golden: Sendable {
  public let name: String
  public let root: HDF5Group

  public init(_ path: String) throws {
    name = path
    root = try HDF5File(reading: fixtures.appendingPathComponent(path).path).contents()
  }

  public func has(_ path: String) -> Bool { root.dataset(at: path) != nil }

  public func tensor(_ path: String) throws -> Tensor {
    let dataset = try require(root.dataset(at: path), path)
    return Tensor(shape: dataset.shape, values: try StoredTensor(dataset).floats())
  }

  public func doubles(_ path: String) throws -> [Double] {
    let dataset = try require(root.dataset(at: path), path)
    guard dataset.type == .float64 else { return try StoredTensor(dataset).floats().map(Double.init) }
    return try dataset.readBytes().withUnsafeBytes { raw in
      (0..<dataset.elementCount).map {
        Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)))
      }
    }
  }

  public func integers(_ path: String) throws -> [Int] {
    try StoredTensor(require(root.dataset(at: path), path)).integers()
  }

  public func integer(_ attribute: String) throws -> Int {
    let value = try require(root.attribute(attribute), attribute)
    if let integer = value.integer { return integer }
    return try require(value.bool.map { $0 ? 1 : 0 }, attribute)
  }

  public func double(_ attribute: String) throws -> Double {
    try require(root.attribute(attribute)?.double, attribute)
  }

  public func text(_ attribute: String) throws -> String {
    try require(root.attribute(attribute)?.string, attribute)
  }

  /// The datasets of a group, by name.
  public func tensors(in group: String) throws -> [String: Tensor] {
    let found = try require(root.group(at: group), group)
    return try Dictionary(
      uniqueKeysWithValues: found.allDatasets().map { dataset in
        (
          String(dataset.path.dropFirst(group.count + 2)),
          Tensor(shape: dataset.shape, values: try StoredTensor(dataset).floats())
        )
      })
  }

  private func require<Value>(_ value: Value?, _ what: String) throws -> Value {
    guard let value else { throw FixtureError(description: "\(name): no \(what)") }
    return value
  }
}

public struct FixtureError: Error, CustomStringConvertible {
  public let description: String
}

extension StoredTensor {
  public init(_ dataset: HDF5Dataset) throws {
    guard let type = DataType(rawValue: "\(dataset.type)") else {
      throw FixtureError(description: "\(dataset.path): \(dataset.type)")
    }
    self.init(name: dataset.path, shape: dataset.shape, dataType: type) { try dataset.readBytes() }
  }
}

/// The files of a fixture folder with an ending, without it.
public func fixtureNames(in folder: String, suffix: String = ".h5") -> [String] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: fixtures.appendingPathComponent(folder).path)) ?? []
  return names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
}

/// max |a - b|; infinite when the shapes differ or something is NaN.
public func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  var largest: Float = 0
  for (x, y) in zip(a, b) where x != y {
    let difference = abs(x - y)
    if difference.isNaN { return .infinity }
    largest = max(largest, difference)
  }
  return largest
}

/// max |a - b| / max |b|
public func relativeDifference(_ a: [Float], _ b: [Float]) -> Float {
  let scale = b.reduce(0) { max($0, abs($1)) }
  let difference = largestDifference(a, b)
  return difference == 0 ? 0 : difference / scale
}

/// A folder that goes away with the value that owns it.
public final class TemporaryFolder: Sendable {
  public let url: URL

  public init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("lstm-ft-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  public func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

extension Golden {
  /// A root attribute that holds JSON.
  public func json<Value: Decodable>(_ attribute: String, as type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(text(attribute).utf8))
  }
}
