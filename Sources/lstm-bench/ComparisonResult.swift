/// What a comparison found.
struct ComparisonResult {
  var kernels = ""
  var peaks: [Double] = []
  var versions: [Rival: String] = [:]
  var figures: [Figure] = []
  /// What did not agree or could not be done.
  var remarks: [String] = []
  /// The largest differences of all that were compared.
  var differences: [String: Double] = [:]
  var checks = 0

  func index(of id: String) -> Int? { figures.firstIndex { $0.id == id } }

  /// One rival's part in one figure.
  struct Contest {
    /// B / A of each pair.
    var ratios: [Double] = []
    var milliseconds: [Double] = []
    var p99: [Double] = []
    var variant: String?
    /// From the agreement check.
    var first: Double
  }

  struct Figure {
    let bench: BenchCase
    let figure: BenchCase.Figure
    let operations: Double
    var ours: [Measurement] = []
    /// Of the FMA peak, in each visit.
    var peakShares: [Double] = []
    var contests: [Rival: Contest] = [:]

    /// The rival with the smallest ratio.
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
    /// The median of the visits' medians.
    var milliseconds: Double { ours.map(\.milliseconds).median }
  }
}
