import FileIO

/// The order of layers that a file of weights has in none: Keras 3 numbers them within a class alone.
enum KerasFoundOrder {
  private static let stepLimit = 20_000

  /// All orders in which each layer reads what the one before gives, the most usual ones first and alone.
  static func orders(of layers: [KerasFoundLayer]) -> [[KerasFoundLayer]] {
    let heavy = layers.filter { !$0.weights.isEmpty }
    let families = Dictionary(grouping: heavy) { KerasTree.stem(kerasSnakeCase($0.className)) + "." + $0.family }
    func has(_ className: String) -> Bool { layers.contains { $0.className == className } }
    var search = Search(
      queues: families.sorted { $0.key < $1.key }.map(\.value), hasFlatten: has("Flatten"),
      hasPools: has(KerasFoundLayer.pools))
    search.run([], width: nil)
    guard search.steps < stepLimit else { return [] }
    // Where each order has something odd, what is least odd.
    let usual = Oddness.allCases.lazy.map { limit in search.found.filter { oddness($0) <= limit } }.first {
      !$0.isEmpty
    }
    let ranked = (usual ?? []).map { ($0, surprise($0)) }
    guard let least = ranked.map(\.1).min() else { return [] }
    return ranked.filter { $0.1 == least }.flatMap { placed($0.0, layers.filter(\.weights.isEmpty)) }
  }

  private enum Oddness: Int, CaseIterable, Comparable {
    case none, stepsBetween, convolutionBehind, odd

    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  /// The oddest of what stands where it hardly ever does: a dense layer of each step between recurrent ones, a convolution
  /// behind them, any other.
  private static func oddness(_ order: [KerasFoundLayer]) -> Oddness {
    let lastRecurrent = order.lastIndex(where: \.isRecurrent) ?? -1
    let firstRecurrent = order.firstIndex(where: \.isRecurrent) ?? order.count
    return order.indices.map { index in
      let layer = order[index]
      if layer.isDense, index < lastRecurrent { return layer.className == "TimeDistributed" ? .stepsBetween : .odd }
      if layer.isConvolution, index > firstRecurrent { return .convolutionBehind }
      let isOfRows = layer.className == "TimeDistributed" && order[..<index].contains { $0.className == "Dense" }
      return isOfRows || layer.isNormalization && index > 0 && order[index - 1].isNormalization ? .odd : .none
    }.max() ?? .none
  }

  /// How many layers stand where they mostly do not.
  private static func surprise(_ order: [KerasFoundLayer]) -> Int {
    order.indices.dropFirst().count(where: {
      order[$0].className == "BatchNormalization" && !order[$0 - 1].isConvolution
        || order[$0].className == "PReLU" && !order[$0 - 1].isConvolution && !order[$0 - 1].isDense
    })
  }

  private struct Search {
    var queues: [[KerasFoundLayer]]
    let hasFlatten: Bool
    /// Whether the mean and the maximum of steps lie side by side.
    let hasPools: Bool
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
          let isJoined = hasFlatten && reads % width == 0 || hasPools && reads == 2 * width
          let isMerged = chosen.last?.className == "Bidirectional" && reads * 2 == width
          guard
            isMerged || isJoined && next.className == "Dense" && !chosen.contains(where: { $0.className == "Dense" })
          else { continue }
        }
        queues[index].removeFirst()
        run(chosen + [next], width: next.gives ?? width ?? next.reads)
        queues[index].insert(next, at: 0)
      }
    }
  }

  /// With the layers that have no weights, where these mostly stand; none where there is no telling.
  private static func placed(_ order: [KerasFoundLayer], _ light: [KerasFoundLayer]) -> [[KerasFoundLayer]] {
    let light = light.sorted { isNaturallyBefore($0.name, $1.name) }
    var found = [order]
    for (_, functions) in Dictionary(grouping: light.filter(\.isFunction), by: \.className).sorted(by: {
      $0.key < $1.key
    }) {
      found = found.flatMap { order in
        places(ofFunctions: functions, in: order).map { places in
          var result = order
          for (place, layer) in zip(places, functions).reversed() {
            result.insert(layer, at: behindNormalization(place, result))
          }
          return result
        }
      }
    }
    return found.compactMap { order in
      var result = order
      for layer in light where !layer.isFunction && !KerasLayerKinds.idle.contains(layer.className) {
        guard let place = place(of: layer, in: result, light) else { return nil }
        result.insert(layer, at: place)
      }
      return result
    }
  }

  /// Behind which layers the functions of one class may stand, the likeliest first.
  private static func places(ofFunctions functions: [KerasFoundLayer], in order: [KerasFoundLayer]) -> [[Int]] {
    let convolutions = order.indices.filter { order[$0].isConvolution }
    let dense = order.indices.filter { order[$0].isDense }
    let last = dense.filter { $0 == order.count - 1 }
    let inner = dense.filter { $0 != order.count - 1 }
    let normalized = (convolutions + inner).sorted().filter {
      $0 + 1 < order.count && order[$0 + 1].className == "BatchNormalization"
    }
    let recurrent = order.indices.filter { order[$0].isRecurrent }
    let isOpen = functions.first?.className == "Activation"
    let all =
      isOpen
      ? [normalized, normalized + last, convolutions, convolutions + dense, dense, last, convolutions + inner, inner]
      : [normalized, convolutions, convolutions + inner, inner, recurrent, recurrent + inner]
    var result: [[Int]] = []
    for places in all where places.count == functions.count && !places.isEmpty {
      let sorted = places.sorted()
      if !result.contains(sorted) { result.append(sorted) }
    }
    return Array(result.prefix(3))
  }

  private static func behindNormalization(_ index: Int, _ order: [KerasFoundLayer]) -> Int {
    order.dropFirst(index + 1).first?.className == "BatchNormalization" ? index + 2 : index + 1
  }

  private static func place(
    of layer: KerasFoundLayer, in order: [KerasFoundLayer], _ light: [KerasFoundLayer]
  ) -> Int? {
    switch layer.className {
    case "Masking": return order.firstIndex { $0.className != "Normalization" }
    case "ZeroPadding1D": return order.firstIndex(where: \.isConvolution) ?? order.firstIndex(where: \.isRecurrent)
    case "MaxPooling1D", "AveragePooling1D":
      // Behind each convolution in turn, its normalization and function; where there are fewer, behind the last ones.
      guard order.contains(where: \.isConvolution) else {
        // Between recurrent layers.
        return order.indices.dropLast().first { index in
          order[index].isRecurrent && order[(index + 1)...].contains(where: \.isRecurrent)
            && !order[index + 1].isPooling
        }.map { $0 + 1 }
      }
      let without = order.count(where: \.isConvolution) - light.count(where: \.isPooling)
      let skipped = order.indices.filter { order[$0].isConvolution }.prefix(max(without, 0))
      func behind(_ index: Int) -> Int {
        order.indices.dropFirst(index + 1).first { !order[$0].isNormalization && !order[$0].isFunction } ?? order.count
      }
      return order.indices.first { index in
        let next = behind(index)
        return order[index].isConvolution && !skipped.contains(index) && !(next < order.count && order[next].isPooling)
      }.map(behind)
    case "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Flatten", KerasFoundLayer.pools:
      return order.lastIndex { $0.isRecurrent || $0.isConvolution || $0.isPooling || $0.isAttention }.map { $0 + 1 }
    case "UpSampling1D":
      return order.lastIndex { $0.isPooling || $0.isConvolution }.map { $0 + 1 }
    case "Attention": return order.lastIndex(where: \.isRecurrent).map { $0 + 1 }
    case "RepeatVector":
      let recurrent = order.indices.filter { order[$0].isRecurrent }
      return recurrent.count > 1 ? recurrent[(recurrent.count - 1) / 2] + 1 : nil
    case "Softmax": return order.count
    default: return nil
    }
  }
}

extension KerasFoundLayer {
  /// Layers of one class are in order among themselves.
  fileprivate var family: String { className == "CuDNNLSTM" ? "LSTM" : className }
}
