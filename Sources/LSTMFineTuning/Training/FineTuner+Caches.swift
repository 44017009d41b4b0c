import LSTMLayers

extension FineTuner {
  /// Caches outputs of frozen layers, where they are needed more than once.
  func makeCaches<Rows: ExampleRows>(
    _ network: Network, _ data: Rows, _ validation: Rows?, _ events: (Event) throws -> Void
  ) throws -> (training: PrefixCache?, validation: PrefixCache?) {
    let configuration = network.configuration
    let stage = GradientPlan(configuration, trainable: plan.trainable).entry
    // Without validation data, the training data is measured before the first epoch.
    let keepsTraining = options.epochs >= (validation == nil ? 1 : 2)
    guard options.cache.isOn, stage != .input, options.epochs >= 1 else { return (nil, nil) }
    let bytes =
      (keepsTraining ? PrefixCache.byteCount(network, upTo: stage, data) : 0)
      + (validation.map { PrefixCache.byteCount(network, upTo: stage, $0) } ?? 0)
    var cache = CacheUsage(parts: stage.partsBelow(configuration), bytes: bytes, place: .memory)
    cache.place = FloatStorage.place(bytes, options.cache)
    try events(.cache(cache))
    let batchSize = max(options.batchSize, 64)
    do {
      var caches: [PrefixCache?] = []
      for part in [keepsTraining ? data : nil, validation] {
        guard let part, cache.place.isSomewhere else {
          caches.append(nil)
          continue
        }
        let writer = try FloatStorage.Writer(
          cache.place, count: PrefixCache.byteCount(network, upTo: stage, part) / MemoryLayout<Float>.size)
        caches.append(try PrefixCache(network, upTo: stage, part, into: writer, batchSize: batchSize))
      }
      return (caches[0], caches[1])
    } catch let failure as FloatStorage.Failure {
      cache.place = .nowhere(reason: failure.reason)
      try events(.cache(cache))
      return (nil, nil)
    }
  }
}

extension CacheUsage.Place {
  fileprivate var isSomewhere: Bool { if case .nowhere = self { false } else { true } }
}
