import ArgumentParser
import FileIO
import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers
import LSTMReports

extension PlainStack.Readout: ExpressibleByArgument {}
extension Activation: ExpressibleByArgument {
  /// By its name; a hyphen is as good as an underscore.
  public init?(argument: String) { self.init(rawValue: argument.lowercased().replacing("-", with: "_")) }
}
extension PlainStack.Bias: ExpressibleByArgument {
  public static var allValueStrings: [String] { [PlainStack.Bias.single, .dual].map(\.rawValue) }
}
extension PlainStack.GateActivation: ExpressibleByArgument {}
extension Layout: ExpressibleByArgument {}
extension LoadOptions.Order: ExpressibleByArgument {}
extension DataType: ExpressibleByArgument {
  public static var allValueStrings: [String] { allCases.filter(\.isFloatingPoint).map(\.rawValue) }
}

let readoutHelp: ArgumentHelp =
  "Which of the LSTM's outputs the head reads; final is the final hidden state of each direction."

/// How names in a file become parameter names, and which may be missing.
struct LoadArguments: ParsableArguments {
  @Option(help: "Read only tensors below this prefix, such as encoder.lstm.")
  var prefix: String?

  @Option(
    name: .customLong("map"),
    help: ArgumentHelp(
      "Rename tensors; $1 is the first group. Repeatable.", valueName: "regex=replacement"))
  var rules: [String] = []

  @Option(
    name: .customLong("allow"),
    help: ArgumentHelp(
      "Allow missing or unexpected tensors: missing=GLOB or unexpected=GLOB. Repeatable.", valueName: "kind=glob"))
  var allowances: [String] = []

  @Option(
    help: ArgumentHelp(
      "A JSON file that describes the model, for what its tensors do not show.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var config: String?

  @Option(
    name: .customLong("model"),
    help: ArgumentHelp(
      "The model as one line, such as '8 features -> LSTM 64 -> last -> dense 1', for what its tensors do not show; "
        + "lstm-ft layers lists the kinds of layers.",
      valueName: "line"))
  var line: String?

  @Option(
    help: ArgumentHelp(
      "A JSON file with Keras' description of the model (model.to_json()), for a file of weights. (default: the one "
        + "beside it)", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var architecture: String?

  @Option(help: readoutHelp)
  var readout: PlainStack.Readout?

  @Option(help: "The activation between the dense layers of a head.")
  var activation: Activation?

  @Option(help: "The activation between the LSTM and the head, where the file does not say.")
  var readoutActivation: Activation?

  @Option(help: "The activation after the last dense layer, where the file does not say.")
  var outputActivation: Activation?

  @Option(help: ArgumentHelp("The heads of attention, where the file does not say.", valueName: "count"))
  var heads: Int?

  @Option(
    help: ArgumentHelp(
      "Stacked LSTMs in order, from the input up, separated by commas.", valueName: "modules"))
  var stack: String?

  @Option(help: "Whether the file stores matrices by rows or by columns (Julia, MATLAB and R: by columns).")
  var order: LoadOptions.Order?

  @Option(help: "The layout of the tensors (names, gate order, shapes), where it is ambiguous.")
  var layout: Layout?

  @Option(help: "The activation of the LSTM's gates, where the file does not say.")
  var gates: PlainStack.GateActivation?

  @Option(
    help: ArgumentHelp(
      "The constant that a TensorFlow 1 cell adds to its forget gate; its files do not say (usually 1).",
      valueName: "value"))
  var forgetBias: Float?

  @Option(
    help: ArgumentHelp(
      "The embedding's padding row, which is not trained (PyTorch's padding_idx), or none.",
      valueName: "row"))
  var paddingIndex: PaddingIndex?

  @Flag(help: "Keep an embedding and a dense layer that look tied as two parameters.")
  var untie = false

  @Flag(help: "Allow an ONNX model to keep weights in external files beside it.")
  var externalData = false

  @Option(
    help:
      "Who reads HDF5: own, or libhdf5, in a process of its own with limits, for what own refuses (n-bit, scale-offset and szip)."
  )
  var reader: HDF5Reader = .own

  func options() throws -> LoadOptions {
    var options = LoadOptions(
      prefix: prefix, readout: readout, activation: activation, layout: layout, forgetBias: forgetBias,
      gates: gates)
    if let forgetBias, !forgetBias.isFinite {
      throw CheckpointError.invalidOption("--forget-bias \(forgetBias): expected a finite number", advice: [])
    }
    options.untie = untie
    options.architecture = architecture
    options.padding = paddingIndex?.padding
    options.readoutActivation = readoutActivation
    options.outputActivation = outputActivation
    options.heads = heads
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
      if line != nil {
        throw CheckpointError.invalid(.model, nil, "it says what \(.configuration) says; give one of them")
      }
      options.configuration = try ModelConfiguration(json: readWhole(config), file: config)
    }
    if let line { options.configuration = try configuration(line: line) }
    return options
  }
}

/// Who reads HDF5.
enum HDF5Reader: String, ExpressibleByArgument, CaseIterable {
  case own, libhdf5

  /// The first argument of the process that reads through libhdf5.
  static let command = "hdf5-copy"

  /// Ends this process with its work done where this program started it to read through libhdf5.
  static func runIfStartedForIt() {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.first == command else { return }
    exit(HDF5LibraryReader.runChild(Array(arguments.dropFirst())))
  }

  var reader: HDF5LibraryReader? {
    guard self == .libhdf5 else { return nil }
    return HDF5LibraryReader(
      program: Bundle.main.executablePath ?? CommandLine.arguments[0], arguments: [Self.command])
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
  var readout: PlainStack.Readout?
}

/// A model from its line.
func configuration(line: String) throws(CheckpointError) -> ModelConfiguration {
  do throws(ModelConfiguration.LineError) {
    return try ModelConfiguration(line: line)
  } catch {
    throw .invalid(
      .model, nil, "\(error)", advice: ["for example \(.model, "8 features -> biLSTM 64 -> last -> dense 3 softmax")"])
  }
}

/// A file's bytes.
func readWhole(_ path: String) throws(FileError) -> Data {
  do throws(UnreadableReason) {
    let file = try RegularFile(path: path)
    return Data(try file.contents(times: 3))
  } catch {
    throw .unreadable(file: path, reason: error)
  }
}

enum InputError: DescribedFailure {
  case cannotCreate(String, String)
  /// A run that failed.
  case stopped(Message, advice: [Message])
  case noModel(String)
  case sameFile(String)
  /// An output that would replace a file of unknown origin, which may be the only copy.
  case exists(String)
  case usage(Message, advice: [Message] = [])

  var category: FailureCategory {
    switch self {
    case .noModel: .notFound
    case .stopped: .badInput
    case .cannotCreate, .exists: .cannotCreate
    case .sameFile, .usage: .usage
    }
  }

  var message: Message {
    switch self {
    case .noModel(let path): "\(path): no such model"
    case .cannotCreate(let path, let detail): "\(path): \(detail)"
    case .sameFile(let path): "\(path): the output would overwrite one of the inputs"
    case .exists(let path): "\(path): it exists, and lstm-ft did not write it"
    case .usage(let text, _), .stopped(let text, _): text
    }
  }

  var advice: [Message] {
    switch self {
    case .noModel: ["create one with lstm-ft import weights.h5, or name another model"]
    case .sameFile: ["choose another -o"]
    case .exists: ["choose another -o, or --overwrite to replace it"]
    case .usage(_, let advice), .stopped(_, let advice): advice
    default: []
    }
  }
}

/// Opens a model for use: the native file, or any checkpoint that needs no further decision.
func openModel(_ path: String, options: LoadOptions = LoadOptions(), seed: UInt64 = 0) throws -> LSTMModel {
  guard FileManager.default.fileExists(atPath: path) else { throw InputError.noModel(path) }
  let checkpoint = try openCheckpoint(path)
  let plan = try LoadPlan(checkpoint, options: options)
  var model = try LSTMModel(plan, seed: seed)
  if checkpoint.provenance == nil {
    model.provenance = plan.provenance(
      sha256: isDigestible(checkpoint) ? try sha256(ofFile: path) : "", importedOn: Date())
  }
  return model
}

/// Whether a file is about as large as what it holds. Of a terabyte of nothing no digest is computed.
func isDigestible(_ checkpoint: Checkpoint) -> Bool {
  let bytes = checkpoint.tensors.reduce(0) { sum, tensor in
    let (result, overflows) = sum.addingReportingOverflow(tensor.byteCount)
    return overflows ? .max : result
  }
  return checkpoint.byteCount / 4 <= max(bytes, 1 << 30)
}

/// A model of random initial values: another model's network, or the one that a configuration file describes.
func untrainedModel(_ path: String, seed: UInt64) throws -> LSTMModel {
  guard isConfiguration(path) else {
    let model = try openModel(path, seed: seed)
    let fresh = LSTMModel(model.configuration, seed: seed)
    return model.replacing(weights: fresh.parameters, changed: fresh.parameters.slots.map { _ in true })
  }
  let configuration = try ModelConfiguration(json: readWhole(path), file: path)
  // Weights, gradients and two moments.
  let bytes = configuration.parameterCount * 4 * MemoryLayout<Float>.size
  guard bytes <= Int(clamping: ProcessInfo.processInfo.physicalMemory) else {
    throw InputError.usage(
      "\(path): \(plural(configuration.parameterCount, "parameter")) need \(size(bytes)) to train, more memory than this machine has"
    )
  }
  return LSTMModel(configuration, seed: seed)
}

private func isConfiguration(_ path: String) -> Bool {
  URL(fileURLWithPath: path).pathExtension.lowercased() == "json"
}

/// Whether it is a JSON file that describes a network.
/// - Throws: `FileError` when the system fails to read it.
private func describesModel(_ path: String) throws(FileError) -> Bool {
  guard isConfiguration(path) else { return false }
  let json: Data
  do throws(FileError) {
    json = try readWhole(path)
  } catch {
    if case .unreadable(_, let reason) = error, reason.isFailingSystem { throw error }
    return false
  }
  return (try? ModelConfiguration(json: json, file: path)) != nil
}

/// Opens a file of named tensors, or throws with advice for what it is instead.
func openCheckpoint(
  _ path: String, mayBeArray: Bool = false, allowsExternalData: Bool = false, reader: HDF5Reader = .own
) throws -> Checkpoint {
  guard FileManager.default.fileExists(atPath: path) else {
    throw ForeignFile.named(path)?.error(file: path) ?? FileError.unreadable(file: path, reason: .notFound)
  }
  if try describesModel(path) {
    throw CheckpointError.unknownFormat(
      file: path, detail: "it describes a network, but holds no weights",
      advice: [
        "to train it from scratch: lstm-ft finetune \(shellPath(path)) --from-scratch --data FILE",
        "to read a checkpoint with it: lstm-ft import CHECKPOINT --config \(shellPath(path))",
      ])
  }
  let checkpoint: Checkpoint
  do {
    checkpoint = try Checkpoint(path: path, allowsExternalData: allowsExternalData, hdf5Reader: reader.reader)
  } catch CheckpointError.unrecognized(_, let detail) {
    let isTable = ["csv", "tsv", "txt"].contains(URL(fileURLWithPath: path).pathExtension.lowercased())
    throw CheckpointError.unknownFormat(
      file: path, detail: detail,
      advice: [
        isTable
          ? "a table is data, not a model: give it as --data \(shellPath(path))"
          : "expected a .pt, .safetensors, .h5, .npz, .keras or .onnx file"
      ])
  }
  if checkpoint.format == .npy, !mayBeArray {
    throw CheckpointError.unknownFormat(
      file: path, detail: "it is one array (.npy), expected a file of named tensors", advice: [])
  }
  return checkpoint
}

/// Checks an output before any work is done for it.
/// - Returns: the file that it will replace, to be reported.
/// - Throws: `InputError` when it cannot be written, or would replace an input or a file that lstm-ft did not write.
@discardableResult
func requireOutput(_ output: String, apartFrom inputs: [String], overwrite: Bool = false) throws -> ReplacedFile? {
  let same = { (path: String) in URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path }
  if inputs.contains(where: { same($0) == same(output) }) { throw InputError.sameFile(output) }
  let manager = FileManager.default
  var isFolder: ObjCBool = false
  if manager.fileExists(atPath: output, isDirectory: &isFolder), isFolder.boolValue {
    throw InputError.cannotCreate(output, "it is a directory, expected the name of a file")
  }
  let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
  let name = folderPart(ofPath: output)
  guard manager.fileExists(atPath: folder, isDirectory: &isFolder) else {
    throw InputError.cannotCreate(output, "the directory \(name) does not exist")
  }
  guard isFolder.boolValue else { throw InputError.cannotCreate(output, "\(name) is not a directory") }
  guard manager.isWritableFile(atPath: folder) else {
    throw InputError.cannotCreate(output, "the directory \(name.isEmpty ? "." : name) is not writable")
  }
  // Links, and files that may not be written.
  _ = try AtomicFile(output)
  let replaced = try ReplacedFile(output)
  if let replaced, replaced.description == nil, !overwrite { throw InputError.exists(output) }
  return replaced
}
