import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model on data.",
    usage: "lstm-ft evaluate [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft evaluate finetuned.h5 --data test.csv
        lstm-ft evaluate model.h5 --data test.npz --json
        lstm-ft evaluate finetuned.h5 --data test.csv --chart forecast.svg

      Columns, window, horizon and scaler are those the model was fine-tuned with, unless said otherwise. Errors are \
      in the data's own units.
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
  var out: OutputOptions

  struct Picture: ParsableArguments {
    @Option(
      help: ArgumentHelp("CSV: draw forecast against truth as an SVG picture.", valueName: "file"), completion: .file())
    var chart: String?
  }

  struct Answer: Encodable {
    let model: String
    let data: String
    let metrics: Metrics
    let chart: String?
    let notes: [String]
  }

  func run() throws {
    let console = out.console
    let chart = picture.chart
    let kernels = try computing.kernels()
    let path = try data.requiredPath()
    if let chart { try requireOutput(chart, apartFrom: [model, path]) }
    let base = try openModel(model)
    let record = try base.preprocessingRecord(file: model)
    let loaded = try data.load(for: base, record, needsTargets: true)
    if chart != nil, case .arrays = loaded {
      throw InputError.usage("--chart draws a CSV series; \(loaded.file) holds arrays", advice: [])
    }
    let raw = try loaded.examples()
    let fit = try TaskFit(
      base, raw, file: loaded.file, loss: loss.choice(), readout: reading.readout, mayChangeModel: false)
    try record.checkScalers(features: raw.featureCount, targets: raw.targetSize, file: loaded.file)
    let examples = raw.scaled(inputs: record.inputScaler, targets: record.targetScaler)
    let evaluator = Evaluator(Network(fit.model, kernels: kernels), loss: fit.loss, targetScaler: record.targetScaler)
    let metrics = try evaluator.evaluate(examples)

    for note in fit.notes { console.say("note: \(note)") }
    if record.inputScaler == nil, case .series = loaded {
      console.say("note: the model has no scaler: it reads the numbers as they are")
    }
    var line =
      "\(model) on \(loaded.file): \(plural(metrics.examples, "sequence")), \(fit.loss.name) \(digits(metrics.loss))"
    if let mae = metrics.mae, let rmse = metrics.rmse {
      line += ", MAE \(digits(mae)), RMSE \(digits(rmse)) in the data's units"
    }
    if let accuracy = metrics.accuracy { line += ", accuracy \(percent(accuracy))" }
    console.answer(line)
    if let chart, case .series(let series) = loaded {
      let forecast = try evaluator.predict(examples)
      try writeFile(chart, Data(forecastChart(series, forecast).svg().utf8))
      console.say("wrote \(chart)")
    }
    try console.result(Answer(model: model, data: loaded.file, metrics: metrics, chart: chart, notes: fit.notes))
  }

  /// The truth, and forecasts end to end: each horizon begins where the one before ended.
  private func forecastChart(_ series: SeriesData, _ forecast: Tensor) -> LineChart {
    let width = series.targets.count
    let horizons = stride(from: 0, to: forecast.shape[0], by: series.horizon)
    var lines: [LineChart.Series] = []
    for (column, name) in series.targets.prefix(3).enumerated() {
      let rows = Array(series.window..<series.rowCount)
      lines.append(.init(name, x: rows.map { Double($0) }, y: rows.map { series.targetRows[$0 * width + column] }))
      var (x, y) = ([Double](), [Float]())
      for example in horizons {
        for step in 0..<series.horizon {
          x.append(Double(example + series.window + step))
          y.append(forecast.values[(example * series.horizon + step) * width + column])
        }
      }
      lines.append(.init("forecast of \(name)", x: x, y: y))
    }
    let ahead = series.horizon == 1 ? "one row ahead" : "\(series.horizon) rows at a time"
    return LineChart(
      title: "Forecast against truth", subtitle: "\(series.file), \(ahead)", xLabel: "row",
      yLabel: series.targets.prefix(3).joined(separator: ", "), series: lines)
  }
}
