import LSTMCheckpoints
import LSTMLayers

/// Arrays in an HDF5 or NPZ file: `x` (N, T, I) or tokens (N, T), `y`, and maybe `lengths` (N).
///
/// `y` is (N, O) or (N, T, O) of floating point for regression, or class numbers (N) or (N, T) as integers.
public enum ArrayData {
  /// - Parameter reading: what the model reads; integers become tokens or features by it.
  /// - Throws: `FineTuningError.badData` naming the file, the dataset, its shape and what was expected.
  public static func load(
    _ checkpoint: Checkpoint, reading input: ModelConfiguration.Input, needsTargets: Bool
  ) throws -> SequenceData {
    let file = checkpoint.path ?? "data"
    let x = try tensor("x", checkpoint, file)
    let lengths = try checkpoint["lengths"].map { try $0.integers() }
    let inputs = try self.inputs(x, input, file)
    let count = x.shape[0]
    let steps = x.shape[1]
    var targets = SequenceData.Targets.none
    if let y = checkpoint["y"] {
      guard y.shape.first == count else {
        throw FineTuningError.badData(
          file: file, detail: "y has \(y.shape.first ?? 0) examples and x has \(count)", advice: [])
      }
      targets = try self.targets(y, steps: steps, file)
    } else if needsTargets {
      _ = try tensor("y", checkpoint, file)
    }
    if let lengths, lengths.count != count {
      throw FineTuningError.badData(
        file: file, detail: "lengths has \(lengths.count) entries and x has \(count) examples", advice: [])
    }
    if let wrong = lengths?.first(where: { !(1...steps ~= $0) }) {
      throw FineTuningError.badData(
        file: file, detail: "lengths: expected numbers from 1 to \(steps), the steps of x, found \(wrong)", advice: [])
    }
    return try SequenceData(inputs: inputs, targets: targets, lengths: lengths)
  }

  private static func tensor(_ name: String, _ checkpoint: Checkpoint, _ file: String) throws -> StoredTensor {
    if let found = checkpoint[name] { return found }
    let names = checkpoint.tensors.prefix(6).map(\.name)
    throw FineTuningError.badData(
      file: file,
      detail: "no dataset \"\(name)\""
        + (names.isEmpty ? "; it holds none" : "; it holds " + names.joined(separator: ", ")),
      advice: ["data files hold x (N, T, I), y and, for different lengths, lengths (N)"])
  }

  private static func inputs(
    _ x: StoredTensor, _ input: ModelConfiguration.Input, _ file: String
  ) throws -> SequenceData.Inputs {
    func wrong(_ expected: String) -> FineTuningError {
      .badData(
        file: file, detail: "\(x.name): expected \(expected), found \(shapeText(x.shape)) of \(x.dataType.rawValue)",
        advice: [])
    }
    guard x.shape.allSatisfy({ $0 > 0 }) else { throw wrong("at least one example of one step") }
    switch input {
    case .features(let size):
      // One feature needs no axis of its own.
      let shape = x.shape.count == 2 && size == 1 ? x.shape + [1] : x.shape
      guard shape.count == 3, shape[2] == size else {
        throw wrong("(N, T, \(size)), the model's \(size) feature\(size == 1 ? "" : "s")")
      }
      let values = try x.floats()
      if let place = values.firstIndex(where: { !$0.isFinite }) {
        let (n, t) = (place / (shape[1] * size), place / size % shape[1])
        throw FineTuningError.badData(
          file: file, detail: "\(x.name)[\(n), \(t), \(place % size)] is \(values[place]): expected finite numbers",
          advice: [])
      }
      return .features(values, steps: shape[1], size: size)
    case .tokens(let vocabulary, _):
      let shape = x.shape.count == 3 && x.shape[2] == 1 ? Array(x.shape.prefix(2)) : x.shape
      guard shape.count == 2 else { throw wrong("token numbers (N, T)") }
      let values = try x.integers()
      if let token = values.first(where: { !(0..<vocabulary ~= $0) }) {
        throw FineTuningError.badData(
          file: file, detail: "\(x.name): expected tokens from 0 to \(vocabulary - 1), found \(token)", advice: [])
      }
      return .tokens(values.map(Int32.init), steps: shape[1])
    }
  }

  private static func targets(_ y: StoredTensor, steps: Int, _ file: String) throws -> SequenceData.Targets {
    func wrong(_ expected: String) -> FineTuningError {
      .badData(
        file: file, detail: "y: expected \(expected), found \(shapeText(y.shape)) of \(y.dataType.rawValue)", advice: []
      )
    }
    if y.dataType.isFloatingPoint {
      let values = try y.floats()
      if let value = values.first(where: { !$0.isFinite }) { throw wrong("finite numbers (found \(value))") }
      switch y.shape.count {
      case 1: return .values(values, size: 1, perStep: false)
      case 2 where y.shape[1] > 0: return .values(values, size: y.shape[1], perStep: false)
      case 3 where y.shape[1] == steps && y.shape[2] > 0: return .values(values, size: y.shape[2], perStep: true)
      default: throw wrong("(N, O) or (N, \(steps), O)")
      }
    }
    let classes = try y.integers()
    guard classes.allSatisfy({ $0 >= 0 && $0 < 1 << 24 || $0 == Int(SequenceData.ignored) }) else {
      throw wrong("class numbers from 0 (or \(SequenceData.ignored) for steps that do not count)")
    }
    switch y.shape.count {
    case 1: return .classes(classes.map(Int32.init), perStep: false)
    case 2 where y.shape[1] == 1 && steps != 1: return .classes(classes.map(Int32.init), perStep: false)
    case 2 where y.shape[1] == steps: return .classes(classes.map(Int32.init), perStep: true)
    default: throw wrong("class numbers (N) or (N, \(steps))")
    }
  }
}
