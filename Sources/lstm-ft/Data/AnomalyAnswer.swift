import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What a model that gives back its input does not expect, for printing.
struct AnomalyAnswer: Encodable {
  struct Span: Encodable {
    let first: String
    let last: String
    let count: Int
    let error: Double
  }

  /// nil where the model has none and none was given.
  let threshold: Double?
  /// Of each row of a series, or of each sequence; null for a row that is in no window.
  let errors: [Double?]
  let anomalies: [Bool]?
  let spans: [Span]?
  private let rows: [(names: [String], place: Int)]
  private let columns: [String]
  private let unit: String

  private enum CodingKeys: CodingKey { case threshold, errors, anomalies, spans }

  init(_ model: LSTMModel, _ data: any ShownData, threshold: Double?, _ kernels: Kernels) throws {
    let known = threshold ?? model.preprocessing.anomalyThreshold
    let found = try model.anomalies(in: data, threshold: known ?? .infinity, kernels: kernels)
    self.threshold = known
    errors = found.errors
    anomalies = known == nil ? nil : found.errors.indices.map(found.isAnomaly)
    spans =
      known == nil
      ? nil
      : found.spans.map { Span(first: $0.first, last: $0.last, count: $0.rows.count, error: $0.error) }
    let places = found.errors.indices.filter { found.errors[$0] != nil }
    unit = data.series == nil ? "sequence" : "row"
    columns = data.series?.forecastColumns(numbersRows: true) ?? ["sequence"]
    rows = places.map { place in
      (data.series?.labels(ofRow: place, numbersRows: true) ?? ["\(place)"], place)
    }
  }

  /// A row for each row of the data that has an error.
  func csv() throws -> String {
    var writer = CSVWriter(columnNames: columns + ["error"] + (anomalies == nil ? [] : ["anomaly"]))
    for (names, place) in rows {
      let error = "\(Float(errors[place] ?? 0))"
      try writer.append([], labels: names + [error] + (anomalies.map { [$0[place] ? "1" : "0"] } ?? []))
    }
    return writer.text
  }

  /// Lines for people.
  var lines: [String] {
    guard let threshold, let spans, let anomalies else {
      return ["the model has no threshold for anomalies; give one with --anomaly-threshold"]
    }
    let count = anomalies.count { $0 }
    let found =
      count == 0
      ? "no \(unit) is an anomaly"
      : "\(plural(count, unit)) of \(grouped(rows.count)) \(count == 1 ? "is an anomaly" : "are anomalies")"
    var lines = ["\(found): threshold \(digits(threshold))"]
    lines += spans.prefix(10).map { span in
      let which = span.count == 1 ? span.first : "\(span.first) to \(span.last)"
      return "\(isNumbered ? "\(unit) " : "")\(which), error up to \(digits(span.error))"
    }
    if spans.count > 10 { lines.append("and \(spans.count - 10) more") }
    return lines
  }

  /// Whether rows have no times.
  private var isNumbered: Bool { columns == [unit] }
}
