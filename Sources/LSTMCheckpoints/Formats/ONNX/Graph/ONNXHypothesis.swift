import FileIO

/// What the axes of a graph's inputs may stand for: tried one after the other until all of the graph can be translated.
struct ONNXHypothesis {
  enum Axis { case batch, time, row }

  struct Role {
    var axes: [Axis]
    /// Whether a row is one of a step: where no axis is time, a caller gives one step after the other.
    var isPerStep: Bool
  }

  var roles: [String: Role] = [:]
  /// What the caller carries from call to call.
  var states: Set<String> = []

  static let limit = 96

  /// In the order of likelihood.
  static func all(_ model: ONNXModel) -> [ONNXHypothesis] {
    let carried = model.carriedInputs
    let data = model.inputs.filter { $0.isData }.map(\.name)
    var sets: [Set<String>] = []
    func add(_ states: Set<String>) {
      guard !sets.contains(states), states.count < data.count || data.isEmpty else { return }
      sets.append(states)
    }
    if !carried.isEmpty { add(carried) }
    if data.count > 1, model.outputs.count > 1 {
      for name in data.prefix(4) { add(Set(data).subtracting([name])) }
    }
    add(carried.count < data.count ? carried : [])
    add([])
    // What stands beside a sequence, (N, size), is given once with it.
    func isSequence(_ input: ONNXModel.Input) -> Bool {
      (input.shape?.count ?? 0) >= 3 || input.isWhole && input.shape?.count == 2
    }
    var all: [ONNXHypothesis] = []
    for states in sets {
      var partial = [ONNXHypothesis(states: states)]
      for input in model.inputs where input.isData && !states.contains(input.name) {
        let isBeside = model.inputs.contains { other in
          other.name != input.name && other.isData && !states.contains(other.name) && isSequence(other)
        }
        let isOnce = isBeside && input.shape?.count == (input.isWhole ? 1 : 2)
        let roles = isOnce ? input.roles.reversed() : input.roles
        partial = Array(
          partial.flatMap { one in
            roles.map { role in
              var more = one
              more.roles[input.name] = role
              return more
            }
          }.prefix(limit))
      }
      all += partial
    }
    return Array(all.prefix(limit))
  }
}

extension ONNXModel.Input {
  /// Whether it holds rows of a sequence, rather than a number.
  var isData: Bool { shape.map { !$0.isEmpty } ?? true }

  fileprivate var roles: [ONNXHypothesis.Role] {
    typealias Axis = ONNXHypothesis.Axis
    func list(_ axes: [Axis]...) -> [ONNXHypothesis.Role] { axes.map { .init(axes: $0, isPerStep: true) } }
    switch shape?.count {
    case 1 where isWhole: return list([.time], [.batch], [.row]) + [.init(axes: [.batch], isPerStep: false)]
    case 1: return list([.time], [.batch], [.row])
    case 2 where isWhole:
      return list([.batch, .time], [.time, .batch]) + [.init(axes: [.batch, .row], isPerStep: false)]
    case 2:
      return [
        .init(axes: [.batch, .time], isPerStep: true), .init(axes: [.batch, .row], isPerStep: true),
        .init(axes: [.time, .row], isPerStep: true), .init(axes: [.batch, .row], isPerStep: false),
      ]
    case 3: return list([.batch, .time, .row], [.time, .batch, .row], [.batch, .row, .time], [.batch, .row, .row])
    case 4:
      return list(
        [.batch, .row, .row, .time], [.batch, .row, .time, .row], [.batch, .time, .row, .row],
        [.time, .batch, .row, .row])
    default: return []
    }
  }
}

extension ONNXModel {
  /// Inputs that are where recurrent layers start from, or how long their sequences are.
  var carriedInputs: Set<String> {
    let names = Set(inputs.map(\.name))
    var found = Set<String>()
    var seen = Set<String>()
    func trace(_ name: String, _ producers: [String: Node]) {
      var open = [name]
      while let next = open.popLast(), seen.count < 100_000 {
        guard seen.insert(next).inserted else { continue }
        if names.contains(next) { found.insert(next) }
        guard let node = producers[next], Self.movers.contains(node.operation) else { continue }
        open += node.operation == "Concat" ? node.inputs : Array(node.inputs.prefix(1))
      }
    }
    func search(_ nodes: [Node], _ outer: [String: Node]) {
      var producers = outer
      for node in nodes { for name in node.outputs { producers[name] = node } }
      for node in nodes {
        if ["LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"].contains(node.operation) {
          for place in 4...6 where node.inputs.indices.contains(place) { trace(node.inputs[place], producers) }
        }
        for case .graph(let branch) in node.attributes.values { search(branch.nodes, producers) }
      }
    }
    search(nodes, [:])
    return found
  }

  /// Operators that move values without changing them.
  static let movers: Set<String> = [
    "Identity", "Cast", "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Slice", "Gather", "Split", "Concat", "Expand",
  ]
}

extension ONNXTranslator {
  mutating func begin(_ input: ONNXModel.Input) -> ONNXMeaning {
    if hypothesis.states.contains(input.name) { return .state(input.name) }
    guard let role = hypothesis.roles[input.name], let shape = input.shape, shape.count == role.axes.count else {
      return .choice(input.name)
    }
    var factors: [Int] = []
    var axes: [ONNXRows.Axis] = []
    var steps: Int?
    for (axis, size) in zip(role.axes, shape) {
      switch axis {
      case .batch:
        axes.append(.batch)
        if let size { batchSize = size }
      case .time:
        axes.append(.time)
        steps = size
      case .row:
        guard let size else {
          reasons.append(
            (
              0,
              ONNXRefusal(
                detail: "input \"\(input.name)\" does not say how many features it has",
                advice: ["export it with the number of features fixed"])
            ))
          return .deferred(reasons.count - 1)
        }
        axes.append(.row(factors.count))
        factors.append(size)
      }
    }
    guard let width = elementCount(factors), width <= ModelConfiguration.sizeLimit else { return .choice(input.name) }
    let isPerStep = role.isPerStep
    // How many tokens there are is known when they are looked up.
    let content: ModelConfiguration.Input.Content =
      input.isWhole && width == 1 ? .tokens(vocabulary: 1) : .features(size: width)
    let made = ModelConfiguration.Input(content, name: input.name, steps: steps, isPerSequence: !isPerStep)
    guard let place = try? draft.add(made) else { return .choice(input.name) }
    var rows = ONNXRows(source: place, axes: axes, factors: factors)
    rows.isWhole = input.isWhole
    return .rows(rows)
  }
}
