/// A checkpoint's tensors brought under the project's names: a report of everything, and, when it is complete, the
/// tensors. Loading is a transaction: plan, look at the report, then all or nothing.
public struct LoadPlan: Sendable {
  public let report: LoadReport
  public let configuration: ModelConfiguration
  /// The project's name -> the stored tensor, under the project's name.
  public let tensors: [String: StoredTensor]
  private let checkpoint: Checkpoint

  /// - Throws: `CheckpointError.ambiguous` when the tensors cannot be told apart, naming the flag that decides. What is
  ///   missing, left over or of the wrong shape does not throw: it is in the report.
  public init(_ checkpoint: Checkpoint, options: LoadOptions = LoadOptions()) throws {
    let file = checkpoint.path ?? "checkpoint"
    self.checkpoint = checkpoint
    var options = options
    if options.configuration == nil { options.configuration = checkpoint.configuration }

    var outside = 0
    var candidates: [ModelResolution.Candidate] = []
    for tensor in checkpoint.tensors {
      var name = tensor.name.replacing("/", with: ".")
      if let prefix = options.prefix {
        let stem = prefix.replacing("/", with: ".").trimmingSuffix(".")
        guard stem.isEmpty || name.hasPrefix(stem + ".") else {
          outside += 1
          continue
        }
        if !stem.isEmpty { name.removeFirst(stem.count + 1) }
      }
      for rule in options.rules { name = rule.apply(to: name) }
      if let twin = candidates.first(where: { $0.name == name }) {
        throw CheckpointError.ambiguous(
          file: file, detail: "\(twin.tensor.name) and \(tensor.name) both become \(name)",
          advice: ["make the --map rules keep them apart, or choose one with --prefix"])
      }
      candidates.append(.init(name: name, tensor: tensor))
    }
    if let prefix = options.prefix, candidates.isEmpty {
      let groups = Set(
        checkpoint.tensors.compactMap {
          $0.name.split(whereSeparator: { $0 == "." || $0 == "/" }).first.map(String.init)
        })
      let near = nearestNames(to: prefix, among: groups)
      throw CheckpointError.invalidOption(
        "--prefix \(prefix): no tensor of \(file) is below it",
        advice: near.isEmpty ? [] : ["did you mean " + near.joined(separator: " or ") + "?"])
    }

    let resolution = try ModelResolution(file: file, candidates: candidates, options: options)
    configuration = resolution.configuration
    var report = LoadReport(file: file, layout: checkpoint.format.rawValue)
    report.configuration = configuration
    report.notes = resolution.notes
    if outside > 0, let prefix = options.prefix {
      report.notes.append("\(outside) tensors outside \(prefix) were not looked at")
    }

    var tensors: [String: StoredTensor] = [:]
    var wanted = Set<String>()
    for parameter in configuration.parameters {
      wanted.insert(parameter.name)
      guard let candidate = resolution.mapping[parameter.name] else {
        report.missing.append(
          .init(
            target: parameter.name, shape: parameter.shape,
            nearest: nearestNames(
              to: parameter.name, among: resolution.leftOver.map(\.candidate.name)),
            isAllowed: options.allowedMissing.contains { matches(parameter.name, glob: $0) }))
        continue
      }
      guard candidate.shape == parameter.shape, candidate.tensor.dataType.isFloatingPoint else {
        report.mismatched.append(
          .init(
            source: candidate.tensor.name, target: parameter.name, expected: parameter.shape, found: candidate.shape,
            hint: Self.hint(parameter, candidate.tensor)))
        continue
      }
      tensors[parameter.name] = candidate.tensor.renamed(parameter.name)
      report.applied.append(
        .init(
          source: candidate.tensor.name, target: parameter.name, shape: parameter.shape,
          dataType: candidate.tensor.dataType,
          cast: candidate.tensor.dataType == .float64 ? "computed with as float32" : nil))
    }
    let taken = resolution.mapping.filter { !wanted.contains($0.key) }.map {
      ($0.value, "the configuration has no \($0.key)")
    }
    for (candidate, reason) in (taken.sorted { $0.0.name < $1.0.name } + resolution.leftOver) {
      let isAllowed =
        options.allowedUnexpected.contains {
          matches(candidate.name, glob: $0) || matches(candidate.tensor.name, glob: $0)
        }
        || reason.hasPrefix("a copy with dropout")
      report.unexpected.append(
        .init(source: candidate.tensor.name, shape: candidate.shape, reason: reason, isAllowed: isAllowed))
    }
    for item in checkpoint.skipped { report.notes.append("\(item.name) was not looked at: \(item.reason)") }
    self.report = report
    self.tensors = tensors
  }

  /// - Throws: `CheckpointError.incomplete` with the whole report when something that is not allowed stands in the way.
  public func validate() throws(CheckpointError) {
    if !report.isComplete { throw .incomplete(report) }
  }

  /// The project's name -> the name in the file.
  public var mapping: [String: String] {
    Dictionary(uniqueKeysWithValues: report.applied.map { ($0.target, $0.source) })
  }

  private static func hint(_ parameter: ParameterSpecification, _ tensor: StoredTensor) -> String? {
    if !tensor.dataType.isFloatingPoint { return "its elements are \(tensor.dataType.rawValue), not floating point" }
    if tensor.shape.count == 2, tensor.shape == parameter.shape.reversed() {
      return "this is the transpose: it looks like Keras, whose kernels are (I, 4H)"
    }
    return nil
  }
}

extension String {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var copy = self
    while copy.last == character { copy.removeLast() }
    return copy
  }
}
