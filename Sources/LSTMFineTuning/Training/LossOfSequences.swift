import LSTMCheckpoints
import LSTMLayers

extension Loss {
  /// Whether it looks at whole sequences, not at each output by itself.
  public var isOfSequences: Bool {
    switch self {
    case .crf, .ctc: true
    default: false
    }
  }

  /// The number of the blank for so many outputs a step; nil for losses without one, and where it is none of them.
  public func blank(of width: Int) -> Int? {
    guard case .ctc(let chosen, _, _) = self else { return nil }
    let blank = chosen ?? 0
    let number = blank < 0 ? width + blank : blank
    return 0..<width ~= number ? number : nil
  }

  /// - Throws: `ShapeError` unless a CRF's loss is used for models that end in one, and for these alone: another would
  ///   neither see nor train the scores of neighboring tags. Or when a loss that includes the model's last activation would
  ///   apply it twice.
  func check(_ network: Network, output index: Int = 0) throws(ShapeError) {
    if outputForm == .logits, let layer = network.activationInTheWay(ofOutput: index) {
      throw ShapeError(
        what: "model", expected: "\(layer), whose activation the loss \(name) includes, as the last layer",
        found: "another layer above it")
    }
    let isCRF = if case .crf = self { true } else { false }
    guard isCRF != (network.outputChain(index) != nil) else { return }
    throw isCRF
      ? ShapeError(what: "model", expected: "one that ends in a CRF, for the loss crf", found: "none")
      : ShapeError(what: "loss", expected: "crf, for a model that ends in a CRF", found: name)
  }

  func checkSequences(
    _ targets: SequenceData.Targets, rows count: Int, against output: OutputShape
  ) throws(ShapeError) {
    guard output.steps != nil else {
      throw ShapeError(what: "model", expected: "an output for each step, for \(name)", found: "one a sequence")
    }
    switch (self, targets) {
    case (.crf, .classes(_, perStep: true)):
      guard count == output.rows else { throw mismatch("tags for an output \(output.text)", "\(count)") }
    case (.crf, _): throw mismatch("class numbers for each step, for crf", targets.words)
    case (.ctc(let blank, _, _), .labels):
      guard self.blank(of: output.width) == nil else { return }
      throw ShapeError(
        what: "blank", expected: "one of the model's \(output.width) outputs, by its number", found: "\(blank ?? 0)")
    case (_, _): throw mismatch("sequences of labels, for ctc", targets.words)
    }
  }
}

extension SequenceData.Targets {
  /// What they are.
  var words: String {
    switch self {
    case .values: "real values"
    case .classes(_, perStep: true): "class numbers for each step"
    case .classes(_, perStep: false): "one class number a sequence"
    case .labels: "sequences of labels"
    case .none: "none"
    }
  }
}

/// The losses over whole sequences, crf and ctc, in buffers that are kept from batch to batch.
final class SequenceLoss {
  private let chain = ChainLikelihood()
  private let alignment = CTCLoss()
  /// (N): the steps with tags, or the labels of each sequence.
  private let lengths = GrowingBuffer<Int>()
  private let losses = GrowingBuffer<Double>()

  /// The loss of a pass, which `Loss.check` has found to fit; the result does not depend on the number of threads.
  /// - Parameters:
  ///   - places: for each row of the output the row of its target; of labels, where its sequence's begin.
  ///   - gradient: gets the gradient of the mean, a row for each of the output's.
  ///   - isTraining: whether gradients are wanted; else they are zero.
  /// - Throws: `ShapeError` for labels that no sequence of steps can have.
  func evaluate(
    _ loss: Loss, _ output: Network.Output, of network: Network, _ index: Int = 0, _ targets: TargetRows,
    at places: UnsafePointer<Int>,
    gradient: UnsafeMutablePointer<Float>, isTraining: Bool
  ) throws(ShapeError) -> Loss.Sum {
    let sequences = network.outputSequences(index)
    lengths.reserve(sequences.count)
    losses.reserve(sequences.count)
    gradient.update(repeating: 0, count: output.count * output.width)
    let (lengths, losses) = (lengths.pointer, losses.pointer)
    let reduction: SequenceReduction
    switch (loss, targets, network.outputChain(index)) {
    case (.crf(let chosen), .classes(let classes), let tags?):
      reduction = chosen
      for b in 0..<sequences.count {
        lengths[b] = try Self.taggedSteps(b, sequences, classes, places, tags: tags.size)
      }
      let factor = self.factor(reduction, sequences.count, isCounted: { lengths[$0] > 0 })
      chain.evaluate(
        .init(
          emissions: output.rows, sequences: sequences.count, length: { lengths[$0] }, row: sequences.row,
          label: { Int(classes[places[sequences.row($0, $1)]]) }, factor: factor),
        tags, losses: losses, gradient: isTraining ? gradient : nil,
        chainGradient: isTraining ? network.makeChainGradient(index) : nil,
        kernels: network.kernels)
    case (.ctc(_, let chosen, let zeroesInfinity), .labels(let labels, let width), _):
      reduction = chosen
      guard let blank = loss.blank(of: output.width) else { return Loss.Sum(sum: 0, count: 0, weight: 0) }
      let label = { (b: Int, place: Int) in Int(labels[places[sequences.row(b, 0)] + place]) }
      for b in 0..<sequences.count {
        lengths[b] = try Self.labelCount(
          width, label: { label(b, $0) }, classes: output.width, blank: blank,
          steps: zeroesInfinity ? nil : sequences.length(b))
      }
      let factor = self.factor(reduction, sequences.count, isCounted: { _ in true })
      alignment.evaluate(
        .init(
          logits: output.rows, size: output.width, blank: blank, sequences: sequences.count, length: sequences.length,
          row: sequences.row, labelCount: { lengths[$0] }, label: label, factor: factor, zeroesInfinity: zeroesInfinity),
        losses: losses, gradient: isTraining ? gradient : nil, kernels: network.kernels)
    default:
      throw ShapeError(what: "targets", expected: "those of \(loss.name)", found: "others")
    }
    let isTagged = network.outputChain(index) != nil
    var sum = Loss.Sum(sum: 0, count: 0, weight: 0)
    for b in 0..<sequences.count where lengths[b] > 0 || !isTagged {
      sum.count += lengths[b]
      sum.sum += reduction == .lengthMean ? losses[b] / Double(max(lengths[b], 1)) : losses[b]
      sum.weight += reduction == .tokenMean ? Double(lengths[b]) : 1
    }
    return sum
  }

  /// What each sequence's loss is multiplied by.
  private func factor(
    _ reduction: SequenceReduction, _ count: Int, isCounted: (Int) -> Bool
  ) -> (_ sequence: Int) -> Double {
    let lengths = lengths.pointer
    var (sequences, labels) = (0, 0)
    for b in 0..<count where isCounted(b) { (sequences, labels) = (sequences + 1, labels + lengths[b]) }
    let (each, token) = (1 / Double(max(sequences, 1)), 1 / Double(max(labels, 1)))
    switch reduction {
    case .mean: return { _ in each }
    case .tokenMean: return { _ in token }
    case .lengthMean: return { each / Double(max(lengths[$0], 1)) }
    case .sum: return { _ in 1 }
    }
  }

  /// The steps of a sequence up to the last one that has a tag.
  static func taggedSteps(
    _ b: Int, _ sequences: OutputSequences, _ classes: UnsafePointer<Int32>, _ places: UnsafePointer<Int>, tags: Int
  ) throws(ShapeError) -> Int {
    func tag(_ step: Int) -> Int32 { classes[places[sequences.row(b, step)]] }
    var steps = sequences.length(b)
    while steps > 0, tag(steps - 1) == SequenceData.ignored { steps -= 1 }
    for step in 0..<steps where !(0..<tags ~= Int(tag(step))) {
      let found = tag(step)
      throw found == SequenceData.ignored
        ? ShapeError(
          what: "tags", expected: "one for each step up to a sequence's last, as a CRF scores them together",
          found: "none (\(found)) before others")
        : ShapeError(what: "tags", expected: "classes from 0 to \(tags - 1)", found: "\(found)")
    }
    return steps
  }

  /// The labels of a sequence.
  /// - Parameter steps: those that they have to fit into; nil for any number.
  static func labelCount(
    _ width: Int, label: (Int) -> Int, classes: Int, blank: Int, steps: Int?
  ) throws(ShapeError) -> Int {
    var count = 0
    while count < width, label(count) != Int(SequenceData.ignored) {
      let found = label(count)
      guard 0..<classes ~= found, found != blank else {
        throw ShapeError(
          what: "labels",
          expected:
            "classes from 0 to \(classes - 1) without the blank, \(blank), and \(SequenceData.ignored) after the last",
          found: "\(found)")
      }
      count += 1
    }
    for place in count..<max(width, count) where label(place) != Int(SequenceData.ignored) {
      throw ShapeError(
        what: "labels", expected: "nothing but \(SequenceData.ignored) after a sequence's last",
        found: "\(label(place))")
    }
    if let steps {
      let needed = CTCLoss.fewestSteps(count, label)
      guard needed <= steps else {
        throw ShapeError(
          what: "labels",
          expected: "at most as many as fit into a sequence's \(steps) steps, one blank between equal ones",
          found: "\(count), which need \(needed)")
      }
    }
    return count
  }
}
