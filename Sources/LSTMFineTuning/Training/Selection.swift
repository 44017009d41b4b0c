import FileIO
import LSTMCheckpoints

/// The parameters that a selector names, and of each the gates.
struct Selection {
  /// By their number in the model.
  let members: [(index: Int, gates: Set<Gate>)]
  /// Whether it names some of the gates only.
  let isOfGates: Bool

  var indices: [Int] { members.map(\.index) }

  /// - Throws: `FineTuningError.unknownSelector` when it names nothing.
  init(_ selector: String, of parameters: [ParameterSpecification]) throws(FineTuningError) {
    func find(_ selector: String) -> [Int] {
      parameters.indices.filter { index in
        parameters[index].places.contains {
          Self.names(of: $0.role).contains(selector) || matches($0.name, glob: selector)
            || matches($0.role.layer, glob: selector)
        }
      }
    }
    let whole = find(selector)
    if !whole.isEmpty {
      members = whole.map { ($0, parameters[$0].allGates) }
      isOfGates = false
      return
    }
    if let dot = selector.lastIndex(of: "."), case let name = selector[selector.index(after: dot)...],
      let gate = Gate.allCases.first(where: { $0.name == name || String($0.letter) == name })
    {
      let chosen = find(String(selector[..<dot])).filter { parameters[$0].gates.contains(gate) }
      if !chosen.isEmpty {
        members = chosen.map { ($0, [gate]) }
        isOfGates = true
        return
      }
    }
    var (known, gates) = ([String](), [String]())
    for place in parameters.flatMap(\.places) {
      // The kinds of several kinds are understood, but say nothing of this model.
      for name in Self.names(of: place.role) where !known.contains(name) && !["recurrent", "dense"].contains(name) {
        known.append(name)
        if let cell = Layer.Recurrent.Cell(rawValue: place.role.kind) {
          gates += Gate.of(cell).map { "\(name).\($0.name)" }
        }
      }
    }
    let all = known + parameters.flatMap(\.places).map(\.name) + gates
    throw .unknownSelector(selector, nearest: nearestNames(to: selector, among: all), known: known)
  }

  private static func names(of role: ParameterRole) -> [String] {
    var names = role.isHead ? ["head"] : []
    if role.isRecurrent { names.append("recurrent") }
    if role.kind != role.layer { names.append(role.kind) }
    names.append(role.layer)
    if role.isRecurrent { names.append(role.layer + (role.isReverse ? ".reverse" : ".forward")) }
    return names
  }
}

extension ParameterSpecification {
  /// Its gates; of a parameter whose rows belong to none, any that stand for the whole.
  var allGates: Set<Gate> { gates.isEmpty ? [.input] : Set(gates) }

  /// Where the elements of some gates lie; all of them where rows belong to no gate.
  func ranges(of chosen: Set<Gate>) -> [Range<Int>] {
    if chosen.isEmpty { return [] }
    if chosen == allGates { return [0..<elementCount] }
    let size = elementCount / gates.count
    var ranges: [Range<Int>] = []
    for (place, gate) in gates.enumerated() where chosen.contains(gate) {
      if let last = ranges.last, last.upperBound == place * size {
        ranges[ranges.count - 1] = last.lowerBound..<(place + 1) * size
      } else {
        ranges.append(place * size..<(place + 1) * size)
      }
    }
    return ranges
  }
}
