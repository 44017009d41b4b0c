import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model on data.",
    usage: "lstm-ft evaluate [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft evaluate finetuned.h5 --data test.csv
        lstm-ft evaluate model.h5 --data test.npz --json
        lstm-ft evaluate finetuned.h5 --data test.csv --chart forecast.svg
        lstm-ft evaluate textgenrnn.h5 --text test.txt --window 40

      Columns, window, horizon and scaler are those the model was fine-tuned with, unless options change them. Errors \
      are in the data's own units. MASE is the error divided by that of the seasonal naive forecast one row ahead on the \
      file itself; the naive error beside it is that of the same forecast for all the rows that the model predicts.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Data")
  var data: DataArguments

  @OptionGroup(title: "Model")
  var reading: ReadoutArguments

  @OptionGroup(title: "Loss")
  var loss: LossArguments

  @OptionGroup(title: "Computing")
  var computing: ThreadArguments

  @OptionGroup(title: "Output")
  var picture: Picture

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Picture: ParsableArguments {
    @Option(
      help: ArgumentHelp("CSV: draw the forecast and the truth as an SVG chart.", valueName: "file"),
      completion: .file())
    var chart: String?
  }

  struct Answer: Encodable {
    let model: String
    let data: String
    let metrics: Metrics
    /// Of a series: the mean absolute error of the seasonal naive forecast over the same rows.
    let naiveError: Double?
    /// Of classes: `confusion[actual][predicted]`.
    let confusion: [[Int]]?
    let classes: [String]?
    /// Of a text: its characters or words, and the unknown ones.
    let tokens: Int?
    let unknownTokens: Int?
    let chart: String?
    let notes: [String]
    let series: SeriesAnswer?
  }

  func run() throws {
    let console = out.console
    let chart = picture.chart
    let kernels = try computing.kernels()
    let data = try self.data.settings()
    let paths = try data.paths()
    let replaced = try chart.flatMap {
      try requireOutput($0, apartFrom: [model] + paths, overwrite: overwriting.overwrite)
    }
    let base = try openModel(model)
    try console.warnOfNonFinite(base, file: model)
    let record = base.preprocessing
    let loaded = try data.load(for: base, .measuring, readout: reading.readout, loss: loss.choice())
    if chart != nil, let refusal = loaded.chartRefusal { throw InputError.usage("\(refusal)") }
    let all = try loaded.allExamples().hiding(base.configuration)
    let raw = all.sequences
    let fit = try ObjectiveFit(
      base, raw, file: loaded.file, loss: loss.choice(), choice: loss.outputs(), readout: reading.readout,
      mayChangeModel: false, knowsClasses: record.classes != nil)
    try raw.check(fit.model.configuration)
    try record.checkScalers(features: raw.featureCount, targets: raw.targetSize, file: loaded.file)
    let (examples, scalerNotes) = try loaded.shownScaled(fit.prepared(all), record)
    let rowNotes = (loaded.series?.rowNotes(scores: true, isKnown: true) ?? []) + scalerNotes
    let evaluator = try Evaluator(
      Network(fit.model, kernels: kernels), objective: fit.objective, targetScaler: record.targetScaler,
      scalers: record.scalers ?? [:])
    let (metrics, confusion) = try evaluator.report(examples)

    var notes = loaded.readingLines + [loss.own?.note].compactMap(\.self)
    notes += fit.notes.map(\.spelled) + [all.maskNote(base.configuration)].compactMap(\.self) + rowNotes
    for note in notes { console.say("note: \(note)") }
    for line in loaded.contents { console.say("note: \(line)") }
    if record.inputScaler == nil, loaded.series != nil {
      console.say("note: the model has no scaler: it reads the numbers as they are")
    }
    let naiveError = loaded.series?.naiveError()
    let names = loaded.classNames ?? record.classes
    let errorName = names.map(UnalignedLabels.isOfCharacters) ?? false ? "character" : "label"
    let outputs = base.configuration.outputNames
    console.answer(line(metrics, fit.objective, outputs, loaded, naiveError: naiveError, errorName: errorName))
    if let confusion { console.answer(confusionTable(confusion, names)) }
    if let chart, let series = loaded.series {
      let forecast = try evaluator.predict(examples.sequences)
      try writeFile(chart, Data(forecastChart(series, forecast).svg().utf8))
      console.say("wrote \(chart)")
      console.say(replaced)
    }
    let tokens = loaded.tokens
    try console.result(
      Answer(
        model: model, data: loaded.file, metrics: metrics, naiveError: naiveError, confusion: confusion?.counts,
        classes: confusion == nil ? nil : names, tokens: tokens?.count, unknownTokens: tokens?.unknown, chart: chart,
        notes: notes, series: loaded.series?.answer))
  }

  private func line(
    _ metrics: Metrics, _ objective: Objective, _ names: [String], _ data: any ShownData, naiveError: Double?,
    errorName: String
  ) -> [String] {
    if let outputs = metrics.outputs {
      let isWeighted = objective.weight != 1 || objective.others.contains { $0.weight != 1 }
      let whole =
        "\(model) on \(data.result(metrics, lossName: isWeighted ? "weighted sum of losses" : "sum of losses"))"
      let parts = names.compactMap { name in outputs[name].map { (name, $0) } }.map { name, metrics in
        "  \(name): loss \(digits(metrics.loss))\(details(metrics, naiveError: nil, errorName: errorName))"
      }
      return [whole] + parts
    }
    return [
      "\(model) on \(data.result(metrics, lossName: objective.loss.name))"
        + details(metrics, naiveError: naiveError, errorName: errorName)
    ]
  }

  private func details(_ metrics: Metrics, naiveError: Double?, errorName: String) -> String {
    var line = ""
    if let mae = metrics.mae, let rmse = metrics.rmse {
      line += ", MAE \(digits(mae)), RMSE \(digits(rmse)) in the data's units"
    }
    if let r2 = metrics.r2 { line += ", R2 \(digits(r2))" }
    if let mase = metrics.mase { line += ", MASE \(digits(mase))" }
    if let naiveError { line += ", naive MAE \(digits(naiveError))" }
    if let accuracy = metrics.accuracy { line += ", accuracy \(percent(accuracy))" }
    if let macroF1 = metrics.macroF1 { line += ", macro-F1 \(digits(macroF1))" }
    if let errorRate = metrics.errorRate { line += ", \(errorName) error rate \(percent(errorRate))" }
    if let accuracy = metrics.sequenceAccuracy { line += ", \(percent(accuracy)) of sequences right" }
    return line
  }

  /// Rows are the actual classes, columns the predicted ones.
  private func confusionTable(_ confusion: ConfusionMatrix, _ names: [String]?) -> [String] {
    let count = confusion.counts.count
    let shown = min(count, 20)
    func name(_ label: Int) -> String {
      if let names, names.indices ~= label { printable(names[label], limit: 20) } else { "\(label)" }
    }
    let rows = (0..<shown).map { label in
      [name(label)] + confusion.counts[label].prefix(shown).map { grouped($0) }
        + [confusion.precision(label).map(percent) ?? "-", confusion.recall(label).map(percent) ?? "-"]
    }
    let header = ["actual \\ predicted"] + (0..<shown).map(name) + ["precision", "recall"]
    let more = count > shown ? ["  and \(count - shown) more; --json has all of them"] : []
    return table(rows, header: header, rightAligned: Set(1..<shown + 3)) + more
  }

  /// The truth, and forecasts end to end: each horizon begins where the one before ended. Of several series, the first.
  private func forecastChart(_ series: SeriesData, _ forecast: Tensor) -> LineChart {
    let width = series.targets.count
    let part = series.parts[0]
    let starts = series.windowStarts
    var lines: [LineChart.Series] = []
    for (column, name) in series.targets.prefix(3).enumerated() {
      let rows = Array(part.rows.lowerBound + series.window..<part.rows.upperBound)
      lines.append(.init(name, x: rows.map { Double($0) }, y: rows.map { series.targetRows[$0 * width + column] }))
      var (x, y) = ([Double](), [Float]())
      var next = 0
      for (example, start) in starts.enumerated() where start >= next && part.rows.contains(start) {
        for step in 0..<series.horizon {
          x.append(Double(start + series.window + step))
          y.append(forecast.values[(example * series.horizon + step) * width + column])
        }
        next = start + series.horizon
      }
      lines.append(.init("forecast of \(name)", x: x, y: y))
    }
    let ahead = series.horizon == 1 ? "one row ahead" : "\(series.horizon) rows at a time"
    let whose = series.parts.count > 1 ? ", \(part.name)" : ""
    return LineChart(
      title: "Forecast and truth", subtitle: "\(series.file)\(whose), \(ahead)", xLabel: "row",
      yLabel: series.targets.prefix(3).joined(separator: ", "), series: lines)
  }
}
