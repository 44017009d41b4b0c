/// What loading a checkpoint would do, tensor by tensor. Made before anything is applied: all or nothing.
public struct LoadReport: Sendable, Codable, Equatable {
  public struct Applied: Sendable, Codable, Equatable {
    /// Name in the file.
    public let source: String
    /// The project's name for it.
    public let target: String
    public let shape: [Int]
    public let dataType: DataType
    /// float64 values lose digits when they are computed with; nil when float32 holds them exactly.
    public let cast: String?
  }

  public struct Missing: Sendable, Codable, Equatable {
    public let target: String
    public let shape: [Int]
    /// Names in the file that come close.
    public let nearest: [String]
    /// Allowed by `--allow missing=GLOB`.
    public let isAllowed: Bool
  }

  public struct Unexpected: Sendable, Codable, Equatable {
    public let source: String
    public let shape: [Int]
    /// Why it was not taken.
    public let reason: String
    /// Allowed by `--allow unexpected=GLOB`.
    public let isAllowed: Bool
  }

  public struct Mismatch: Sendable, Codable, Equatable {
    public let source: String
    public let target: String
    public let expected: [Int]
    public let found: [Int]
    public let hint: String?
  }

  public var file: String
  public var layout: String
  public var configuration: ModelConfiguration?
  public var applied: [Applied] = []
  public var missing: [Missing] = []
  public var unexpected: [Unexpected] = []
  public var mismatched: [Mismatch] = []
  /// What was decided and on what evidence.
  public var notes: [String] = []

  /// Whether loading may go ahead.
  public var isComplete: Bool {
    mismatched.isEmpty && missing.allSatisfy(\.isAllowed) && unexpected.allSatisfy(\.isAllowed)
  }

  /// Everything that stands in the way, in one line.
  public var failureSummary: String {
    var parts: [String] = []
    for item in mismatched.prefix(3) {
      let hint = item.hint.map { " (\($0))" } ?? ""
      parts.append(
        "\(item.source): expected shape \(shapeText(item.expected)), found \(shapeText(item.found))\(hint)")
    }
    if mismatched.count > 3 { parts.append("\(mismatched.count - 3) more shapes that do not fit") }
    let absent = missing.filter { !$0.isAllowed }
    if let first = absent.first {
      var text = "missing \(first.target) \(shapeText(first.shape))"
      if let near = first.nearest.first { text += " (did you mean \(near)?)" }
      if absent.count > 1 { text += " and \(absent.count - 1) more" }
      parts.append(text)
    }
    let extra = unexpected.filter { !$0.isAllowed }
    if let first = extra.first {
      var text = "unexpected \(first.source) \(shapeText(first.shape)): \(first.reason)"
      if extra.count > 1 { text += "; and \(extra.count - 1) more" }
      parts.append(text)
    }
    return "\(file): " + (parts.isEmpty ? "nothing stands in the way" : parts.joined(separator: "; "))
  }

  public var advice: [String] {
    var lines: [String] = []
    if let extra = unexpected.first(where: { !$0.isAllowed }) {
      let stem = extra.source.split(whereSeparator: { $0 == "." || $0 == "/" }).first.map(String.init) ?? extra.source
      let glob = stem == extra.source ? stem : stem + "*"
      lines.append("leave it out with --allow unexpected='\(glob)', or rename it with --map 'REGEX=REPLACEMENT'")
    }
    if let absent = missing.first(where: { !$0.isAllowed }) {
      lines.append(
        "start it from fresh values with --allow missing='\(absent.target)', or find it with --map or --prefix")
    }
    return Array(lines.prefix(2))
  }
}

/// A shape as people write it: `(4, 3)`, `(4,)`, `()`.
public func shapeText(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}
