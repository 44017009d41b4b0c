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

  /// Fits rows of `columns` values. Sums are in double, in two passes.
  public init(fitting values: some Sequence<ArraySlice<Float>>, columns: Int) {
    var count = 0.0
    var sum = [Double](repeating: 0, count: columns)
    for row in values {
      for (column, value) in row.enumerated() { sum[column] += Double(value) }
      count += 1
    }
    let mean = sum.map { count > 0 ? $0 / count : 0 }
    var square = [Double](repeating: 0, count: columns)
    for row in values {
      for (column, value) in row.enumerated() {
        let distance = Double(value) - mean[column]
        square[column] += distance * distance
      }
    }
    self.mean = mean.map(Float.init)
    deviation = zip(square, mean).map { square, mean in
      let deviation = count > 0 ? (square / count).squareRoot() : 0
      // Rounding leaves a constant column a deviation that is not quite zero.
      return deviation > abs(mean) * 1e-7 ? Float(deviation) : 1
    }
  }

  public var columns: Int { mean.count }

  /// Standardises rows in place.
  public func apply(_ values: inout [Float]) {
    for at in values.indices {
      let column = at % columns
      values[at] = (values[at] - mean[column]) / deviation[column]
    }
  }

  /// Undoes it. `values` may hold several rows of the columns.
  public func undo(_ values: inout [Float]) {
    for at in values.indices {
      let column = at % columns
      values[at] = values[at] * deviation[column] + mean[column]
    }
  }
}

/// What was done to the data before the model saw it: stored in the model file, applied again and undone.
public struct Preprocessing: Sendable, Codable, Equatable {
  /// CSV columns the model reads, in order.
  public var features: [String]?
  /// CSV columns it predicts, in order.
  public var targets: [String]?
  /// Rows the model looks at, and rows it predicts.
  public var window: Int?
  public var horizon: Int?
  public var inputScaler: Scaler?
  /// One entry per target; a horizon repeats it.
  public var targetScaler: Scaler?

  public init(
    features: [String]? = nil, targets: [String]? = nil, window: Int? = nil, horizon: Int? = nil,
    inputScaler: Scaler? = nil, targetScaler: Scaler? = nil
  ) {
    self.features = features
    self.targets = targets
    self.window = window
    self.horizon = horizon
    self.inputScaler = inputScaler
    self.targetScaler = targetScaler
  }
}
