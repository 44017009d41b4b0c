import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports

extension ModelConfiguration.Readout: ExpressibleByArgument {}
extension ModelConfiguration.Activation: ExpressibleByArgument {}
extension ModelConfiguration.Bias: ExpressibleByArgument {
  public static var allValueStrings: [String] { [ModelConfiguration.Bias.single, .dual].map(\.rawValue) }
}
extension ModelConfiguration.GateActivation: ExpressibleByArgument {}
extension Layout: ExpressibleByArgument {}
extension LoadOptions.Order: ExpressibleByArgument {}
extension DataType: ExpressibleByArgument {
  public static var allValueStrings: [String] { allCases.filter(\.isFloatingPoint).map(\.rawValue) }
}

let readoutHelp: ArgumentHelp =
  "What the head reads of the LSTM's output; final is each direction's own final state."

/// How names in a file become the project's, and what may be missing.
struct LoadArguments: ParsableArguments {
  @Option(help: "Look only at tensors below this prefix, such as encoder.lstm.")
  var prefix: String?

  @Option(
    name: .customLong("map"),
    help: ArgumentHelp(
      "Rewrite tensor names; $1 stands for the first group. Repeatable.", valueName: "regex=replacement"))
  var rules: [String] = []

  @Option(
    name: .customLong("allow"),
    help: ArgumentHelp(
      "Let tensors be missing or left over: missing=GLOB or unexpected=GLOB. Repeatable.", valueName: "kind=glob"))
  var allowances: [String] = []

  @Option(
    help: ArgumentHelp(
      "A JSON file that describes the model, for what its tensors do not tell.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var config: String?

  @Option(help: readoutHelp)
  var readout: ModelConfiguration.Readout?

  @Option(help: "What stands between the dense layers of a head.")
  var activation: ModelConfiguration.Activation?

  @Option(
    help: "What stands between the LSTM's output and the head: relu, tanh or sigmoid, where the file does not say.")
  var readoutActivation: ModelConfiguration.Activation?

  @Option(help: "What the last dense layer's output goes through, where the file does not say.")
  var outputActivation: ModelConfiguration.Activation?

  @Option(
    help: ArgumentHelp(
      "LSTMs that stand one above the other, from the input up, separated by commas.", valueName: "modules"))
  var stack: String?

  @Option(help: "Whether a matrix's rows or its columns come first in the file: Julia, MATLAB and R write columns.")
  var order: LoadOptions.Order?

  @Option(help: "Whose names, order of gates and shapes the tensors have, where they leave a choice.")
  var layout: Layout?

  @Option(help: "How the LSTM's gates are squashed, where the file does not say.")
  var gates: ModelConfiguration.GateActivation?

  @Option(
    help: ArgumentHelp(
      "What a TensorFlow 1 cell added to its forget gate; its files do not say (usually 1).", valueName: "value"))
  var forgetBias: Float?

  @Option(
    help: ArgumentHelp(
      "The embedding's row that stands for padding and is not trained (PyTorch's padding_idx), or none.",
      valueName: "row"))
  var paddingIndex: PaddingIndex?

  @Flag(help: "Keep an embedding and a dense layer apart that the file would have be one parameter (tied).")
  var untie = false

  @Flag(help: "Let an ONNX model keep weights in other files beside it.")
  var externalData = false

  func options() throws -> LoadOptions {
    var options = LoadOptions(
      prefix: prefix, readout: readout, activation: activation, layout: layout, forgetBias: forgetBias,
      gates: gates)
    if let forgetBias, !forgetBias.isFinite {
      throw CheckpointError.invalidOption("--forget-bias \(forgetBias): expected a finite number", advice: [])
    }
    options.untie = untie
    options.padding = paddingIndex?.padding
    options.readoutActivation = readoutActivation
    options.outputActivation = outputActivation
    options.stack = stack?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    options.order = order
    options.rules = try rules.map(RenamingRule.init)
    for allowance in allowances {
      let parts = allowance.split(separator: "=", maxSplits: 1).map(String.init)
      switch parts.first {
      case "missing" where parts.count == 2: options.allowedMissing.append(parts[1])
      case "unexpected" where parts.count == 2: options.allowedUnexpected.append(parts[1])
      default:
        throw CheckpointError.invalidOption(
          "--allow \(allowance): expected missing=GLOB or unexpected=GLOB",
          advice: ["for example --allow unexpected='optimizer*'"])
      }
    }
    if let config {
      options.configuration = try ModelConfiguration(json: readWhole(config), file: config)
    }
    return options
  }
}

/// A row's number or `none`.
struct PaddingIndex: ExpressibleByArgument {
  let padding: LoadOptions.Padding

  init?(argument: String) {
    if argument == "none" {
      padding = .absent
    } else if let row = Int(argument), row >= 0 {
      padding = .row(row)
    } else {
      return nil
    }
  }
}

struct ReadoutArguments: ParsableArguments {
  @Option(help: readoutHelp)
  var readout: ModelConfiguration.Readout?
}

/// A file's bytes.
func readWhole(_ path: String) throws -> Data {
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
    throw InputError.notFound(path)
  }
  guard !isFolder.boolValue, let data = FileManager.default.contents(atPath: path) else {
    throw InputError.unreadable(path)
  }
  return data
}

enum InputError: DescribedFailure {
  case notFound(String)
  case unreadable(String)
  case cannotCreate(String, String)
  /// A run that had to stop.
  case stopped(Message, advice: [Message])
  case noModel(String)
  case sameFile(String)
  /// An output whose place is taken by what may be somebody's only copy.
  case exists(String)
  case usage(Message, advice: [Message])

  var category: FailureCategory {
    switch self {
    case .notFound, .noModel: .notFound
    case .unreadable, .stopped: .badInput
    case .cannotCreate, .exists: .cannotCreate
    case .sameFile, .usage: .usage
    }
  }

  var message: Message {
    switch self {
    case .notFound(let path): "\(path): no such file"
    case .unreadable(let path): "\(path): it is a folder or cannot be read"
    case .noModel(let path): "\(path): no such model"
    case .cannotCreate(let path, let detail): "\(path): \(detail)"
    case .sameFile(let path): "\(path): the output would replace what it is made from"
    case .exists(let path): "\(path): it exists, and it is nothing that lstm-ft is known to have written"
    case .usage(let text, _), .stopped(let text, _): text
    }
  }

  var advice: [Message] {
    switch self {
    case .noModel: ["make one with lstm-ft import weights.h5, or name another model"]
    case .sameFile: ["give another -o"]
    case .exists: ["give another -o, or --overwrite to replace it"]
    case .usage(_, let advice), .stopped(_, let advice): advice
    default: []
    }
  }
}

/// Opens a model for use: the native file, or any checkpoint that needs no further decision.
func openModel(_ path: String, options: LoadOptions = LoadOptions(), seed: UInt64 = 0) throws -> LSTMModel {
  guard FileManager.default.fileExists(atPath: path) else { throw InputError.noModel(path) }
  let checkpoint = try openCheckpoint(path)
  var model = try LSTMModel(checkpoint, options: options, seed: seed)
  if checkpoint.provenance == nil {
    model.provenance = provenance(
      of: checkpoint, try LoadPlan(checkpoint, options: options), digest: try sha256(ofFile: path))
  }
  return model
}

/// A model of fresh values: another model's network, or the one that a configuration file describes.
func untrainedModel(_ path: String, seed: UInt64) throws -> LSTMModel {
  guard isConfiguration(path) else {
    let model = try openModel(path, seed: seed)
    let fresh = LSTMModel(model.configuration, seed: seed)
    return model.replacing(weights: fresh.parameters, changed: fresh.parameters.slots.map { _ in true })
  }
  guard let json = FileManager.default.contents(atPath: path) else { throw InputError.notFound(path) }
  let configuration = try ModelConfiguration(json: json, file: path)
  // Weights, gradients and two moments.
  let bytes = configuration.parameterCount * 4 * MemoryLayout<Float>.size
  guard bytes <= Int(clamping: ProcessInfo.processInfo.physicalMemory) else {
    throw InputError.usage(
      "\(path): \(plural(configuration.parameterCount, "parameter")) take \(size(bytes)) to train, more memory than there is",
      advice: [])
  }
  return LSTMModel(configuration, seed: seed)
}

private func isConfiguration(_ path: String) -> Bool {
  URL(fileURLWithPath: path).pathExtension.lowercased() == "json"
}

/// Opens a file of named tensors; says what to do with another one.
func openCheckpoint(
  _ path: String, mayBeArray: Bool = false, allowsExternalData: Bool = false
) throws -> Checkpoint {
  guard FileManager.default.fileExists(atPath: path) else {
    throw ForeignFile.named(path)?.error(file: path) ?? InputError.notFound(path)
  }
  if isConfiguration(path), let json = FileManager.default.contents(atPath: path),
    (try? ModelConfiguration(json: json, file: path)) != nil
  {
    throw CheckpointError.unknownFormat(
      file: path, detail: "it describes a network, but holds no weights",
      advice: [
        "to train it from fresh values: lstm-ft finetune \(path) --from-scratch --data FILE",
        "to read a checkpoint with it: lstm-ft import CHECKPOINT --config \(path)",
      ])
  }
  let checkpoint: Checkpoint
  do {
    checkpoint = try Checkpoint(path: path, allowsExternalData: allowsExternalData)
  } catch CheckpointError.unrecognized(_, let detail) {
    let isTable = ["csv", "tsv", "txt"].contains(URL(fileURLWithPath: path).pathExtension.lowercased())
    throw CheckpointError.unknownFormat(
      file: path, detail: detail,
      advice: [
        isTable
          ? "weights and models are HDF5 or .npz files; a table is data: --data \(path)"
          : "expected HDF5 or .npz; in Python: for k, v in state_dict.items(): h5py_file[k] = v.numpy()"
      ])
  }
  if checkpoint.format == .npy, !mayBeArray {
    throw CheckpointError.unknownFormat(
      file: path, detail: "it is one array (.npy), expected an HDF5 or .npz file of named tensors", advice: [])
  }
  return checkpoint
}

/// - Parameter digest: of the checkpoint's file; empty when it follows.
func provenance(of checkpoint: Checkpoint, _ plan: LoadPlan, digest: String) -> Provenance {
  var made = plan.provenance(sha256: digest)
  made.source = URL(fileURLWithPath: checkpoint.path).lastPathComponent
  made.history = [
    .init(
      date: timestamp(), action: "import",
      details: ["file": made.source, "tensors": "\(plan.report.applied.count)"])
  ]
  return made
}

func timestamp() -> String { Date().formatted(.iso8601) }

/// Refuses an output before any work is done for it: one that cannot be written, or that would replace what it is
/// made from, or what lstm-ft did not write.
/// - Returns: what it will take the place of, to be said.
@discardableResult
func requireOutput(_ output: String, apartFrom inputs: [String], overwrite: Bool = false) throws -> ReplacedFile? {
  let same = { (path: String) in URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path }
  if inputs.contains(where: { same($0) == same(output) }) { throw InputError.sameFile(output) }
  let manager = FileManager.default
  var isFolder: ObjCBool = false
  if manager.fileExists(atPath: output, isDirectory: &isFolder), isFolder.boolValue {
    throw InputError.cannotCreate(output, "it is a directory; a file is to be written here")
  }
  let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
  let name = (output as NSString).deletingLastPathComponent
  guard manager.fileExists(atPath: folder, isDirectory: &isFolder) else {
    throw InputError.cannotCreate(output, "the directory \(name) does not exist")
  }
  guard isFolder.boolValue else { throw InputError.cannotCreate(output, "\(name) is not a directory") }
  guard manager.isWritableFile(atPath: folder) else {
    throw InputError.cannotCreate(output, "the directory \(name.isEmpty ? "." : name) may not be written")
  }
  let replaced = ReplacedFile(output)
  if let replaced, replaced.description == nil, !overwrite { throw InputError.exists(output) }
  return replaced
}
