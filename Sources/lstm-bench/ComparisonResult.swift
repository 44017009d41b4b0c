/// The results of a comparison.
struct ComparisonResult {
  var kernels = ""
  var peaks: [Double] = []
  var versions: [Rival: String] = [:]
  var figures: [Figure] = []
  /// Disagreements, and what could not be measured.
  var remarks: [String] = []
  /// The largest difference of each kind of comparison.
  var differences: [String: Double] = [:]
  var checks = 0

  func index(of id: String) -> Int? { figures.firstIndex { $0.id == id } }

  /// One rival's times for one figure.
  struct Contest {
    /// B / A of each pair.
    var ratios: [Double] = []
    var milliseconds: [Double] = []
    var p99: [Double] = []
    var variant: String?
    /// The time in the comparison of outputs.
    var first: Double
  }

  struct Figure {
    let bench: BenchCase
    let figure: BenchCase.Figure
    let operations: Double
    var ours: [Measurement] = []
    /// The share of the FMA peak in each process.
    var peakShares: [Double] = []
    var contests: [Rival: Contest] = [:]

    /// The fastest rival.
    var best: (rival: Rival, contest: Contest)? { best(besides: nil) }
    func best(besides excluded: Rival?) -> (rival: Rival, contest: Contest)? {
      contests.filter { !$0.value.ratios.isEmpty && $0.key != excluded }
        .min { $0.value.ratios.median < $1.value.ratios.median }
        .map { ($0.key, $0.value) }
    }
    func ratio(_ rival: Rival) -> Double? {
      contests[rival].flatMap { $0.ratios.isEmpty ? nil : $0.ratios.median }
    }

    var id: String { bench.name + "/" + figure.name }
    /// The median of the processes' medians.
    var milliseconds: Double { ours.map(\.milliseconds).median }
  }
}
