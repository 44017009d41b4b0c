import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Which parameters train and which stay as they are, made from selectors before anything runs.
///
/// Selectors: names of layers (`layer0`, `conv1`, `head.0`), kinds (`lstm`, `gru`, `convolution`, `batch_norm`, `dense`),
/// `recurrent` (every LSTM, GRU and plain recurrent layer), `head` (what stands above those), directions
/// (`layer1.forward`, `layer1.reverse`), and globs over names of layers and tensors (`norm*`, `lstm.weight_hh_*`). Behind
/// what is of an LSTM or a GRU, a gate: `layer0.forget`, `lstm.output`, `lstm.bias_*.cell` (input, forget, cell, output or
/// i, f, g, o; reset, update, candidate or r, z, n). Freezing comes first, then unfreezing.
public struct FreezePlan: Sendable {
  /// Whether a group of parameters trains.
  public enum Status: String, Sendable, Codable {
    /// Nothing of it trains, and no gradient goes through it.
    case frozen
    /// Frozen, but something below it trains.
    case passesGradient = "frozen, gradient passes through"
    /// All of it trains.
    case trainable
    /// Its matrices move by low-rank adapters.
    case lowRank = "low rank"
    /// Some of its parameters or gates train.
    case mixed = "partly frozen"
  }

  /// A part of the model, such as a layer.
  public struct Group: Sendable {
    /// `embedding`, `layer0`, `attention`, `head.0`, ...
    public let name: String
    /// All its numbers.
    public let parameterCount: Int
    /// Those of them that move; of adapted matrices, the adapters' numbers.
    public let trainableCount: Int
    /// Whether it trains.
    public let status: Status
    /// Its parameters, by their number in the model.
    let members: [Int]
  }

  /// For each of the model's parameters, in its order, whether it trains at any time.
  public let trainable: [Bool]
  /// The parameters of the model that the plan is for.
  public let parameters: [ParameterSpecification]
  /// In order; the first begins with epoch 1.
  public let phases: [Recipe.Phase]
  /// Which parts train in which epochs.
  public let recipe: Recipe
  /// nil where matrices move themselves.
  public let lora: LoRA?
  /// For each parameter, which of its elements move when it trains: all, or some gates' rows.
  let parts: [[Range<Int>]]
  /// For each parameter, whether it moves by a low-rank adapter; it then is among the trainable ones.
  let adapted: [Bool]
  /// For each parameter, its rate against the optimizer's.
  let rateFactors: [Double]
  /// For each parameter, the rate that was asked for, whatever the optimizer's is.
  let ownRates: [Double?]
  /// Whether tied parameters train, as messages.
  public let notes: [Message]

  /// - Parameters:
  ///   - rates: parts with a rate of their own; of several that name a parameter the last counts.
  ///   - lora: what moves by low-rank adapters alone, unless `freezing` names it. Of the rest only the head then trains,
  ///     unless `unfreezing` says otherwise.
  /// - Throws: `FineTuningError.unknownSelector` with near matches, `.nothingToTrain`, or `.invalidOption` for a rate
  ///   that is none or that of a frozen part.
  public init(
    _ model: LSTMModel, freezing: [String] = [], unfreezing: [String] = [], recipe: Recipe = .full,
    rates: [LearningRateOverride] = [], lora: LoRA? = nil
  ) throws(FineTuningError) {
    try self.init(
      model.configuration, freezing: freezing, unfreezing: unfreezing, recipe: recipe, rates: rates,
      lora: lora)
  }

  /// The same for any model of a configuration.
  public init(
    _ configuration: ModelConfiguration, freezing: [String] = [], unfreezing: [String] = [], recipe: Recipe = .full,
    rates: [LearningRateOverride] = [], lora: LoRA? = nil
  ) throws(FineTuningError) {
    parameters = configuration.parameters
    var gates: [Set<Gate>] = parameters.map { parameter in
      parameter.part == .fixed ? [] : parameter.role.isHead || lora == nil ? parameter.allGates : []
    }
    // What `freezing` names of each parameter, and by which selector when it is some gates.
    var named: [Set<Gate>] = parameters.map { _ in [] }
    var gateSelectors: [Int: String] = [:]
    for selector in freezing {
      try Self.checkHasParameters(selector, configuration)
      let selection = try Selection(selector, of: parameters)
      for (index, chosen) in selection.members {
        gates[index].subtract(chosen)
        named[index].formUnion(chosen)
        if selection.isOfGates { gateSelectors[index] = selector }
      }
    }
    for selector in unfreezing {
      for (index, chosen) in try Selection(selector, of: parameters).members {
        gates[index].formUnion(chosen)
        if gates[index] == parameters[index].allGates { named[index] = [] }
      }
    }
    self.lora = lora
    var adapted = parameters.map { _ in false }
    if let lora {
      for index in try lora.adapted(of: configuration) {
        // What is frozen by name keeps every bit.
        if named[index] == parameters[index].allGates { continue }
        if !named[index].isEmpty, let selector = gateSelectors[index] {
          throw .invalid(
            .freezing, "\(selector)", "its matrices move by low-rank adapters, which move all gates",
            advice: ["take it out of \(.freezing), or choose other parts with \(.loraTargets)"])
        }
        (adapted[index], gates[index]) = (true, parameters[index].allGates)
      }
      guard adapted.contains(true) else {
        throw .invalid(
          .freezing, "\(freezing.joined(separator: ", "))", "nothing is left that a low-rank adapter could be put on",
          advice: ["the matrices under adapters keep their values anyway: take them out of \(.freezing)"])
      }
    }
    self.adapted = adapted
    parts = zip(parameters, gates).map { $0.ranges(of: $1) }
    let trainable = parts.map { !$0.isEmpty }
    guard zip(trainable, parameters).contains(where: { $0 && $1.part.isTrainable }) else { throw .nothingToTrain }
    self.trainable = trainable
    self.recipe = recipe
    phases = recipe.phases(configuration, trainable)
    rateFactors = recipe.rateFactors(configuration, trainable)
    var ownRates = [Double?](repeating: nil, count: parameters.count)
    for rate in rates {
      guard rate.learningRate > 0, rate.learningRate.isFinite else {
        throw .invalid(
          .learningRateFor, "\(rate.selector)=\(rate.learningRate)", "expected a number above 0",
          advice: ["to keep a part as it is, \(.freezing, rate.selector)"])
      }
      let selection = try Selection(rate.selector, of: parameters)
      guard !selection.isOfGates else {
        throw .invalid(
          .learningRateFor, "\(rate.selector)", "gates of a layer share one rate",
          advice: ["name the layer or the tensor"])
      }
      let chosen = selection.indices
      guard chosen.contains(where: { trainable[$0] }) else {
        throw .invalid(
          .learningRateFor, "\(rate.selector)", "this part is frozen and has no learning rate",
          advice: ["take it out of \(.freezing), or add \(.unfreezing, rate.selector)"])
      }
      for index in chosen { ownRates[index] = rate.learningRate }
    }
    self.ownRates = ownRates
    notes = Self.tieNotes(parameters, trainable, freezing: freezing, rates: rates, lora: lora)
  }

  /// - Throws: `FineTuningError.invalid` for a layer that computes without parameters, such as pooling.
  private static func checkHasParameters(
    _ selector: String, _ configuration: ModelConfiguration
  ) throws(FineTuningError) {
    guard let index = configuration.index(of: selector), configuration.parameters(ofLayer: index).isEmpty else {
      return
    }
    throw .invalid(
      .freezing, selector, "this layer (\(configuration.layers[index].kind.kind)) has no parameters to freeze",
      advice: ["leave it out: it computes what it always does"])
  }

  /// The phase that an epoch, from 1, belongs to.
  func phase(ofEpoch epoch: Int) -> Int { (phases.lastIndex { $0.firstEpoch <= epoch }) ?? 0 }

  /// For each parameter, its learning rate before the schedule, in a phase.
  func rates(base: Double, phase: Int) -> [Double] {
    parameters.indices.map { (ownRates[$0] ?? base * rateFactors[$0]) * phases[phase].rateFactor }
  }

  /// The learning rate of a group, nil where its trainable parameters differ, and the epoch in which it first trains.
  public func learningRate(of group: Group, base: Double) -> (learningRate: Double?, firstEpoch: Int) {
    let members = group.members.filter { trainable[$0] }
    let rates = Set(members.map { ownRates[$0] ?? base * rateFactors[$0] })
    let first = phases.first { phase in members.contains { phase.trainable[$0] } }?.firstEpoch ?? 1
    return (rates.count == 1 ? rates.first : nil, first)
  }

  /// With those of adapters.
  public var trainableCount: Int { parameters.indices.reduce(0) { $0 + moving($1) } }
  /// Running statistics that training moves by no gradient: those of normalizations that train.
  public var statisticCount: Int {
    parameters.indices.reduce(0) {
      $0 + (parameters[$1].part == .statistic && trainable[$1] ? parameters[$1].elementCount : 0)
    }
  }

  /// Numbers that no gradient moves; adapted matrices and running statistics among them.
  public var frozenCount: Int {
    parameters.indices.reduce(0) { $0 + parameters[$1].elementCount - (adapted[$1] ? 0 : moving($1)) }
  }

  /// Numbers that training moves for a parameter: its own, or its adapter's.
  private func moving(_ index: Int) -> Int {
    if !parameters[index].part.isTrainable { return 0 }
    let (rows, columns) = parameters[index].matrix
    return adapted[index] ? (lora?.rank ?? 0) * (rows + columns) : parts[index].reduce(0) { $0 + $1.count }
  }

  /// The names of what does not move, with the gates of what moves in part.
  public var frozenNames: [String] {
    parameters.indices.compactMap { index in
      let (parameter, parts) = (parameters[index], parts[index])
      guard moving(index) < parameter.elementCount, !adapted[index] else { return nil }
      if !parameter.part.isTrainable, trainable[index] { return nil }
      guard !parts.isEmpty else { return parameter.name }
      let size = parameter.elementCount / parameter.gates.count
      let frozen = parameter.gates.enumerated().filter { place, _ in !parts.contains { $0.contains(place * size) } }
      return "\(parameter.name) (\(frozen.map(\.element.name).joined(separator: ", ")))"
    }
  }

  /// The plan from the input up, a row for each part of the model.
  public var groups: [Group] {
    var names: [String] = []
    var members: [String: [Int]] = [:]
    for (index, parameter) in parameters.enumerated() {
      let name = parameter.role.name
      if members[name] == nil { names.append(name) }
      members[name, default: []].append(index)
    }
    var somethingBelowTrains = false
    return names.map { name in
      let indices = members[name] ?? []
      let trains = indices.filter { trainable[$0] }
      let status: Status =
        indices.contains { adapted[$0] }
        ? .lowRank
        : indices.allSatisfy {
          moving($0) == parameters[$0].elementCount || !parameters[$0].part.isTrainable && trainable[$0]
        }
          ? .trainable : !trains.isEmpty ? .mixed : somethingBelowTrains ? .passesGradient : .frozen
      if !trains.isEmpty { somethingBelowTrains = true }
      return Group(
        name: name, parameterCount: indices.reduce(0) { $0 + parameters[$1].elementCount },
        trainableCount: indices.reduce(0) { $0 + moving($1) }, status: status,
        members: indices)
    }
  }

  /// The batch normalizations that train and have one row a sequence: one sequence alone has no variance.
  package func normalizationsOfSequences(in configuration: ModelConfiguration) -> [String] {
    configuration.layers.indices.filter { index in
      let layer = configuration.layers[index]
      return layer.kind is Layer.BatchNorm && !configuration.values[configuration.inputs.count + index].isPerStep
        && zip(parameters, trainable).contains { $1 && $0.role.layer == layer.name }
    }.map { configuration.layers[$0].name }
  }
}
