import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Gates of an LSTM direction, whose rows lie one block after another in its matrices and biases.
struct Gates: OptionSet {
  let rawValue: Int

  static let all = Gates(rawValue: 15)
  /// In the order of the blocks: i, f, g, o.
  static let names = ["input", "forget", "cell", "output"]

  init(rawValue: Int) { self.rawValue = rawValue }

  /// From a name or its letter.
  init?(_ text: Substring) {
    guard let place = Self.names.firstIndex(of: String(text)) ?? ["i", "f", "g", "o"].firstIndex(of: text) else {
      return nil
    }
    self.init(rawValue: 1 << place)
  }

  func contains(block: Int) -> Bool { rawValue & 1 << block != 0 }
}

/// The parameters that a selector names, and of each the gates.
struct Selection {
  /// By their number in the model.
  let members: [(index: Int, gates: Gates)]
  /// Whether it names some of the gates only.
  let isOfGates: Bool

  var indices: [Int] { members.map(\.index) }

  /// - Throws: `FineTuningError.unknownSelector` when it names nothing.
  init(_ selector: String, of parameters: [ParameterSpecification]) throws(FineTuningError) {
    func find(_ selector: String) -> [Int] {
      parameters.indices.filter { index in
        parameters[index].places.contains {
          Self.names(of: $0.role).contains(selector) || matches($0.name, glob: selector)
        }
      }
    }
    let whole = find(selector)
    if !whole.isEmpty {
      members = whole.map { ($0, .all) }
      isOfGates = false
      return
    }
    if let dot = selector.lastIndex(of: "."), let gate = Gates(selector[selector.index(after: dot)...]) {
      let chosen = find(String(selector[..<dot])).filter { !parameters[$0].gateBlocks.isEmpty }
      if !chosen.isEmpty {
        members = chosen.map { ($0, gate) }
        isOfGates = true
        return
      }
    }
    var (known, gates) = ([String](), [String]())
    for place in parameters.flatMap(\.places) {
      for name in Self.names(of: place.role) where !known.contains(name) {
        known.append(name)
        if case .lstm = place.role { gates += Gates.names.map { "\(name).\($0)" } }
      }
    }
    let all = known + parameters.flatMap(\.places).map(\.name) + gates
    throw .unknownSelector(selector, nearest: nearestNames(to: selector, among: all), known: known)
  }

  private static func names(of role: ParameterRole) -> [String] {
    switch role {
    case .embedding: ["embedding"]
    case .attention: ["attention"]
    case .head(let index): ["head", "head.\(index)"]
    case .lstm(let layer, let reverse):
      ["lstm", "layer\(layer)", "layer\(layer)." + (reverse ? "reverse" : "forward")]
    }
  }
}

extension ParameterSpecification {
  /// The gate that each block of its rows belongs to, by its place in i, f, g, o; none where rows are no gates'.
  var gateBlocks: [Int] {
    guard case .lstm = role else { return [] }
    // A peephole has none for g.
    if name.hasPrefix("lstm.peephole") { return [0, 1, 3] }
    return name.hasPrefix("lstm.weight_hr") ? [] : [0, 1, 2, 3]
  }

  /// Where the elements of some gates lie; all of them where rows are no gates'.
  func ranges(of gates: Gates) -> [Range<Int>] {
    let blocks = gateBlocks
    if gates.isEmpty { return [] }
    if gates == .all || blocks.isEmpty { return [0..<elementCount] }
    let size = elementCount / blocks.count
    var ranges: [Range<Int>] = []
    for (place, gate) in blocks.enumerated() where gates.contains(block: gate) {
      if let last = ranges.last, last.upperBound == place * size {
        ranges[ranges.count - 1] = last.lowerBound..<(place + 1) * size
      } else {
        ranges.append(place * size..<(place + 1) * size)
      }
    }
    return ranges
  }
}
