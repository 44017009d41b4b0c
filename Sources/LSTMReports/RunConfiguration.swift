import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What a run's `config.json` says of how it was begun. Whatever is not there, or is of another type, is nil.
public struct RunConfiguration: Sendable {
  /// A part of the model and what became of it.
  public struct Part: Sendable, Codable, Equatable {
    public var name: String
    public var parameters: Int
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

  private let values: [String: JSONValue]
  /// The model.
  public let model: ModelConfiguration?
  /// From the input up.
  public let plan: [Part]
  /// What a text's tokens are.
  public let unit: Vocabulary.Unit?

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
  init(json: Data) throws {
    struct Model: Decodable { let configuration: ModelConfiguration }
    struct Plan: Decodable { let plan: [Part] }
    let decoder = JSONDecoder()
    values = try decoder.decode([String: JSONValue].self, from: json)
    model = (try? decoder.decode(Model.self, from: json))?.configuration
    plan = (try? decoder.decode(Plan.self, from: json))?.plan ?? []
    if case .object(let record) = values["preprocessing"], case .object(let vocabulary) = record["vocabulary"] {
      unit = vocabulary["unit"]?.text.flatMap(Vocabulary.Unit.init(rawValue:))
    } else {
      unit = nil
    }
  }

  /// What the model is before the first step.
  public var startName: String { self["start"] ?? "pretrained" }
  public var epochs: Int? {
    guard case .integer(let epochs) = values["epochs"] else { return nil }
    return epochs
  }

  /// A value that is a text: `model`, `data`, `output`, `folder`, `loss`, ...
  public subscript(_ name: String) -> String? { values[name]?.text }

  /// A list of texts.
  package func words(_ name: String) -> [String]? { values[name]?.words }

  /// Everything that fits on a line, by name: numbers, texts and lists of them.
  var lines: [(name: String, value: String)] {
    // What a person may type next has a place of its own.
    values.keys.sorted().filter { !["use", "export"].contains($0) }.compactMap { name in
      // As it was typed.
      if name == "arguments", let words = values[name]?.words {
        return (name, words.map(shellWord).joined(separator: " "))
      }
      return values[name]?.line.map { (name, $0) }
    }
  }
}

/// Any JSON.
private enum JSONValue: Sendable, Decodable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(UInt64.self) {
      // A seed has all its digits.
      self = .text("\(value)")
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  var text: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }

  var line: String? {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "yes" : "no"
    case .integer(let value): "\(value)"
    case .number(let value): short(value)
    case .text(let text): text
    case .array(let values):
      values.isEmpty ? "none" : values.allSatisfy { $0.line != nil && !$0.isList } ? list(values) : nil
    case .object: nil
    }
  }

  /// A list of texts.
  var words: [String]? {
    guard case .array(let values) = self else { return nil }
    let words = values.compactMap(\.text)
    return words.count == values.count ? words : nil
  }

  private var isList: Bool {
    guard case .array = self else { return false }
    return true
  }

  private func list(_ values: [JSONValue]) -> String {
    let shown = values.prefix(100).compactMap(\.line).joined(separator: ", ")
    return values.count > 100 ? "\(shown), … (\(values.count) in all)" : shown
  }
}
