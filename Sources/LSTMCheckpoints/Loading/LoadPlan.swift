import FileIO
import Foundation

/// A checkpoint's tensors brought under the project's names: a report of everything, and, when it is complete, the
/// tensors. Loading is a transaction: plan, look at the report, then all or nothing.
public struct LoadPlan: Sendable {
  /// What would be applied, tensor by tensor, and what stands in the way.
  public let report: LoadReport
  /// The model that the tensors make.
  public let configuration: ModelConfiguration
  /// The project's name -> the stored tensor, under the project's name.
  public let tensors: [String: StoredTensor]
  /// Names in the file of tensors that it has under another name, too -> that name.
  public let twins: [String: String]
  /// What the source does to its input before the stack, which is a part of what it computes; it goes into
  /// `preprocessing`.
  public let inputScaler: FoundScaler?
  /// The same for what it does to its output.
  public let outputScaler: FoundScaler?
  /// The source's layers in their order, where it says them.
  public let sourceLayers: [Provenance.SourceLayer]
  /// How a program carries the source's states from call to call.
  private let interface: Provenance.Interface?
  private let checkpoint: Checkpoint

  /// - Throws: `CheckpointError.ambiguous` when the tensors cannot be told apart, naming the flag that decides;
  ///   `.invalidOption` when an option makes no sense for this file; `.badPreprocessing` when a native file has it and it
  ///   cannot be read; `.unsupported` when a scaler is beyond single precision. What is missing, left over or of the wrong
  ///   shape does not throw: it is in the report.
  ///   `.unreadable` and `.container` when the system fails to read the file.
  public init(_ checkpoint: Checkpoint, options: LoadOptions = LoadOptions()) throws(CheckpointError) {
    self = try ReadFailures.surfacing(as: CheckpointError.unreadable) { () throws(CheckpointError) in
      try LoadPlan(trying: checkpoint, options: options)
    }
  }

  private init(trying checkpoint: Checkpoint, options: LoadOptions) throws(CheckpointError) {
    let file = checkpoint.path
    if let error = checkpoint.preprocessingError { throw error }
    self.checkpoint = checkpoint
    var options = options
    let given = options.configuration
    if given == nil { options.configuration = checkpoint.configuration }
    if checkpoint.tensors.isEmpty,
      let unread = checkpoint.skipped.first(where: { [.unreadable, .needsLibrary].contains($0.cause) })
    {
      throw .unsupported(file: file, detail: "none of its tensors can be read; \(unread.name): \(unread.explanation)")
    }

    var names = try RewrittenNames(checkpoint, options: options, file: file)
    if !checkpoint.format.holdsWholeModel, checkpoint.structure == nil { names.foldWeights() }
    let (candidates, twins) =
      checkpoint.format.holdsWholeModel || checkpoint.structure != nil
      ? (names.candidates, []) : names.withoutTwins(checkpoint.sharing)
    self.twins = Dictionary(twins.map { ($0.candidate.tensor.name, $0.kept) }) { first, _ in first }
    let translation = try Translation(candidates, of: checkpoint, options: options, file: file)
    // What the file says stands; a person may fill what it does not.
    if let found = translation.configuration ?? checkpoint.configuration?.stack {
      if let given, given.stack == nil { try Self.refuse(given, against: ModelConfiguration(found), file) }
      options.given = try found.filled(by: given?.stack, file: file)
    } else if let graph = translation.graph ?? checkpoint.configuration {
      if let given, given != graph, given.withOneBias != graph { try Self.refuse(given, against: graph, file) }
      options.configuration = graph
    }
    inputScaler = translation.inputScaler
    outputScaler = translation.outputScaler
    sourceLayers = translation.sourceLayers
    interface = translation.interface
    var resolution = try ModelReading(translation, of: checkpoint, prefix: names.prefix, options: options).model()
    resolution.leftOver += twins.map { .init(candidate: $0.candidate, reason: $0.reason, isHarmless: true) }
    configuration = resolution.configuration
    var report = LoadReport(file: file, format: checkpoint.format, layout: translation.layout)
    report.evidence = translation.evidence
    report.configuration = configuration
    report.notes = checkpoint.notes + resolution.notes + names.notes
    report.assumed = checkpoint.assumed + resolution.assumed
    for (scaler, what) in [(inputScaler, "input"), (outputScaler, "output")] {
      guard let scaler else { continue }
      guard Scaler(scaler).isUsable else {
        throw .unsupported(
          file: file, detail: "\(scaler.key) (\(scaler.kind)) scales the \(what) with numbers beyond single precision")
      }
      report.notes.append("\(scaler.key) (\(scaler.kind)) scales the \(what): taken as the model's scaler of it")
    }
    if let readout = options.readout, let own = translation.configuration?.readout, own != readout {
      report.notes.append("readout \(readout.rawValue) instead of the file's own, \(own.rawValue), as asked")
    }

    var tensors: [String: StoredTensor] = [:]
    var wanted = Set<String>()
    for parameter in configuration.places {
      wanted.insert(parameter.name)
      let owner = configuration.parameterName(of: parameter.name)
      if owner != parameter.name {
        Self.report(tied: parameter, to: owner, resolution, &report)
        continue
      }
      guard let candidate = resolution.mapping[parameter.name] else {
        report.missing.append(Self.missing(parameter, resolution, names, options, skipped: checkpoint.skipped))
        continue
      }
      guard candidate.shape == parameter.shape, candidate.tensor.dataType.isFloatingPoint else {
        report.mismatched.append(
          .init(
            source: candidate.tensor.name, target: parameter.name, expected: parameter.shape, found: candidate.shape,
            hint: Self.hint(parameter, candidate.tensor, knowsInputSize: resolution.knowsInputSize)))
        continue
      }
      tensors[parameter.name] = candidate.tensor.renamed(parameter.name)
      report.applied.append(
        .init(
          source: candidate.tensor.name, target: parameter.name, shape: parameter.shape,
          dataType: candidate.tensor.dataType,
          cast: candidate.tensor.dataType == .float64 ? "computed with as float32" : nil, how: candidate.how))
    }
    let unplaced = resolution.mapping.filter { !wanted.contains($0.key) }
      .map { LeftOver(candidate: $0.value, reason: "the configuration has no \($0.key)", kind: .lstm) }
      .sorted { isNaturallyBefore($0.candidate.name, $1.candidate.name) }
    var unused = Set(options.allowedUnexpected)
    var leftOut = LeftOutParts()
    for item in unplaced + resolution.leftOver {
      let globs = options.globsAllowing(item.candidate)
      unused.subtract(globs)
      report.unexpected.append(
        .init(
          source: item.candidate.tensor.name, shape: item.candidate.shape, reason: item.reason, effect: item.effect,
          isAllowed: item.isHarmless || !globs.isEmpty))
      if !globs.isEmpty { leftOut.add(item) }
    }
    report.assumed += leftOut.assumptions
    for item in resolution.leftOver where item.candidate.isLoneNumber && item.isHarmless && item.kind == .unknown {
      guard item.candidate.tensor.dataType.isFloatingPoint else { continue }
      report.assumed.add("\(item.candidate.tensor.name), a single number, takes no part in the output")
    }
    report.lstmModule = options.rules.isEmpty ? Self.lstmModule(report) : nil
    report.notes += unused.sorted().map { "\(.allowedUnexpected, $0) matches no tensor" }
    let used = report.applied.map(\.source)
    for item in checkpoint.skipped {
      if item.mayBelong(to: used) {
        let globs = options.allowedUnexpected.filter { matches(item.name, glob: $0) }
        report.unexpected.append(
          .init(
            source: item.name, shape: [], reason: item.explanation, effect: .changesOutput,
            isAllowed: !globs.isEmpty))
        report.notes.removeAll { globs.map { "\(.allowedUnexpected, $0) matches no tensor" as Message }.contains($0) }
      } else {
        report.notes.append("\(item.name) was not looked at: \(item.explanation)")
      }
    }
    self.report = report
    self.tensors = tensors
  }

  /// A file that describes its model leaves nothing to a person.
  private static func refuse(
    _ given: ModelConfiguration, against found: ModelConfiguration, _ file: String
  ) throws(CheckpointError) {
    throw .invalid(
      .configuration, nil, "it says \(given.summary), but \(file) itself says \(found.summary)",
      advice: ["leave \(.configuration) away: the file describes its model"])
  }

  /// The module that holds the LSTM and nothing else that counts, as the file calls it: what ``LoadOptions/prefix`` takes it alone by.
  private static func lstmModule(_ report: LoadReport) -> String? {
    func parts(_ name: String) -> [Substring] { name.split { $0 == "." || $0 == "/" }.dropLast() }
    let own = report.applied.filter { PyTorchName($0.target) != nil }.map(\.source)
    guard var module = own.first.map(parts) else { return nil }
    for name in own {
      while !parts(name).starts(with: module) { module.removeLast() }
    }
    let others =
      report.applied.filter { PyTorchName($0.target) == nil }.map(\.source)
      + report.unexpected.filter { !$0.isAllowed || $0.effect != .none }.map(\.source)
    guard !module.isEmpty, report.mismatched.isEmpty, report.missing.isEmpty,
      !own.contains(where: { $0.contains(" + ") }),
      !others.contains(where: { parts($0).starts(with: module) })
    else { return nil }
    return module.joined(separator: ".")
  }

  /// - Throws: `CheckpointError.incomplete` with the whole report when something that is not allowed stands in the way.
  public func validate() throws(CheckpointError) {
    if !report.isComplete { throw .incomplete(report.failureSummary, advice: report.advice) }
  }

  /// The model under the project's names, to be written in any format; still nothing is read. Parameters that were allowed
  /// to be missing are missing: `LSTMModel(plan)` initializes them at random.
  /// - Throws: `CheckpointError.incomplete`, see `validate`.
  public func imported() throws(CheckpointError) -> StoredModel {
    try validate()
    return StoredModel(
      configuration, tensors: configuration.parameters.compactMap { tensors[$0.name] }, preprocessing: preprocessing,
      provenance: provenance(sha256: ""))
  }

  /// What the checkpoint keeps of the preprocessing, with what the model itself does to its input.
  public var preprocessing: Preprocessing {
    checkpoint.preprocessing.isEmpty
      ? Preprocessing(inputScaler: inputScaler.map { Scaler($0) }, targetScaler: outputScaler.map { Scaler($0) })
      : checkpoint.preprocessing
  }

  /// The project's name -> the name in the file.
  public var mapping: [String: String] {
    Dictionary(report.applied.map { ($0.target, $0.source) }) { first, _ in first }
  }

  /// Where the weights come from, for the native file. A checkpoint that knows it already, because it was imported
  /// before, keeps its names.
  /// - Parameter sha256: of the file that is loaded.
  public func provenance(sha256: String) -> Provenance {
    checkpoint.provenance
      ?? Provenance(
        source: report.file, sha256: sha256, format: report.format.rawValue, layout: report.layout.rawValue,
        mapping: mapping, stateKey: checkpoint.stateKey, twins: twins, metadata: keptMetadata,
        layers: sourceLayers.isEmpty ? nil : sourceLayers, shapes: otherShapes, interface: interface)
  }

  /// The same for a model that is imported now: its history begins with that.
  public func provenance(sha256: String, importedOn date: Date) -> Provenance {
    var made = provenance(sha256: sha256)
    made.source = URL(fileURLWithPath: checkpoint.path).lastPathComponent
    made.history = [
      .init(
        date: date.formatted(.iso8601), action: "import",
        details: ["file": made.source, "tensors": "\(report.applied.count)"])
    ]
    return made
  }

  /// What a graph's state_dict has in another shape, such as the learned state of several layers.
  private var otherShapes: [String: [Int]]? {
    guard report.layout == .pytorch else { return nil }
    let isStack = configuration.stack != nil
    let shapes = Dictionary(checkpoint.tensors.map { ($0.name, $0.shape) }) { first, _ in first }
    var found: [String: [Int]] = [:]
    // Of a plain stack it is the vector of an attention alone.
    for item in report.applied where !isStack || item.target == "attention.weight" {
      if let shape = shapes[item.source], shape != item.shape { found[item.source] = shape }
    }
    return found.isEmpty ? nil : found
  }

  /// What a model keeps of the source's metadata: what is long is none of the model's.
  private var keptMetadata: [String: String]? {
    let metadata = checkpoint.metadata
    let byteCount = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    return metadata.isEmpty || byteCount > 16 << 10 ? nil : metadata
  }

  /// Another place of a parameter: nothing is read there, but its name is kept.
  private static func report(
    tied place: ParameterSpecification, to owner: String, _ resolution: ResolvedModel,
    _ report: inout LoadReport
  ) {
    guard let candidate = resolution.mapping[place.name] else { return }
    if let conflict = resolution.conflicts.first(where: { $0.place == place.name }) {
      report.mismatched.append(
        .init(
          source: candidate.tensor.name, target: place.name, expected: place.shape, found: candidate.shape,
          hint: "the configuration ties it to \(owner), and its values are not those of \(conflict.other)"))
    } else {
      report.applied.append(
        .init(
          source: candidate.tensor.name, target: place.name, shape: place.shape, dataType: candidate.tensor.dataType,
          cast: nil, how: "tied to \(owner)"))
    }
  }

  private static func missing(
    _ parameter: ParameterSpecification, _ resolution: ResolvedModel, _ names: RewrittenNames, _ options: LoadOptions,
    skipped: [Checkpoint.Skipped]
  ) -> LoadReport.Missing {
    let isAllowed = options.allowedMissing.contains { matches(parameter.name, glob: $0) }
    let expected = resolution.expectedNames[parameter.name] ?? parameter.name
    let nearest = nearestNames(to: expected, among: resolution.leftOver.lazy.map(\.candidate.name))
      .compactMap { names.sources[$0] }
    var note: Message?
    if !resolution.knowsInputSize, parameter.readsInput {
      note = "without it the input size is not known"
    } else if let layer = parameter.role.stackLayer, parameter.part == .cell(.recurrentBias),
      resolution.mapping[PyTorchName.parameter(.inputBias, layer: layer, isReverse: parameter.role.isReverse)] != nil
    {
      note = "there is a bias_ih; a model with one bias is described with \(.configuration) and \"bias\": \"single\""
    }
    let isKnown = resolution.knowsInputSize || note == nil
    let place = names.prefixed(expected)
    // In a file of groups, the parts of a name are groups.
    if let unread = skipped.first(where: { $0.name == place || $0.name.dotted == place }) {
      note = "the file has it, but \(unread.explanation)"
    }
    return .init(
      target: parameter.name, shape: parameter.shape, nearest: nearest,
      expectedName: expected == parameter.name ? nil : names.prefixed(expected), note: note,
      isAllowed: isAllowed && isKnown)
  }

  private static func hint(
    _ parameter: ParameterSpecification, _ tensor: StoredTensor, knowsInputSize: Bool
  ) -> Message? {
    if !tensor.dataType.isFloatingPoint { return "its elements are \(tensor.dataType.rawValue), not floating point" }
    if tensor.shape.count == 2, tensor.shape == parameter.shape.reversed() {
      guard case .cell = parameter.part else { return "this is the transpose" }
      // The LSTM's own matrices are never square: they tell, but not what became of an embedding.
      return "this is the transpose: \(.order, "column-major") if a program wrote it that stores columns first (Julia, "
        + "MATLAB, R), \(.layout, "keras") if these are kernels (I, 4H)"
    }
    if let other = otherCell(parameter, tensor) { return other }
    if !knowsInputSize, parameter.readsInput {
      return "its second and last dimension is to be the input size"
    }
    return nil
  }
}

extension LoadPlan {
  /// A number of gates tells the cell: `3H = 24: a GRU`.
  private static func otherCell(_ parameter: ParameterSpecification, _ tensor: StoredTensor) -> Message? {
    guard let cell = Layer.Recurrent.Cell(rawValue: parameter.role.kind), case .cell(let part) = parameter.part,
      part.gates(of: .lstm).count == 4, let rows = tensor.shape.first, let expected = parameter.shape.first
    else { return nil }
    let size = expected / cell.gateCount
    for other in Layer.Recurrent.Cell.allCases where other != cell && other.gateCount * size == rows {
      let noun = other == .lstm ? "an LSTM" : other == .gru ? "a GRU" : "a plain RNN"
      return "\(other.gateCount == 1 ? "" : "\(other.gateCount)")H = \(rows): \(noun)"
    }
    return nil
  }
}

/// A file's tensors under the names that prefix and rules give them.
struct RewrittenNames {
  private(set) var candidates: [Candidate] = []
  /// Rewritten name -> the name in the file.
  private(set) var sources: [String: String] = [:]
  private(set) var notes: [Message] = []
  /// Dotted, without a dot at either end; empty for none.
  let prefix: String

  /// A tensor as a file in C order would have it: MATLAB's vectors have two axes, and matrices may lie the other way round.
  private static func inOrder(_ tensor: StoredTensor, isColumnMajor: Bool) -> Candidate {
    let name = tensor.name.dotted
    guard tensor.shape.count == 2 else { return .init(name: name, tensor: tensor) }
    let leaf = name.split(separator: ".").last?.lowercased() ?? ""
    if leaf.contains("bias"), tensor.shape.contains(1) {
      return .init(name: name, tensor: tensor.reshaped([tensor.elementCount]), how: "read as a vector")
    }
    guard isColumnMajor else { return .init(name: name, tensor: tensor) }
    return .init(name: name, tensor: tensor.transposed(), how: "transposed")
  }

  init(_ checkpoint: Checkpoint, options: LoadOptions, file: String) throws(CheckpointError) {
    prefix = (options.prefix ?? "").split { $0 == "/" || $0 == "." }.joined(separator: ".")
    var outside: [String] = []
    let expressions = options.rules.map(\.compiled)
    var uses = [Int](repeating: 0, count: expressions.count)
    let isColumnMajor = options.order.map { $0 == .columnMajor } ?? (checkpoint.columnMajorWriter != nil)
    if options.order == nil, let writer = checkpoint.columnMajorWriter {
      notes.append("\(writer) wrote the file, which stores columns first: every matrix is turned")
    }
    for tensor in checkpoint.tensors {
      let found = Self.inOrder(tensor, isColumnMajor: isColumnMajor)
      var name = found.name
      if !prefix.isEmpty {
        guard let inside = name.dropping(module: prefix) else {
          outside.append(tensor.name)
          continue
        }
        name = inside
      }
      // Reports print a file's own slashes, so that rules may be written with either.
      var slashed = tensor.name.utf8.contains(UInt8(ascii: "/")) ? String(tensor.name.suffix(name.count)) : nil
      for (index, expression) in expressions.enumerated() {
        let rewritten = expression.apply(to: name)
        if rewritten != name {
          uses[index] += 1
          name = rewritten
          slashed = nil
        } else if let own = slashed {
          let rewritten = expression.apply(to: own)
          if rewritten != own {
            uses[index] += 1
            slashed = rewritten
            name = rewritten.dotted
          }
        }
      }
      guard !name.isEmpty else { throw .invalidOption("\(.rules) leaves nothing of the name \(tensor.name)") }
      if let twin = sources.updateValue(tensor.name, forKey: name) {
        throw .ambiguous(
          file: file, detail: "\(twin) and \(tensor.name) both become \(name)",
          advice: ["make the \(.rules) rules keep them apart, or choose one with \(.prefix)"])
      }
      candidates.append(.init(name: name, tensor: found.tensor, how: found.how))
    }
    guard !candidates.isEmpty || prefix.isEmpty else { throw Self.emptyPrefix(checkpoint, options, file) }
    for (rule, count) in zip(options.rules, uses) where count == 0 {
      notes.append("\(.rules, "\(rule.pattern)=\(rule.replacement)") changes no name")
    }
    if !outside.isEmpty {
      let what = outside.count == 1 ? "1 tensor outside" : "\(outside.count) tensors outside"
      notes.append("\(.prefix, prefix): \(what) not looked at: \(nameList(outside))")
    }
  }

  /// Puts weights together that the file has as factors.
  mutating func foldWeights() {
    let folded = FoldedWeights(candidates)
    candidates = folded.candidates
    sources.merge(folded.sources) { first, _ in first }
    notes += folded.notes
  }

  /// A rewritten name as a file would have it, were it not for the rules.
  func prefixed(_ name: String) -> String { prefix.isEmpty ? name : prefix + "." + name }

  private static func emptyPrefix(_ checkpoint: Checkpoint, _ options: LoadOptions, _ file: String) -> CheckpointError {
    var modules = Set<String>()
    for tensor in checkpoint.tensors {
      var path = ""
      for part in tensor.name.split(whereSeparator: { $0 == "." || $0 == "/" }).dropLast() {
        path += path.isEmpty ? String(part) : "." + part
        modules.insert(path)
      }
      if modules.count > 2000 { break }
    }
    let near = nearestNames(to: options.prefix ?? "", among: modules.sorted())
    return .invalid(
      .prefix, "\(options.prefix ?? "")", "no tensor of \(file) is below it",
      advice: near.isEmpty ? [] : ["did you mean \(near.joined(separator: " or "))?"])
  }
}

extension Checkpoint.Skipped {
  /// Whether it may be a weight of the model although it could not be read: it lies beside one, is named like one, or
  /// may hide anything.
  fileprivate func mayBelong(to used: [String]) -> Bool {
    if cause == .otherType { return false }
    func parts(_ name: String) -> [Substring] { name.split { $0 == "." || $0 == "/" } }
    let own = parts(name)
    guard own.count > 1 else {
      return cause != .absent || ["weight", "bias", "kernel"].contains { name.contains($0) }
    }
    let beside = own.dropLast()
    return used.contains { parts($0).starts(with: beside) }
  }
}
