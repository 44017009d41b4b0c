import LSTMCheckpoints
import LSTMLayers

/// What models with several inputs or outputs read and are compared with, beside their first ones.
extension SequenceData {
  /// The values of a further input of the model, of the same examples.
  public struct NamedInput: Sendable {
    /// The input's name.
    public var name: String
    /// The values; one row an example, of one step, for an input that is given once a sequence.
    public var values: Inputs
    /// Of a decoder that reads its own targets, one step later.
    var isShiftedTargets = false
    /// Whether it is the first step alone, from which the decoder goes on by itself.
    package var isFirstStep = false
    /// Whether the first of them is zero whatever the scaler is.
    var startsAtZero = false

    /// Values for an input.
    public init(_ name: String, _ values: Inputs) {
      self.name = name
      self.values = values
    }

    /// S: no example is longer.
    var steps: Int { values.steps }

    /// Sets the first row of each example to zero.
    mutating func startAtZero() {
      guard case .features(var values, let steps, let size) = values else { return }
      for first in stride(from: 0, to: values.count, by: steps * size) {
        for column in 0..<size { values[first + column] = 0 }
      }
      self.values = .features(values, steps: steps, size: size)
    }
  }

  /// The targets of a further output of the model, of the same examples.
  public struct NamedTargets: Sendable {
    /// The output's name.
    public var name: String
    /// The targets; none where the output is not trained.
    public var targets: Targets
    /// Steps of targets for each step, where they are not those of the first input; nil where they are.
    public var steps: Int?
    /// How many classes there are; nil when unknown.
    var classCount: Int?

    /// Targets of an output.
    public init(_ name: String, _ targets: Targets, steps: Int? = nil) {
      self.name = name
      self.targets = targets
      self.steps = steps
    }
  }

  /// Examples of a model with several inputs or outputs.
  /// - Parameters:
  ///   - inputs: the values of every input by its name: (N, T, size) features or (N, T) tokens, or (N, 1, size) of one that
  ///     is given once a sequence.
  ///   - targets: those of every output that trains, by its name.
  ///   - lengths: valid steps of the first input's sequences; nil when all are full.
  ///   - configuration: the model's.
  /// - Throws: `ShapeError` naming the input or the output that is missing, unknown or of another size.
  public init(
    inputs: [String: Inputs], targets: [String: Targets], lengths: [Int]? = nil, for configuration: ModelConfiguration
  ) throws(ShapeError) {
    let (inputNames, outputNames) = (configuration.inputs.map(\.name), configuration.outputNames)
    for (given, known, what) in [
      (inputs.keys.sorted(), inputNames, "inputs"), (targets.keys.sorted(), outputNames, "outputs"),
    ] {
      guard let other = given.first(where: { !known.contains($0) }) else { continue }
      throw ShapeError(what: what, expected: known.joined(separator: ", "), found: other)
    }
    var values: [Inputs] = []
    for name in inputNames {
      guard let found = inputs[name] else {
        throw ShapeError(what: "inputs", expected: inputNames.joined(separator: ", "), found: "none for \(name)")
      }
      values.append(found)
    }
    let others = zip(inputNames, values).dropFirst().map { NamedInput($0, $1) }
    var named: [NamedTargets] = []
    for (name, value) in zip(outputNames, configuration.outputValues) {
      let found = targets[name] ?? .none
      let steps = value.isPerStep && found.isPerStep ? try configuration.targetSteps(of: value, others) : nil
      named.append(NamedTargets(name, found, steps: steps))
    }
    try self.init(
      inputs: values[0], targets: named[0].targets, lengths: lengths, targetSteps: named[0].steps, others: others,
      otherTargets: Array(named.dropFirst()))
  }

  /// Takes further inputs and targets, in the model's order.
  /// - Throws: `ShapeError` naming the one that has another number of examples.
  mutating func attach(_ others: [NamedInput], _ otherTargets: [NamedTargets]) throws(ShapeError) {
    for other in others {
      let (count, _) = try Self.extent(of: other.values, other.name)
      guard count == exampleCount else {
        throw ShapeError(what: other.name, expected: "\(exampleCount) examples, as many as inputs", found: "\(count)")
      }
    }
    for other in otherTargets {
      guard let count = try other.targets.count(steps: other.steps ?? steps, other.name), count != exampleCount else {
        continue
      }
      throw ShapeError(what: other.name, expected: "\(exampleCount) examples, as many as inputs", found: "\(count)")
    }
    (self.others, self.otherTargets) = (others, otherTargets)
  }

  /// Examples of the arrays, of which this may be a selection.
  var exampleCount: Int {
    switch inputs {
    case .windows(_, _, let starts, _), .tokenWindows(_, let starts, _): starts.count
    case .features(let values, let steps, let size): values.count / (steps * size)
    case .tokens(let tokens, let steps): tokens.count / steps
    }
  }

  /// - Throws: `ShapeError` unless the further inputs and targets are those of a model, by name and in order.
  package func check(_ configuration: ModelConfiguration) throws(ShapeError) {
    let inputs = configuration.inputs.dropFirst().map(\.name)
    guard others.map(\.name) == inputs else {
      throw ShapeError(
        what: "inputs", expected: configuration.inputs.map(\.name).joined(separator: ", "),
        found: others.isEmpty ? "one" : "the first, \(others.map(\.name).joined(separator: ", "))")
    }
    let outputs = configuration.outputNames.dropFirst()
    guard otherTargets.isEmpty || otherTargets.map(\.name) == Array(outputs) else {
      throw ShapeError(
        what: "outputs", expected: configuration.outputNames.joined(separator: ", "),
        found: "the first, \(otherTargets.map(\.name).joined(separator: ", "))")
    }
  }

  /// Steps of what a decoder is fed of its targets; nil where nothing is.
  package var stepsOfShiftedTargets: Int? { others.first { $0.isShiftedTargets && !$0.isFirstStep }?.steps }
  /// The name of that input.
  package var nameOfShiftedTargets: String? { others.first { $0.isShiftedTargets && !$0.isFirstStep }?.name }
  /// Whether a decoder is to go on from its first step by itself.
  package var isDecoded: Bool { others.contains(where: \.isFirstStep) }

  /// The further inputs of some examples of this selection.
  func otherBatches(_ examples: some Collection<Int>) throws(ShapeError) -> [SequenceBatch] {
    var batches: [SequenceBatch] = []
    for other in others {
      let part = try SequenceData(inputs: other.values, targets: .none).selecting(examples.map { places[$0] })
      batches.append(try part.batch(0..<part.count))
    }
    return batches
  }
}

extension SequenceData.Inputs {
  /// T: no example is longer.
  var steps: Int {
    switch self {
    case .windows(_, _, _, let steps), .features(_, let steps, _), .tokens(_, let steps),
      .tokenWindows(_, _, let steps):
      steps
    }
  }

  /// The row at which an example begins.
  @inline(__always)
  func row(_ place: Int) -> Int {
    switch self {
    case .windows(_, _, let starts, _), .tokenWindows(_, let starts, _): starts[place]
    case .features(_, let steps, _), .tokens(_, let steps): place * steps
    }
  }

  /// Rows of numbers, and how many a row has; nil for tokens.
  var numbers: (values: [Float], size: Int)? {
    switch self {
    case .windows(let values, let size, _, _), .features(let values, _, let size): (values, size)
    case .tokens, .tokenWindows: nil
    }
  }

  /// Lends all values as rows: a row for each step.
  func withRows<Result>(_ body: (SequenceRows.Values) throws(ShapeError) -> Result) throws(ShapeError) -> Result {
    switch self {
    case .windows(let values, let size, _, _), .features(let values, _, let size):
      return try values.withUnsafeBufferPointer { values throws(ShapeError) in
        guard let base = values.baseAddress else { throw .noRows }
        return try body(.features(base, width: size))
      }
    case .tokens(let tokens, _), .tokenWindows(let tokens, _, _):
      return try tokens.withUnsafeBufferPointer { tokens throws(ShapeError) in
        guard let base = tokens.baseAddress else { throw .noRows }
        return try body(.tokens(base))
      }
    }
  }

  /// The same with standardized numbers.
  func scaled(by scaler: Scaler?) -> SequenceData.Inputs {
    guard let scaler else { return self }
    switch self {
    case .windows(var rows, let size, let starts, let steps):
      scaler.apply(&rows)
      return .windows(rows: rows, size: size, starts: starts, steps: steps)
    case .features(var values, let steps, let size):
      scaler.apply(&values)
      return .features(values, steps: steps, size: size)
    case .tokens, .tokenWindows: return self
    }
  }
}

extension ShapeError {
  fileprivate static let noRows = ShapeError(
    what: "input", expected: "at least one sequence of one step", found: "nothing")
}

extension SequenceData.Targets {
  /// Whether there is one for each step.
  var isPerStep: Bool {
    switch self {
    case .values(_, _, let perStep), .classes(_, let perStep): perStep
    case .labels, .none: false
    }
  }

  var isNone: Bool { if case .none = self { true } else { false } }

  /// The row at which the targets of an example begin.
  @inline(__always)
  func row(_ place: Int, steps: Int) -> Int {
    if case .labels(_, let width) = self { return place * width }
    return place * (isPerStep ? steps : 1)
  }

  /// The same with standardized numbers.
  func scaled(by scaler: Scaler?) -> SequenceData.Targets {
    guard let scaler, case .values(var values, let size, let perStep) = self else { return self }
    scaler.apply(&values)
    return .values(values, size: size, perStep: perStep)
  }
}

extension ModelConfiguration {
  /// The names of the model's outputs, in order.
  package var outputNames: [String] { outputPlaces.map(name(ofValue:)) }

  /// What the model's outputs give, in order.
  package var outputValues: [LayerValue] { outputPlaces.map { values[$0] } }

  /// Steps of the targets of an output that has some of its own; nil where they are those of the first input.
  func targetSteps(of value: LayerValue, _ others: [SequenceData.NamedInput]) throws(ShapeError) -> Int? {
    guard value.isPerStep, value.clock != 0 else { return nil }
    if let steps = value.steps { return steps }
    guard let clock = value.clock, 1..<inputs.count ~= clock else { return nil }
    return others.first { $0.name == inputs[clock].name }?.steps
  }
}
