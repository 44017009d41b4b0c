import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning

/// A run on one page: HTML that is also well-formed XML, without scripts or external resources.
struct RunPage {
  private let log: RunLog
  private let path: String
  private let guide: RunGuide
  private let written: Date
  private var html = ""

  /// - Parameters:
  ///   - path: the run's folder, as typed.
  ///   - guide: the next steps.
  ///   - written: the page's date.
  init(_ log: RunLog, path: String, guide: RunGuide, written: Date = Date()) {
    self.log = log
    self.path = path
    self.guide = guide
    self.written = written
  }

  /// The most rows of the table of epochs, and the most samples.
  private static let (rowLimit, sampleLimit) = (40, 12)

  mutating func text() -> String {
    let name = URL(fileURLWithPath: path).lastPathComponent
    html = """
      <!DOCTYPE html>
      <html xmlns="http://www.w3.org/1999/xhtml" lang="en">
      <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>\(Self.line("\(name): a fine-tuning run"))</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <main>

      """
    head(name)
    plan()
    losses()
    table()
    if let chart = log.metricChart() { figure(chart) }
    steps()
    gradients()
    samples()
    next()
    configuration()
    footer()
    html += "</main>\n</body>\n</html>\n"
    return html
  }

  // MARK: Parts

  private mutating func head(_ name: String) {
    leaf("h1", name)
    leaf("p", log.state, class: "state")
    if let advice = log.advice { leaf("p", advice.text(spelling: guide.spelling)) }
    if let (name, text) = log.beforeAndAfter(arrow: "→") {
      html += "<p class=\"result\"><strong>\(Self.line(name))</strong>\(Self.line(text))</p>\n"
    }
    if let gap = log.gap { leaf("p", "The start of the log could not be read: \(gap)", class: "note") }
  }

  private mutating func plan() {
    guard let record = log.record else { return }
    leaf("h2", "Plan")
    var rows: [(String, String)] = []
    if let model = record.model {
      rows.append(("model", model + (record.configuration.map { ": \($0.summary)" } ?? "")))
    }
    for (name, value) in [
      ("data", record.data), ("loss", record.loss), ("optimizer", record.optimizer), ("recipe", record.recipe),
      ("schedule", record.schedule),
    ] {
      if let value { rows.append((name, value)) }
    }
    if let cache = log.cache { rows.append(("cache", Self.words(cache))) }
    definitions(rows)
    guard !record.plan.isEmpty else { return }
    let shown = record.plan.prefix(Self.rowLimit)
    grid(
      header: ["part", "parameters", "trainable", "status", "learning rate", "from epoch"],
      rows: shown.map { part in
        [
          oneLine(part.name), grouped(part.parameters), grouped(part.trainable), oneLine(part.fate),
          part.learningRate.map(short) ?? (part.trainable > 0 ? "several" : ""),
          part.trainable > 0 ? "\(part.firstEpoch)" : "",
        ]
      }, textColumns: [0, 3])
    let rest = record.plan.count - shown.count
    if rest > 0 { leaf("p", "… and \(plural(rest, "more part"))", class: "note") }
  }

  private static func words(_ cache: CacheUsage) -> String {
    let what = "outputs of \(cache.parts.prefix(20).joined(separator: ", "))"
    let size = "\(grouped(cache.bytes)) bytes"
    switch cache.place {
    case .memory: return "\(what): \(size) in memory"
    case .file(let folder): return "\(what): \(size) in a temporary file in \(folder)"
    case .nowhere(let reason): return "not cached (\(size)): \(reason)"
    }
  }

  private mutating func losses() {
    guard log.epochCount > 0 else { return }
    leaf("h2", "Epochs")
    figure(log.lossChart())
  }

  private mutating func table() {
    let epochs = log.epochs
    guard !epochs.isEmpty else { return }
    let (metric, best) = (log.metric, log.best?.number)
    // The first, the last, the best, and as many between them as fit.
    let pace = (epochs.count + Self.rowLimit - 1) / Self.rowLimit
    let shown = epochs.enumerated().filter { place, epoch in
      place % pace == 0 || place == epochs.count - 1 || epoch.number == best
    }.map(\.element)
    grid(
      header: [
        "epoch", "training loss", "validation loss", metric?.name(log.record?.unit) ?? "", "learning rate",
        "gradient norm", "sequences/s", "time", "",
      ],
      rows: shown.map { epoch in
        [
          grouped(epoch.number), digits(epoch.trainingLoss), epoch.validation.map { digits($0.loss) } ?? "–",
          metric?.text(epoch.validation) ?? "", short(epoch.learningRate), digits(epoch.gradientNorm),
          epoch.sequencesPerSecond.map { String(format: "%.0f", $0) } ?? "", epoch.seconds.map(duration) ?? "",
          epoch.number == best ? "best" : "",
        ]
      }, textColumns: [8], marked: { shown[$0].number == best })
    if shown.count < log.epochCount {
      leaf("p", "\(grouped(shown.count)) of \(grouped(log.epochCount)) epochs.", class: "note")
    }
  }

  private mutating func steps() {
    let charts = log.stepCharts()
    guard !charts.isEmpty else { return }
    leaf("h2", "Steps")
    let thinning =
      log.stepCount > ThinnedCurve.limit
      ? " Where steps are dense, a curve shows the minimum and the maximum of each interval." : ""
    let rate = log.constantRate.map { " The learning rate was \(short($0)) throughout." } ?? ""
    leaf("p", "\(plural(log.stepCount, "step")).\(rate)\(thinning)")
    for chart in charts { figure(chart, height: 320) }
  }

  private mutating func gradients() {
    let (parts, time) = (log.partChart(), log.gradientChart())
    guard parts != nil || time != nil else { return }
    leaf("h2", "Gradients")
    if let parts { figure(parts, height: 360) }
    guard let time else { return }
    leaf(
      "p",
      "How to read it: gradients flow from the last time steps, on the right, back to the first, on the left. A flat line is "
        + "healthy. One that falls towards the left by many powers of ten shows vanishing gradients (early steps are not "
        + "learned from); one that rises shows exploding gradients (clip harder, or lower the learning rate)."
    )
    figure(time, height: 360)
  }

  private mutating func samples() {
    let samples = log.samples
    guard let first = samples.first, let last = samples.last else { return }
    leaf("h2", "Samples")
    var texts: [RunLog.Sampled] = []
    var charted: Set<Int> = []
    for sampled in samples {
      switch sampled.sample {
      case .text: texts.append(sampled)
      case .forecast(let series):
        let isBest = sampled.epoch == log.best?.number
        guard sampled == first || sampled == last || isBest, charted.insert(sampled.epoch).inserted else { continue }
        figure(
          series.chart(title: "Forecast \(when(sampled.epoch))\(isBest ? ", the best" : "")"), height: 320)
      }
    }
    guard !texts.isEmpty else { return }
    let pace = (texts.count + Self.sampleLimit - 1) / Self.sampleLimit
    html += "<dl class=\"samples\">\n"
    for (place, sampled) in texts.enumerated() {
      let isBest = sampled.epoch == log.best?.number
      guard place % pace == 0 || place == texts.count - 1 || isBest, case .text(let prompt, let text) = sampled.sample
      else { continue }
      leaf("dt", when(sampled.epoch) + (isBest ? ", the best" : ""))
      // Isolated, so that right-to-left text does not reorder the rest.
      html += "<dd><bdi><b>\(Self.lines(prompt))</b>\(Self.lines(text))</bdi></dd>\n"
    }
    html += "</dl>\n"
  }

  private func when(_ epoch: Int) -> String { epoch == 0 ? "before the first step" : "after epoch \(grouped(epoch))" }

  private mutating func next() {
    let steps = guide.steps(log, path)
    guard !steps.isEmpty else { return }
    leaf("h2", "Next steps")
    if let folder = log.record?.folder { leaf("p", "In \(oneLine(folder, limit: 400)):") }
    for step in steps {
      html += "<p class=\"command\">\(Self.line(step.purpose))<code>\(Self.line(step.command))</code></p>\n"
    }
  }

  private mutating func configuration() {
    guard let lines = log.record?.lines, !lines.isEmpty else { return }
    leaf("h2", "Configuration")
    html += "<details>\n<summary>All settings of the run (config.json)</summary>\n"
    definitions(lines.prefix(80).map { (oneLine($0.name, limit: 60), $0.value) })
    html += "</details>\n"
  }

  private mutating func footer() {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withSpaceBetweenDateAndTime]
    html += "<footer>\n"
    leaf(
      "p",
      "Written by lstm-ft, \(formatter.string(from: written))."
        + (guide.renewal.map { " \($0) updates this page." } ?? ""))
    if log.endsInHalfALine { leaf("p", "The log ends in an incomplete line: the run was killed, or was writing.") }
    if log.unknownLines > 0 { leaf("p", "\(plural(log.unknownLines, "line")) of an unknown kind in the log.") }
    html += "</footer>\n"
  }

  // MARK: Elements

  private mutating func leaf(_ name: String, _ text: String, class kind: String? = nil) {
    html += "<\(name)\(kind.map { " class=\"\($0)\"" } ?? "")>\(Self.line(text))</\(name)>\n"
  }

  /// On one line, without invisible characters, and cut at a limit.
  private static func line(_ text: String) -> String { SVG.escaped(oneLine(text, limit: 2000)) }

  private mutating func figure(_ chart: LineChart, height: Int = 400) {
    var chart = chart
    chart.height = height
    html += "<figure>\n\(chart.svg())</figure>\n"
  }

  private mutating func definitions(_ rows: [(String, String)]) {
    html += "<dl>\n"
    for (name, value) in rows {
      leaf("dt", name)
      leaf("dd", oneLine(value, limit: 600))
    }
    html += "</dl>\n"
  }

  /// - Parameters:
  ///   - textColumns: those that are not numbers.
  ///   - marked: whether a row stands out.
  private mutating func grid(
    header: [String], rows: [[String]], textColumns: Set<Int>, marked: (Int) -> Bool = { _ in false }
  ) {
    // An empty column is left out.
    let columns = header.indices.filter { column in rows.contains { !$0[column].isEmpty } }
    func cells(_ row: [String], _ name: String) -> String {
      columns.map { column in
        "<\(name)\(textColumns.contains(column) ? " class=\"text\"" : "")>\(Self.line(row[column]))</\(name)>"
      }.joined()
    }
    html += "<div class=\"wide\"><table>\n<thead><tr>\(cells(header, "th"))</tr></thead>\n<tbody>\n"
    for (place, row) in rows.enumerated() {
      html += "<tr\(marked(place) ? " class=\"marked\"" : "")>\(cells(row, "td"))</tr>\n"
    }
    html += "</tbody>\n</table></div>\n"
  }

  /// Text with its line breaks, and without other invisible characters.
  private static func lines(_ text: String) -> String {
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { SVG.escaped(oneLine(String($0), limit: .max)) }.joined(separator: "\n")
  }
}

extension RunLog {
  /// The run as a page of HTML, without external resources.
  /// - Parameters:
  ///   - path: the run's folder, as typed.
  ///   - guide: the next steps, as they are entered.
  public func page(path: String, guide: RunGuide = .none) -> String {
    var page = RunPage(self, path: path, guide: guide)
    return page.text()
  }
}
