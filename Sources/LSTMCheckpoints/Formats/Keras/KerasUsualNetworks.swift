import FileIO

/// The networks that most often have the layers of a file of weights, as whole lines: what such a file does not say is as it
/// is in most of them.
extension KerasEvidenceGraph {
  /// At most two lines, the likelier one first.
  /// - Parameter isAsked: whether nothing has been assumed; otherwise lines that differ from what has been.
  func usualLines(isAsked: Bool) -> [String] {
    var lines: [String] = []
    let assumed = isAsked ? nil : line(layers, usual)
    for choices in likely(isAsked: isAsked) {
      guard let line = line(layers, choices), line != assumed, !lines.contains(line) else { continue }
      lines.append(line)
    }
    return Array(lines.prefix(2))
  }

  /// The model as a line; nil where the layers make none.
  func line(_ order: [KerasFoundLayer], _ choices: Choices) -> String? {
    guard let found = (try? read(order, choices))?.graph?.line else { return nil }
    // Nobody is to take the number that stands for an unknown one for the model's.
    return found.replacing("repeat \(Self.unknownCount)", with: "repeat N")
  }

  private func likely(isAsked: Bool) -> [Choices] {
    var base = usual
    if options.activation == nil { base.inner = .relu }
    let last = layers.last { $0.isDense }
    let isTokens = layers.contains { $0.className == "Embedding" }
    let isSingle = last?.gives == 1
    let said = options.outputActivation?.general
    func variant(_ change: (inout Choices) -> Void) -> Choices {
      var copy = base
      change(&copy)
      if let said { copy.last = said }
      return copy
    }
    // Text is classified; what has several outputs and no tokens is, too, more often than not.
    let classes: Activation = isSingle ? .sigmoid : .softmax
    let end: Activation = isTokens || !isSingle ? classes : .none
    let convolutions = layers.filter(\.isConvolution)
    if layers.contains(where: { $0.className == "RepeatVector" }) {
      return [variant { _ in }, variant { $0.recurrent = .relu }]
    }
    if !convolutions.isEmpty {
      let isFollowed = layers.contains { ["Activation", "ReLU", "LeakyReLU", "ELU"].contains($0.className) }
      let relu = isFollowed ? Activation.none : .relu
      return [.valid, .same].map { padding in
        variant { ($0.convolution, $0.padding, $0.last) = (relu, padding, end) }
      }
    }
    if isTokens { return [variant { $0.last = end }, variant { ($0.last, $0.masks) = (end, true) }] }
    if isAsked {
      return isSingle
        ? [variant { _ in }, variant { $0.inner = .none }] : [variant { $0.last = end }, variant { _ in }]
    }
    let relu = variant { $0.recurrent = .relu }
    let classifier = variant { $0.last = classes }
    return isSingle ? [relu, classifier] : [classifier, relu]
  }
}

extension KerasStructure {
  /// Whole models for a file of weights that makes a plain stack; none where its order is not known.
  func usualLines(_ candidates: [Candidate], file: String, options: LoadOptions, isAsked: Bool) -> [String] {
    KerasEvidenceGraph(self, candidates, file: file, options: options, acceptsPlain: true)?
      .usualLines(isAsked: isAsked) ?? []
  }
}
