import FileIO

extension ONNXTranslator {
  /// Why a graph cannot be translated, and how far it was understood.
  struct Failure: Error {
    var position: Int
    var text: Message
    var advice: [Message] = []
    var isAboutAxes = false

    /// Whether it says more than another.
    func isBetter(than other: Failure) -> Bool {
      position != other.position ? position > other.position : other.isAboutAxes && !isAboutAxes
    }
  }

  /// The graph of layers, with the tensors under the project's names.
  struct Result {
    var configuration: ModelConfiguration
    var candidates: [Candidate]
    var used: Set<String>
    var interface: Provenance.Interface?
  }

  mutating func result() throws(Failure) -> Result {
    let outputs = try modelOutputs()
    let pruned = draft.pruned(outputs.map(\.source))
    let places = pruned.places
    guard places.count <= ModelConfiguration.depthLimit else {
      throw Failure(position: position, text: "has more than \(ModelConfiguration.depthLimit) layers")
    }
    guard places.contains(where: { draft[$0].kind is Layer.Recurrent }) else {
      throw Failure(position: position, text: "has no recurrent layer: it has \(nameList(operations))")
    }
    // tanh(Wx + Us) is a step only where s comes back.
    for layer in carried.starts.keys.sorted() where places.contains(layer) && !draft[layer].isOperator {
      guard let kind = draft[layer].kind as? Layer.Recurrent, kind.cell == .rnn, !isGivenBack(layer) else { continue }
      throw Failure(
        position: position, text: "\(draft[layer].node): it would be a recurrent cell if its state was given back")
    }
    let names = named(draft.names(pruned), outputs, pruned)
    let inputs = places.filter { draft[$0].input != nil }
    var layers: [Layer] = []
    for (index, place) in places.enumerated() {
      guard var kind = draft.kind(place, pruned), let name = names[place] else { continue }
      if var recurrent = kind as? Layer.Recurrent, let other = draft[place].startsFrom {
        recurrent.initialFrom = names[pruned.place(other)]
        kind = recurrent
      }
      let reads = draft[place].reads.map(pruned.place)
      let usual = layers.isEmpty ? inputs.first : places[index - 1]
      layers.append(
        Layer(name, kind, from: reads.map { Optional($0) } == [usual] ? [] : reads.compactMap { names[$0] }))
    }
    let last = places.last
    let given = outputs.map { pruned.place($0.source) }
    let outputNames = given.count == 1 && given.first == last ? [] : given.compactMap { names[$0] }
    let mask = try mask(places)
    let uses = mask.map { hiddenStepUses(places, $0, pruned, names) } ?? []
    var configuration = try configuration(
      layers,
      inputs.compactMap { place in
        draft[place].input.map { input in
          var input = input
          input.name = names[place] ?? input.name
          return input
        }
      }, outputNames, ties: ties(places, names, pruned))
    if let mask {
      configuration = try masked(configuration, mask, uses, Set(masks.zeroed.compactMap { names[$0] }))
    }

    var used = Set<String>()
    var candidates: [Candidate] = []
    for (place, layer) in zip(places.filter { draft[$0].kind != nil }, layers) {
      for (key, parameter) in draft[place].parameters {
        used.formUnion(parameter.constant.sources)
        candidates.append(
          Candidate(
            name: layer.parameterName(key.name, isReverse: key.isReverse), tensor: parameter.constant.value,
            how: parameter.how))
      }
    }
    candidates.sort { $0.name < $1.name }
    let interface = interface(
      { names[pruned.place($0)] }, outputs: Array(zip(givenNames, outputs)).map { (name: $0, rows: $1) })
    return Result(configuration: configuration, candidates: candidates, used: used, interface: interface)
  }

  // MARK: - Outputs

  /// What the graph gives, without the states that a caller takes back.
  private mutating func modelOutputs() throws(Failure) -> [ONNXRows] {
    var list: [(name: String, rows: ONNXRows)] = []
    for name in model.outputs {
      switch values[name] {
      case .rows(let rows)? where !rows.isWhole: list.append((name, rows))
      case .finalState?, .finalStates?, .state?, .choice?, .zeros?: continue
      case .reversed?:
        throw Failure(
          position: position, text: "its output \"\(name)\" has its steps in reverse order, which no model here gives",
          advice: ["leave the reversal out of the graph, and turn the steps round where they are read"])
      case .deferred(let reason)?:
        let (position, refusal) = reasons[reason]
        throw Failure(
          position: position, text: refusal.detail, advice: refusal.advice, isAboutAxes: refusal.isAboutAxes)
      default: throw Failure(position: position, text: "its output \"\(name)\" is none that a model here gives")
      }
    }
    let taken = statesTakenBack(list.map(\.rows.source))
    let states = list.filter { one in
      isLastState(one.rows.source) && one.rows.isState || carried.ends[one.name].map { !$0.hasDirections } ?? false
        || taken.contains(one.name)
    }
    if states.count < list.count { list.removeAll { one in states.contains { $0.name == one.name } } }
    guard !list.isEmpty else { throw Failure(position: position, text: "has no output but states") }
    var outputs: [ONNXRows] = []
    let isSeveral = list.count > 1
    for (name, rows) in list {
      var rows = rows
      let order = rows.axes.compactMap { axis -> Int? in if case .row(let factor) = axis { factor } else { nil } }
      if order == [1, 0], let node = producers[name] {
        do throws(ONNXRefusal) {
          rows = rows.of(try turned(rows.source, channels: rows.factors[0], node))
        } catch {
          throw Failure(position: position, text: error.detail, advice: error.advice)
        }
      } else if order != order.sorted() {
        throw Failure(
          position: position, text: "the axes of its output \"\(name)\" are in an order that no model here has")
      }
      outputs.append(rows)
    }
    outputNames = isSeveral ? list.map(\.name) : []
    givenNames = list.map(\.name)
    outputAxes = outputs.first?.axes
    return outputs
  }

  /// Whether it is the last state of a recurrent layer, or several of them side by side.
  private func isLastState(_ place: Int) -> Bool {
    var open = [place]
    var seen = Set<Int>()
    while let next = open.popLast() {
      guard seen.insert(next).inserted else { continue }
      switch draft[next].kind {
      case let readout as Layer.Readout:
        guard [.final, .last, .first].contains(readout.take),
          draft[next].reads.allSatisfy({ draft[$0].kind is Layer.Recurrent })
        else { return false }
      case let merge as Layer.Merge where merge.operation == .concatenate: open += draft[next].reads
      case is Layer.Slice: open += draft[next].reads
      default: return false
      }
    }
    return true
  }

  private var operations: [String] {
    var list: [String] = []
    for node in model.nodes where !list.contains(node.operation) && list.count < 8 { list.append(node.operation) }
    return list
  }

  /// Layers that are one of several outputs have the graph's names of them.
  private func named(
    _ names: [Int: String], _ outputs: [ONNXRows], _ pruned: ONNXDraft.Pruned
  ) -> [Int: String] {
    var names = names
    for (rows, name) in zip(outputs, outputNames) {
      let place = pruned.place(rows.source)
      let isPlain =
        !name.isEmpty && name.utf8.count <= 64
        && name.unicodeScalars.allSatisfy {
          $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains($0))
        }
      guard isPlain, !names.values.contains(name), draft[place].kind.map({ !($0 is Layer.Recurrent) }) ?? false else {
        continue
      }
      names[place] = name
    }
    return names
  }

  // MARK: - The configuration

  private func configuration(
    _ layers: [Layer], _ inputs: [ModelConfiguration.Input], _ outputs: [String], ties: [[String]]
  ) throws(Failure) -> ModelConfiguration {
    var free = inputs
    for index in free.indices { free[index].steps = nil }
    // The number of steps is free wherever no layer needs it.
    for inputs in [free, inputs] {
      guard let made = try? ModelConfiguration(inputs: inputs, layers: layers, outputs: outputs, ties: ties) else {
        continue
      }
      return made.stack == nil ? plain(made) ?? made : made
    }
    do throws(ModelConfiguration.GraphError) {
      return try ModelConfiguration(inputs: inputs, layers: layers, outputs: outputs, ties: ties)
    } catch {
      throw Failure(position: position, text: Message("its layers do not go together: \(error.description)"))
    }
  }

  /// A plain stack says that it reads out all steps.
  private func plain(_ found: ModelConfiguration) -> ModelConfiguration? {
    guard let last = found.layers.lastIndex(where: { $0.kind is Layer.Recurrent }),
      !found.layers.contains(where: { $0.kind is Layer.Readout })
    else { return nil }
    var layers = found.layers
    layers.insert(Layer("readout", Layer.Readout(.all)), at: last + 1)
    let made = try? ModelConfiguration(inputs: found.inputs, layers: layers, outputs: found.outputs, ties: found.ties)
    return made?.stack == nil ? nil : made
  }

  /// Parameters that are one tensor in the file.
  private func ties(_ places: [Int], _ names: [Int: String], _ pruned: ONNXDraft.Pruned) -> [[String]] {
    var order: [String] = []
    var groups: [String: [String]] = [:]
    for place in places {
      guard let kind = draft.kind(place, pruned), let name = names[place] else { continue }
      let layer = Layer(name, kind)
      for (key, parameter) in draft[place].parameters.sorted(by: { $0.key.name < $1.key.name }) {
        guard let identity = parameter.identity else { continue }
        if groups[identity] == nil { order.append(identity) }
        groups[identity, default: []].append(layer.parameterName(key.name, isReverse: key.isReverse))
      }
    }
    return order.compactMap { groups[$0] }.filter { $0.count > 1 }
  }
}

extension ONNXRows {
  /// Whether its axes are those of a state: layers or directions, batch, features.
  fileprivate var isState: Bool { axes.count == 3 && !hasTime }
}
