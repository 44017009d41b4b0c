import FileIO

/// Finds the tensors of a graph that is known: one that the file itself describes, or a person.
struct GraphResolution: FileReading {
  let file: String
  private(set) var model: ResolvedModel

  /// - Parameters:
  ///   - graph: the whole model.
  ///   - translation: the file's tensors, under the project's names as far as the format knows them.
  init(
    file: String, graph: ModelConfiguration, translation: Translation, checkpoint: Checkpoint, options: LoadOptions
  ) throws(CheckpointError) {
    self.file = file
    model = ResolvedModel(configuration: graph)
    model.notes = translation.notes
    model.assumed = translation.assumed
    model.leftOver = translation.leftOver
    var others: [Candidate] = []
    let places = Set(graph.places.map(\.name))
    for candidate in translation.candidates {
      if places.contains(candidate.name), model.mapping[candidate.name] == nil {
        model.mapping[candidate.name] = candidate
      } else {
        others.append(candidate)
      }
    }
    let kinds = TensorKinds(translation.candidates)
    model.leftOver += others.map { other in
      other.isLoneNumber
        ? LeftOver(candidate: other, reason: "a single number that no layer reads", isHarmless: true)
        : LeftOver(candidate: other, reason: kinds.kind(of: other).reason, kind: kinds.kind(of: other))
    }
    settleTies(checkpoint, options)
  }

  /// Places whose tensors are one in the file are one parameter; of a tied group one place is enough.
  private mutating func settleTies(_ checkpoint: Checkpoint, _ options: LoadOptions) {
    if options.untie { model.configuration.ties = [] }
    var groups: [String: Int] = [:]
    for (number, names) in checkpoint.sharing.enumerated() { for name in names { groups[name] = number } }
    if !options.untie, !groups.isEmpty {
      var shared: [Int: [String]] = [:]
      for place in model.configuration.places {
        guard let candidate = model.mapping[place.name], candidate.how == nil, candidate.shape == place.shape,
          let group = groups[candidate.tensor.name]
        else { continue }
        shared[group, default: []].append(place.name)
      }
      for group in shared.sorted(by: { $0.key < $1.key }).map(\.value) where group.count > 1 {
        let fresh = group.filter { !model.configuration.ties.joined().contains($0) }
        guard fresh.count > 1, (try? model.configuration.tie(fresh)) != nil else { continue }
        let names = group.compactMap { model.mapping[$0]?.tensor.name }.joined(separator: " and ")
        model.notes.append("\(names) are one tensor in the file: tied, one parameter from here on")
      }
    }
    for group in model.configuration.validTies {
      guard let first = group.first(where: { model.mapping[$0] != nil }), let known = model.mapping[first] else {
        continue
      }
      if first != group[0] { model.mapping[group[0]] = known }
      for name in group.dropFirst() where name != first {
        guard let other = model.mapping[name], !areEqual(known.tensor, other.tensor) else { continue }
        model.conflicts.append(.init(place: name, other: known.tensor.name))
      }
    }
  }
}
