import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning

/// A run's `config.json`: its settings, and what followed from them before the first step. ``RunFolder`` writes it,
/// ``BegunRun`` and ``RunLog`` read it.
///
/// A value that is missing or of another type is nil or empty. A record of an earlier version has no `settings`: it can be
/// shown, but its run cannot be resumed.
public struct RunRecord: Sendable {
  /// A part of the model in the plan.
  public struct Part: Sendable, Codable, Equatable {
    /// `layer0`, `head.0`, ...
    public var name: String
    /// The number of its parameters.
    public var parameters: Int
    /// The number of its parameters that train.
    public var trainable: Int
    /// `frozen`, `trainable`, ...
    public var fate: String
    /// nil for a frozen part, and for one with several rates.
    public var learningRate: Double?
    /// From 1.
    public var firstEpoch: Int
  }

  /// An input file of a run.
  public struct File: Sendable, Codable, Equatable {
    /// As it was given.
    public var path: String
    /// Of its bytes, hexadecimal. Of a large file that is mostly holes `sparse-` and the SHA-256 of what is not zero in it.
    public var sha256: String

    /// - Throws: `FileError` when it cannot be read.
    public init(_ path: String) throws(FileError) {
      self.path = path
      sha256 = try FileFingerprint(ofFile: path).text
    }
  }

  /// The version of records that are written now.
  public static let currentVersion = 2

  /// The version of the schema; 1 for records without it.
  public var version = Self.currentVersion
  /// Everything needed to start the run again; nil for another version.
  public var settings: RunSettings?
  /// The command line, to be shown.
  public var arguments: [String] = []
  /// The absolute path that relative paths start from.
  public var folder: String?
  /// The model, then the data.
  public var files: [File] = []
  /// `pretrained` or `untrained`: the model before the first step.
  public var start = "pretrained"
  /// The configuration of the network that trains.
  public var configuration: ModelConfiguration?
  /// Columns, window, scalers and vocabulary.
  public var preprocessing: Preprocessing?
  /// The name of the loss, to be shown.
  public var loss: String?
  /// The optimizer and its learning rate, to be shown.
  public var optimizer: String?
  /// The learning rate schedule, to be shown.
  public var schedule: String?
  /// The number of threads.
  public var threads: Int?
  /// The names of the frozen parameters.
  public var frozen: [String] = []
  /// The parts of the model, from the input up.
  public var plan: [Part] = []
  /// The command that uses the model: its name, then its arguments after the model.
  public var use: [String]?
  /// The format to export the model in.
  public var export: String?

  /// All values in the file.
  private var values: [String: JSONValue] = [:]

  /// An empty record.
  public init() {}

  /// The record of a run that starts in the current directory.
  /// - Throws: what `RunSettings.paths` throws, and `FileError` when an input file cannot be read.
  public init(_ settings: RunSettings) throws {
    self.settings = settings
    folder = FileManager.default.currentDirectoryPath
    files = try settings.paths().map { try File($0) }
  }
}

extension [RunRecord.Part] {
  /// The parts of a plan.
  public init(_ plan: FreezePlan, _ optimizer: Optimizer) {
    self = plan.groups.map { group in
      let pace = plan.learningRate(of: group, base: optimizer.learningRate)
      return RunRecord.Part(
        name: group.name, parameters: group.parameterCount, trainable: group.trainableCount,
        fate: group.status.rawValue,
        learningRate: group.trainableCount == 0 ? nil : pace.learningRate, firstEpoch: pace.firstEpoch)
    }
  }
}

// MARK: - Values

extension RunRecord {
  /// The model's file.
  public var model: String? { settings?.model ?? values["model"]?.text }
  /// The first data file.
  public var data: String? { settings?.data.files.first ?? values["data"]?.text }
  /// The file of the fine-tuned model.
  public var output: String? { settings?.output ?? values["output"]?.text }
  /// The number of epochs planned.
  public var epochs: Int? { settings?.training.epochs ?? values["epochs"]?.integer }
  /// The recipe, to be shown.
  public var recipe: String? { settings?.recipe.rawValue ?? values["recipe"]?.text }
  /// The unit of a text's tokens; nil for other data.
  public var unit: Vocabulary.Unit? {
    values["preprocessing"]?["vocabulary"]?["unit"]?.text.flatMap(Vocabulary.Unit.init(rawValue:))
  }

  /// Everything that fits on a line, by name: numbers, texts and lists of them.
  var lines: [(name: String, value: String)] {
    // The next commands are shown elsewhere.
    values.filter { !["use", "export", "version"].contains($0.key) }.flatMap {
      name, value -> [(name: String, value: String)] in
      switch name {
      // As they were typed.
      case "arguments" where value.words != nil: [(name, (value.words ?? []).map(shellWord).joined(separator: " "))]
      case "settings": value.lines(name)
      default: value.line.map { [(name, $0)] } ?? []
      }
    }.sorted { $0.name < $1.name }
  }
}

// MARK: - Reading and writing

extension RunRecord: Codable {
  private enum CodingKeys: String, CodingKey {
    case version, settings, arguments, folder, files, start, configuration, preprocessing, loss, optimizer, schedule
    case threads, frozen, plan, use, export
  }

  /// - Throws: `DecodingError` when it is not a JSON object.
  public init(from decoder: any Decoder) throws {
    values = try decoder.singleValueContainer().decode([String: JSONValue].self)
    let record = try decoder.container(keyedBy: CodingKeys.self)
    func value<Value: Decodable>(_ key: CodingKeys) -> Value? { try? record.decode(Value.self, forKey: key) }
    version = value(.version) ?? 1
    settings = version == Self.currentVersion ? value(.settings) : nil
    arguments = value(.arguments) ?? []
    folder = value(.folder)
    files = value(.files) ?? []
    start = value(.start) ?? start
    configuration = value(.configuration)
    preprocessing = value(.preprocessing)
    loss = value(.loss)
    optimizer = value(.optimizer)
    schedule = value(.schedule)
    threads = value(.threads)
    frozen = value(.frozen) ?? []
    plan = value(.plan) ?? []
    use = value(.use)
    export = value(.export)
  }

  /// The most bytes of a file: enough for a large vocabulary.
  private static let limit = 1 << 28

  /// - Throws: `FileError` when the file cannot be read, `FineTuningError.badData` when it is not a JSON object.
  public init(contentsOf file: String) throws {
    let json = try LineFile(file).contents(limit: Self.limit)
    do {
      try self.init(json: json)
    } catch {
      throw FineTuningError.badData(
        file: file, detail: "it is not the configuration of a run", advice: ["name the run's folder"])
    }
  }

  /// - Throws: `DecodingError` when it is not a JSON object.
  init(json: Data) throws { self = try JSONDecoder.ofRuns.decode(RunRecord.self, from: json) }
}
