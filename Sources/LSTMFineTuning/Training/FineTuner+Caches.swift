import LSTMLayers

extension FineTuner {
  /// Caches outputs of frozen layers, where they are needed more than once.
  func makeCaches<Rows: ExampleRows>(
    _ network: Network, _ data: Rows, _ validation: Rows?, _ events: (Event) throws -> Void
  ) throws -> (training: PrefixCache?, validation: PrefixCache?) {
    let configuration = network.configuration
    let boundary = GradientPlan(configuration, trainable: plan.trainable).entry
    // Without validation data, the training data is measured before the first epoch.
    let keepsTraining = options.epochs >= (validation == nil ? 1 : 2)
    guard options.cache.isOn, !boundary.isInput(configuration), options.epochs >= 1 else { return (nil, nil) }
    let bytes =
      (keepsTraining ? try PrefixCache.byteCount(network, upTo: boundary, data) : 0)
      + (try validation.map { try PrefixCache.byteCount(network, upTo: boundary, $0) } ?? 0)
    var cache = CacheUsage(parts: boundary.partsBelow(configuration), bytes: bytes, place: .memory)
    cache.place = FloatStorage.place(bytes, options.cache)
    try events(.cache(cache))
    let batchSize = max(options.batchSize, 64)
    if case .nowhere = cache.place { return (nil, nil) }
    func fill(_ part: Rows) throws -> PrefixCache {
      let writer = try FloatStorage.Writer(
        cache.place, count: try PrefixCache.byteCount(network, upTo: boundary, part) / MemoryLayout<Float>.size)
      return try PrefixCache(network, upTo: boundary, part, into: writer, batchSize: batchSize)
    }
    do {
      return (keepsTraining ? try fill(data) : nil, try validation.map(fill))
    } catch let failure as FloatStorage.Failure {
      cache.place = .nowhere(reason: failure.reason)
      try events(.cache(cache))
      return (nil, nil)
    }
  }
}
