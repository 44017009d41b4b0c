import LSTMFineTuning

/// A line of a run's `log.jsonl`. Its keys are known here alone.
enum RunLine: Codable {
  case cache(CacheUsage)
  case start(Metrics)
  case step(RunLog.Step)
  case epoch(RunLog.Epoch, gateGradientNorms: [String: [Double]]?)
  case sample(RunLog.Sampled)
  /// `bestEpoch` is 0 for the model before the first step, nil for a run that had to stop.
  case end(RunLog.Ending, bestEpoch: Int?)
  /// Of a later version.
  case unknown

  /// Why a line is none that a run writes.
  struct Failure: Error {
    let reason: String
  }

  private enum Key: String, CodingKey {
    case event, epoch, step, loss, learningRate, gradientNorm, trainingLoss, validation, gradientNorms
    case gateGradientNorms, isBest, prompt, text, column, truth, forecast, parts, bytes, place, folder, reason, ending
    case bestEpoch, sinceEpoch, best
  }

  /// - Throws: `Failure`, or `DecodingError` for a value of another type.
  init(from decoder: any Decoder) throws {
    let line = try decoder.container(keyedBy: Key.self)
    let event = try line.decode(String.self, forKey: .event)
    func need<Value: Decodable>(_ key: Key, as type: Value.Type = Value.self) throws -> Value {
      guard line.contains(key) else { throw Failure(reason: "a line \"\(event)\" without its \(key.rawValue)") }
      return try line.decode(Value.self, forKey: key)
    }
    func number(_ key: Key) throws -> Int {
      let number = try need(key, as: Int.self)
      // As large as a Double is exact.
      guard 0...1 << 53 ~= number else { throw Failure(reason: "no \(key.rawValue) has the number \(number)") }
      return number
    }
    switch event {
    case "cache":
      let place: CacheUsage.Place =
        switch try need(.place, as: String.self) {
        case "memory": .memory
        case "file": .file(folder: try need(.folder))
        case "nowhere": .nowhere(reason: try need(.reason))
        default: throw Failure(reason: "its place is none of memory, file and nowhere")
        }
      self = .cache(CacheUsage(parts: try need(.parts), bytes: try need(.bytes), place: place))
    case "start": self = .start(try need(.validation))
    case "step":
      self = .step(
        RunLog.Step(
          epoch: try number(.epoch), number: try number(.step), loss: try need(.loss),
          learningRate: try need(.learningRate), gradientNorm: try need(.gradientNorm)))
    case "epoch":
      let epoch = RunLog.Epoch(
        number: try number(.epoch), trainingLoss: try need(.trainingLoss),
        validation: try line.decodeIfPresent(Metrics.self, forKey: .validation),
        learningRate: try need(.learningRate), gradientNorm: try need(.gradientNorm),
        gradientNorms: try line.decodeIfPresent([String: Double].self, forKey: .gradientNorms),
        isBest: try line.decodeIfPresent(Bool.self, forKey: .isBest) ?? false)
      self = .epoch(
        epoch, gateGradientNorms: try line.decodeIfPresent([String: [Double]].self, forKey: .gateGradientNorms))
    case "sample":
      let epoch = try number(.epoch)
      let sample: Sample =
        if let column = try line.decodeIfPresent(String.self, forKey: .column) {
          .forecast(.init(column: column, truth: try need(.truth), forecast: try need(.forecast)))
        } else {
          .text(prompt: try need(.prompt), continuation: try need(.text))
        }
      self = .sample(RunLog.Sampled(epoch: epoch, sample: sample))
    case "end":
      let ending: RunLog.Ending =
        switch try need(.ending, as: String.self) {
        case "finished": .ended(.finished)
        case "interrupted": .ended(.interrupted)
        case "noImprovement": .ended(.noImprovement(sinceEpoch: try need(.sinceEpoch)))
        case "collapsed": .ended(.collapsed(sinceEpoch: try need(.sinceEpoch)))
        case "diverging":
          .ended(.diverging(epoch: try need(.epoch), loss: try need(.loss), best: try need(.best)))
        case "failed": .failed(reason: try need(.reason))
        default: throw Failure(reason: "an ending that lstm-ft does not know")
        }
      self = .end(ending, bestEpoch: try line.decodeIfPresent(Int.self, forKey: .bestEpoch))
    default: self = .unknown
    }
  }

  func encode(to encoder: any Encoder) throws {
    var line = encoder.container(keyedBy: Key.self)
    switch self {
    case .cache(let cache):
      try line.encode("cache", forKey: .event)
      try line.encode(cache.parts, forKey: .parts)
      try line.encode(cache.bytes, forKey: .bytes)
      switch cache.place {
      case .memory: try line.encode("memory", forKey: .place)
      case .file(let folder):
        try line.encode("file", forKey: .place)
        try line.encode(folder, forKey: .folder)
      case .nowhere(let reason):
        try line.encode("nowhere", forKey: .place)
        try line.encode(reason, forKey: .reason)
      }
    case .start(let metrics):
      try line.encode("start", forKey: .event)
      try line.encode(metrics, forKey: .validation)
    case .step(let step):
      try line.encode("step", forKey: .event)
      try line.encode(step.epoch, forKey: .epoch)
      try line.encode(step.number, forKey: .step)
      try line.encode(step.loss, forKey: .loss)
      try line.encode(step.learningRate, forKey: .learningRate)
      try line.encode(step.gradientNorm, forKey: .gradientNorm)
    case .epoch(let epoch, let gateGradientNorms):
      try line.encode("epoch", forKey: .event)
      try line.encode(epoch.number, forKey: .epoch)
      try line.encode(epoch.trainingLoss, forKey: .trainingLoss)
      try line.encodeIfPresent(epoch.validation, forKey: .validation)
      try line.encode(epoch.learningRate, forKey: .learningRate)
      try line.encode(epoch.gradientNorm, forKey: .gradientNorm)
      try line.encodeIfPresent(epoch.gradientNorms, forKey: .gradientNorms)
      try line.encodeIfPresent(gateGradientNorms, forKey: .gateGradientNorms)
      try line.encode(epoch.isBest, forKey: .isBest)
    case .sample(let sampled):
      try line.encode("sample", forKey: .event)
      try line.encode(sampled.epoch, forKey: .epoch)
      switch sampled.sample {
      case .text(let prompt, let continuation):
        try line.encode(prompt, forKey: .prompt)
        try line.encode(continuation, forKey: .text)
      case .forecast(let series):
        try line.encode(series.column, forKey: .column)
        try line.encode(series.truth, forKey: .truth)
        try line.encode(series.forecast, forKey: .forecast)
      }
    case .end(let ending, let bestEpoch):
      try line.encode("end", forKey: .event)
      try line.encodeIfPresent(bestEpoch, forKey: .bestEpoch)
      func end(_ name: String, since epoch: Int? = nil) throws {
        try line.encode(name, forKey: .ending)
        try line.encodeIfPresent(epoch, forKey: .sinceEpoch)
      }
      switch ending {
      case .ended(.finished): try end("finished")
      case .ended(.interrupted): try end("interrupted")
      case .ended(.noImprovement(let epoch)): try end("noImprovement", since: epoch)
      case .ended(.collapsed(let epoch)): try end("collapsed", since: epoch)
      case .ended(.diverging(let epoch, let loss, let best)):
        try end("diverging")
        try line.encode(epoch, forKey: .epoch)
        try line.encode(loss, forKey: .loss)
        try line.encode(best, forKey: .best)
      case .failed(let reason):
        try end("failed")
        try line.encode(reason, forKey: .reason)
      }
    case .unknown: break
    }
  }
}
