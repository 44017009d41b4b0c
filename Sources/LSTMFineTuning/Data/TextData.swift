import FileIO
import LSTMCheckpoints
import LSTMLayers

/// A text to learn the next token from, or to measure how well a model knows it.
///
/// A model that gives an output for each step gets the text in pieces of `window` tokens, and predicts the next token at
/// each. A model that gives one output gets the `window` tokens before each place and predicts the one there; where there
/// are fewer, they are padded on the left with the vocabulary's padding number, as textgenrnn does it, or, when it
/// has none, are fewer. A window never reaches from one document into another.
///
/// A target that is no token, because it has the padding's number, does not count.
public struct TextData: Sendable {
  /// The most tokens of a window.
  public static let windowLimit = 1 << 16

  /// The file's path, or the name that it was given.
  public let file: String
  /// Which number stands for which token.
  public let vocabulary: Vocabulary
  /// Tokens that the model looks at.
  public let window: Int
  /// Tokens from the beginning of one sequence to that of the next.
  public let stride: Int
  /// Whether the model predicts the next token at each step.
  public let isPerStep: Bool
  /// The line that stands between documents.
  public let separator: String?
  /// Characters or words of the text.
  public let count: Int
  /// Those that are no token.
  public let unknownCount: Int
  /// Documents that the separator parts.
  public var documentCount: Int { documents.count }
  /// Tokens to be predicted: all but the first of each document.
  public var targetCount: Int { documents.reduce(0) { $0 + $1.count - 1 } }

  /// All documents' tokens, where windows are padded each after `window` of padding, and `window` more at the end.
  private let stream: [Int32]
  /// Where each document lies in the stream; two tokens at least.
  private let documents: [Range<Int>]

  /// - Parameters:
  ///   - stride: nil for the next sequence to begin where one ends or, when the model gives one output, one token on. A
  ///     stride that is smaller than the window of a model with an output for each step gives every target its place in one
  ///     sequence only, the one that has more of the text before it.
  ///   - separator: a line that stands between documents, such as fortune's `%`.
  /// - Throws: `FineTuningError` when the text is too short or an option makes no sense.
  public init(
    _ text: String, file: String, vocabulary: Vocabulary, window: Int, stride: Int? = nil, isPerStep: Bool,
    separator: String? = nil
  ) throws {
    try Setting.window.requirePositive(window)
    try Setting.stride.requirePositive(stride ?? 1)
    for (setting, value, limit) in [(Setting.window, window, Self.windowLimit), (.stride, stride ?? 1, 1 << 32)]
    where value > limit {
      throw FineTuningError.invalid(setting, "\(value)", "expected at most \(limit)", advice: [])
    }
    self.file = file
    self.vocabulary = vocabulary
    self.window = window
    self.stride = stride ?? (isPerStep ? window : 1)
    self.isPerStep = isPerStep
    self.separator = separator

    let filling = [Int32](repeating: Int32(vocabulary.padding ?? 0), count: window)
    let isPadded = !isPerStep && vocabulary.padding != nil
    var stream: [Int32] = []
    var documents: [Range<Int>] = []
    var (count, unknownCount) = (0, 0)
    stream.reserveCapacity(text.utf8.count)
    for document in Self.documents(of: text, separator: separator) {
      let encoding = vocabulary.encode(document)
      count += encoding.count
      unknownCount += encoding.unknownCount
      var tokens = encoding.tokens
      if tokens.isEmpty { continue }
      if let start = vocabulary.start { tokens.insert(Int32(start), at: 0) }
      // A file's end is no document's.
      if separator != nil, let end = vocabulary.end { tokens.append(Int32(end)) }
      guard tokens.count > 1 else { continue }
      if isPadded { stream += filling }
      documents.append(stream.count..<stream.count + tokens.count)
      stream += tokens
    }
    self.stream = stream + filling
    self.documents = documents
    self.count = count
    self.unknownCount = unknownCount
    guard !documents.isEmpty else {
      throw FineTuningError.badData(
        file: file, detail: "no text of two tokens or more, one to read and one to say", advice: [])
    }
    let sequences = documents.reduce(0) { $0 + ($1.count - 2) / self.stride + 1 }
    guard sequences <= (1 << 31) / (isPerStep ? window : 1) else {
      throw FineTuningError.badData(
        file: file, detail: "\(sequences) sequences of \(window) tokens are too many",
        advice: ["give a larger \(.stride)"])
    }
  }

  /// Reads the text from a file.
  /// - Throws: `FineTuningError`, or `CSVError` when the file cannot be read.
  public init(
    contentsOf path: String, vocabulary: Vocabulary, window: Int, stride: Int? = nil, isPerStep: Bool,
    separator: String? = nil
  ) throws {
    try self.init(
      Self.text(contentsOf: path), file: path, vocabulary: vocabulary, window: window, stride: stride,
      isPerStep: isPerStep, separator: separator)
  }

  /// A file's text, as data is made of it: UTF-8, with lines that end in LF.
  package static func text(contentsOf path: String) throws -> String { try TextFile.text(path) }

  /// What stands between the lines that separate; the whole text without a separator.
  package static func documents(of text: String, separator: String?) -> [String] {
    guard let separator else { return [text] }
    var documents: [String] = []
    var lines: [Substring.UnicodeScalarView] = []
    func finish() {
      if !lines.isEmpty { documents.append(lines.map { String($0) }.joined(separator: "\n")) }
      lines = []
    }
    let marker = Array(separator.unicodeScalars)
    for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.elementsEqual(marker) { finish() } else { lines.append(line) }
    }
    // A text ends in a line's end, which is no empty line.
    if lines.last?.isEmpty == true { lines.removeLast() }
    finish()
    return documents
  }

  // MARK: - Examples

  /// Targets at these places of the stream, in a document that begins at `start`.
  private struct Part {
    var start: Int
    var targets: Range<Int>
  }

  private var parts: [Part] { documents.map { Part(start: $0.lowerBound, targets: $0.lowerBound + 1..<$0.upperBound) } }

  /// Every place of the text.
  public func examples() throws(ShapeError) -> SequenceData { try examples(parts) }

  /// The last `window` tokens of each document, without targets: what a model reads to predict the next token, or to give
  /// the document's embedding.
  package func endings() throws(ShapeError) -> SequenceData {
    var starts: [Int] = []
    var lengths: [Int] = []
    for document in documents {
      let isEnded = stream[document.upperBound - 1] == vocabulary.end.map { Int32($0) }
      let end = document.upperBound - (isEnded ? 1 : 0)
      let length = min(end - document.lowerBound, window)
      let isPadded = !isPerStep && vocabulary.padding != nil
      starts.append(end - (isPadded ? window : length))
      lengths.append(isPadded ? window : length)
    }
    return try SequenceData(
      inputs: .tokenWindows(tokens: stream, starts: starts, steps: window), targets: .none,
      lengths: lengths.allSatisfy { $0 == window } ? nil : lengths)
  }

  /// Splits in the order of the text: the last part validates. Documents stay whole, unless there is but one.
  /// - Parameter fraction: the part of the targets that is for validation; at least one.
  public func split(
    validation fraction: Double
  ) throws -> (training: SequenceData, validation: SequenceData?) {
    let (training, validation) = try splitParts(validation: fraction)
    return (try examples(training), try validation.map(examples))
  }

  private func splitParts(validation fraction: Double) throws -> (training: [Part], validation: [Part]?) {
    try Setting.requireFraction(fraction)
    guard fraction > 0 else { return (parts, nil) }
    let total = targetCount
    let wanted = total - max(Int((Double(total) * fraction).rounded()), 1)
    guard wanted > 0 else {
      throw FineTuningError.badData(
        file: file, detail: "\(total) token\(total == 1 ? "" : "s") cannot be split by \(.validationSplit, fraction)",
        advice: ["give more text, or \(.validationSplit, "0")"])
    }
    var (training, validation) = ([Part](), [Part]())
    if let only = parts.first, documents.count == 1 {
      let cut = only.targets.lowerBound + wanted
      training = [Part(start: only.start, targets: only.targets.lowerBound..<cut)]
      validation = [Part(start: only.start, targets: cut..<only.targets.upperBound)]
    } else {
      var done = 0
      for (index, part) in parts.enumerated() {
        // The middle of a document says on which side it lies; neither side is empty.
        let isTraining =
          index == 0 || (index < documents.count - 1 && validation.isEmpty && done + part.targets.count / 2 < wanted)
        if isTraining { training.append(part) } else { validation.append(part) }
        done += part.targets.count
      }
    }
    return (training, validation)
  }

  /// What a language model is asked to go on with in samples: the text's beginning, where the vocabulary has no token to
  /// begin with.
  package func opening(tokens count: Int = 12) -> String {
    guard vocabulary.start == nil, let first = documents.first else { return "" }
    return vocabulary.decode(stream[first.prefix(count)])
  }

  // MARK: - Streams

  /// The whole text as streams side by side, in chunks of `window` steps: stream k is the k-th part of it. Where a
  /// document begins the state is zero, and its first token is no target.
  /// - Throws: `FineTuningError` when the text is too short for so many, or the model gives one output.
  public func streams(_ count: Int) throws -> StreamData { try streams(count, parts) }

  /// The same, split as sequences are.
  public func splitStreams(
    _ count: Int, validation fraction: Double
  ) throws -> (training: StreamData, validation: StreamData?) {
    let (training, validation) = try splitParts(validation: fraction)
    let held = try validation.map { parts in
      // What is held back may be too short for as many.
      let targets = parts.reduce(0) { $0 + $1.targets.count }
      return try streams(max(min(count, targets / window), 1), parts)
    }
    return (try streams(count, training), held)
  }

  private func streams(_ count: Int, _ parts: [Part]) throws -> StreamData {
    guard isPerStep else {
      throw FineTuningError.invalidOption(
        "\(.chunk) needs a model that gives an output for each step, this one gives one a sequence",
        advice: ["leave it out, or choose \(.readout, "all") with a new head"])
    }
    try Setting.streams.requirePositive(count)
    var (inputs, targets): ([Int32], [Int32]) = ([], [])
    var begins: [Bool] = []
    for part in parts {
      if !inputs.isEmpty { targets.append(SequenceData.ignored) }
      let places = part.targets.lowerBound - 1..<part.targets.upperBound
      inputs += stream[places]
      targets += part.targets.map(target)
      begins.append(documents.count > 1)
      begins += repeatElement(false, count: places.count - 1)
    }
    // The last token is a target alone.
    let steps = targets.count / count
    guard steps >= 1 else {
      throw FineTuningError.badData(
        file: file, detail: "\(targets.count) tokens to say are too few for \(count) streams",
        advice: ["give fewer \(.streams), or more text"])
    }
    let used = steps * count
    var data = try SequenceData(
      inputs: .tokens(Array(inputs[..<used]), steps: steps),
      targets: .classes(Array(targets[..<used]), perStep: true))
    data.classCount = vocabulary.count
    data.isText = true
    return try StreamData(
      data, chunkSteps: window, resets: documents.count > 1 ? Array(begins[..<used]) : nil)
  }

  private func examples(_ parts: [Part]) throws(ShapeError) -> SequenceData {
    var starts: [Int] = []
    var lengths: [Int] = []
    var targets: [Int32] = []
    for part in parts {
      if isPerStep {
        addPieces(part, &starts, &lengths, &targets)
      } else {
        addWindows(part, &starts, &lengths, &targets)
      }
    }
    var data = try SequenceData(
      inputs: .tokenWindows(tokens: stream, starts: starts, steps: window),
      targets: .classes(targets, perStep: isPerStep), lengths: lengths.allSatisfy { $0 == window } ? nil : lengths)
    data.classCount = vocabulary.count
    data.isText = true
    return data
  }

  private func target(_ place: Int) -> Int32 {
    let token = stream[place]
    return token == vocabulary.padding.map { Int32($0) } ? SequenceData.ignored : token
  }

  /// One target for the tokens before it.
  private func addWindows(_ part: Part, _ starts: inout [Int], _ lengths: inout [Int], _ targets: inout [Int32]) {
    for place in Swift.stride(from: part.targets.lowerBound, to: part.targets.upperBound, by: stride) {
      let before = min(place - part.start, window)
      let isPadded = vocabulary.padding != nil
      starts.append(place - (isPadded ? window : before))
      lengths.append(isPadded ? window : before)
      targets.append(target(place))
    }
  }

  /// A target for each step.
  private func addPieces(_ part: Part, _ starts: inout [Int], _ lengths: inout [Int], _ targets: inout [Int32]) {
    var end = part.targets.lowerBound
    var begin = end
    while end < part.targets.upperBound {
      let length = min(window, part.targets.upperBound - begin)
      starts.append(begin - 1)
      lengths.append(length)
      for place in begin..<begin + window {
        targets.append(place >= end && place < begin + length ? target(place) : SequenceData.ignored)
      }
      // With a stride beyond the window, what lies between is left out.
      end = max(begin + length, begin + stride)
      begin += stride
    }
  }
}
