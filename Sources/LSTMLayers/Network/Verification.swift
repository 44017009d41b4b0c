import FileIO
import LSTMCheckpoints

/// A comparison of a model's outputs with those that another framework computed for the same input.
///
/// A reference is a file of named arrays (HDF5, .npz or safetensors):
///
/// A model with several inputs reads arrays with their names, or x_NAME; the first one may be x. Its outputs are y_NAME, or
/// have their own names; the first one may be y.
///
///     x         (N, T, I) features, or (N, T) tokens
///     y         the model's output: (N, T, O), or (N, O)
///     h, c      the final states, (L * D, N, S) and (L * D, N, H) as in PyTorch; if layers differ in size, h_l0,
///               h_l0_reverse, h_l1, ... (N, S), and c_l0, ... (N, H)
///     lengths   (N) valid steps, optional
///     h0, c0    the initial states, in the same forms as h and c; optional, zero if missing
///
/// At least one of y, h and c must be there. Where the source's own layers scaled its first input or its output, x and y
/// are those outside of them, as the source has them.
public struct Verification: Sendable, Encodable, Equatable {
  /// The difference of one array from the reference.
  public struct Part: Sendable, Encodable, Equatable {
    /// `y`, `h`, `c_l0`, ...
    public let name: String
    /// Its shape.
    public let shape: [Int]
    /// max |ours - theirs|
    public let largest: Double
    /// max |ours - theirs| / max(1, |theirs|), compared with the tolerance; infinite if only one of them is NaN.
    public let relative: Double
    /// The index of the largest relative difference.
    public let index: [Int]
    /// The reference's value at that index.
    public let expected: Float
    /// The model's value at that index.
    public let found: Float
  }

  /// One for each array of the reference.
  public let parts: [Part]
  /// The largest relative difference that is accepted.
  public let tolerance: Double

  /// Whether every part is within the tolerance.
  public var agrees: Bool { parts.allSatisfy { $0.relative <= tolerance } }

  /// Runs the model on the reference's input.
  /// - Parameter tolerance: the largest relative difference that is accepted.
  /// - Throws: `VerificationError` when an array is missing or a shape differs; errors of reading the reference.
  public init(_ model: LSTMModel, against reference: Checkpoint, tolerance: Double = 2e-6) throws {
    let file = reference.path
    try reference.requireReadable()
    let inputs = model.configuration.inputs
    let scalers = OwnScalers(model.preprocessing, model.provenance)
    let batches = try inputs.indices.map {
      try Self.input($0, reference, model.configuration, $0 == 0 ? scalers.input : nil, file)
    }
    let state = try Self.state(reference, model.configuration, count: batches[0].count, file)
    var (outputs, final) = try model(batches[0], others: Array(batches.dropFirst()), state: state)
    if let scaler = scalers.target {
      outputs[0].values = columns(outputs[0].values, of: scaler) { $0 * $2 + $1 }
    }
    let names = Self.stateNames(model.configuration)
    var parts: [Part] = []
    for (index, place) in model.configuration.outputPlaces.enumerated() {
      let name = model.configuration.name(ofValue: place)
      let known = (index == 0 ? ["y"] : []) + ["y_\(name)"] + (outputs.count > 1 ? [name] : [])
      for name in known {
        guard let y = reference[name] else { continue }
        parts.append(try Part(name, outputs[index], y, file))
      }
    }
    for (letter, states, stacked) in [
      ("h", final.hidden, final.stackedHidden), ("c", final.cell, final.stackedCell),
    ] {
      if let whole = reference[letter] {
        guard let stacked else {
          throw VerificationError(
            file: file, detail: "\(letter) is one array, but the model's layers differ in size",
            advice: ["store each layer's own: \(names.map { "\(letter)_\($0)" }.joined(separator: ", "))"])
        }
        parts.append(try Part(letter, stacked, whole, file))
      }
      for (name, value) in zip(names, states) {
        guard let stored = reference["\(letter)_\(name)"] else { continue }
        parts.append(try Part("\(letter)_\(name)", value, stored, file))
      }
    }
    guard !parts.isEmpty else {
      throw VerificationError(
        file: file, detail: "has none of y, h and c, the arrays to compare",
        advice: ["scripts/reference-pytorch.py and scripts/reference-keras.py write such files"])
    }
    self.parts = parts
    self.tolerance = tolerance
  }

  /// `l0`, `l0_reverse`, `l1`, ...
  private static func stateNames(_ configuration: ModelConfiguration) -> [String] {
    configuration.recurrentLayers.enumerated().flatMap { index, layer in
      layer.kind.isBidirectional ? ["l\(index)", "l\(index)_reverse"] : ["l\(index)"]
    }
  }

  private static func input(
    _ place: Int, _ reference: Checkpoint, _ configuration: ModelConfiguration, _ scaler: Scaler?, _ file: String
  ) throws -> SequenceBatch {
    let input = configuration.inputs[place]
    let isOnly = configuration.inputs.count == 1
    let known = (place == 0 ? ["x"] : []) + (isOnly ? [] : [input.name, "x_\(input.name)"])
    guard let name = known.first(where: { reference[$0] != nil }), let x = reference[name] else {
      throw VerificationError(
        file: file, detail: "has no \(isOnly ? "x" : input.name), the input to run",
        advice: ["scripts/reference-pytorch.py and scripts/reference-keras.py write such files"])
    }
    let lengths = try place == 0 ? reference["lengths"]?.integers() : nil
    func floats() throws -> [Float] {
      let values = try x.floats()
      return scaler.map { columns(values, of: $0) { ($0 - $1) / $2 } } ?? values
    }
    if input.isPerSequence {
      guard x.shape.count == 2, x.shape[1] == input.width, input.vocabulary == nil else {
        throw VerificationError(
          file: file, detail: "\(name): expected shape (N, \(input.width)), found \(shapeText(x.shape))", advice: [])
      }
      return try SequenceBatch(Tensor(shape: [x.shape[0], 1, input.width], values: try floats()))
    }
    switch input.content {
    case .features(let size):
      guard x.shape.count == 3, x.shape[2] == size else {
        throw VerificationError(
          file: file, detail: "\(name): expected shape (N, T, \(size)), found \(shapeText(x.shape))", advice: [])
      }
      return try SequenceBatch(Tensor(shape: x.shape, values: try floats()), lengths: lengths)
    case .tokens(let vocabulary):
      guard x.shape.count == 2 else {
        throw VerificationError(
          file: file, detail: "\(name): expected tokens of shape (N, T), found \(shapeText(x.shape))", advice: [])
      }
      let tokens = try x.integers()
      guard let wrong = tokens.first(where: { !(0..<vocabulary).contains($0) }) else {
        return try SequenceBatch(
          tokens: tokens.map { Int32($0) }, count: x.shape[0], steps: x.shape[1], lengths: lengths)
      }
      throw VerificationError(
        file: file, detail: "\(name): expected tokens from 0 to \(vocabulary - 1), found \(wrong)", advice: [])
    }
  }

  private static func state(
    _ reference: Checkpoint, _ configuration: ModelConfiguration, count: Int, _ file: String
  ) throws -> LSTMState? {
    func values(_ letter: String, _ sizes: [Int]) throws -> [Tensor]? {
      if let whole = reference[letter + "0"] {
        guard Set(sizes).count == 1, whole.shape == [sizes.count, count, sizes[0]] else {
          let expected = shapeText([sizes.count, count, sizes[0]])
          throw VerificationError(
            file: file, detail: "\(letter)0: expected shape \(expected), found \(shapeText(whole.shape))", advice: [])
        }
        let all = try whole.floats(), size = count * sizes[0]
        return sizes.indices.map {
          Tensor(shape: [count, sizes[0]], values: Array(all[$0 * size..<($0 + 1) * size]))
        }
      }
      let names = stateNames(configuration).map { "\(letter)0_\($0)" }
      let found = names.compactMap { reference[$0] }
      if found.isEmpty { return nil }
      guard found.count == names.count, zip(found, sizes).allSatisfy({ $0.shape == [count, $1] }) else {
        throw VerificationError(
          file: file, detail: "expected " + names.joined(separator: ", ") + ", each (\(count), size)", advice: [])
      }
      return try found.map { Tensor(shape: $0.shape, values: try $0.floats()) }
    }
    let sizes = configuration.stateSizes
    let (hiddenSizes, cellSizes) = (sizes.map(\.hidden), sizes.map(\.cell))
    let (hidden, cell) = (try values("h", hiddenSizes), try values("c", cellSizes))
    if hidden == nil, cell == nil { return nil }
    return LSTMState(
      hidden: hidden ?? hiddenSizes.map { Tensor(zeros: [count, $0]) },
      cell: cell ?? cellSizes.map { Tensor(zeros: [count, $0]) })
  }
}

/// A function of each value and of its column's mean and deviation.
private func columns(
  _ values: [Float], of scaler: Scaler, _ body: (_ value: Float, _ mean: Float, _ deviation: Float) -> Float
) -> [Float] {
  values.indices.map { at in
    body(values[at], scaler.mean[at % scaler.columns], scaler.deviation[at % scaler.columns])
  }
}

extension Verification.Part {
  fileprivate init(_ name: String, _ ours: Tensor, _ stored: StoredTensor, _ file: String) throws {
    guard stored.shape == ours.shape else {
      throw VerificationError(
        file: file,
        detail: "\(name): the model gives \(shapeText(ours.shape)), the reference has \(shapeText(stored.shape))",
        advice: name == "y"
          ? ["perhaps the model has another readout or head: \(.configuration) or \(.readout) at import"] : [])
    }
    let theirs = try stored.floats()
    var (largest, relative, place) = (0.0, 0.0, 0)
    for (index, (a, b)) in zip(ours.values, theirs).enumerated() {
      if a == b || a.isNaN && b.isNaN { continue }
      let distance = abs(Double(a) - Double(b))
      let share = distance.isFinite ? distance / max(1, abs(Double(b))) : .infinity
      largest = max(largest, distance.isNaN ? .infinity : distance)
      if share > relative { (relative, place) = (share, index) }
    }
    self.init(
      name: name, shape: ours.shape, largest: largest, relative: relative, index: unravelled(place, ours.shape),
      expected: theirs.isEmpty ? 0 : theirs[place], found: theirs.isEmpty ? 0 : ours.values[place])
  }
}

/// A reference that cannot be compared with the model.
public struct VerificationError: DescribedFailure, Equatable {
  /// The reference's path.
  public let file: String
  /// What is wrong with it.
  public let detail: String
  /// What to do next, a line each.
  public let advice: [Message]

  /// Always bad input.
  public var category: FailureCategory { .badInput }
  /// The path and what is wrong with the reference.
  public var message: Message { Message(printable("\(file): \(detail)")) }
}
