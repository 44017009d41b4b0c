import FileIO

/// The order of layers that a file of weights has in none: Keras 3 numbers them within a class alone.
enum KerasFoundOrder {
  private static let stepLimit = 20_000

  /// All orders in which each layer reads what the one before gives, the most usual ones first and alone.
  static func orders(of layers: [KerasFoundLayer]) -> [[KerasFoundLayer]] {
    let heavy = layers.filter { !$0.weights.isEmpty }
    let families = Dictionary(grouping: heavy) { KerasTree.stem(kerasSnakeCase($0.className)) + "." + $0.family }
    let hasFlatten = layers.contains { $0.className == "Flatten" }
    var search = Search(queues: families.sorted { $0.key < $1.key }.map(\.value), hasFlatten: hasFlatten)
    search.run([], width: nil)
    guard search.steps < stepLimit else { return [] }
    // Where each order has something odd, it is rather none of them.
    let usual = search.found.filter { !isOdd($0, allowingEachStep: false) }
    let ranked = (usual.isEmpty ? search.found.filter { !isOdd($0, allowingEachStep: true) } : usual)
      .map { ($0, surprise($0)) }
    guard let least = ranked.map(\.1).min() else { return [] }
    return ranked.filter { $0.1 == least }.compactMap { placed($0.0, layers.filter(\.weights.isEmpty)) }
  }

  /// Whether a layer stands where it hardly ever does.
  /// - Parameter allowingEachStep: whether dense layers of each step may be between recurrent ones.
  private static func isOdd(_ order: [KerasFoundLayer], allowingEachStep: Bool) -> Bool {
    let lastRecurrent = order.lastIndex(where: \.isRecurrent) ?? -1
    let firstRecurrent = order.firstIndex(where: \.isRecurrent) ?? order.count
    return order.indices.contains { index in
      let layer = order[index]
      let isEarly =
        layer.isDense && index < lastRecurrent && !(allowingEachStep && layer.className == "TimeDistributed")
      return isEarly || layer.isConvolution && index > firstRecurrent
        || layer.isNormalization && index > 0 && order[index - 1].isNormalization
    }
  }

  /// How many layers stand where they mostly do not.
  private static func surprise(_ order: [KerasFoundLayer]) -> Int {
    order.indices.dropFirst().count(where: {
      order[$0].className == "BatchNormalization" && !order[$0 - 1].isConvolution
    })
  }

  private struct Search {
    var queues: [[KerasFoundLayer]]
    let hasFlatten: Bool
    var found: [[KerasFoundLayer]] = []
    var steps = 0

    mutating func run(_ chosen: [KerasFoundLayer], width: Int?) {
      steps += 1
      guard found.count < 200, steps < stepLimit else { return }
      guard queues.contains(where: { !$0.isEmpty }) else {
        found.append(chosen)
        return
      }
      for index in queues.indices {
        guard let next = queues[index].first else { continue }
        if ["Embedding", "Normalization"].contains(next.className), !chosen.isEmpty { continue }
        if let width, let reads = next.reads, reads != width {
          let isFlat = hasFlatten && next.className == "Dense" && reads % width == 0
          guard isFlat, !chosen.contains(where: { $0.className == "Dense" }) else { continue }
        }
        queues[index].removeFirst()
        run(chosen + [next], width: next.gives ?? width ?? next.reads)
        queues[index].insert(next, at: 0)
      }
    }
  }

  /// With the layers that have no weights, where these mostly stand; nil where there is no telling.
  private static func placed(_ order: [KerasFoundLayer], _ light: [KerasFoundLayer]) -> [KerasFoundLayer]? {
    var result = order
    for layer in light.sorted(by: { isNaturallyBefore($0.name, $1.name) }) {
      if KerasLayerKinds.idle.contains(layer.className) { continue }
      let place: Int?
      switch layer.className {
      case "Masking": place = result.firstIndex { $0.className != "Normalization" }
      case "MaxPooling1D", "AveragePooling1D":
        // Behind each convolution in turn, and its normalization; where there are fewer, behind the last ones.
        let without = order.count(where: \.isConvolution) - light.count(where: \.isPooling)
        let skipped = result.indices.filter { result[$0].isConvolution }.prefix(max(without, 0))
        place = result.indices.first { index in
          result[index].isConvolution && !skipped.contains(index)
            && !(result.dropFirst(index + 1).first.map(\.isPooling) ?? false)
            && !(result.dropFirst(index + 2).first.map(\.isPooling) ?? false)
        }.map { index in
          result.dropFirst(index + 1).first?.className == "BatchNormalization" ? index + 2 : index + 1
        }
      case "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Flatten":
        place = result.lastIndex { $0.isRecurrent || $0.isConvolution || $0.isPooling }.map { $0 + 1 }
      case "RepeatVector":
        let recurrent = result.indices.filter { result[$0].isRecurrent }
        place = recurrent.count > 1 ? recurrent[(recurrent.count - 1) / 2] + 1 : nil
      case "Softmax": place = result.count
      default: place = nil
      }
      guard let place else { return nil }
      result.insert(layer, at: place)
    }
    return result
  }
}

extension KerasFoundLayer {
  /// Layers of one class are in order among themselves.
  fileprivate var family: String { className == "CuDNNLSTM" ? "LSTM" : className }
}
