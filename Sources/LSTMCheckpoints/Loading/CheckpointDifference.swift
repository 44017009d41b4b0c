import Foundation

/// How two checkpoints differ: names, shapes, types and values.
///
/// Tensors are matched by their dotted names. A native file is compared with another format under the names that it
/// was imported from, so that a fine-tuned model can be held against the file it came from.
public struct CheckpointDifference: Sendable, Codable, Equatable {
  /// Two shapes under one name.
  public struct Shapes: Sendable, Codable, Equatable {
    /// The tensor's name.
    public let name: String
    /// In the first file.
    public let first: [Int]
    /// In the second file.
    public let second: [Int]
  }

  /// Two element types under one name.
  public struct Types: Sendable, Codable, Equatable {
    /// The tensor's name.
    public let name: String
    /// In the first file.
    public let first: DataType
    /// In the second file.
    public let second: DataType
  }

  /// The largest differences within one tensor.
  public struct Values: Sendable, Codable, Equatable {
    /// The tensor's name.
    public let name: String
    /// The shape of both tensors.
    public let shape: [Int]
    /// Elements that are not the same. NaNs are the same when their bits are, 0 and -0 are not.
    public let differingCount: Int
    /// The largest |first - second| where both are finite.
    public let largest: Double
    /// Where that is, one number per dimension; the first element that differs when `largest` is 0.
    public let index: [Int]
    /// Places where a NaN or an infinity stands on one side only, or NaNs differ.
    public let nonFiniteCount: Int
    /// The largest |first - second| of each gate's quarter of the rows, for the weights and biases of an LSTM.
    public let gates: Gates?
  }

  /// The gates in the order in which they are stored.
  public struct Gates: Sendable, Codable, Equatable {
    /// The largest |first - second| of the gate.
    public let i, f, g, o: Double
  }

  /// Names that the other does not have, in the file's order.
  public let onlyInFirst: [String]
  /// Names that the first does not have, in the second file's order.
  public let onlyInSecond: [String]
  /// Tensors of one name and two shapes; their values are not compared.
  public let shapes: [Shapes]
  /// Tensors of one name and two element types; their values are compared all the same.
  public let dataTypes: [Types]
  /// Tensors of equal shape whose values differ.
  public let values: [Values]
  /// Tensors of equal shape, type and bytes.
  public let identical: [String]
  /// Whether both have a configuration, and the two differ.
  public let configurationDiffers: Bool
  /// Whether both are native files, and their preprocessing differs.
  public let preprocessingDiffers: Bool

  /// Whether nothing differs.
  public var isEqual: Bool {
    onlyInFirst.isEmpty && onlyInSecond.isEmpty && shapes.isEmpty && dataTypes.isEmpty && values.isEmpty
      && !configurationDiffers && !preprocessingDiffers
  }

  /// The largest difference over all tensors.
  public var largest: Double { values.reduce(0) { max($0, $1.largest) } }

  /// Reads both, one tensor at a time. Two layouts meet in the project's names, order of gates and shapes.
  /// - Parameter options: how to read what needs a decision.
  /// - Throws: what reading a tensor's bytes throws.
  public init(_ first: Checkpoint, _ second: Checkpoint, options: LoadOptions = LoadOptions()) throws {
    let (left, right) = try Self.matched(first, second, options)
    let others = Dictionary(right.map { ($0.key, $0.tensor) }) { first, _ in first }
    let names = Set(left.map(\.key))
    onlyInFirst = left.map(\.key).filter { others[$0] == nil }
    onlyInSecond = right.map(\.key).filter { !names.contains($0) }

    var shapes: [Shapes] = []
    var types: [Types] = []
    var values: [Values] = []
    var identical: [String] = []
    for (name, a) in left {
      guard let b = others[name] else { continue }
      if a.dataType != b.dataType { types.append(Types(name: name, first: a.dataType, second: b.dataType)) }
      guard a.shape == b.shape else {
        shapes.append(Shapes(name: name, first: a.shape, second: b.shape))
        continue
      }
      if let difference = try Values(name, a, b) {
        values.append(difference)
      } else if a.dataType == b.dataType {
        identical.append(name)
      }
    }
    self.shapes = shapes
    dataTypes = types
    self.values = values
    self.identical = identical
    configurationDiffers = first.configuration.map { a in second.configuration.map { a != $0 } ?? false } ?? false
    preprocessingDiffers =
      first.format.holdsWholeModel && second.format.holdsWholeModel
      && (first.preprocessing != second.preprocessing
        || first.preprocessingError?.message != second.preprocessingError?.message)
  }
}

extension CheckpointDifference {
  private typealias Keyed = [(key: String, tensor: StoredTensor)]

  private static func matched(
    _ first: Checkpoint, _ second: Checkpoint, _ options: LoadOptions
  ) throws -> (Keyed, Keyed) {
    func keyed(_ tensors: [StoredTensor]) -> Keyed { tensors.map { ($0.name.dotted, $0) } }
    // Where one of them has the state_dict under a key and the other has not, the key is no part of the names.
    let keys = [first, second].map { $0.stateKey ?? ($0.format.holdsWholeModel ? $0.provenance?.stateKey : nil) }
    func asStored(_ checkpoint: Checkpoint, outside: Bool) -> Keyed {
      let list = keyed(
        (checkpoint.tensors + (outside ? checkpoint.tiedTensors : [])).map { tensor in
          let name =
            outside
            ? stateDictName(of: tensor.name, provenance: checkpoint.provenance, configuration: checkpoint.configuration)
            : tensor.name
          let short = keys[0] == keys[1] ? nil : keys.lazy.compactMap { $0.flatMap { name.dropping(module: $0) } }.first
          return tensor.renamed(short ?? name)
        })
      return list
        + (outside ? checkpoint.secondNames(list, key: keys[0] == keys[1] ? nil : checkpoint.provenance?.stateKey) : [])
    }
    // 1. What has the same names is compared under them.
    let isMixed = first.format.holdsWholeModel != second.format.holdsWholeModel
    let left = asStored(first, outside: isMixed && first.format.holdsWholeModel)
    let right = asStored(second, outside: isMixed && second.format.holdsWholeModel)
    func common(_ left: Keyed, _ right: Keyed) -> Int { Set(left.map(\.key)).intersection(right.map(\.key)).count }
    let sameNames = common(left, right)
    if sameNames > 0, sameNames >= min(left.count, right.count) { return (left, right) }

    // 2. What both say in the project's terms, where more of it meets: of two layouts some names may be alike.
    func inProjectTerms(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration?) throws -> Keyed? {
      if checkpoint.format.holdsWholeModel { return keyed(checkpoint.tensors) }
      var options = options
      options.configuration = options.configuration ?? configuration
      let plan: LoadPlan
      do throws(CheckpointError) {
        plan = try LoadPlan(checkpoint, options: options)
      } catch {
        if error.category == .inputOutput { throw error }
        return nil
      }
      guard !plan.tensors.isEmpty else { return nil }
      return keyed(plan.configuration.parameters.compactMap { plan.tensors[$0.name] })
    }
    guard let one = try inProjectTerms(first, second.configuration),
      let other = try inProjectTerms(second, first.configuration)
    else { return (left, right) }
    return sameNames == 0 || common(one, other) > sameNames ? (one, other) : (left, right)
  }
}

extension CheckpointDifference.Values {
  /// nil when nothing differs.
  init?(_ name: String, _ a: StoredTensor, _ b: StoredTensor) throws {
    let (first, second) = (try a.bytes(), try b.bytes())
    let isSameType = a.dataType == b.dataType
    if isSameType, first.count == second.count, first.isEmpty || memcmp(first, second, first.count) == 0 { return nil }

    var (differing, nonFinite, largest, place) = (0, 0, 0.0, 0)
    var gates = [0.0, 0.0, 0.0, 0.0]
    let count = a.elementCount
    let width = a.dataType.byteCount
    first.withUnsafeBytes { first in
      second.withUnsafeBytes { second in
        for index in 0..<count {
          let x = ElementConversion.double(first, a.dataType, at: index)
          let y = ElementConversion.double(second, b.dataType, at: index)
          let isSame =
            isSameType
            ? (0..<width).allSatisfy { first[index * width + $0] == second[index * width + $0] }
            : x == y || x.isNaN && y.isNaN
          if isSame { continue }
          differing += 1
          if differing == 1 { place = index }
          let distance = abs(x - y)
          guard x.isFinite, y.isFinite, distance.isFinite else {
            nonFinite += 1
            continue
          }
          if distance > largest { (largest, place) = (distance, index) }
          let gate = index / max(count / 4, 1)
          if gate < 4 { gates[gate] = max(gates[gate], distance) }
        }
      }
    }
    guard differing > 0 else { return nil }
    self.name = name
    shape = a.shape
    differingCount = differing
    self.largest = largest
    nonFiniteCount = nonFinite
    index = unravelled(place, a.shape)
    self.gates =
      Self.hasGates(name, a.shape)
      ? CheckpointDifference.Gates(i: gates[0], f: gates[1], g: gates[2], o: gates[3]) : nil
  }

  private static func hasGates(_ name: String, _ shape: [Int]) -> Bool {
    guard let kind = PyTorchName(name)?.kind, let rows = shape.first, rows % 4 == 0 else { return false }
    return kind != .projection && kind != .peephole
  }
}
