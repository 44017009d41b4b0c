import Foundation
import LSTMCheckpoints
import LSTMLayers

/// How good a model's predictions are. Padded steps and ignored labels do not count.
public struct Metrics: Sendable, Codable, Equatable {
  /// The mean loss, in the units the model computes in.
  public var loss: Double
  /// Mean absolute error in the data's own units; for real-valued targets.
  public var mae: Double?
  /// Root of the mean squared error in the data's own units.
  public var rmse: Double?
  /// The part of classes that are right.
  public var accuracy: Double?
  /// Sequences.
  public var examples: Int
  /// Coefficient of determination, 1 - SS_res / SS_tot, the mean over the target columns; a column that never varies
  /// counts 1 when it is met exactly, else 0.
  public var r2: Double?
  /// Mean absolute scaled error (Hyndman and Koehler, 2006): the error divided by that of the seasonal naive forecast, one
  /// row ahead, on the series' training part; the mean over the target columns.
  public var mase: Double?
  /// The mean of the classes' F1, 2 TP / (2 TP + FP + FN), over the classes that occur as target or answer.
  public var macroF1: Double?
  /// For a text: e to the mean cross-entropy.
  public var perplexity: Double?
  /// For a text: the mean cross-entropy in bits, for each token.
  public var bitsPerToken: Double?
  /// For a CRF and CTC: the part of sequences of which every tag or label is right.
  public var sequenceAccuracy: Double?
  /// For CTC: the fewest labels to insert, delete or replace in the answers to make them right, divided by the right
  /// labels; the character error rate where labels are characters.
  public var errorRate: Double?
  /// Of a model whose outputs are compared with targets of their own: by the output's name. `loss` is then the weighted
  /// sum of theirs, and the rest is of the first of them.
  public var outputs: [String: Metrics]?
}

/// How often each class was predicted as which.
public struct ConfusionMatrix: Sendable, Codable, Equatable {
  /// `counts[actual][predicted]`
  public var counts: [[Int]]

  /// From counts by target, then by answer.
  public init(counts: [[Int]]) { self.counts = counts }

  /// The part of a class's examples that are predicted as such; nil when there are none.
  public func recall(_ label: Int) -> Double? {
    let total = counts[label].reduce(0, +)
    return total == 0 ? nil : Double(counts[label][label]) / Double(total)
  }

  /// The part of the predictions of a class that are right; nil when there are none.
  public func precision(_ label: Int) -> Double? {
    let total = counts.reduce(0) { $0 + $1[label] }
    return total == 0 ? nil : Double(counts[label][label]) / Double(total)
  }
}

/// Accumulates the sums that metrics are computed from.
struct MetricTally {
  /// The most classes of which a matrix is kept.
  private static let matrixLimit = 1000

  /// Of one target column.
  fileprivate struct Column {
    var (absolute, square) = (0.0, 0.0)
    /// Targets less the first one, so that little is lost where they vary little.
    var (first, sum, sumOfSquares) = (0.0, 0.0, 0.0)
  }

  var (lossSum, lossWeight) = (0.0, 0.0)
  private(set) var spread: OutputSpread
  private let loss: Loss
  private let isText: Bool
  /// For each column, what takes an error to the data's own units.
  private let scales: [Double]
  private var columns: [Column] = []
  private var rows = 0
  private var (right, answers) = (0, 0)
  /// For each class, of the targets, of the answers, and of those that are both.
  private var (wanted, found, both) = ([Int](), [Int](), [Int]())
  private var matrix: [Int] = []
  private var sequences = SequenceTally()

  init(_ loss: Loss, _ targets: SequenceData.Targets, isText: Bool, width: Int, scales: [Double]) {
    self.loss = loss
    self.scales = scales
    self.isText = isText
    spread = OutputSpread(width: width)
    switch targets {
    case .values where loss != .binaryCrossEntropy: columns = Array(repeating: Column(), count: width)
    case .classes where !isText:
      let classes = loss == .binaryCrossEntropy ? 2 : width
      wanted = Array(repeating: 0, count: classes)
      (found, both) = (wanted, wanted)
      if classes <= Self.matrixLimit { matrix = Array(repeating: 0, count: classes * classes) }
    default: break
    }
  }

  /// Adds the errors or the right answers of a batch.
  /// - Parameters:
  ///   - places: for each row of the output, the row of its target.
  ///   - scaler: for each row of the output, what takes it to the data's own units, where not all have the same.
  mutating func add(
    _ output: Network.Output, _ targets: TargetRows, at places: UnsafePointer<Int>,
    scaler: ((_ row: Int) -> Scaler?)? = nil
  ) {
    let width = output.width
    for row in 0..<output.count {
      let output = output.rows + row * width
      spread.add(output)
      switch targets {
      case .values(let values):
        let values = values + places[row] * width
        if loss == .binaryCrossEntropy {
          for column in 0..<width where (output[column] > 0) == (values[column] > 0.5) { right += 1 }
          answers += width
        } else {
          let own = scaler?(row)
          for column in 0..<width {
            let scale = own.map { Double($0.deviation[column % $0.columns]) } ?? (scaler == nil ? scales[column] : 1)
            let mean = own.map { Double($0.mean[column % $0.columns]) } ?? 0
            columns[column].add(output[column], values[column], scale: scale, isFirst: rows == 0, offset: mean)
          }
          rows += 1
        }
      case .labels: continue
      case .classes(let classes):
        let label = classes[places[row]]
        guard label != SequenceData.ignored else { continue }
        var answer = 0
        if loss == .binaryCrossEntropy {
          answer = output[0] > 0 ? 1 : 0
        } else {
          for column in 0..<width where output[column] > output[answer] { answer = column }
        }
        add(answer, Int(label))
      }
    }
  }

  /// Adds the right tags or labels of a batch of whole sequences.
  /// - Parameter places: for each row of the output, the row of its target.
  mutating func add(
    _ output: Network.Output, of network: Network, _ index: Int = 0, _ targets: TargetRows,
    at places: UnsafePointer<Int>
  ) {
    for row in 0..<output.count { spread.add(output.rows + row * output.width) }
    let batch = network.outputSequences(index)
    for b in 0..<batch.count {
      let row = { (step: Int) in UnsafePointer(output.rows + batch.row(b, step) * output.width) }
      switch (targets, network.outputChain(index)) {
      case (.classes(let classes), let chain?):
        var tags = (0..<batch.length(b)).map { Int(classes[places[batch.row(b, $0)]]) }
        while tags.last == Int(SequenceData.ignored) { tags.removeLast() }
        guard !tags.isEmpty else { continue }
        let answer = chain.bestPath(steps: tags.count, row)
        for (answer, tag) in zip(answer, tags) { add(answer, tag) }
        sequences.add(isRight: answer == tags)
      case (.labels(let labels, let width), _):
        guard let blank = loss.blank(of: output.width) else { continue }
        let first = labels + places[batch.row(b, 0)]
        let wanted = (0..<width).map { first[$0] }.prefix { $0 != SequenceData.ignored }.map(Int.init)
        sequences.add(
          CTCDecoding.greedy(steps: batch.length(b), classes: output.width, blank: blank, row), wanted)
      default: continue
      }
    }
  }

  private mutating func add(_ answer: Int, _ label: Int) {
    answers += 1
    if answer == label { right += 1 }
    guard !wanted.isEmpty else { return }
    wanted[label] += 1
    found[answer] += 1
    if answer == label { both[label] += 1 }
    if !matrix.isEmpty { matrix[label * wanted.count + answer] += 1 }
  }

  func metrics(_ data: some ExampleRows, seasonalScale: [Double]?) -> Metrics {
    let mean = lossSum / lossWeight
    var metrics = Metrics(loss: mean, examples: data.sequenceCount)
    if rows > 0 {
      let count = Double(rows * columns.count)
      metrics.mae = columns.reduce(0) { $0 + $1.absolute } / count
      metrics.rmse = (columns.reduce(0) { $0 + $1.square } / count).squareRoot()
      metrics.mase = scaledError(seasonalScale)
      if rows > 1 {
        metrics.r2 = columns.reduce(0) { $0 + $1.determination(rows: rows) } / Double(columns.count)
      }
    }
    if answers > 0 { metrics.accuracy = Double(right) / Double(answers) }
    metrics.macroF1 = macroF1
    (metrics.sequenceAccuracy, metrics.errorRate) = (sequences.accuracy, sequences.errorRate)
    if isText {
      metrics.perplexity = exp(mean)
      metrics.bitsPerToken = mean / log(2)
    }
    return metrics
  }

  private func scaledError(_ scale: [Double]?) -> Double? {
    guard let scale, !scale.isEmpty, columns.count.isMultiple(of: scale.count) else { return nil }
    var (sum, count) = (0.0, 0)
    for (index, column) in columns.enumerated() where scale[index % scale.count] > 0 {
      sum += column.absolute / Double(rows) / scale[index % scale.count]
      count += 1
    }
    return count == 0 ? nil : sum / Double(count)
  }

  private var macroF1: Double? {
    let scores = wanted.indices.compactMap { label in
      let either = wanted[label] + found[label]
      return either == 0 ? nil : 2 * Double(both[label]) / Double(either)
    }
    return scores.isEmpty ? nil : scores.reduce(0, +) / Double(scores.count)
  }

  /// nil without classes, or with more than anybody would look at.
  var confusion: ConfusionMatrix? {
    guard !matrix.isEmpty else { return nil }
    let size = wanted.count
    return ConfusionMatrix(counts: (0..<size).map { Array(matrix[$0 * size..<($0 + 1) * size]) })
  }
}

/// How much a model's outputs differ from row to row; 0 when they are constant.
struct OutputSpread {
  /// The most columns that are looked at.
  private static let limit = 32

  private var rows = 0
  private let step: Int
  /// Of each column looked at, the first value, and the sums of the others' differences from it and of their squares.
  private var (first, sums, squares): ([Double], [Double], [Double])

  init(width: Int) {
    step = max(1, width / Self.limit)
    let none = [Double](repeating: 0, count: min(max(width, 1), Self.limit))
    (first, sums, squares) = (none, none, none)
  }

  mutating func add(_ output: UnsafePointer<Float>) {
    for column in first.indices {
      let value = Double(output[column * step])
      if rows == 0 { first[column] = value }
      let difference = value - first[column]
      sums[column] += difference
      squares[column] += difference * difference
    }
    rows += 1
  }

  /// The root of the columns' mean variance.
  var deviation: Double {
    guard rows > 1 else { return 0 }
    let count = Double(rows)
    let variance = first.indices.reduce(0.0) { $0 + max(squares[$1] - sums[$1] * sums[$1] / count, 0) / count }
    return (variance / Double(first.count)).squareRoot()
  }
}

extension MetricTally.Column {
  @inline(__always)
  fileprivate mutating func add(_ found: Float, _ wanted: Float, scale: Double, isFirst: Bool, offset: Double) {
    let error = Double(found - wanted) * scale
    absolute += abs(error)
    square += error * error
    if isFirst { first = Double(wanted) * scale + offset }
    let target = Double(wanted) * scale + offset - first
    sum += target
    sumOfSquares += target * target
  }

  fileprivate func determination(rows: Int) -> Double {
    let total = max(sumOfSquares - sum * sum / Double(rows), 0)
    // Beyond what rounding leaves of a column that never varies.
    guard total > sumOfSquares * 1e-12 else { return square == 0 ? 1 : 0 }
    return 1 - square / total
  }
}
