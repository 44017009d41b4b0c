import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Training loss. Each is the mean over all that counts, as PyTorch's with `reduction="mean"`; padded
/// steps do not count.
///
/// What a `Regularization` adds is no part of it: see `Network.penalty`.
public enum Loss: Sendable, Equatable, Codable {
  /// (p - y)^2
  case meanSquaredError
  /// |p - y|
  case meanAbsoluteError
  /// d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond (torch.nn.HuberLoss)
  case huber(delta: Float)
  /// -log softmax(p)[y], over logits (torch.nn.CrossEntropyLoss). With smoothing e and weights w of K classes
  ///
  ///     (1 - e) w[y] (-log softmax(p)[y]) + e / K sum over c of w[c] (-log softmax(p)[c])
  ///
  /// and the mean divides by the sum of the w[y] that count.
  /// - Parameters:
  ///   - labelSmoothing: e, from 0 to 1.
  ///   - classWeights: (K), of at least 0; 1 each when nil.
  case crossEntropy(labelSmoothing: Float = 0, classWeights: [Float]? = nil)
  /// -(y log sigmoid(p) + (1 - y) log(1 - sigmoid(p))), over logits
  case binaryCrossEntropy
  /// The negative log-likelihood of a sequence's tags, for a model that ends in a CRF (torchcrf.CRF): the score of all
  /// sequences of tags, less that of the right ones. Steps after the last one with a tag do not count.
  case crf(reduction: SequenceReduction = .mean)
  /// The negative log-likelihood of labels that are not aligned with the steps, over logits (torch.nn.CTCLoss).
  /// - Parameters:
  ///   - blank: the number of the blank; negative ones count from the end, so that -1 is the last, as in Keras. nil for
  ///     the model's own (`Preprocessing.blank`), else 0.
  ///   - zeroInfinity: whether a sequence with fewer steps than its labels need counts as a loss of zero.
  case ctc(blank: Int? = nil, reduction: SequenceReduction = .lengthMean, zeroInfinity: Bool = false)

  /// `mse`, `mae`, `huber`, `cross-entropy`, `bce`, `crf` or `ctc`.
  public var name: String {
    switch self {
    case .meanSquaredError: "mse"
    case .meanAbsoluteError: "mae"
    case .huber: "huber"
    case .crossEntropy: "cross-entropy"
    case .binaryCrossEntropy: "bce"
    case .crf: "crf"
    case .ctc: "ctc"
    }
  }

  /// The plain cross-entropy.
  public static let crossEntropy = Loss.crossEntropy(labelSmoothing: 0, classWeights: nil)

  /// Whatever its smoothing and weights.
  public var isCrossEntropy: Bool { if case .crossEntropy = self { true } else { false } }

  /// Whether it reads class numbers.
  public var isOfClasses: Bool {
    switch self {
    case .crossEntropy, .binaryCrossEntropy, .crf, .ctc: true
    case .meanSquaredError, .meanAbsoluteError, .huber: false
    }
  }

  /// Whether classes must be numbers, not 0 and 1 for each.
  var readsClassNumbers: Bool { isOfClasses && self != .binaryCrossEntropy }

  /// What validation reports: without label smoothing, which is for training and would hide how likely the right classes
  /// are. Class weights stay; they define what is to be minimized.
  public var forEvaluation: Loss {
    if case .crossEntropy(_, let classWeights) = self { .crossEntropy(classWeights: classWeights) } else { self }
  }

  /// Whether it has the last layer's softmax or sigmoid in it.
  public var outputForm: Network.OutputForm {
    switch self {
    case .crossEntropy, .binaryCrossEntropy, .ctc: .logits
    default: .activated
    }
  }

  /// The sum of the losses, how many values count, and their weight: the count, without class weights.
  struct Sum {
    var sum: Double
    var count: Int
    var weight: Double
    var mean: Double { weight == 0 ? 0 : sum / weight }
  }

  // MARK: - Rows in memory

  /// The shape of a model's output: (N, T, O), or (N, O) without steps.
  struct OutputShape {
    var count: Int
    var steps: Int?
    var width: Int
    var rows: Int { count * (steps ?? 1) }
    var text: String { shapeText([count] + (steps.map { [$0] } ?? []) + [width]) }
  }

  /// - Parameter count: rows of targets in the batch: one for each example, or for each of its steps.
  /// - Throws: `ShapeError` when the targets are not of the kind or the size that the output and this loss ask for, or
  ///   the loss does not fit the output.
  func check(_ targets: SequenceData.Targets, rows count: Int, against output: OutputShape) throws(ShapeError) {
    switch (self, targets) {
    case (.crf, _), (.ctc, _): try checkSequences(targets, rows: count, against: output)
    case (.crossEntropy, .classes), (.binaryCrossEntropy, .classes):
      try checkSteps(count, output)
      guard count == output.rows else { throw mismatch("class numbers for an output \(output.text)", "\(count)") }
      guard isCrossEntropy || output.width == 1 else {
        throw mismatch("one class number for one output", "\(output.width) outputs")
      }
      try checkCrossEntropy(classes: output.width)
    case (.crossEntropy, .values): throw mismatch("class numbers for \(name)", "real values")
    case (_, .values(_, let size, _)):
      if size == output.width { try checkSteps(count, output) }
      guard size == output.width, count == output.rows else {
        throw mismatch("\(output.text), as the model gives", "\(count * size) values, \(size) each")
      }
    case (_, .classes): throw mismatch("real values for \(name)", "class numbers")
    case (_, .labels): throw mismatch("one target for each output, for \(name)", "sequences of labels")
    case (_, .none): throw mismatch("something to compare with", "none")
    }
  }

  /// Behind pooling and the like, a model gives fewer steps than it reads.
  private func checkSteps(_ count: Int, _ output: OutputShape) throws(ShapeError) {
    guard let steps = output.steps, count != output.rows, count.isMultiple(of: max(output.count, 1)) else { return }
    let found = count / max(output.count, 1)
    guard found > 1 else { return }
    throw mismatch("one for each of the \(steps) steps that the model gives", "\(found) a sequence")
  }

  private func checkCrossEntropy(classes: Int) throws(ShapeError) {
    guard case .crossEntropy(let smoothing, let weights) = self else { return }
    guard 0...1 ~= smoothing else {
      throw ShapeError(what: "label smoothing", expected: "a number from 0 to 1", found: "\(smoothing)")
    }
    guard let weights else { return }
    guard weights.count == classes else {
      throw ShapeError(
        what: "class weights", expected: "\(classes), one for each class", found: "\(weights.count)")
    }
    for weight in weights where !(weight >= 0 && weight.isFinite) {
      throw ShapeError(what: "class weights", expected: "numbers of at least 0", found: "\(weight)")
    }
  }

  /// The loss over rows that `check` has found to fit, on all threads; the result does not depend on how many.
  /// - Parameters:
  ///   - prediction: (count, width)
  ///   - places: for each predicted row, the row of its target.
  ///   - gradient: (count, width), gets the gradient of the mean.
  ///   - sums: (count), for this function's own use.
  func evaluate(
    _ prediction: UnsafePointer<Float>, width: Int, _ targets: TargetRows, at places: UnsafePointer<Int>,
    gradient: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Double>, count rows: Int, kernels: Kernels
  ) throws(ShapeError) -> Sum {
    var counted = rows
    var weight: Double?
    let isCrossEntropy = isCrossEntropy
    if case .classes(let classes) = targets {
      let limit = isCrossEntropy ? width : 2
      for row in 0..<rows {
        let label = classes[places[row]]
        if label == SequenceData.ignored {
          counted -= 1
        } else if !(0..<limit ~= Int(label)) {
          throw mismatch("classes from 0 to \(limit - 1)", "\(label)")
        }
      }
      if case .crossEntropy(_, let classWeights?) = self {
        weight = 0
        for row in 0..<rows where classes[places[row]] != SequenceData.ignored {
          weight? += Double(classWeights[Int(classes[places[row]])])
        }
      }
    }
    let count = isCrossEntropy ? counted : counted * width
    let share = weight.map { $0 > 0 ? Float(1 / $0) : 0 } ?? 1 / Float(max(count, 1))
    let batch = Rows(
      prediction: prediction, width: width, targets: targets, places: places, gradient: gradient, sums: sums,
      share: share)
    kernels.forEachShare(of: rows, work: isCrossEntropy ? 4 * width : width) { part in
      switch self {
      case .meanSquaredError: batch.forEachValue(in: part) { p, y in ((p - y) * (p - y), 2 * (p - y)) }
      // NaN goes through all of them, so that it is seen.
      case .meanAbsoluteError:
        batch.forEachValue(in: part) { p, y in
          let d = p - y
          return (abs(d), d == 0 ? 0 : d > 0 ? 1 : d < 0 ? -1 : d)
        }
      case .huber(let delta):
        batch.forEachValue(in: part) { p, y in
          let d = p - y
          return abs(d) <= delta
            ? (0.5 * d * d, d) : (delta * (abs(d) - 0.5 * delta), d > 0 ? delta : d < 0 ? -delta : d)
        }
      case .binaryCrossEntropy:
        // max(p, 0) - p y + log(1 + exp(-|p|)), which never overflows.
        batch.forEachValue(in: part) { p, y in
          let e = exp(-abs(p))
          let s = p >= 0 ? 1 / (1 + e) : e / (1 + e)
          return (max(p, 0) - p * y + log1p(e), s - y)
        }
      case .crossEntropy(0, nil): batch.crossEntropy(in: part, kernels)
      case .crossEntropy(let smoothing, let classWeights):
        batch.crossEntropy(in: part, smoothing: smoothing, classWeights, kernels)
      case .crf, .ctc: fatalError("\(name) is measured by SequenceLoss")
      }
    }
    var sum = 0.0
    for row in 0..<rows { sum += sums[row] }
    return Sum(sum: sum, count: count, weight: weight ?? Double(count))
  }

  func mismatch(_ expected: String, _ found: String) -> ShapeError {
    ShapeError(what: "targets", expected: expected, found: found)
  }

  /// A batch of rows, each independent of the others.
  private struct Rows {
    let prediction: UnsafePointer<Float>
    let width: Int
    let targets: TargetRows
    let places: UnsafePointer<Int>
    let gradient: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Double>
    /// One over what counts.
    let share: Float

    /// Sums the losses of values, and writes their slopes.
    @inline(__always)
    func forEachValue(in rows: Range<Int>, _ element: (_ p: Float, _ y: Float) -> (value: Float, slope: Float)) {
      for row in rows {
        let (p, g) = (prediction + row * width, gradient + row * width)
        sums[row] = 0
        switch targets {
        case .values(let values):
          let y = values + places[row] * width
          for j in 0..<width {
            let (value, slope) = element(p[j], y[j])
            sums[row] += Double(value)
            g[j] = slope * share
          }
        case .classes(let classes):
          let label = classes[places[row]]
          let (value, slope) = label == SequenceData.ignored ? (0, 0) : element(p[0], Float(label))
          sums[row] = Double(value)
          g[0] = slope * share
        case .labels: break
        }
      }
    }

    /// Sums the losses of the labels that count, and has `element` write their gradients.
    @inline(__always)
    func forEachLabel(
      in rows: Range<Int>,
      _ element: (_ p: UnsafePointer<Float>, _ g: UnsafeMutablePointer<Float>, _ target: Int) -> Double
    ) {
      guard case .classes(let classes) = targets else { return }
      for row in rows {
        let (p, g, label) = (prediction + row * width, gradient + row * width, classes[places[row]])
        if label == SequenceData.ignored {
          sums[row] = 0
          g.update(repeating: 0, count: width)
        } else {
          sums[row] = element(p, g, Int(label))
        }
      }
    }

    func crossEntropy(in rows: Range<Int>, _ kernels: Kernels) {
      forEachLabel(in: rows) { p, g, target in
        let (largest, total) = kernels.exponentials(p, count: width, into: g)
        let right = (g[target] / total - 1) * share
        let factor = share / total
        for j in 0..<width { g[j] *= factor }
        g[target] = right
        // All -inf, or one +inf: NaN.
        return largest.isFinite ? Double(log(total) - (p[target] - largest)) : .nan
      }
    }

    /// With s = softmax(p), t = (1 - e) w[y] and u[c] = e / K w[c]:  dp[c] = (t + sum of u) s[c] - u[c], and - t at y.
    func crossEntropy(in rows: Range<Int>, smoothing: Float, _ weights: [Float]?, _ kernels: Kernels) {
      forEachLabel(in: rows) { p, g, target in
        let (largest, total) = kernels.exponentials(p, count: width, into: g)
        let (logTotal, right) = (log(total), (1 - smoothing) * (weights?[target] ?? 1))
        let each = smoothing / Float(width)
        var (sum, all) = (Double(right * (logTotal - (p[target] - largest))), right)
        // Not 0 times an infinite one.
        if each > 0 {
          for j in 0..<width {
            let weight = each * (weights?[j] ?? 1)
            sum += Double(weight * (logTotal - (p[j] - largest)))
            all += weight
          }
        }
        let factor = all / total
        for j in 0..<width { g[j] = (g[j] * factor - each * (weights?[j] ?? 1)) * share }
        g[target] -= right * share
        return largest.isFinite ? sum : .nan
      }
    }
  }
}

/// Targets where they lie in memory.
enum TargetRows {
  /// Rows as wide as the prediction's.
  case values(UnsafePointer<Float>)
  case classes(UnsafePointer<Int32>)
  /// Rows of so many labels, each filled up with `SequenceData.ignored`.
  case labels(UnsafePointer<Int32>, width: Int)
}

extension SequenceData.Targets {
  /// Lends the targets as rows in memory.
  func withRows<Result>(_ body: (TargetRows) throws(ShapeError) -> Result) throws(ShapeError) -> Result {
    let nothing = ShapeError(what: "targets", expected: "something to compare with", found: "none")
    switch self {
    case .values(let values, _, _):
      return try values.withUnsafeBufferPointer { values throws(ShapeError) in
        guard let base = values.baseAddress else { throw nothing }
        return try body(.values(base))
      }
    case .classes(let classes, _):
      return try classes.withUnsafeBufferPointer { classes throws(ShapeError) in
        guard let base = classes.baseAddress else { throw nothing }
        return try body(.classes(base))
      }
    case .labels(let labels, let width):
      return try labels.withUnsafeBufferPointer { labels throws(ShapeError) in
        guard let base = labels.baseAddress else { throw nothing }
        return try body(.labels(base, width: width))
      }
    case .none: throw nothing
    }
  }
}
