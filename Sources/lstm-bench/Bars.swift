import Foundation

/// A performance target of the project: a figure and its limit.
struct Bar {
  struct Verdict: Encodable {
    let bar: String
    let found: String
    let met: Bool
  }

  let title: String
  /// The figure and the rival, for a target about one rival.
  private var against: (id: String, rival: Rival)?
  /// nil if the run does not have the figures.
  private let judge: (ComparisonResult) -> (found: String, met: Bool)?

  /// Whether the rival must be timed on the figure even if it is not among the fastest.
  func needs(_ rival: Rival, _ figure: ComparisonResult.Figure) -> Bool {
    against.map { $0.id == figure.id && $0.rival == rival } ?? false
  }

  func verdict(_ result: ComparisonResult) -> Verdict? {
    judge(result).map { Verdict(bar: title, found: $0.found, met: $0.met) }
  }

  static var all: [Bar] {
    [
      each("training, every case: at least 1.3x the best rival", 1.3) { $0 == .training },
      mean("training, geometric mean: at least 2.2x the best rival", 2.2) { $0 == .training },
      peak("training step at I = H = 512, B 32: at least 80% of the FMA peak", "512/training", 0.80),
      peak("training step at H = 128, B 64: at least 65% of the FMA peak", "series-128/training", 0.65),
      each("inference, every case: at least the best rival", 1.0) { $0 != .training },
      mean("inference, geometric mean: at least 1.5x the best rival", 1.5) { $0 != .training },
      mean("inference, geometric mean: at least 1.5x the best rival as called from Python", 1.5, besides: .onnxruntimeC)
      {
        $0 != .training
      },
      one("single step, 128 units: at least 3x ONNX Runtime's session call", "step-128/step", .onnxruntime, 3),
      one("single step, 256 units: at least 2x ONNX Runtime's session call", "step-256/step", .onnxruntime, 2),
      one("single step, 128 units: faster than ONNX Runtime's C API", "step-128/step", .onnxruntimeC, 1),
      one("single step, 256 units: faster than ONNX Runtime's C API", "step-256/step", .onnxruntimeC, 1),
      one("first of two layers frozen, H = 128: at least 3x PyTorch's step", "frozen-128/training-frozen", .torch, 3),
      one("first of two layers frozen, H = 512: at least 2x PyTorch's step", "frozen-512/training-frozen", .torch, 2),
      one("only the head trainable: at least 30x PyTorch's step", "speaker-64/training-head", .torch, 30),
    ]
  }

  // MARK: Kinds of targets

  /// Figures without frozen layers; those with frozen layers have targets of their own.
  private static func chosen(
    _ result: ComparisonResult, besides excluded: Rival? = nil, _ isWanted: (BenchCase.Figure.Kind) -> Bool
  ) -> [(id: String, ratio: Double)] {
    result.figures.filter { isWanted($0.figure.kind) && $0.figure.freezing.isEmpty }
      .compactMap { figure in figure.best(besides: excluded).map { (figure.id, $0.contest.ratios.median) } }
  }

  private static func each(
    _ title: String, _ limit: Double, _ isWanted: @escaping (BenchCase.Figure.Kind) -> Bool
  ) -> Bar {
    Bar(title: title) { result in
      let all = chosen(result, isWanted)
      guard let worst = all.min(by: { $0.ratio < $1.ratio }) else { return nil }
      let below = all.filter { $0.ratio < limit }.sorted { $0.ratio < $1.ratio }
      let names = below.map { "\($0.id) \(times($0.ratio))" }.joined(separator: ", ")
      return (below.isEmpty ? "the lowest is \(worst.id), \(times(worst.ratio))" : "below: " + names, below.isEmpty)
    }
  }

  private static func mean(
    _ title: String, _ limit: Double, besides excluded: Rival? = nil,
    _ isWanted: @escaping (BenchCase.Figure.Kind) -> Bool
  ) -> Bar {
    Bar(title: title) { result in
      let all = chosen(result, besides: excluded, isWanted)
      guard all.count > 1 else { return nil }
      let mean = exp(all.reduce(0) { $0 + log($1.ratio) } / Double(all.count))
      return ("\(times(mean)) over \(all.count) figures", mean >= limit)
    }
  }

  private static func peak(_ title: String, _ id: String, _ limit: Double) -> Bar {
    Bar(title: title) { result in
      guard let index = result.index(of: id), !result.figures[index].peakShares.isEmpty else { return nil }
      let share = result.figures[index].peakShares.median
      return (String(format: "%.0f%%", 100 * share), share >= limit)
    }
  }

  private static func one(_ title: String, _ id: String, _ rival: Rival, _ limit: Double) -> Bar {
    Bar(title: title, against: (id, rival)) { result in
      guard let index = result.index(of: id), let ratio = result.figures[index].ratio(rival) else { return nil }
      return (times(ratio), ratio >= limit)
    }
  }

  private init(
    title: String, against: (id: String, rival: Rival)? = nil,
    judge: @escaping (ComparisonResult) -> (found: String, met: Bool)?
  ) {
    self.title = title
    self.against = against
    self.judge = judge
  }
}

/// `2.31x`
func times(_ ratio: Double) -> String { String(format: ratio < 10 ? "%.2fx" : "%.1fx", ratio) }
