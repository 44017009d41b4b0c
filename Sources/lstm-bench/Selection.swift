import ArgumentParser

/// The cases and figures selected by `--case`, in the table's order.
struct Selection {
  var entries: [(bench: BenchCase, figures: [BenchCase.Figure])]
  var cases: [BenchCase] { entries.map(\.bench) }

  /// Figures as `case/figure`.
  var ids: [String] { entries.flatMap { entry in entry.figures.map { entry.bench.name + "/" + $0.name } } }

  /// - Parameter text: names of cases or of figures, separated by commas; nil for all.
  init(_ text: String?) throws {
    let wanted = text.map { Set($0.split(separator: ",").map(String.init)) }
    var known: Set<String> = []
    entries = BenchCase.all.compactMap { bench in
      known.insert(bench.name)
      let figures = bench.figures.filter { figure in
        known.insert(bench.name + "/" + figure.name)
        guard let wanted else { return true }
        return wanted.contains(bench.name) || wanted.contains(bench.name + "/" + figure.name)
      }
      return figures.isEmpty ? nil : (bench, figures)
    }
    if let unknown = wanted?.subtracting(known).min() {
      let names = BenchCase.all.map(\.name).joined(separator: ", ")
      throw ValidationError("--case \(unknown): expected names from \(names), or a figure such as seed/training")
    }
  }
}
