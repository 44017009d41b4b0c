import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a model on data: predictions or embeddings.",
    usage: "lstm-ft predict [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft predict finetuned.h5 --data x.npy -o y.npy
        lstm-ft predict finetuned.h5 --data mine.csv -o forecast.csv
        lstm-ft predict encoder.h5 --data x.h5 -o embeddings.h5

      Arrays are (N, T, I) features or (N, T) tokens. The output is (N, O), or (N, T, O) when the model gives one for \
      each step, as a bare LSTM does. For a CSV series it is the forecast that starts after its last row, with the \
      table's times and ids; with --rolling there is one for every row. For a text it is the model's output after \
      the last tokens of each document.

      A model with named classes gives the most likely class and the probability of each. One that ends in a CRF gives \
      the most likely tags of whole sequences and the probability of each tag at each step. One that was trained with \
      CTC gives labels in order. One that was trained to give back what it reads gives the error of each row of a series, \
      or of each sequence, and whether it is an anomaly (as CSV; other files hold what the model gives back).

      Standardization is applied to the input and undone in the output. Without -o, CSV goes to standard output.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Data")
  var data: DataArguments

  @OptionGroup(title: "Model")
  var reading: ReadoutArguments

  @OptionGroup(title: "Computing")
  var computing: ThreadArguments

  @OptionGroup(title: "Output")
  var target: Target

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Target: ParsableArguments {
    @Option(
      name: .shortAndLong,
      help: ArgumentHelp("The file to write: .npy, .csv or .h5 (dataset y).", valueName: "file"),
      completion: .file())
    var output: String?

    @Flag(help: "CSV: forecast every row that has a full window before it, and the one after the last.")
    var rolling = false

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "CTC: the class that stands for no label; -1 is the last. (default: as fine-tuned)", valueName: "class"))
    var blank: Int?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "CTC: search for the most likely labels over all their alignments, with so many beginnings kept at each step. "
          + "(default: the labels of the most likely alignment)", valueName: "width"))
    var beam: Int?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "A decoder that reads its own output: steps to predict. (default: as fine-tuned)", valueName: "count"))
    var steps: Int?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Of a model that gives back what it reads: the error above which something is an anomaly. "
          + "(default: as fine-tuned)", valueName: "error"))
    var anomalyThreshold: Double?
  }

  struct Answer: Encodable {
    let output: String?
    let shape: [Int]
    /// The most likely class of each sequence, or of each of its steps.
    let labels: Labels?
    /// Of a series: the columns that name the rows of forecasts, and for each forecast the names of its rows.
    let rowColumns: [String]?
    let rows: [[[String]]]?
    let notes: [String]?
    let series: SeriesAnswer?
    /// The numbers, when no file is written.
    let y: NestedArray?
  }

  enum Labels: Encodable {
    case ofSequences([String])
    case ofSteps([[String]])

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .ofSequences(let labels): try labels.encode(to: encoder)
      case .ofSteps(let labels): try labels.encode(to: encoder)
      }
    }
  }

  /// Lists in lists, as deep as the shape.
  struct NestedArray: Encodable {
    let values: ArraySlice<Float>
    let shape: ArraySlice<Int>

    func encode(to encoder: any Encoder) throws {
      let inner = shape.dropFirst()
      guard !inner.isEmpty else { return try Array(values).encode(to: encoder) }
      let size = inner.reduce(1, *)
      var list = encoder.unkeyedContainer()
      for start in stride(from: values.startIndex, to: values.endIndex, by: size) {
        try list.encode(NestedArray(values: values[start..<start + size], shape: inner))
      }
    }
  }

  func run() throws {
    let console = out.console
    let output = target.output
    let kernels = try computing.kernels()
    let data = try self.data.settings()
    let paths = try data.paths()
    let replaced = try output.flatMap {
      try requireOutput($0, apartFrom: paths + [model], overwrite: overwriting.overwrite)
    }
    let kind = try outputKind()
    var base = try openModel(model)
    try console.warnOfNonFinite(base, file: model)
    let record = base.preprocessing
    let loaded = try data.load(for: base, .predicting, readout: reading.readout)
    for note in loaded.readingLines { console.note(note) }
    base = try decided(base)
    if let series = loaded.series {
      try data.checkHorizon(series, base, file: model, isStreamed: loaded is SeriesStreams)
    }
    if try data.isReconstruction(record) {
      if kind == .csv { return try answerAnomalies(base, loaded, replaced, kernels) }
    } else if target.anomalyThreshold != nil {
      throw InputError.usage(
        "--anomaly-threshold is for a model that gives back what it reads",
        advice: ["fine-tune one with lstm-ft finetune --reconstruct"])
    }
    if target.rolling, loaded.series == nil {
      throw InputError.usage("--rolling is for CSV series; every sequence of \(loaded.file) is predicted")
    }
    var (raw, origins) = try loaded.inputs(isRolling: target.rolling)
    let streams = loaded as? SeriesStreams
    try streams?.requireVisible(base.configuration)
    raw = try raw.hiding(base.configuration.mask, for: base.configuration)
    try raw.check(base.configuration)
    if output != nil, let note = Examples.sequences(raw).maskNote(base.configuration) { console.say("note: \(note)") }
    try record.checkScalers(features: raw.featureCount, targets: base.configuration.outputSize, file: loaded.file)
    var notes = loaded.series?.rowNotes(scores: false, isKnown: true) ?? []
    if record.inputScaler == nil, loaded.series != nil {
      console.warn("\(model) has no scaler: its inputs and outputs are not scaled")
    }
    if target.steps != nil, !raw.isDecoded {
      throw InputError.usage("--steps is for a decoder that reads its own output; here none does")
    }
    if loaded is ArraySequences, base.configuration.outputNames.count > 1 || raw.isDecoded {
      let (scaled, scalerNotes) = try loaded.shownScaled(.sequences(raw), record)
      return try writeAll(
        base, scaled.sequences, loaded.readingLines + notes + scalerNotes, replaced: replaced, console, kernels)
    }
    if base.configuration.outputNames.count > 1 {
      notes.append("of the model's outputs the first is written, \(base.configuration.outputNames[0])")
    }
    var y: Tensor
    if let streams {
      let made = try streams.rows.streamedForecasts(
        base, inputScaler: record.inputScaler, targetScaler: record.targetScaler, isRolling: target.rolling,
        kernels: kernels)
      origins = made.origins
      y = Tensor(shape: [made.origins.count, made.values.count / max(made.origins.count, 1)], values: made.values)
    } else {
      let (scaled, scalerNotes) = try loaded.shownScaled(.sequences(raw), record)
      notes += scalerNotes
      let evaluator = Evaluator(
        Network(base, kernels: kernels), loss: .meanSquaredError, targetScaler: record.targetScaler)
      y = try evaluator.predict(scaled.sequences)
    }
    // Notes stay out of standard output where the numbers go there.
    for note in notes { output == nil ? console.note(note) : console.say("note: \(note)") }
    for warning in origins?.warnings ?? [] { console.warn(warning) }
    notes += origins?.warnings ?? []
    var classes: ClassPredictions?
    let labels = try labels(base, raw, loaded, kernels)
    if let tags = try tags(base, raw, loaded, kernels) {
      let found = ClassPredictions(tags, record.classes ?? [])
      (y, classes) = (found.probabilities, found)
    } else if let names = record.classes,
      names.count <= base.configuration.outputSize || base.configuration.outputSize == 1
    {
      let found = ClassPredictions(y, names, base.configuration, lengths: raw.lengths)
      (y, classes) = (found.probabilities, found)
    }
    let names = columnNames(loaded, width: y.shape.last ?? 1)
    switch kind {
    case .npy: try writeFile(output ?? "", Data(try NPY.encode(floats: y.values, shape: y.shape)))
    case .hdf5:
      try StoredTensor.write(
        [StoredTensor(name: "y", shape: y.shape, values: y.values)], path: output ?? "", as: .pytorchHDF5)
    case .csv:
      let text =
        try labels?.csv(names: loaded.sequenceNames) ?? classes?.csv(names: loaded.sequenceNames)
        ?? csv(y, loaded, names, origins)
      if let output { try writeFile(output, Data(text.utf8)) } else { console.stream(text) }
    }
    if let output { console.say("wrote \(output): y \(shapeText(y.shape))") }
    console.say(replaced)
    let named = namedRows(y, loaded, names, origins)
    let allNotes = loaded.readingLines + notes
    try console.result(
      Answer(
        output: output, shape: y.shape,
        labels: labels.map { .ofSequences($0.texts) }
          ?? classes.map { y.shape.count == 3 ? .ofSteps($0.labels) : .ofSequences($0.labels.flatMap { $0 }) },
        rowColumns: named?.columns, rows: named?.rows, notes: allNotes.isEmpty ? nil : allNotes,
        series: loaded.series?.answer, y: output == nil ? NestedArray(values: y.values[...], shape: y.shape[...]) : nil)
    )
  }

  /// Which rows or sequences are anomalies.
  private func answerAnomalies(
    _ model: LSTMModel, _ data: any ShownData, _ replaced: ReplacedFile?, _ kernels: Kernels
  ) throws {
    let console = out.console
    let notes = data.series?.rowNotes(scores: true, isKnown: true) ?? []
    for note in notes { target.output == nil ? console.note(note) : console.say("note: \(note)") }
    let answer = try AnomalyAnswer(model, data, threshold: target.anomalyThreshold, kernels)
    let text = try answer.csv()
    if let output = target.output {
      try writeFile(output, Data(text.utf8))
      console.say("wrote \(output)")
      console.say(replaced)
    } else {
      console.stream(text)
    }
    for line in answer.lines { target.output == nil ? console.note(line) : console.say(line) }
    try console.result(answer)
  }

  /// What a CRF at the model's end finds; nil for another model.
  private func tags(
    _ model: LSTMModel, _ raw: SequenceData, _ data: any ShownData, _ kernels: Kernels
  ) throws -> Evaluator.Tags? {
    guard model.configuration.endsInCRF else { return nil }
    let evaluator = Evaluator(Network(model, kernels: kernels), loss: .crf())
    return try evaluator.tags(data.shownScaled(.sequences(raw), model.preprocessing).examples.sequences)
  }

  /// Labels in order; nil for a model that was not trained to give them.
  private func labels(
    _ model: LSTMModel, _ raw: SequenceData, _ data: any ShownData, _ kernels: Kernels
  ) throws -> LabelPredictions? {
    guard let chosen = target.blank ?? model.preprocessing.blank else {
      guard target.beam == nil else { throw InputError.usage("--beam is for a model of CTC; name its --blank") }
      return nil
    }
    let width = model.configuration.outputSize
    let blank = chosen < 0 ? width + chosen : chosen
    guard 0..<width ~= blank, model.configuration.givesSteps else {
      throw InputError.usage(
        "--blank \(chosen): expected one of the outputs that the model gives for each step: \(model.configuration.summary)"
      )
    }
    if let beam = target.beam, beam < 1 { throw InputError.usage("--beam \(beam): expected at least 1") }
    let evaluator = Evaluator(Network(model, kernels: kernels), loss: .ctc(blank: blank))
    let found = try evaluator.labels(
      data.shownScaled(.sequences(raw), model.preprocessing).examples.sequences, blank: blank, beam: target.beam)
    return LabelPredictions(found, model.preprocessing.classes)
  }

  /// The names of forecast rows, where the table has times or ids; nil otherwise.
  private func namedRows(
    _ y: Tensor, _ data: any ShownData, _ names: [String], _ origins: ForecastOrigins?
  ) -> (columns: [String], rows: [[[String]]])? {
    guard let series = data.series, let origins, y.shape.count == 2 else { return nil }
    let columns = series.forecastColumns(numbersRows: target.rolling)
    guard !columns.isEmpty else { return nil }
    let steps = (y.shape.last ?? 0) / max(names.count, 1)
    return (
      columns,
      (0..<origins.count).map { origin in
        (0..<steps).map { series.labels(origins, origin, ahead: $0, numbersRows: target.rolling) }
      }
    )
  }

  private enum Kind { case npy, csv, hdf5 }

  private func outputKind() throws -> Kind {
    guard let output = target.output else { return .csv }
    switch URL(fileURLWithPath: output).pathExtension.lowercased() {
    case "npy": return .npy
    case "csv": return .csv
    case "h5", "hdf5": return .hdf5
    case let other:
      throw InputError.usage(
        "-o \(output): expected a name that ends in .npy, .csv or .h5, found \(other.isEmpty ? "no ending" : "." + other)"
      )
    }
  }

  /// The model with its readout, which is never guessed because it decides what is computed.
  private func decided(_ model: LSTMModel) throws -> LSTMModel {
    var configuration = model.configuration
    if let readout = reading.readout, readout != configuration.readout {
      guard let changed = configuration.with(readout: readout) else {
        throw InputError.usage(
          "--readout \(readout.rawValue): \(self.model) has no readout that could be another: \(configuration.summary)")
      }
      configuration = changed
    }
    guard configuration.readout != nil || configuration.lastDense == nil else {
      throw InputError.usage(
        "\(self.model): the tensors do not show which of the LSTM's outputs the head reads",
        advice: ["choose --readout last, final, all, mean or max (here or at import)"])
    }
    return configuration == model.configuration ? model : model.reconfigured(configuration)
  }

  private func columnNames(_ data: any ShownData, width: Int) -> [String] {
    if let series = data.series, width % series.targets.count == 0 { return series.targets }
    return (0..<width).map { "y\($0)" }
  }

  private func csv(
    _ y: Tensor, _ data: any ShownData, _ names: [String], _ origins: ForecastOrigins?
  ) throws -> String {
    let width = y.shape.last ?? 1
    if data.series != nil, y.shape.count == 2 {
      // One row for each row ahead.
      let named = namedRows(y, data, names, origins)
      var writer = CSVWriter(columnNames: (named?.columns ?? []) + ["ahead"] + names)
      for origin in 0..<y.shape[0] {
        for step in 0..<width / names.count {
          let first = origin * width + step * names.count
          try writer.append(
            Array(y.values[first..<first + names.count]), labels: (named?.rows[origin][step] ?? []) + ["\(step + 1)"])
        }
      }
      return writer.text
    }
    let columns = (0..<width).map { "y\($0)" }
    if y.shape.count == 2 {
      var writer = CSVWriter(columnNames: columns)
      for row in 0..<y.shape[0] { try writer.append(Array(y.values[row * width..<(row + 1) * width])) }
      return writer.text
    }
    var writer = CSVWriter(columnNames: ["sequence", "step"] + columns)
    for row in 0..<y.shape[0] * y.shape[1] {
      try writer.append(
        Array(y.values[row * width..<(row + 1) * width]), labels: ["\(row / y.shape[1])", "\(row % y.shape[1])"])
    }
    return writer.text
  }
}
