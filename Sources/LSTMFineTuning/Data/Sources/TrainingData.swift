import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Data to train on, to measure with or to predict from, wherever it comes from: series, texts, labeled sequences and
/// arrays, in sequences with a zero initial state or as streams with carried state.
///
/// A source of data is a type that conforms, in a file of its own.
public protocol TrainingData: Sendable {
  /// The first of its files.
  var file: String { get }

  /// What was recognized in a table as it was read.
  var readingNotes: [CSVNote] { get }

  /// The series that it is made of; nil for everything but rows in time.
  var series: SeriesData? { get }

  /// Whether its numbers are columns of a table, each with a unit of its own, so that they are standardized
  /// unless asked otherwise.
  var hasUnits: Bool { get }

  /// Everything, unscaled.
  /// - Throws: `FineTuningError` or `ShapeError` when there is nothing to measure with.
  func allExamples() throws -> Examples

  /// Its training and validation parts, unscaled.
  /// - Throws: `FineTuningError` when nothing would be left on one of the sides, `TableError` for dates that the data
  ///   does not have.
  func split(_ choice: SplitChoice) throws -> SplitExamples

  /// What a model reads to predict, unscaled.
  /// - Parameter isRolling: whether a series is asked for a forecast at every row, and not only after its last.
  /// - Returns: the sequences and, of windows of a series, where their forecasts begin.
  func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?)

  /// Keeps what it was read with, so that other data is read alike.
  func describe(in preprocessing: inout Preprocessing)

  /// Examples of it, as `preprocessing` scales what a model reads.
  /// - Returns: `unknown` are the ids that the model has no scaler of; their own rows standardize them.
  /// - Throws: `FineTuningError` when the model has a scaler for each id, and this data has none.
  func scaled(
    _ examples: Examples, by preprocessing: Preprocessing
  ) throws -> (examples: Examples, unknown: [String])
}

extension TrainingData {
  public var readingNotes: [CSVNote] { [] }
  public var series: SeriesData? { nil }
  public var hasUnits: Bool { false }

  /// Examples are drawn for validation, or the last ones taken.
  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let all = try allExamples().sequences
    if choice.fraction == 0 { return SplitExamples(training: .sequences(all)) }
    let count = Int((Double(all.count) * choice.fraction).rounded())
    guard count > 0, count < all.count else {
      throw FineTuningError.badData(
        file: file,
        detail:
          "\(all.count) example\(all.count == 1 ? "" : "s") cannot be split by \(.validationSplit, choice.fraction)",
        advice: ["give more data, or \(.validationSplit, "0")"])
    }
    let order = choice.order(of: all.count)
    return SplitExamples(
      training: .sequences(all.selecting(order.dropLast(count).sorted())),
      validation: .sequences(all.selecting(order.suffix(count).sorted())))
  }

  public func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?) {
    (try allExamples().sequences, nil)
  }

  /// Arrays need no description.
  public func describe(in preprocessing: inout Preprocessing) {}

  public func scaled(
    _ examples: Examples, by preprocessing: Preprocessing
  ) throws -> (examples: Examples, unknown: [String]) {
    guard preprocessing.entityScalers == nil else {
      throw FineTuningError.invalidOption(
        "the model has a scaler for each id, which only the windows of a CSV series can be read with",
        advice: ["fine-tune it with \(.scaler, "refit")"])
    }
    return (
      examples.scaled(
        inputs: preprocessing.inputScaler, targets: preprocessing.targetScaler, named: preprocessing.scalers), []
    )
  }
}

/// How data is split into training and validation parts.
public struct SplitChoice: Sendable, Equatable, Codable {
  /// The part for validation, from 0 to below 1; 0 for none.
  public var fraction: Double
  /// Of a series, a date such as "2024-03-25": the last time to train on.
  public var trainUntil: String?
  /// The first time to validate on; nil to validate from where training ends.
  public var validateFrom: String?
  /// Whether examples for validation are chosen at random; else they are the last ones. Series and texts are always split
  /// in time.
  public var shuffles: Bool
  /// Of the random choice.
  public var seed: UInt64

  /// The last fifth for validation, of examples a random fifth, unless given.
  public init(
    fraction: Double = 0.2, trainUntil: String? = nil, validateFrom: String? = nil, shuffles: Bool = true,
    seed: UInt64 = 0
  ) {
    self.fraction = fraction
    self.trainUntil = trainUntil
    self.validateFrom = validateFrom
    self.shuffles = shuffles
    self.seed = seed
  }

  /// Whether it goes by times.
  public var isDated: Bool { trainUntil != nil || validateFrom != nil }

  /// Where series are split.
  public var seriesSplit: SeriesSplit {
    guard isDated else { return .fraction(fraction) }
    return .dated(trainUntil: trainUntil, validateFrom: validateFrom)
  }

  /// The order in which examples or streams are taken, those for validation last.
  func order(of count: Int) -> [Int] {
    var order = Array(0..<count)
    var random = RandomNumbers(seed: seed ^ 0x5350_4c49_54)
    if shuffles { order.shuffle(using: &random) }
    return order
  }
}

/// What of some data is for training and what for validation.
public struct SplitExamples: Sendable {
  /// To train on.
  public var training: Examples
  /// nil when nothing is held back.
  public var validation: Examples?
  /// Of a series, the rows of each part that train.
  public let trainingRows: [Range<Int>]?
  /// What was decided, as messages.
  public let notes: [Message]

  /// Both parts, and what was decided about them.
  public init(
    training: Examples, validation: Examples? = nil, trainingRows: [Range<Int>]? = nil, notes: [Message] = []
  ) {
    self.training = training
    self.validation = validation
    self.trainingRows = trainingRows
    self.notes = notes
  }

  /// Scalers of the training part alone: of a series' training rows, else of the training examples.
  /// - Returns: nil for tokens and for classes.
  public func fittedScalers(_ data: any TrainingData) -> (inputs: Scaler?, targets: Scaler?) {
    guard let series = data.series else {
      return (training.sequences.fitInputScaler(), training.sequences.fitTargetScaler())
    }
    let both = series.scalers(trainingRows ?? series.parts.map(\.rows))
    return (both.inputs, both.targets)
  }
}
