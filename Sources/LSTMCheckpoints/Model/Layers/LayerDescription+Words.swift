/// The settings of a layer to and from the words of the one-line form.

/// What may be said of a kind in words: its settings, in the order of its description.
struct LayerGrammar {
  enum Form: Hashable {
    case whole, wholes, real, layer
    case flag
    /// Its words; a bare one stands without its key.
    case choice([String], isBare: Bool)
  }

  struct Setting: Hashable {
    let key: String
    let form: Form
    /// Whether there is no usual value.
    let isRequired: Bool
    /// The word of a choice that is not written.
    let usual: String?
  }

  let settings: [Setting]
  /// The setting whose number stands alone.
  let leading: String?

  init(_ kind: any LayerKind) {
    var collector = LayerCollector()
    func visit() {
      var copy = kind
      // What a description finds wrong with a half-said layer is of no interest here.
      try? copy.describe(&collector)
    }
    visit()
    // Some settings exist only beside others: each value that opens the way to more is tried once.
    for setting in collector.settings {
      switch setting.form {
      case .flag:
        for index in 0...1 {
          collector.probe = (setting.key, index)
          visit()
        }
      case .choice(let words, _):
        for index in words.indices {
          collector.probe = (setting.key, index)
          visit()
        }
      default: break
      }
    }
    settings = collector.settings
    leading = kind.leadingSetting ?? settings.first.flatMap { $0.isRequired ? $0.key : nil }
  }

  subscript(key: String) -> Setting? { settings.first { $0.key == key } }

  /// The settings whose words need no key, in order.
  var bareChoices: [(key: String, words: [String])] {
    settings.compactMap { setting in
      if case .choice(let words, isBare: true) = setting.form { (setting.key, words) } else { nil }
    }
  }
}

extension LayerRegistry {
  /// What may be said of a kind in words.
  static func grammar(of kind: any LayerKind) -> LayerGrammar { grammars[kind.kind] ?? LayerGrammar(kind) }

  private static let grammars = Dictionary(standard.map { ($0.kind, LayerGrammar($0)) }) { first, _ in first }
}

/// Writes down what settings there are.
private struct LayerCollector: LayerDescription {
  private(set) var settings: [LayerGrammar.Setting] = []
  /// A setting that is given its value of this place.
  var probe: (key: String, index: Int)?

  private mutating func add(_ key: String, _ form: LayerGrammar.Form, isRequired: Bool = false, usual: String? = nil) {
    if !settings.contains(where: { $0.key == key }) {
      settings.append(.init(key: key, form: form, isRequired: isRequired, usual: usual))
    }
  }

  mutating func size(_ key: String, _ value: inout Int) { add(key, .whole, isRequired: true) }
  mutating func whole(_ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>) { add(key, .whole) }
  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) { add(key, .whole) }
  mutating func wholes(_ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>) {
    add(key, .wholes, isRequired: usual == nil)
  }
  mutating func real(_ key: String, _ value: inout Float, usual: Float) { add(key, .real) }
  mutating func real(_ key: String, _ value: inout Float?) { add(key, .real) }
  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) {
    add(key, .flag)
    if let probe, probe.key == key { value = probe.index == 1 }
  }
  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) {
    let all = Array(Choice.allCases)
    add(key, .choice(all.map(\.rawValue), isBare: isBare), usual: usual.rawValue)
    if let probe, probe.key == key, all.indices.contains(probe.index) { value = all[probe.index] }
  }
  mutating func layer(_ key: String, _ value: inout String?) { add(key, .layer) }
}

/// Writes the settings that have not their usual values as words.
struct LayerWordsWriter: LayerDescription {
  /// The setting whose number stands alone, always.
  let leading: String?
  private(set) var pieces: [String] = []
  /// Whether the next choice is written even if it is the usual one: a kind without words of its own is told by it.
  private var tellsKind: Bool

  init(_ kind: any LayerKind) {
    leading = LayerRegistry.grammar(of: kind).leading
    tellsKind = kind.words.isEmpty
  }

  private func words(_ key: String) -> String { key.replacing("_", with: " ") }

  private mutating func write(_ key: String, _ value: String) {
    if key == leading { return pieces.append(value) }
    // `reshape steps 5`, not `reshape steps steps 5`.
    if pieces.last == words(key) { pieces.removeLast() }
    pieces.append(words(key) + " " + value)
  }

  mutating func size(_ key: String, _ value: inout Int) throws(LayerError) { write(key, String(value)) }

  mutating func whole(
    _ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>
  ) throws(LayerError) { if value != usual || key == leading { write(key, String(value)) } }

  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError) {
    if let value { write(key, String(value)) }
  }

  mutating func wholes(
    _ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>
  ) throws(LayerError) { if value != usual { write(key, value.map(String.init).joined(separator: "x")) } }

  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError) {
    if value != usual || key == leading { write(key, value.inWords) }
  }

  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError) {
    if let value { write(key, value.inWords) }
  }

  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError) {
    if value != usual { pieces.append((value ? "" : "without ") + words(key)) }
  }

  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError) {
    guard value != usual || tellsKind else { return }
    tellsKind = false
    if isBare { pieces.append(words(value.rawValue)) } else { write(key, words(value.rawValue)) }
  }

  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError) {
    if let value { write(key, LineName.text(value)) }
  }
}

/// Fills settings in from what words said, by key; `unread` then has what the layer has no use for.
struct LayerWordsReader: LayerDescription {
  private let values: [String: String]
  private(set) var unread: Set<String>

  /// - Parameter values: of a choice its raw value, of a flag `true` or `false`.
  init(_ values: [String: String]) {
    self.values = values
    unread = Set(values.keys)
  }

  private mutating func take(_ key: String) -> String? {
    unread.remove(key)
    return values[key]
  }

  private func whole(_ key: String, _ text: String, _ range: ClosedRange<Int>) throws(LayerError) -> Int {
    guard let value = Int(text), range ~= value else {
      throw LayerError(
        key, "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(text.shortened)")
    }
    return value
  }

  private func real(_ key: String, _ text: String) throws(LayerError) -> Float {
    guard let value = Float(inWords: text) else { throw LayerError(key, "expected a number, found \(text.shortened)") }
    return value
  }

  mutating func size(_ key: String, _ value: inout Int) throws(LayerError) {
    guard let text = take(key) else { throw LayerError(key, "it is missing") }
    value = try whole(key, text, 1...Layer.sizeLimit)
  }

  mutating func whole(
    _ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>
  ) throws(LayerError) {
    guard let text = take(key) else { return value = usual }
    value = try whole(key, text, range)
  }

  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError) {
    guard let text = take(key) else { return value = nil }
    value = try whole(key, text, range)
  }

  mutating func wholes(
    _ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>
  ) throws(LayerError) {
    guard let text = take(key) else {
      guard let usual else { throw LayerError(key, "it is missing") }
      return value = usual
    }
    let parts = text.split(omittingEmptySubsequences: false) { "xX×".contains($0) }
    guard parts.count <= 8 else { throw LayerError(key, "expected at most 8 numbers, found \(parts.count)") }
    value = []
    for part in parts { value.append(try whole(key, String(part), range)) }
  }

  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError) {
    guard let text = take(key) else { return value = usual }
    value = try real(key, text)
  }

  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError) {
    guard let text = take(key) else { return value = nil }
    value = try real(key, text)
  }

  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError) {
    value = take(key).map { $0 == "true" } ?? usual
  }

  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError) { value = take(key).flatMap(Choice.init) ?? usual }

  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError) { value = take(key) }
}

extension Float {
  /// The shortest text that reads as the same number: `0.5`, `1`, `1e-05`.
  var inWords: String {
    let text = description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// A finite number in decimals; nil for any other text.
  init?(inWords text: String) {
    guard text.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) }), let value = Float(text),
      value.isFinite
    else { return nil }
    self = value
  }
}

extension String {
  /// What a message quotes of it.
  var shortened: String { count <= 40 ? self : prefix(40) + "…" }
}
