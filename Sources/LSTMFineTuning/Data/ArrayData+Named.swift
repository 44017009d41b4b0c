import FileIO
import LSTMCheckpoints
import LSTMLayers

extension ArrayData {
  /// Arrays for every input and output of a model, named after them.
  ///
  /// An input `site` reads the array `site`, or `x_site`; the first one may be `x`. An output `price` is compared with
  /// `price`, or `y_price`; the first one, with `y`. What is given once a sequence is (N, size). `lengths` (N) are those of
  /// the first input's sequences. A decoder's input that the file lacks is its own targets, one step later.
  /// - Parameters:
  ///   - configuration: what the model reads and gives.
  ///   - needsTargets: false leaves targets unread.
  ///   - labels: whether `y` is labels in order.
  ///   - start: what a decoder that is fed its targets reads first; nil where the model says nothing.
  /// - Throws: `FineTuningError.badData` naming the file, the array, its shape and what was expected.
  public static func load(
    _ checkpoint: Checkpoint, for configuration: ModelConfiguration, needsTargets: Bool, labels: Bool = false,
    start: DecoderStart? = nil
  ) throws -> SequenceData {
    let file = checkpoint.path
    guard configuration.inputs.count > 1 || configuration.outputNames.count > 1 else {
      return try load(checkpoint, reading: configuration.input, needsTargets: needsTargets, labels: labels)
    }
    do {
      return try NamedArrays(checkpoint, configuration).data(needsTargets: needsTargets, labels: labels, start)
    } catch CheckpointError.notIntegers(let tensor, let found) {
      throw FineTuningError.badData(
        file: file, detail: "\(tensor): expected whole numbers, found \(found)", advice: [])
    } catch let error as ShapeError {
      throw FineTuningError.badData(file: file, detail: "\("\(error)")", advice: [])
    }
  }
}

/// Finds the arrays of a file by the names of a model's inputs and outputs.
private struct NamedArrays {
  let checkpoint: Checkpoint
  let configuration: ModelConfiguration

  init(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration) {
    (self.checkpoint, self.configuration) = (checkpoint, configuration)
  }

  private var file: String { checkpoint.path }

  func data(needsTargets: Bool, labels: Bool, _ start: DecoderStart?) throws -> SequenceData {
    let inputs = configuration.inputs
    let first = try input(0) ?? { throw missing(0) }()
    for other in inputs.dropFirst() where checkpoint["lengths_\(other.name)"] != nil {
      throw FineTuningError.badData(
        file: file, detail: "lengths_\(other.name): expected lengths of \(inputs[0].name) alone, found others",
        advice: ["fill y up with \(SequenceData.ignored), which does not count"])
    }
    let grid = try ArrayData.Grid(
      first, inputs[0].content, lengths: checkpoint["lengths"].map { ArrayData.Dataset($0, file) },
      isPerSequence: inputs[0].isPerSequence)
    var others: [SequenceData.NamedInput?] = []
    for place in inputs.indices.dropFirst() {
      guard let found = try input(place) else {
        others.append(nil)
        continue
      }
      others.append(.init(inputs[place].name, try values(found, inputs[place], count: grid.count, of: first)))
    }
    let lacking = others.indices.filter { others[$0] == nil }
    let decoder = configuration.decoder
    if let place = lacking.first(where: { $0 + 1 != decoder?.input }) { throw missing(place + 1) }
    let known = others.compactMap(\.self)
    // A decoder without its array has the steps of its targets.
    var ownSteps: Int?
    if let decoder, let place = lacking.first {
      guard needsTargets else {
        others[place] = try configuration.firstStep(
          decoder, count: grid.count, start: start, last: first, lengths: grid.lengths)
        return try SequenceData(
          inputs: ArrayData.inputs(first, inputs[0].content, grid), targets: .none, lengths: grid.lengths,
          others: others.compactMap(\.self))
      }
      guard let y = try target(decoder.output) else { throw missing(place + 1) }
      guard y.shape.count > 1 else { throw y.expected("(\(grid.count), S), a target for each step of the decoder") }
      ownSteps = y.shape[1]
    }
    var targets: [SequenceData.NamedTargets] = []
    for (place, value) in configuration.outputValues.enumerated() {
      let name = configuration.outputNames[place]
      guard needsTargets, let y = try target(place) else {
        targets.append(.init(name, .none))
        continue
      }
      var steps = try configuration.targetSteps(of: value, known)
      if steps == nil, value.isPerStep, value.clock == decoder?.input { steps = ownSteps }
      let lengths = place == 0 ? checkpoint["y_lengths"] ?? checkpoint["target_lengths"] : nil
      if labels && place == 0 || lengths != nil {
        let found = try ArrayData.Labels(y, lengths: lengths.map { .init($0, file) }, count: grid.count).targets
        targets.append(.init(name, found))
        continue
      }
      let own = steps.map { ArrayData.Grid(count: grid.count, steps: $0) } ?? grid
      let found = try ArrayData.targets(y, own, of: first.tensor.name)
      targets.append(.init(name, found, steps: found.isPerStep ? steps : nil))
    }
    if needsTargets, targets.allSatisfy(\.targets.isNone) { throw missingTargets() }
    if let decoder, let place = lacking.first {
      others[place] = try configuration.shiftedTargets(
        decoder, targets[decoder.output].targets, steps: ownSteps ?? 1, start: start, last: first,
        lengths: grid.lengths,
        file: file)
    }
    let rest = Array(targets.dropFirst())
    return try SequenceData(
      inputs: ArrayData.inputs(first, inputs[0].content, grid), targets: targets[0].targets, lengths: grid.lengths,
      targetSteps: targets[0].steps, others: others.compactMap(\.self),
      otherTargets: rest.allSatisfy(\.targets.isNone) ? [] : rest)
  }

  // MARK: - Finding

  private func input(_ place: Int) throws -> ArrayData.Dataset? {
    let name = configuration.inputs[place].name
    return try find([name, "x_\(name)"] + (place == 0 ? ["x"] : []))
  }

  private func target(_ place: Int) throws -> ArrayData.Dataset? {
    let name = configuration.outputNames[place]
    return try find(["y_\(name)", name] + (place == 0 ? ["y"] : []))
  }

  private func find(_ names: [String]) throws -> ArrayData.Dataset? {
    // An input may be called x itself.
    var found: [String] = []
    for name in names where checkpoint[name] != nil && !found.contains(name) { found.append(name) }
    guard found.count < 2 else {
      throw FineTuningError.badData(
        file: file, detail: "it has both \(found[0]) and \(found[1]): only one of them can be meant",
        advice: ["remove or rename one"])
    }
    return found.first.flatMap { checkpoint[$0] }.map { .init($0, file) }
  }

  private var held: String {
    let names = checkpoint.tensors.prefix(6).map(\.name)
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  private func missing(_ place: Int) -> FineTuningError {
    let name = configuration.inputs[place].name
    return .badData(
      file: file, detail: "no dataset \"\(name)\", which the model's input \(name) reads; it holds \(held)",
      advice: ["name arrays after the model's inputs: \(configuration.inputs.map(\.name).joined(separator: ", "))"])
  }

  private func missingTargets() -> FineTuningError {
    let names = configuration.outputNames.map { "y_\($0)" }.joined(separator: ", ")
    return .badData(
      file: file, detail: "no targets; it holds \(held)",
      advice: ["name them y for the model's first output, or after its outputs: \(names)"])
  }

  /// The values of a further input.
  private func values(
    _ x: ArrayData.Dataset, _ input: ModelConfiguration.Input, count: Int, of first: ArrayData.Dataset
  ) throws -> SequenceData.Inputs {
    let grid = try ArrayData.Grid(x, input.content, lengths: nil, isPerSequence: input.isPerSequence)
    guard grid.count == count else {
      throw x.expected("\(count) examples, as many as \(first.tensor.name) has", found: "\(grid.count)")
    }
    if let steps = input.steps, !input.isPerSequence, grid.steps != steps {
      throw x.expected("sequences of \(steps) steps", found: "\(grid.steps)")
    }
    return try ArrayData.inputs(x, input.content, grid)
  }
}
