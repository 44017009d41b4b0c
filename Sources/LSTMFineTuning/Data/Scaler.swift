/// Standardisation: (x - mean) / deviation for each column.
public struct Scaler: Sendable, Codable, Equatable {
  public var mean: [Float]
  /// Population standard deviation; 1 for a column that does not vary.
  public var deviation: [Float]

  public init(mean: [Float], deviation: [Float]) {
    precondition(mean.count == deviation.count)
    self.mean = mean
    self.deviation = deviation
  }

  /// Fits some rows of a table (rows, columns). Sums are in double, in two passes.
  public init(fitting values: [Float], columns: Int, rows: some Sequence<Int>) {
    var count = 0.0
    var sum = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns { sum[column] += Double(values[row * columns + column]) }
      count += 1
    }
    let mean = sum.map { count > 0 ? $0 / count : 0 }
    var square = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns {
        let distance = Double(values[row * columns + column]) - mean[column]
        square[column] += distance * distance
      }
    }
    self.mean = mean.map(Float.init)
    deviation = zip(square, mean).map { square, mean in
      let deviation = count > 0 ? (square / count).squareRoot() : 0
      // The mean of a constant column may be off by rounding in double, far below what a float can tell apart. What
      // is too small for a float to divide by is constant, too.
      return deviation > abs(mean) * 1e-12 && Float(deviation).isNormal ? Float(deviation) : 1
    }
  }

  /// - Throws: `DecodingError` when the numbers cannot be divided by, or are not one of each for a column.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    mean = try container.decode([Float].self, forKey: .mean)
    deviation = try container.decode([Float].self, forKey: .deviation)
    guard mean.count == deviation.count else {
      throw DecodingError.dataCorruptedError(
        forKey: .deviation, in: container,
        debugDescription: "expected \(mean.count) numbers, as many as mean has, found \(deviation.count)")
    }
    guard mean.allSatisfy(\.isFinite), deviation.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .deviation, in: container, debugDescription: "expected finite means and deviations above 0")
    }
  }

  public var columns: Int { mean.count }

  /// Standardises rows in place. `values` may hold several rows of the columns.
  public func apply(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = (values[at] - mean[column]) / deviation[column] }
  }

  /// Undoes it.
  public func undo(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = values[at] * deviation[column] + mean[column] }
  }

  @inline(__always)
  private func forEachPlace(in count: Int, _ body: (_ at: Int, _ column: Int) -> Void) {
    var column = 0
    for at in 0..<count {
      body(at, column)
      column = column + 1 == columns ? 0 : column + 1
    }
  }
}

/// What was done to the data before the model saw it: stored in the model file, applied again and undone.
public struct Preprocessing: Sendable, Codable, Equatable {
  /// CSV columns the model reads, in order.
  public var features: [String]?
  /// CSV columns it predicts, in order.
  public var targets: [String]?
  /// Rows or tokens the model looks at, and rows it predicts.
  public var window: Int?
  public var horizon: Int?
  /// Rows or tokens of a chunk, for a model that reads on from one to the next with its state carried.
  public var chunk: Int?
  public var inputScaler: Scaler?
  /// One entry per target; a horizon repeats it.
  public var targetScaler: Scaler?
  /// Rows after which a series repeats itself: what the seasonal naive forecast looks back.
  public var season: Int?
  /// The line that stands between a text's documents.
  public var separator: String?
  /// Which number stands for which character or word.
  public var vocabulary: Vocabulary?
  /// The name of each class, by its number.
  public var classes: [String]?
  /// CSV columns of a classification: the text, the label, and what tells one sequence's rows from another's.
  public var textColumn: String?
  public var labelColumn: String?
  public var sequenceColumn: String?

  public init(
    features: [String]? = nil, targets: [String]? = nil, window: Int? = nil, horizon: Int? = nil,
    inputScaler: Scaler? = nil, targetScaler: Scaler? = nil, vocabulary: Vocabulary? = nil, classes: [String]? = nil
  ) {
    self.features = features
    self.targets = targets
    self.window = window
    self.horizon = horizon
    self.inputScaler = inputScaler
    self.targetScaler = targetScaler
    self.vocabulary = vocabulary
    self.classes = classes
  }
}
