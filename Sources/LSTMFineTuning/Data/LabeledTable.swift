import FileIO
import LSTMCheckpoints

/// Sequences and their classes from a CSV table: a text in each row, or sequences of several rows that an id holds
/// together, in the order in which the ids first appear.
///
/// Labels become numbers by the classes' order. An empty label does not count.
public struct LabeledTable: Sendable {
  /// The file's path, or the name that it was given.
  public let file: String
  /// The name of each class, by its number; empty when no labels were asked for.
  public let classes: [String]
  /// The class that stands for no label, where labels are in order.
  public let blank: Int?
  /// The sequences, with class numbers where labels were read.
  public let data: SequenceData
  /// The id of each sequence; nil when each row is one.
  public private(set) var names: [String]?
  /// Characters or words, and those that are no token; 0 for features.
  public private(set) var tokenCount = 0
  /// Those that the vocabulary does not have.
  public private(set) var unknownCount = 0
  /// Texts of which the end is not read.
  public private(set) var shortenedCount = 0
  /// What was recognized in the table as it was read.
  public let readingNotes: [CSVNote]

  /// What a class's number comes from.
  public enum Classes: Sendable, Equatable {
    /// These names, in their order; another label is an error.
    case known([String])
    /// Sorted: as numbers when all of them are whole numbers, else by their characters.
    case found
    /// Labels are the numbers of the classes themselves, of which there are so many, where they are whole numbers within
    /// it; else as `found`.
    case numbered(count: Int)
  }

  /// Texts, one a row.
  /// - Parameters:
  ///   - labels: the column of labels; nil when there are none to read.
  ///   - window: tokens of a text to read at most, from its beginning; nil for all. With a vocabulary of Keras' Tokenizer
  ///     each text becomes so many, as its `pad_sequences` does: the last ones, after padding.
  ///   - unaligned: how labels in order are written, for CTC; nil where a text has one label.
  /// - Throws: `CSVError` or `FineTuningError` naming file, line and column.
  public init(
    texts table: CSVTable, column: String, labels: String?, classes: Classes = .found, vocabulary: Vocabulary,
    window: Int? = nil, unaligned: UnalignedLabels? = nil
  ) throws {
    try Setting.window.requirePositive(window ?? 1)
    var stream: [Int32] = []
    var (starts, lengths) = ([Int](), [Int]())
    var (count, unknownCount, shortenedCount) = (0, 0, 0)
    for (row, text) in try table.strings(column: column).enumerated() {
      let encoding = vocabulary.encode(text)
      count += encoding.count
      unknownCount += encoding.unknownCount
      // Keras' pad_sequences keeps the end of a long text, and fills a short one up before it.
      if vocabulary.rules != nil, let window {
        let tokens = encoding.tokens.suffix(window)
        if tokens.count < encoding.tokens.count { shortenedCount += 1 }
        starts.append(stream.count)
        lengths.append(window)
        stream += [Int32](repeating: Int32(vocabulary.padding ?? 0), count: window - tokens.count) + tokens
        continue
      }
      guard !encoding.tokens.isEmpty else {
        throw Self.bad(
          table, row, column, "expected a text, found \(encoding.count == 0 ? "nothing" : "no known token")")
      }
      let whole = (vocabulary.start.map { [Int32($0)] } ?? []) + encoding.tokens
      let tokens = whole.prefix(window ?? .max)
      if tokens.count < whole.count { shortenedCount += 1 }
      starts.append(stream.count)
      lengths.append(tokens.count)
      stream += tokens
    }
    let steps = lengths.max() ?? 1
    stream += [Int32](repeating: 0, count: steps)
    let inputs = SequenceData.Inputs.tokenWindows(tokens: stream, starts: starts, steps: steps)
    if let unaligned, let labels {
      let made = try unaligned.read(table, labels, rows: starts.indices.map { [$0] }, classes)
      try self.init(table, inputs, made.targets, lengths: lengths, classes: made.classes, blank: made.blank)
    } else {
      let labeled = try Self.labels(table, labels, classes)
      try self.init(
        table, inputs, labeled.map { .classes($0.numbers, perStep: false) } ?? .none, lengths: lengths,
        classes: labeled?.classes ?? [])
    }
    (tokenCount, self.unknownCount, self.shortenedCount) = (count, unknownCount, shortenedCount)
  }

  /// What the rows of a sequence hold.
  public enum Columns: Sendable {
    /// Numbers.
    case features([String], missing: MissingValuePolicy)
    /// A token.
    case token(String, Vocabulary)
  }

  /// Sequences of rows.
  /// - Parameters:
  ///   - id: the column that is the same on all rows of a sequence.
  ///   - isTagging: whether each row has a label of its own; nil to see: a sequence has one label when in every sequence
  ///     all rows have the same.
  ///   - unaligned: how the labels of a sequence are written, for CTC: all of them in one cell, the same on each of its rows
  ///     or empty on others; nil where a sequence or a row has one label.
  /// - Throws: as the other.
  public init(
    sequences table: CSVTable, id: String, _ columns: Columns, labels: String?, classes: Classes = .found,
    isTagging: Bool? = nil, unaligned: UnalignedLabels? = nil
  ) throws {
    // 1. The rows of each sequence.
    var places: [[UInt8]: Int] = [:]
    var names: [String] = []
    var rows: [[Int]] = []
    for (row, cell) in try table.strings(column: id).enumerated() {
      let name = cell.trimmed
      guard !name.isEmpty else { throw Self.bad(table, row, id, "expected what the sequence is called, found nothing") }
      let place = places[Array(name.utf8)] ?? rows.count
      if place == rows.count {
        places[Array(name.utf8)] = place
        names.append(name)
        rows.append([])
      }
      rows[place].append(row)
    }
    let order = rows.flatMap { $0 }
    let lengths = rows.map(\.count)
    let steps = lengths.max() ?? 1
    var (starts, end) = ([Int](), 0)
    for length in lengths {
      starts.append(end)
      end += length
    }

    // 2. What they hold, sequence by sequence, and room for the longest at the end.
    let inputs: SequenceData.Inputs
    var (count, unknownCount) = (0, 0)
    switch columns {
    case .features(let features, let missing):
      guard !features.isEmpty else {
        throw FineTuningError.invalid(.features, nil, "expected at least one column", advice: [])
      }
      let values = try features.map { try table.floats(column: $0, missing: missing) }
      var stream: [Float] = []
      stream.reserveCapacity((order.count + steps) * features.count)
      for row in order { for column in values { stream.append(column[row]) } }
      stream += [Float](repeating: 0, count: steps * features.count)
      inputs = .windows(rows: stream, size: features.count, starts: starts, steps: steps)
    case .token(let column, let vocabulary):
      let cells = try table.strings(column: column)
      var stream: [Int32] = []
      for row in order {
        let number = vocabulary[token: cells[row]]
        count += 1
        if number == nil { unknownCount += 1 }
        guard let number = number ?? vocabulary.unknown ?? vocabulary.padding else {
          throw Self.bad(table, row, column, "\(quoted(cells[row])) is not in the vocabulary")
        }
        stream.append(Int32(number))
      }
      inputs = .tokenWindows(tokens: stream + [Int32](repeating: 0, count: steps), starts: starts, steps: steps)
    }

    // 3. Labels: in order, one a sequence, or one a row.
    if let unaligned, let labels {
      let made = try unaligned.read(table, labels, rows: rows, classes)
      try self.init(table, inputs, made.targets, lengths: lengths, classes: made.classes, blank: made.blank)
      (self.names, tokenCount, self.unknownCount) = (names, count, unknownCount)
      return
    }
    let labeled = try Self.labels(table, labels, classes)
    var targets = SequenceData.Targets.none
    if let numbers = labeled?.numbers {
      let isConstant = rows.allSatisfy { rows in rows.allSatisfy { numbers[$0] == numbers[rows[0]] } }
      if isTagging ?? !isConstant {
        var grid = [Int32](repeating: SequenceData.ignored, count: rows.count * steps)
        for (sequence, rows) in rows.enumerated() {
          for (step, row) in rows.enumerated() { grid[sequence * steps + step] = numbers[row] }
        }
        targets = .classes(grid, perStep: true)
      } else {
        for rows in rows {
          guard let other = rows.first(where: { numbers[$0] != numbers[rows[0]] }) else { continue }
          throw Self.bad(
            table, other, labels ?? "",
            "the sequence has another label than in line \(table.firstLine(ofRow: rows[0]))",
            advice: ["a model that gives an output for each step takes a label for each row: \(.readout, "all")"])
        }
        targets = .classes(rows.map { numbers[$0[0]] }, perStep: false)
      }
    }
    try self.init(table, inputs, targets, lengths: lengths, classes: labeled?.classes ?? [])
    (self.names, tokenCount, self.unknownCount) = (names, count, unknownCount)
  }

  private init(
    _ table: CSVTable, _ inputs: SequenceData.Inputs, _ targets: SequenceData.Targets, lengths: [Int],
    classes: [String], blank: Int? = nil
  ) throws {
    file = table.file
    self.blank = blank
    readingNotes = table.notes
    self.classes = classes
    let isFull = lengths.allSatisfy { $0 == lengths[0] }
    var data = try SequenceData(inputs: inputs, targets: targets, lengths: isFull ? nil : lengths)
    switch targets {
    case .classes, .labels: data.classCount = classes.count
    case .values, .none: break
    }
    self.data = data
  }

  static func bad(
    _ table: CSVTable, _ row: Int, _ column: String, _ detail: Message, advice: [Message] = []
  ) -> FineTuningError {
    .badData(
      file: "\(table.file) line \(table.firstLine(ofRow: row)), column \(quoted(column))", detail: detail,
      advice: advice)
  }

  // MARK: - Labels

  private static func labels(
    _ table: CSVTable, _ column: String?, _ choice: Classes
  ) throws -> (numbers: [Int32], classes: [String])? {
    guard let column else { return nil }
    let cells = try table.strings(column: column).map(\.trimmed)
    let found = names(cells)
    guard !found.isEmpty else {
      throw FineTuningError.badData(
        file: table.file, detail: "column \(quoted(column)): every label is empty", advice: [])
    }
    var classes = found
    switch choice {
    case .known(let known): classes = known
    case .found: break
    case .numbered(let count):
      if found.allSatisfy({ name in Int(name).map { 0..<count ~= $0 && "\($0)" == name } ?? false }) {
        classes = (0..<count).map { "\($0)" }
      }
    }
    let numbers = Dictionary(zip(classes.map { Array($0.utf8) }, classes.indices)) { first, _ in first }
    let labels = try cells.enumerated().map { row, cell in
      if cell.isEmpty { return SequenceData.ignored }
      guard let number = numbers[Array(cell.utf8)] else {
        let shown = classes.prefix(8).joined(separator: ", ") + (classes.count > 8 ? ", ..." : "")
        throw bad(
          table, row, column, "\(quoted(cell)) is none of the model's classes",
          advice: ["they are \(shown)", "train a head for others with \(.head, "new")"])
      }
      return Int32(number)
    }
    return (labels, classes)
  }

  /// The labels there are, sorted.
  static func names(_ cells: [String]) -> [String] {
    let names = Set(cells.lazy.filter { !$0.isEmpty }.map { Array($0.utf8) })
      .sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
    let numbers = names.compactMap { Int($0) }
    guard numbers.count == names.count else { return names }
    return zip(numbers, names).sorted { $0 < $1 }.map(\.1)
  }
}
