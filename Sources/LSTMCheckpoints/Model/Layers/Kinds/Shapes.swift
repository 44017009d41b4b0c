extension Layer {
  /// Gives the row of a sequence at each of `count` steps: (N, S) -> (N, count, S). Keras' RepeatVector.
  public struct Repeat: LayerKind {
    /// Steps.
    public var count: Int

    /// A number of steps.
    public init(count: Int = 1) { self.count = count }

    public var kind: String { "repeat" }
    public var example: String { "8 features of 10 steps -> LSTM 16 -> last -> repeat 10" }
    public var stem: String { "repeat" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.size("count", &count)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      guard !inputs[0].isPerStep else { throw LayerError(nil, "it repeats one row a sequence, but is given steps") }
      return LayerValue(width: inputs[0].width, steps: count, clock: nil)
    }
  }

  /// All steps of a sequence side by side, step by step: (N, T, S) -> (N, T * S). One row a sequence stays as it is.
  public struct Flatten: LayerKind {
    /// Whether the features of all steps come one after the other instead: (N, S, T) read in order.
    public var isFeatureFirst = false

    public init() {}
    public var kind: String { "flatten" }
    public var example: String { "8 features of 10 steps -> LSTM 16 -> flatten -> dense 3" }
    public var stem: String { "flatten" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.flag("feature_first", &isFeatureFirst, usual: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let input = inputs[0]
      guard input.isPerStep else { return input }
      guard let steps = input.steps else {
        throw LayerError(nil, "it needs a fixed number of steps: give the input one (`steps`)")
      }
      return input.perSequence(width: steps * input.width)
    }
  }

  /// Reads rows in another order or division.
  public struct Reshape: LayerKind {
    /// What becomes of a row.
    public enum Form: String, LayerChoice, Codable {
      /// One row a sequence into `steps` steps: (N, T * S) -> (N, T, S).
      case steps
      /// A row into a grid of `channels`: (C * F) -> (C, F).
      case grid
      /// A grid into a row of features: (C, F) -> (C * F).
      case row
      /// A grid's values, channels last, into a row of features: (C, F) -> (F * C).
      case channelsLast = "channels_last"
      /// A row, channels last, into a grid of `channels`: (F * C) -> (C, F).
      case gridChannelsLast = "grid_channels_last"
      /// Each step into several: (N, T, n * S) -> (N, T * n, S), n being `steps`.
      case split
    }

    /// What becomes of a row.
    public var form = Form.row
    /// Of the forms `steps` and `split`.
    public var steps = 1
    /// Of the forms that make a grid.
    public var channels = 1

    /// A division of rows.
    public init(_ form: Form = .row, steps: Int = 1, channels: Int = 1) {
      self.form = form
      self.steps = steps
      self.channels = channels
    }

    public var kind: String { "reshape" }
    public var example: String { "64 features -> reshape grid channels 4 -> conv 8 kernel 3x3" }
    public var stem: String { "reshape" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      let limit = Layer.sizeLimit
      try d.choice("form", &form, usual: .row)
      if form == .steps || form == .split { try d.whole("steps", &steps, usual: 1, in: 1...limit) }
      if form == .grid || form == .gridChannelsLast { try d.whole("channels", &channels, usual: 1, in: 1...limit) }
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let input = inputs[0]
      func divided(_ count: Int, _ key: String) throws(LayerError) -> Int {
        guard input.width % count == 0 else {
          throw LayerError(key, "\(count) does not divide the \(input.width) values of a row")
        }
        return input.width / count
      }
      var value = input
      switch form {
      case .steps:
        guard !input.isPerStep else {
          throw LayerError("form", "steps is for one row a sequence, but it is given steps")
        }
        return LayerValue(width: try divided(steps, "steps"), steps: steps, clock: nil)
      case .split:
        try input.requireSteps()
        return LayerValue(
          width: try divided(steps, "steps"), steps: input.steps.map { $0 * steps },
          clock: steps == 1 ? input.clock : nil)
      case .grid, .gridChannelsLast:
        value.grid = .init(channels: channels, height: try divided(channels, "channels"))
      case .row, .channelsLast: value.grid = nil
      }
      return value
    }
  }

  /// Some of the features of each row: from `first`, `count` of them.
  public struct Slice: LayerKind {
    /// The first, from 0.
    public var first: Int
    /// How many.
    public var count: Int

    /// Features from `first`.
    public init(first: Int = 0, count: Int = 1) {
      self.first = first
      self.count = count
    }

    public var kind: String { "slice" }
    public var example: String { "8 features -> slice 4 first 2 -> LSTM 16" }
    public var stem: String { "slice" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.size("count", &count)
      try d.whole("first", &first, usual: 0, in: 0...Layer.sizeLimit)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      guard first + count <= inputs[0].width else {
        throw LayerError("count", "features \(first) to \(first + count - 1) of a row of \(inputs[0].width)")
      }
      return inputs[0].with(width: count)
    }
  }

  /// Several rows into one.
  public struct Merge: LayerKind {
    /// What becomes of them.
    public enum Operation: String, LayerChoice, Codable {
      case concatenate, add, multiply, average, maximum, subtract
    }

    /// What becomes of them.
    public var operation: Operation

    /// An operation on rows.
    public init(_ operation: Operation) { self.operation = operation }

    public var kind: String { operation.rawValue }
    public var example: String { "8 features -> LSTM 8 -> \(operation.rawValue) from layer0, input" }
    public var stem: String { operation.rawValue }
    public var inputCount: ClosedRange<Int> { operation == .subtract ? 2...2 : 1...1_000_000 }

    /// Rows of a sequence go with each of its steps: what is given once is repeated. Value by value, one of width 1 goes with
    /// each value of the others.
    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let perStep = inputs.filter(\.isPerStep)
      guard let first = perStep.first ?? inputs.first else { throw LayerError(nil, "it reads nothing") }
      func hasAsMany(_ other: LayerValue) -> Bool {
        if other.clock == first.clock { return true }
        return other.steps == first.steps && (first.steps != nil || first.isOfInput && other.isOfInput)
      }
      if let other = perStep.first(where: { !hasAsMany($0) }) {
        throw LayerError(
          nil, "its inputs differ in the number of steps" + (other.steps.map { " (\($0))" } ?? ""))
      }
      if operation == .concatenate {
        var value = first.with(width: inputs.reduce(0) { $0 + $1.width })
        // Grids of one height are side by side channel by channel.
        let grids = inputs.compactMap(\.grid)
        if grids.count == inputs.count, grids.allSatisfy({ $0.height == grids[0].height }) {
          value.grid = .init(channels: grids.reduce(0) { $0 + $1.channels }, height: grids[0].height)
        }
        return value
      }
      let width = inputs.reduce(1) { max($0, $1.width) }
      let whole = inputs.filter { $0.width == width }
      guard inputs.allSatisfy({ $0.width == width || $0.width == 1 }) else {
        throw LayerError(nil, "its inputs differ in width: \(inputs.map { String($0.width) }.joined(separator: ", "))")
      }
      let grids = whole.compactMap(\.grid)
      if let grid = grids.first, let other = grids.first(where: { $0 != grid }) {
        throw LayerError(
          nil,
          "one input is a grid of \(grid.channels) x \(grid.height), another of \(other.channels) x \(other.height)")
      }
      guard first.width < width else { return first }
      var value = first.with(width: width)
      value.grid = grids.first
      return value
    }
  }
}
