import LSTMCheckpoints

/// What a backward pass computes for a choice of trainable parameters, and where a forward pass may start from cached
/// outputs of frozen layers.
///
/// Gradients are computed for the layers whose value depends on something that trains, and flow through frozen ones among
/// them.
package struct GradientPlan: Sendable {
  /// For each of the model's parameters, in order, whether training moves it: by its gradient, or as a running statistic.
  package let trainable: [Bool]
  /// Where the values end that nothing moves: the outputs of the frozen layers that others read.
  package let entry: Boundary
  /// For each value of the configuration, inputs first, whether its gradient is needed.
  package let wantsGradient: [Bool]
  /// For each value, whether training changes it.
  let moves: [Bool]
  /// For each value, whether its layer runs in a pass that starts at `entry`.
  let runs: [Bool]
  /// Where regularization acts.
  private(set) var sites = Regularization.Sites.everywhere(0)
  /// The recurrent layers that gradients flow through, by their number among the recurrent layers.
  package let recurrentLayers: [Int]

  /// - Parameter wantsInput: whether dL/dx and the gradient of the initial state are wanted as well.
  package init(_ configuration: ModelConfiguration, trainable: [Bool], wantsInput: Bool = false) {
    let parameters = configuration.parameters
    precondition(trainable.count == parameters.count, "\(trainable.count) choices for \(parameters.count) parameters")
    self.trainable = trainable
    let (inputs, layers) = (configuration.inputs.count, configuration.layers)
    let places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1.name, inputs + $0) })
    // 1. What moves, and by a gradient.
    var moves = [Bool](repeating: false, count: configuration.values.count)
    var trains = moves
    for (parameter, isOn) in zip(parameters, trainable) where isOn {
      for place in parameter.places {
        guard let layer = places[place.role.layer] else { continue }
        moves[layer] = true
        if parameter.part.isTrainable { trains[layer] = true }
      }
    }
    // 2. What depends on that.
    if wantsInput { for input in 0..<inputs { trains[input] = true } }
    var sources: [[Int]] = Array(repeating: [], count: inputs)
    var references = sources
    for (index, layer) in layers.enumerated() {
      sources.append(configuration.sources[index])
      references.append(layer.kind.references.compactMap { places[$0] })
    }
    for place in inputs..<moves.count {
      let below = sources[place] + references[place]
      if below.contains(where: { moves[$0] }) { moves[place] = true }
      if below.contains(where: { trains[$0] }) { trains[place] = true }
    }
    wantsGradient = trains
    self.moves = moves
    // 3. What runs again in every pass: what moves.
    var runs = moves
    // Dropout that what moves reads, through layers without parameters if need be, gives other values in every pass.
    var drops = [Bool](repeating: false, count: inputs)
    for (index, layer) in layers.enumerated() {
      let isDropout = ((layer.kind as? Layer.Dropout)?.rate ?? 0) > 0
      drops.append(
        isDropout
          || configuration.parameters(ofLayer: index).isEmpty && sources[inputs + index].contains { drops[$0] })
    }
    for place in stride(from: runs.count - 1, through: inputs, by: -1) where runs[place] {
      // Joining rows costs less than keeping them twice, and dropout acts on the parts.
      for source in sources[place] where source >= inputs {
        if drops[source] || layers[source - inputs].kind is Layer.Merge { runs[source] = true }
      }
    }
    // What has no parameters costs less than keeping its values.
    for place in inputs..<runs.count where !runs[place] && !drops[place] {
      guard configuration.parameters(ofLayer: place - inputs).isEmpty else { continue }
      runs[place] = sources[place].allSatisfy { $0 >= inputs && runs[$0] }
    }
    // 4. What those read is where the frozen part ends.
    let outputs = configuration.outputPlaces
    var ends = Set<Int>()
    for place in inputs..<runs.count where runs[place] { ends.formUnion(sources[place].filter { !runs[$0] }) }
    if !outputs.contains(where: { runs[$0] }) { ends = [] }
    ends.formUnion(outputs.filter { !runs[$0] })
    // Looking rows up costs less than keeping them, and the layer above may go by token.
    if ends.allSatisfy({ $0 >= inputs && layers[$0 - inputs].kind is Layer.Embedding }) {
      for end in ends { runs[end] = true }
      ends = Set(ends.flatMap { sources[$0] })
    }
    self.runs = runs
    // Of a layer that only gives others their first state, its final state.
    let states = runs.indices.filter { runs[$0] }.flatMap { references[$0] }.filter { !runs[$0] }
    entry = Boundary(places: ends.sorted(), states: Set(states).sorted())
    recurrentLayers = configuration.recurrentLayers.enumerated()
      .filter { trains[inputs + $1.index] }.map(\.offset)
    sites = Regularization.Sites(configuration, self)
  }
}

/// A boundary between two parts of the model, where a pass may start or end: the values that the upper part reads, and the
/// final states that it starts from.
package struct Boundary: Hashable, Sendable {
  /// Places in the configuration's `values`, inputs first, ascending.
  package let places: [Int]
  /// Places of recurrent layers whose final states are read, ascending.
  package let states: [Int]

  /// The model's input.
  package static let input = Boundary(places: [0])

  package init(places: [Int], states: [Int] = []) { (self.places, self.states) = (places, states) }

  /// Whether it is the model's input and nothing else.
  package func isInput(_ configuration: ModelConfiguration) -> Bool {
    states.isEmpty && places.allSatisfy { $0 < configuration.inputs.count }
  }
}
