import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read pretrained weights of any known format into a model file.",
    usage: "lstm-ft import <checkpoint> [<options>]",
    discussion: """
        lstm-ft import weights.h5
        lstm-ft import model.keras
        lstm-ft import checkpoint.pt --prefix model_state -o encoder.h5
        lstm-ft import weights.h5 --allow unexpected='optimizer*' --readout last
        lstm-ft import weights.h5 --vocabulary vocabulary.json --window 40

      The report lists every tensor that is applied, missing, unexpected, or of another shape or type, and what the \
      file does not say and is assumed. Nothing is written unless everything fits. Names are found under any prefix, \
      dotted or in nested groups.
      """)

  @Argument(
    help: ArgumentHelp(
      "The pretrained weights: .pt, .safetensors, .h5, .npz, .keras or .onnx.", valueName: "checkpoint"),
    completion: .file())
  var input: String

  @OptionGroup(title: "Names and layout")
  var load: LoadArguments

  @OptionGroup(title: "Values")
  var values: ValueArguments

  @OptionGroup(title: "Output")
  var target: Target

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct ValueArguments: ParsableArguments {
    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "The standardization that the model was trained with, for all features and targets.",
        valueName: "mean,deviation"))
    var scaler: String?

    @Option(
      help: ArgumentHelp(
        "A scaler in the checkpoint for the features, and one for the targets; KEY:2 and KEY:1-3 select columns.",
        valueName: "key[,key]"))
    var scalerFrom: String?

    @Option(
      help: ArgumentHelp(
        "A JSON file with the standardization of each feature and target: mean and scale, or min and max, as "
          + "scikit-learn's scalers have them, under inputs and targets.", valueName: "file"),
      completion: .file(extensions: ["json"]))
    var scalerFile: String?

    @Option(
      help: ArgumentHelp(
        "The characters or words that token numbers stand for: a JSON object or list, or a text file with one token per line.",
        valueName: "file"), completion: .file())
    var vocabulary: String?

    @Option(help: "The unit of the vocabulary's tokens. (default: characters when each is one)")
    var tokens: Vocabulary.Unit?

    @Option(
      help: ArgumentHelp("The class names of the model's outputs, in order, separated by commas.", valueName: "names")
    )
    var classes: String?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("The input window that the model was trained with, in tokens or rows.", valueName: "count"))
    var window: Int?

    @Option(parsing: .unconditional, help: "Random seed for tensors that are allowed to be missing.")
    var seed: UInt64 = 0
  }

  struct Target: ParsableArguments {
    @Option(
      name: .shortAndLong, help: ArgumentHelp("The model file to write.", valueName: "file"), completion: .file())
    var output = "model.h5"
  }

  func run() throws {
    let console = out.console
    let output = target.output
    let checkpoint = try openCheckpoint(input, allowsExternalData: load.externalData, reader: load.reader)
    let replaced = try requireOutput(output, apartFrom: [input], overwrite: overwriting.overwrite)
    let plan = try LoadPlan(checkpoint, options: load.options())
    if let own = plan.inputScaler ?? plan.outputScaler, values.scaler != nil {
      throw InputError.usage(
        "--scaler: the model has a scaler of its own, \(own.key) (\(own.kind))", advice: ["leave out --scaler"])
    }
    var report = plan.report
    if out.json && !plan.report.isComplete { try console.result(plan.report) }
    if !plan.report.isComplete { show(plan.report, console) }
    var made = try plan.imported()
    if plan.report.missing.contains(where: \.isAllowed) { made = try LSTMModel(plan, seed: values.seed).stored }
    made.provenance = checkpoint.provenance
    var notes: [String] = []
    made.preprocessing = try preprocessing(plan.preprocessing, checkpoint, plan.configuration, &notes)
    report.notes += notes.map { Message($0) }
    var digest: FileDigest?
    if made.provenance == nil {
      made.provenance = plan.provenance(sha256: "", importedOn: Date())
      if isDigestible(checkpoint) {
        digest = FileDigest(ofFile: input)
      } else {
        report.notes.append(
          "the file is \(size(checkpoint.byteCount)), far more than its tensors: its SHA-256 is not computed")
      }
    }
    let watch = NonFiniteWatch()
    made.tensors = made.tensors.map(watch.watching)
    try made.write(path: output, sourceDigest: digest)
    report.notes += watch.notes(sources: plan.mapping).map { Message($0) }

    show(report, console)
    for note in vocabularyNotes(made, plan.configuration) { console.say("note: \(note)") }
    if let path = values.scalerFile {
      for line in made.preprocessing.scalingLines(numbers: 4) { console.say("note: \(path): \(line)") }
    }
    let bytes = made.tensors.reduce(0) { $0 + $1.byteCount }
    console.say("wrote \(output) (\(plural(plan.configuration.parameterCount, "parameter")), \(size(bytes)))")
    console.say(replaced)
    console.say("next: " + nextCommand(output, plan.configuration, made))
    try console.result(report)
  }

  /// The file's preprocessing, changed by the options.
  private func preprocessing(
    _ known: Preprocessing, _ checkpoint: Checkpoint, _ configuration: ModelConfiguration, _ notes: inout [String]
  ) throws -> Preprocessing {
    let scalerOptions: [(flag: String, value: String?)] = [
      ("--scaler", values.scaler), ("--scaler-from", values.scalerFrom), ("--scaler-file", values.scalerFile),
    ]
    let given = scalerOptions.filter { $0.value != nil }.map(\.flag)
    if given.count > 1 {
      throw InputError.usage("\(given[0]) and \(given[1]) cannot be combined")
    }
    if given.isEmpty { notes += scalerOffers(checkpoint.foundScalers, configuration) }
    if given.isEmpty, values.vocabulary == nil, values.classes == nil, values.window == nil, values.tokens != nil {
      throw InputError.usage("--tokens needs --vocabulary")
    }
    var record = known
    if let scaler = values.scaler {
      (record.inputScaler, record.targetScaler) = try scalers(scaler, configuration)
    }
    if let key = values.scalerFrom {
      let chosen = try ChosenScalers(key, in: checkpoint, configuration)
      (record.inputScaler, record.targetScaler) = (chosen.inputs, chosen.targets)
      notes += chosen.notes
    }
    if let path = values.scalerFile { try readScalers(path, configuration, &record) }
    if let path = values.vocabulary {
      guard case .tokens(let count) = configuration.input else {
        throw InputError.usage("--vocabulary: this model reads features, not tokens")
      }
      let vocabulary = try Vocabulary(contentsOf: path, unit: values.tokens)
      try checkVocabulary(vocabulary, embedding: count)
      record.vocabulary = vocabulary
    }
    if let classes = values.classes {
      let names = classes.split(separator: ",", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      let expected = configuration.outputSize == 1 ? 2 : configuration.outputSize
      guard names.count == expected, !names.contains(""), Set(names).count == names.count else {
        throw InputError.usage(
          "--classes \(classes): expected \(plural(expected, "different name")), found \(names.count)")
      }
      record.classes = names
    }
    if let window = values.window {
      guard window >= 1 else { throw InputError.usage("--window \(window): expected at least 1") }
      record.window = window
    }
    return record
  }

  private func readScalers(
    _ path: String, _ configuration: ModelConfiguration, _ record: inout Preprocessing
  ) throws {
    let count = try standardizedFeatures(configuration, "--scaler-file")
    let file = try ScalerFile(
      json: readWhole(path), file: path, features: count, outputs: configuration.outputSize)
    (record.inputScaler, record.targetScaler) = (file.inputs, file.targets)
    record.features = file.features ?? record.features
    record.targets = file.targetNames ?? record.targets
  }

  private func scalers(_ text: String, _ configuration: ModelConfiguration) throws -> (inputs: Scaler, targets: Scaler)
  {
    let numbers = text.split(separator: ",").compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
    guard numbers.count == 2, text.split(separator: ",").count == 2, numbers[1] > 0, numbers.allSatisfy(\.isFinite)
    else {
      throw InputError.usage(
        "--scaler \(text): expected MEAN,DEVIATION with a deviation above 0",
        advice: ["for example --scaler 54.0,9.6"])
    }
    let count = try standardizedFeatures(configuration, "--scaler")
    return (
      Scaler(
        mean: [Float](repeating: numbers[0], count: count), deviation: [Float](repeating: numbers[1], count: count)),
      Scaler(mean: [numbers[0]], deviation: [numbers[1]])
    )
  }

  private func vocabularyNotes(_ made: StoredModel, _ configuration: ModelConfiguration) -> [String] {
    guard values.vocabulary != nil, case .tokens(let count) = configuration.input,
      let vocabulary = made.preprocessing.vocabulary
    else { return [] }
    let padding = vocabulary.padding.map { ", \($0) is padding" } ?? ""
    let spare = count - vocabulary.count
    if vocabulary.rules != nil, values.window == nil {
      return [
        "vocabulary: of Keras' Tokenizer, \(plural(vocabulary.tokens.count { $0 != nil }, vocabulary.unit.noun)); texts are "
          + "read at their own length: --window N pads or cuts them to N tokens, as pad_sequences(maxlen=N) does"
      ]
    }
    return [
      "vocabulary: \(plural(vocabulary.tokens.count { $0 != nil }, vocabulary.unit.noun))\(padding)"
        + (spare > 0 ? "; \(plural(spare, "row")) of the embedding have no token" : "")
    ]
  }

  private func show(_ report: LoadReport, _ console: Console) {
    console.say("\(report.file): \(report.format.rawValue), \(plural(report.applied.count, "tensor"))")
    console.say("  layout \(report.layout.rawValue): \(report.evidence.joined(separator: "; "))")
    if let configuration = report.configuration { console.say("  \(configuration.summary)") }
    console.say()
    var rows = report.applied.map { item in
      [
        item.source, item.target, shapeText(item.shape), item.dataType.rawValue,
        [item.how, item.cast].compactMap { $0 }.joined(separator: "; "),
      ]
    }
    rows += report.mismatched.map { item in
      [
        item.source, item.target, shapeText(item.found), "WRONG",
        "expected \(shapeText(item.expected))" + (item.hint.map { "; \($0)" } ?? ""),
      ]
    }
    rows += report.missing.map { item in
      let near = item.nearest.isEmpty ? "" : "; near: " + item.nearest.joined(separator: ", ")
      return [
        "-", item.target, shapeText(item.shape), item.isAllowed ? "random" : "MISSING",
        (item.isAllowed ? "allowed to be missing" : "") + near,
      ]
    }
    rows += unexpectedRows(report.unexpected)
    console.say(table(rows, header: ["in the file", "becomes", "shape", "type", ""]))
    console.say()
    for note in report.notes { console.say("note: \(note)") }
    for assumption in report.assumed where report.isComplete {
      console.say("assumed: \(assumption.what)" + (assumption.change.map { " (otherwise: \($0))" } ?? ""))
    }
  }

  /// A row for each tensor; the many tensors of an optimizer and the like share one.
  private func unexpectedRows(_ items: [LoadReport.Unexpected]) -> [[String]] {
    func group(_ item: LoadReport.Unexpected) -> [String]? {
      guard item.effect == .none else { return nil }
      let stem = item.source.prefix { $0 != "." && $0 != "/" }
      return stem.utf8.count < item.source.utf8.count ? [String(stem), item.reason.spelled, "\(item.isAllowed)"] : nil
    }
    let counts = items.compactMap(group).reduce(into: [[String]: Int]()) { $0[$1, default: 0] += 1 }
    var shown = Set<[String]>()
    return items.compactMap { item in
      let state = item.isAllowed ? "left out" : "UNEXPECTED"
      guard let group = group(item), let count = counts[group], count > 2 else {
        return [item.source, "-", shapeText(item.shape), state, item.reason.spelled]
      }
      guard shown.insert(group).inserted else { return nil }
      return [
        "\(group[0])\(item.source.dropFirst(group[0].count).prefix(1))*", "-", plural(count, "tensor"), state,
        item.reason.spelled,
      ]
    }
  }

  /// The next command, for this model.
  private func nextCommand(_ output: String, _ configuration: ModelConfiguration, _ made: StoredModel) -> String {
    var words = ["lstm-ft finetune"]
    if output != "model.h5" { words.append(shellPath(output)) }
    let isOfArrays =
      configuration.inputs.count > 1 || configuration.outputNames.count > 1 || configuration.inputs[0].isPerSequence
    switch configuration.input {
    case _ where isOfArrays: words.append("--data mine.npz")
    case .tokens where made.preprocessing.vocabulary == nil: words.append("--data mine.npz")
    case .tokens where configuration.endsInCRF:
      words.append("--data mine.csv --sequence-id SENTENCE --text-column WORD --label-column TAG")
    case .tokens: words.append("--text mine.txt")
    case .features(let size):
      // As an autoencoder gives back what it reads.
      if configuration.fixedOutputSteps != nil, configuration.outputSize == size, size > 1 {
        words.append("--data mine.csv --reconstruct")
      } else if made.preprocessing.classes != nil || configuration.endsInCRF {
        words.append("--data mine.csv --sequence-id COLUMN --label-column COLUMN")
      } else {
        words.append("--data mine.csv --target COLUMN")
        if made.preprocessing.window == nil { words.append("--window 48") }
      }
    }
    // The lowest layer is frozen where there is something to train above it.
    if let lowest = configuration.recurrentLayers.first?.name,
      configuration.recurrentLayers.count > 1 || configuration.lastDense != nil
    {
      words.append("--freeze \(shellWord(lowest))")
    }
    return words.joined(separator: " ")
  }
}
