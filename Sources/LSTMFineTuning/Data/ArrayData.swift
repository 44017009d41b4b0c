import FileIO
import LSTMCheckpoints

/// Arrays in an HDF5 or NPZ file: `x` (N, T, I) or tokens (N, T), `y`, and maybe `lengths` (N).
///
/// `y` is (N, O) or (N, T, O) of floating point for regression, or class numbers (N) or (N, T) as integers. Steps
/// beyond a sequence's length may hold anything: they are not looked at.
///
/// For CTC `y` is labels in order, (N, S) of any S, each sequence filled up with negative numbers, or with anything where
/// `y_lengths` (N) says how many are its own; with that they may also lie one sequence after the other, as for
/// `torch.nn.CTCLoss`.
public enum ArrayData {
  /// - Parameters:
  ///   - input: what the model reads; integers become tokens or features by it.
  ///   - needsTargets: false leaves `y` unread.
  ///   - labels: whether `y` is labels in order, which it also is where there is `y_lengths`.
  /// - Throws: `FineTuningError.badData` naming the file, the dataset, its shape and what was expected.
  public static func load(
    _ checkpoint: Checkpoint, reading input: ModelConfiguration.Input.Content, needsTargets: Bool, labels: Bool = false
  ) throws -> SequenceData {
    let file = checkpoint.path
    try checkpoint.requireReadable(
      needsTargets ? ["x", "lengths", "y", "y_lengths", "target_lengths"] : ["x", "lengths"])
    do {
      let x = Dataset(try tensor("x", checkpoint, file), file)
      let grid = try Grid(x, input, lengths: checkpoint["lengths"].map { Dataset($0, file) })
      let inputs = try self.inputs(x, input, grid)
      let targets: SequenceData.Targets
      if needsTargets {
        let y = Dataset(try tensor("y", checkpoint, file), file)
        let lengths = (checkpoint["y_lengths"] ?? checkpoint["target_lengths"]).map { Dataset($0, file) }
        targets =
          labels || lengths != nil
          ? try Labels(y, lengths: lengths, count: grid.count).targets : try self.targets(y, grid)
      } else {
        targets = .none
      }
      return try SequenceData(inputs: inputs, targets: targets, lengths: grid.lengths)
    } catch CheckpointError.notIntegers(let tensor, let found) {
      throw FineTuningError.badData(
        file: file, detail: "\(tensor): expected whole numbers, found \(found)", advice: [])
    }
  }

  private static func tensor(_ name: String, _ checkpoint: Checkpoint, _ file: String) throws -> StoredTensor {
    if let found = checkpoint[name] { return found }
    let names = checkpoint.tensors.prefix(6).map(\.name)
    throw FineTuningError.badData(
      file: file,
      detail: "no dataset \"\(name)\"; it holds \(names.isEmpty ? "none" : names.joined(separator: ", "))",
      advice: ["data files hold x (N, T, I), y and, for different lengths, lengths (N)"])
  }

  /// A stored tensor, and the errors about it.
  struct Dataset {
    let tensor: StoredTensor
    let file: String
    var shape: [Int] { tensor.shape }

    init(_ tensor: StoredTensor, _ file: String) {
      self.tensor = tensor
      self.file = file
    }

    func expected(_ what: Message, found: Message? = nil, advice: [Message] = []) -> FineTuningError {
      .badData(
        file: file,
        detail:
          "\(tensor.name): expected \(what), found \(found ?? "\(shapeText(shape)) of \(tensor.dataType.rawValue)")",
        advice: advice)
    }

    /// Names an element by its place in C order.
    func expected(_ what: String, at place: Int, found: String) -> FineTuningError {
      var indices: [Int] = []
      var rest = place
      for dimension in shape.reversed() {
        indices.insert(rest % dimension, at: 0)
        rest /= dimension
      }
      let text = indices.map(String.init).joined(separator: ", ")
      return .badData(file: file, detail: "\(tensor.name)[\(text)]: expected \(what), found \(found)", advice: [])
    }

    /// The values, of which those of valid steps are finite.
    func finiteFloats(_ grid: Grid, width: Int, perStep: Bool) throws -> [Float] {
      let values = try tensor.floats()
      if let place = values.indices.first(where: {
        !values[$0].isFinite && (!perStep || grid.isValid(step: $0 / width))
      }) {
        throw expected("a finite number", at: place, found: "\(values[place])")
      }
      return values
    }
  }

  /// The sequences: how many, how many steps, and which of those are valid.
  struct Grid {
    let count: Int
    let steps: Int
    let lengths: [Int]?

    /// Sequences of one length.
    init(count: Int, steps: Int) { (self.count, self.steps, lengths) = (count, steps, nil) }

    /// - Parameter isPerSequence: whether there is one row a sequence, (N, size).
    init(
      _ x: Dataset, _ input: ModelConfiguration.Input.Content, lengths: Dataset?, isPerSequence: Bool = false
    ) throws {
      guard x.shape.allSatisfy({ $0 > 0 }) else { throw x.expected("at least one example of one step") }
      if isPerSequence {
        let (width, isToken) = if case .features(let size) = input { (size, false) } else { (1, true) }
        let rest = x.shape.dropFirst()
        guard rest == [width] || rest == [1, width] || rest.isEmpty && width == 1 else {
          throw x.expected(isToken ? "one token a sequence, (N)" : "one row a sequence, (N, \(width))")
        }
        guard lengths == nil else { throw x.expected("no lengths, where each sequence has one row") }
        (count, steps, self.lengths) = (x.shape[0], 1, nil)
        return
      }
      switch input {
      case .features(let size):
        // One feature needs no axis of its own.
        guard x.shape.count == 3 && x.shape[2] == size || x.shape.count == 2 && size == 1 else {
          throw x.expected("(N, T, \(size)), the model's \(size) feature\(size == 1 ? "" : "s")")
        }
      case .tokens:
        guard x.shape.count == 2 || x.shape.count == 3 && x.shape[2] == 1 else {
          throw x.expected("token numbers (N, T)")
        }
      }
      let steps = x.shape[1]
      (count, self.steps) = (x.shape[0], steps)
      guard let lengths else {
        self.lengths = nil
        return
      }
      guard lengths.shape == [count] else {
        throw lengths.expected("\(shapeText([count])), one number for each sequence of x")
      }
      let values = try lengths.tensor.integers()
      if let place = values.firstIndex(where: { $0 < 1 || $0 > steps }) {
        throw lengths.expected("a number from 1 to \(steps), the steps of x", at: place, found: "\(values[place])")
      }
      self.lengths = values
    }

    /// - Parameter step: its place among all (N, T).
    func isValid(step: Int) -> Bool {
      guard let lengths else { return true }
      return step % steps < lengths[step / steps]
    }
  }

  static func inputs(
    _ x: Dataset, _ input: ModelConfiguration.Input.Content, _ grid: Grid
  ) throws -> SequenceData.Inputs {
    switch input {
    case .features(let size):
      return .features(try x.finiteFloats(grid, width: size, perStep: true), steps: grid.steps, size: size)
    case .tokens(let vocabulary):
      let tokens = try x.tensor.integers().enumerated().map { place, token in
        guard grid.isValid(step: place) else { return Int32(0) }
        guard 0..<vocabulary ~= token else {
          throw x.expected("a token from 0 to \(vocabulary - 1)", at: place, found: "\(token)")
        }
        return Int32(token)
      }
      return .tokens(tokens, steps: grid.steps)
    }
  }

  static func targets(_ y: Dataset, _ grid: Grid, of x: String = "x") throws -> SequenceData.Targets {
    guard y.shape.first == grid.count else {
      throw y.expected("\(grid.count) examples, as many as \(x) has", found: "\(y.shape.first ?? 0)")
    }
    if y.tensor.dataType.isFloatingPoint {
      let (size, perStep): (Int, Bool)
      switch y.shape.count {
      case 1: (size, perStep) = (1, false)
      case 2 where y.shape[1] > 0: (size, perStep) = (y.shape[1], false)
      case 3 where y.shape[1] == grid.steps && y.shape[2] > 0: (size, perStep) = (y.shape[2], true)
      default: throw y.expected("(\(grid.count), O) or (\(grid.count), \(grid.steps), O)")
      }
      return .values(try y.finiteFloats(grid, width: size, perStep: perStep), size: size, perStep: perStep)
    }
    let perStep: Bool
    switch y.shape.count {
    case 1: perStep = false
    case 2 where y.shape[1] == grid.steps: perStep = true
    case 2 where y.shape[1] == 1: perStep = false
    default:
      throw y.expected(
        "class numbers \(shapeText([grid.count])) or (\(grid.count), \(grid.steps))",
        advice: [
          "integers are classes; save y as floating point to predict real values",
          "labels in order, not one for each step, are for \(.loss, "ctc")",
        ])
    }
    let classes = try y.tensor.integers().enumerated().map { place, number in
      if perStep && !grid.isValid(step: place) { return SequenceData.ignored }
      guard 0..<(1 << 24) ~= number || number == Int(SequenceData.ignored) else {
        throw y.expected(
          "a class number from 0, or \(SequenceData.ignored) for what does not count", at: place, found: "\(number)")
      }
      return Int32(number)
    }
    return .classes(classes, perStep: perStep)
  }
}
