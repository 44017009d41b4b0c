import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read pretrained weights of any known format into a model file.",
    usage: "lstm-ft import <checkpoint> [<options>]",
    discussion: """
        lstm-ft import weights.h5
        lstm-ft import model.keras
        lstm-ft import checkpoint.pt --prefix model_state -o encoder.h5
        lstm-ft import weights.h5 --allow unexpected='optimizer*' --readout last

      Nothing is guessed: all that is applied, missing, left over, of another shape or type is reported, and nothing \
      is written unless everything fits. Names are found under any prefix, dotted or in nested groups.
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
  var out: OutputOptions

  struct ValueArguments: ParsableArguments {
    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "The standardisation that the model was trained with, for all features and targets.",
        valueName: "mean,deviation"))
    var scaler: String?

    @Option(parsing: .unconditional, help: "Seed of fresh values for tensors that are allowed to be missing.")
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
    let checkpoint = try openCheckpoint(input, allowsExternalData: load.externalData)
    try requireOutput(output, apartFrom: [input])
    let plan = try LoadPlan(checkpoint, options: load.options())
    if out.json && !plan.report.isComplete { try console.result(plan.report) }
    if !plan.report.isComplete { show(plan.report, console) }
    var made = try plan.imported()
    made.provenance = checkpoint.provenance
    if plan.report.missing.contains(where: \.isAllowed) { made = try LSTMModel(plan, seed: values.seed).checkpoint }
    made.preprocessing = try preprocessing(checkpoint, plan.configuration)
    var digest: FileDigest?
    if made.provenance == nil {
      made.provenance = provenance(of: checkpoint, plan, digest: "")
      digest = FileDigest(ofFile: input)
    }
    try made.write(path: output, sourceDigest: digest)

    show(plan.report, console)
    let bytes = made.tensors.reduce(0) { $0 + $1.byteCount }
    console.say("wrote \(output) (\(plural(plan.configuration.parameterCount, "parameter")), \(size(bytes)))")
    console.say(
      "next: lstm-ft finetune \(output == "model.h5" ? "" : output + " ")--data mine.csv --target COLUMN --window 48 --freeze layer0"
    )
    try console.result(plan.report)
  }

  private func preprocessing(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration) throws -> String? {
    guard let scaler = values.scaler else { return checkpoint.preprocessing }
    let numbers = scaler.split(separator: ",").compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
    guard numbers.count == 2, scaler.split(separator: ",").count == 2, numbers[1] > 0, numbers.allSatisfy(\.isFinite)
    else {
      throw InputError.usage(
        "--scaler \(scaler): expected MEAN,DEVIATION with a deviation above 0",
        advice: ["for example --scaler 54.0,9.6"])
    }
    guard case .features(let count) = configuration.input else {
      throw InputError.usage("--scaler: this model reads tokens, which are not standardised", advice: [])
    }
    return try Preprocessing(
      inputScaler: Scaler(
        mean: [Float](repeating: numbers[0], count: count), deviation: [Float](repeating: numbers[1], count: count)),
      targetScaler: Scaler(mean: [numbers[0]], deviation: [numbers[1]])
    ).json
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
        "expected \(shapeText(item.expected))" + (item.hint.map { "; " + $0 } ?? ""),
      ]
    }
    rows += report.missing.map { item in
      let near = item.nearest.isEmpty ? "" : "; near: " + item.nearest.joined(separator: ", ")
      return [
        "-", item.target, shapeText(item.shape), item.isAllowed ? "fresh" : "MISSING",
        (item.isAllowed ? "allowed to be missing" : "") + near,
      ]
    }
    rows += report.unexpected.map { item in
      [item.source, "-", shapeText(item.shape), item.isAllowed ? "left out" : "UNEXPECTED", item.reason]
    }
    console.say(table(rows, header: ["in the file", "becomes", "shape", "type", ""]))
    console.say()
    for note in report.notes { console.say("note: \(note)") }
    if let configuration = report.configuration, !configuration.head.isEmpty, configuration.readout == nil,
      report.isComplete
    {
      console.say(
        "note: tensors do not tell what of the LSTM's output the head reads; finetune and evaluate settle it from the data, --readout says it"
      )
    }
  }
}
