import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning

/// How a run was begun, which its folder keeps as `config.json`: what was asked for, and what was settled before the first
/// step. ``RunFolder`` writes it, ``BegunRun`` and ``RunLog`` read it.
///
/// Reading never fails for what a value is: what is missing, or of another type, is nil or empty. A record of an earlier
/// version has no `settings`; it can be shown, but no run goes on from it.
public struct RunRecord: Sendable {
  /// A part of the model and what becomes of it.
  public struct Part: Sendable, Codable, Equatable {
    /// `layer0`, `head.0`, ...
    public var name: String
    /// How many numbers it has.
    public var parameters: Int
    /// How many of them train.
    public var trainable: Int
    /// `frozen`, `trainable`, ...
    public var fate: String
    /// nil for what does not train, and for parts at different rates.
    public var learningRate: Double?
    /// From 1.
    public var firstEpoch: Int

    public init(
      name: String, parameters: Int, trainable: Int, fate: String, learningRate: Double?, firstEpoch: Int
    ) {
      self.name = name
      self.parameters = parameters
      self.trainable = trainable
      self.fate = fate
      self.learningRate = learningRate
      self.firstEpoch = firstEpoch
    }
  }

  /// A file that a run reads.
  public struct File: Sendable, Codable, Equatable {
    /// As it was given.
    public var path: String
    /// Of its bytes, hexadecimal.
    public var sha256: String

    /// - Throws: `FileError` when it cannot be read.
    public init(_ path: String) throws(FileError) {
      self.path = path
      sha256 = try FileIO.sha256(ofFile: path)
    }
  }

  /// What records that are written now are of.
  public static let currentVersion = 2

  /// Of the schema; 1 for records that do not say it.
  public var version = Self.currentVersion
  /// Everything that was asked for.
  public var settings: RunSettings?
  /// What was typed, for people.
  public var arguments: [String] = []
  /// Absolute: where relative paths begin.
  public var folder: String?
  /// The model, then the data.
  public var files: [File] = []
  /// What the model is before the first step.
  public var start = "pretrained"
  /// Of the network that trains.
  public var configuration: ModelConfiguration?
  /// What is done to the data.
  public var preprocessing: Preprocessing?
  /// For people, as are the two that follow.
  public var loss: String?
  /// The rule and its rate.
  public var optimizer: String?
  /// How the rate moves.
  public var schedule: String?
  /// That it computes on.
  public var threads: Int?
  /// The names of parameters that stay as they are.
  public var frozen: [String] = []
  /// From the input up.
  public var plan: [Part] = []
  /// How the program that runs it says that the model is used.
  public var use: [String]?
  /// The format in which the model goes back to where it came from.
  public var export: String?

  /// What is in the file.
  private var values: [String: JSONValue] = [:]

  public init() {}
}

// MARK: - What it says

extension RunRecord {
  /// The model's file.
  public var model: String? { settings?.model ?? values["model"]?.text }
  /// The first data file.
  public var data: String? { settings?.data.files.first ?? values["data"]?.text }
  /// The model to write.
  public var output: String? { settings?.output ?? values["output"]?.text }
  /// How many there are to be.
  public var epochs: Int? { settings?.training.epochs ?? values["epochs"]?.integer }
  /// What trains when.
  public var recipe: String? { settings?.recipe.rawValue ?? values["recipe"]?.text }
  /// What a text's tokens are.
  public var unit: Vocabulary.Unit? {
    values["preprocessing"]?["vocabulary"]?["unit"]?.text.flatMap(Vocabulary.Unit.init(rawValue:))
  }

  /// Everything that fits on a line, by name: numbers, texts and lists of them.
  var lines: [(name: String, value: String)] {
    // What a person may type next has a place of its own.
    values.filter { !["use", "export", "version"].contains($0.key) }.flatMap { name, value -> [(name: String, value: String)] in
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

  /// - Throws: `DecodingError` when it is no JSON object.
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

  /// The most bytes of a file: a large vocabulary has room.
  private static let limit = 1 << 28

  /// - Throws: `FineTuningError.badData` when the file cannot be read or is no JSON object.
  public init(contentsOf file: String) throws {
    let json = try LineFile(file).contents(limit: Self.limit)
    do {
      try self.init(json: json)
    } catch {
      throw FineTuningError.badData(
        file: file, detail: "it is not the configuration of a run", advice: ["name the run's folder"])
    }
  }

  /// - Throws: `DecodingError` when it is no JSON object.
  init(json: Data) throws { self = try JSONDecoder.ofRuns.decode(RunRecord.self, from: json) }
}
