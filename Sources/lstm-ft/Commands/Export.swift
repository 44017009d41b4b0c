import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports

extension Checkpoint.Format: ExpressibleByArgument {
  public static var allValueStrings: [String] { writable.map(\.rawValue) }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model in the format of another framework.",
    usage: "lstm-ft export <model> --to <format> -o <file> [<options>]",
    discussion: """
        lstm-ft export finetuned.h5 --to pt -o finetuned.pt --module model.py
        lstm-ft export finetuned.h5 --to keras-weights --bias single -o finetuned.weights.h5
        lstm-ft export finetuned.h5 --to onnx -o finetuned.onnx

      Tensors that did not change are written byte for byte, under the names they came with when the layout is the \
      source's. What the format cannot hold is refused, and the error names the option that decides.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model: String

  @OptionGroup(title: "Output")
  var target: Target

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Target: ParsableArguments {
    @Option(name: .customLong("to"), help: ArgumentHelp("The format.", valueName: "format"))
    var format: Checkpoint.Format

    @Option(help: "One bias per layer (the sum of the two) or two (the second zero).")
    var bias: PlainStack.Bias?

    @Option(help: "Round every tensor to this type.")
    var dtype: DataType?

    @Option(help: "The layout (names and shapes) in pytorch-h5, safetensors, npz and keras-h5.")
    var layout: Layout?

    @Flag(
      inversion: .prefixedNo,
      help: "The states of recurrent layers are inputs and outputs (onnx). (default: where the source's were)")
    var state: Bool?

    @Option(
      help: ArgumentHelp(
        "Also write the source of an nn.Module that loads the tensors (pt).", valueName: "file.py"),
      completion: .file())
    var module: String?

    @Option(
      name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var output: String
  }

  struct Answer: Encodable {
    let output: String
    let module: String?
    let format: String
    let tensors: [WrittenTensor]
    /// The scalers of inputs and outputs, which the file does not hold.
    let inputScaler: Scaler?
    let targetScaler: Scaler?
    let features: [String]?
    let targets: [String]?
    let entityScalers: [String: ScalerPair]?
  }

  func validate() throws {
    guard Checkpoint.Format.writable.contains(target.format) else {
      throw ValidationError("--to \(target.format.rawValue): it holds one array, not a model")
    }
    if let dtype = target.dtype, !dtype.isFloatingPoint {
      throw ValidationError("--dtype \(dtype.rawValue): weights are float16, bfloat16, float32 or float64")
    }
    if let layout = target.layout, !target.format.hasLayouts {
      throw ValidationError(
        "--layout \(layout.rawValue): \(target.format.rawValue) has a layout of its own; expected pytorch-h5, "
          + "safetensors, npz or keras-h5")
    }
    if target.bias != nil, target.format.holdsWholeModel {
      throw ValidationError("--bias: the native file keeps the biases that the model has")
    }
    if let module = target.module, target.format != .pt {
      throw ValidationError("--module \(module): it goes with --to pt")
    }
    if let state = target.state, target.format != .onnx {
      throw ValidationError("--\(state ? "" : "no-")state: it goes with --to onnx")
    }
    if target.bias == PlainStack.Bias.none { throw ValidationError("--bias none: expected single or dual") }
  }

  func run() throws {
    let console = out.console
    let (format, output) = (target.format, target.output)
    let replaced = try requireOutput(output, apartFrom: [model], overwrite: overwriting.overwrite)
    let replacedModule = try target.module.flatMap {
      try requireOutput($0, apartFrom: [model, output], overwrite: overwriting.overwrite)
    }
    let loaded = try openModel(model)
    try console.warnOfNonFinite(loaded, file: model)
    let stored = loaded.stored
    let options = WriteOptions(
      bias: target.bias, dataType: target.dtype, layout: target.layout, carriesState: target.state)
    // What PyTorch cannot say is refused before anything is written.
    let source = try target.module.map { _ in try stored.pyTorchModule(options: options) }
    let written = try stored.write(path: output, as: format, options: options)
    if let module = target.module, let source { try writeFile(module, Data(source.utf8)) }
    console.say(
      table(
        written.map { [$0.source, $0.target, shapeText($0.shape), $0.dataType.rawValue, $0.how ?? ""] },
        header: ["in the model", "written as", "shape", "type", ""]))
    console.say()
    for note in stored.exportNotes(as: format, options: options) { console.say("note: \(note)") }
    if let dtype = target.dtype { try reportRounding(stored, dtype, console) }
    console.say("wrote \(output) (\(plural(written.count, "tensor")))")
    let record = stored.preprocessing
    if stored.scalesItself(as: format) {
      console.say("note: the file holds the scalers of inputs and outputs, as the model's source did")
    } else if !format.holdsWholeModel {
      for line in record.scalingLines(numbers: 8) { console.say("note: \(line)") }
    }
    if let module = target.module {
      console.say("wrote \(module): model.load_state_dict(torch.load(\"\(output)\")) takes the tensors")
    }
    console.say(replaced)
    console.say(replacedModule)
    try console.result(
      Answer(
        output: output, module: target.module, format: format.rawValue, tensors: written,
        inputScaler: record.inputScaler,
        targetScaler: record.targetScaler, features: record.features, targets: record.targets,
        entityScalers: record.entityScalers))
  }

  /// Reports the largest rounding error of a narrower type.
  private func reportRounding(_ model: StoredModel, _ type: DataType, _ console: Console) throws {
    var worst: (name: String, error: Double)?
    for tensor in model.tensors where tensor.dataType != type {
      let pairs = zip(try tensor.doubles(), try tensor.converted(to: type).doubles())
      let error = pairs.reduce(0) { max($0, abs($1.0 - $1.1)) }
      if error > worst?.error ?? 0 { worst = (tensor.name, error) }
    }
    console.say(
      worst.map { "note: rounded to \(type.rawValue); the largest change is \(short($0.error)), in \($0.name)" }
        ?? "note: every value is exact in \(type.rawValue)")
  }
}
