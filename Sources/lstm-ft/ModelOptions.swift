import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

extension ModelConfiguration.Readout: ExpressibleByArgument {}
extension ModelConfiguration.Activation: ExpressibleByArgument {}

/// How names in a file become the project's, and what may be missing.
struct LoadArguments: ParsableArguments {
  @Option(help: "Look only at tensors below this prefix, for example encoder.lstm or model_state.")
  var prefix: String?

  @Option(
    name: .customLong("map"), help: "Rewrite tensor names: REGEX=REPLACEMENT, $1 for the first group. Repeatable.")
  var rules: [String] = []

  @Option(
    name: .customLong("allow"),
    help: "Let tensors be missing or left over: missing=GLOB or unexpected=GLOB. Repeatable.")
  var allowances: [String] = []

  @Option(help: "A JSON file that describes the model, for what its tensors do not tell.")
  var config: String?

  @Option(help: "What the head reads: all, last, final, mean, max or attention.")
  var readout: ModelConfiguration.Readout?

  @Option(help: "What stands between the dense layers of a head: none, relu, tanh or sigmoid.")
  var activation: ModelConfiguration.Activation?

  func options() throws -> LoadOptions {
    var options = LoadOptions(prefix: prefix, readout: readout, activation: activation)
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
  case noModel(String)
  case sameFile(String)
  case usage(String, advice: [String])

  var category: FailureCategory {
    switch self {
    case .notFound, .noModel: .notFound
    case .unreadable: .badInput
    case .sameFile, .usage: .usage
    }
  }

  var message: String {
    switch self {
    case .notFound(let path): "\(path): no such file"
    case .unreadable(let path): "\(path): it is a folder or cannot be read"
    case .noModel(let path): "\(path): no such model"
    case .sameFile(let path): "\(path) would be replaced by what is made from it"
    case .usage(let text, _): text
    }
  }

  var advice: [String] {
    switch self {
    case .noModel: ["make one with lstm-ft import weights.h5, or name another model"]
    case .sameFile: ["give another -o"]
    case .usage(_, let advice): advice
    default: []
    }
  }
}

/// Opens a model for use: the native file, or any checkpoint that needs no further decision.
func openModel(_ path: String, options: LoadOptions = LoadOptions(), seed: UInt64 = 0) throws -> LSTMModel {
  guard FileManager.default.fileExists(atPath: path) else { throw InputError.noModel(path) }
  let checkpoint = try Checkpoint(path: path)
  if checkpoint.format == .npy {
    throw CheckpointError.unknownFormat(
      file: path, detail: "is one array (.npy), not a model", advice: ["models are read from HDF5 or .npz"])
  }
  var model = try LSTMModel(checkpoint, options: options, seed: seed)
  if model.provenance == nil {
    model.provenance = try provenance(of: checkpoint, LoadPlan(checkpoint, options: options))
  }
  return model
}

func provenance(of checkpoint: Checkpoint, _ plan: LoadPlan) throws -> Provenance {
  let path = checkpoint.path ?? ""
  let digest = try sha256(ofFile: path)
  let name = URL(fileURLWithPath: path).lastPathComponent
  return Provenance(
    source: name, sha256: digest, layout: checkpoint.format.rawValue, mapping: plan.mapping,
    history: [
      .init(date: timestamp(), action: "import", details: ["file": name, "tensors": "\(plan.report.applied.count)"])
    ])
}

func timestamp() -> String { Date().formatted(.iso8601) }

/// Refuses to replace a file by what is read from it while it is read.
func requireDifferent(_ output: String, from input: String) throws {
  let same = { (path: String) in URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path }
  if same(output) == same(input) { throw InputError.sameFile(output) }
}

extension LSTMModel {
  /// The stored preprocessing; empty when there is none.
  func preprocessingRecord(file: String) throws -> Preprocessing {
    guard let preprocessing else { return Preprocessing() }
    do {
      return try JSONDecoder().decode(Preprocessing.self, from: Data(preprocessing.utf8))
    } catch {
      throw FineTuningError.badPreprocessing(file: file, detail: describe(error))
    }
  }

  mutating func store(_ record: Preprocessing) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    preprocessing = String(decoding: try encoder.encode(record), as: UTF8.self)
  }
}
