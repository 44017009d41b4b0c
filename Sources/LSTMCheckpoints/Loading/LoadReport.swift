import FileIO

/// What loading a checkpoint would do, tensor by tensor. Made before anything is applied: all or nothing.
public struct LoadReport: Sendable, Codable, Equatable {
  /// A tensor that becomes a parameter.
  public struct Applied: Sendable, Codable, Equatable {
    /// Name in the file.
    public let source: String
    /// The project's name for it.
    public let target: String
    /// The parameter's shape.
    public let shape: [Int]
    /// The type of its elements in the file.
    public let dataType: DataType
    /// Set for float64, which loses digits in float32 computation; nil where float32 holds every value exactly.
    public let cast: String?
    /// How it was converted from the file's layout, such as `transposed`; nil when it is used as stored.
    public let how: String?
  }

  /// A parameter that no tensor of the file was found for.
  public struct Missing: Sendable, Codable, Equatable {
    /// The project's name.
    public let target: String
    /// The parameter's shape.
    public let shape: [Int]
    /// Similar names in the file, the nearest first.
    public let nearest: [String]
    /// The name it was looked for under, where the file's naming differs from the project's.
    public let expectedName: String?
    /// A remark on why it may be missing.
    public let note: Message?
    /// Whether ``LoadOptions/allowedMissing`` allows it to be missing.
    public let isAllowed: Bool
  }

  /// A tensor of the file that is no parameter.
  public struct Unexpected: Sendable, Codable, Equatable {
    /// Name in the file.
    public let source: String
    /// Its shape in the file.
    public let shape: [Int]
    /// Why it was not taken.
    public let reason: Message
    /// What leaving it out does to the output.
    public let effect: OmissionEffect
    /// Whether ``LoadOptions/allowedUnexpected`` allows it, or leaving it out loses nothing.
    public let isAllowed: Bool
  }

  /// A tensor whose shape or type is not the parameter's.
  public struct Mismatch: Sendable, Codable, Equatable {
    /// Name in the file.
    public let source: String
    /// The project's name for it.
    public let target: String
    /// The parameter's shape.
    public let expected: [Int]
    /// The tensor's shape.
    public let found: [Int]
    /// The likely cause, where one is known.
    public let hint: Message?
  }

  /// The file's path, for messages.
  public var file: String
  /// What kind of file it is.
  public var format: Checkpoint.Format
  /// The framework whose names, gate order and shapes the tensors have.
  public var layout: Layout
  /// Why it was read in this layout.
  public var evidence: [Message] = []
  /// The model that the tensors make; nil when they make none.
  public var configuration: ModelConfiguration?
  /// The tensors that become parameters.
  public var applied: [Applied] = []
  /// The parameters without a tensor.
  public var missing: [Missing] = []
  /// The tensors that are no parameters.
  public var unexpected: [Unexpected] = []
  /// The tensors whose shape or type is not the parameter's.
  public var mismatched: [Mismatch] = []
  /// What the file cannot tell and was taken for granted; each with the words that would change it.
  public var assumed: [Assumption] = []
  /// The module that holds the LSTM and nothing else that counts.
  public var lstmModule: String?
  /// What was decided and on what evidence.
  public var notes: [Message] = []

  /// Whether loading may go ahead.
  public var isComplete: Bool {
    mismatched.isEmpty && missing.allSatisfy(\.isAllowed) && unexpected.allSatisfy(\.isAllowed)
  }

  /// Everything that stands in the way, in one line.
  public var failureSummary: Message {
    var hints = Set<Message>()
    var parts = mismatched.prefix(3).map { item in
      // The same reason is given once.
      item.hint.map { hints.insert($0).inserted } ?? true ? item.summary : item.withoutHint.summary
    }
    if mismatched.count > 3 { parts.append("and \(mismatched.count - 3) more that do not fit") }
    let absent = missing.filter { !$0.isAllowed }
    if let first = absent.first {
      parts.append("missing " + first.summary + (absent.count > 1 ? ", and \(absent.count - 1) more" : ""))
    }
    let extra = unexpected.filter { !$0.isAllowed }
    if let first = extra.first {
      parts.append(
        "unexpected \(first.source) \(shapeText(first.shape)): \(first.reason)"
          + (extra.count > 1 ? ", and \(extra.count - 1) more" : ""))
    }
    return "\(file): " + (parts.isEmpty ? "nothing stands in the way" : parts.joined(separator: "; "))
  }

  /// At most two lines: which settings let the load go ahead.
  public var advice: [Message] {
    var lines: [Message] = []
    func allowances(_ globs: [String]) -> Message {
      globs.prefix(4).map { "\(.allowedUnexpected, $0)" as Message }.joined(separator: " ")
        + (globs.count > 4 ? " ..." : "")
    }
    if unexpected.contains(where: { !$0.isAllowed && $0.effect == .changesOutput }), let lstmModule {
      lines.append("the LSTM alone, whose output is then not the model's, is \(.prefix, lstmModule)")
    }
    // What computes is never proposed to be left out.
    let idle = unexpectedGlobs(.none)
    if !idle.isEmpty {
      lines.append(
        "leave out what is not needed with \(allowances(idle)), or rename it with \(.rules, "REGEX=REPLACEMENT")")
    }
    let unknown = unexpectedGlobs(.unknown)
    if !unknown.isEmpty, idle.isEmpty {
      lines.append(
        "rename what belongs to the model with \(.rules, "REGEX=REPLACEMENT"); only what takes no part in its output may be "
          + "left out: \(allowances(unknown))")
    }
    if let absent = missing.first(where: { !$0.isAllowed }) {
      let place = PyTorchName(absent.target)
      let found: Message = "find it with \(.rules, "REGEX=REPLACEMENT") or \(.prefix)"
      lines.append(
        place?.kind == .inputWeight && place?.layer == 0 && absent.note != nil
          ? found : "start it from random values with \(.allowedMissing, absent.target), or " + found)
    }
    return Array(lines.prefix(2))
  }

  /// Globs that cover what is unexpected and of an effect, and nothing that is used or of another.
  private func unexpectedGlobs(_ effect: OmissionEffect) -> [String] {
    let used =
      applied.map(\.source) + mismatched.map(\.source) + unexpected.filter { $0.effect != effect }.map(\.source)
    var globs: [String] = []
    for extra in unexpected where !extra.isAllowed && extra.effect == effect && globs.count < 5 {
      if globs.contains(where: { matches(extra.source, glob: $0) }) { continue }
      // The shortest module that holds nothing else.
      let ends = extra.source.indices.filter { "./".contains(extra.source[$0]) }
      let stem = ends.lazy.map { extra.source[...$0] }.first { stem in !used.contains { $0.hasPrefix(stem) } }
      var glob = stem.map { $0 + "*" } ?? extra.source
      // Or what has this last name wherever it is, as an optimizer's state that lies beside each weight.
      if let end = ends.last {
        let leaf = extra.source[end...]
        let below = stem.map { stem in unexpected.count { $0.source.hasPrefix(stem) } } ?? 1
        if unexpected.count(where: { $0.source.hasSuffix(leaf) }) > below, !used.contains(where: { $0.hasSuffix(leaf) })
        {
          glob = "*" + leaf
        }
      }
      globs.append(glob)
    }
    return globs
  }
}

extension LoadReport.Mismatch {
  fileprivate var withoutHint: Self {
    expected == found ? self : .init(source: source, target: target, expected: expected, found: found, hint: nil)
  }

  /// `fc.weight: expected shape (3, 4), found (3, 5)`, and why where that is known.
  public var summary: Message {
    let shapes: Message? = expected == found ? nil : "expected shape \(shapeText(expected)), found \(shapeText(found))"
    guard let shapes else { return "\(source): \(hint ?? "does not fit")" }
    return "\(source): \(shapes)" + (hint.map { " (\($0))" as Message } ?? "")
  }
}

extension LoadReport.Missing {
  /// `lstm.bias_hh_l0 (48,)`, by which name it was looked for, and what comes close.
  public var summary: Message {
    // A shape that rests on an unknown input size would be a guess.
    var text: Message = "\(target)" + (note == nil || target.contains("bias") ? " \(shapeText(shape))" : "")
    if let expectedName { text += ", expected as \(expectedName)" }
    if let near = nearest.first { text += " (did you mean \(near)?)" }
    if let note { text += ": " + note }
    return text
  }
}
