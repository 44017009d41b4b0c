import LSTMFineTuning

/// A line of a run's `log.jsonl`, with all of its keys.
enum RunLine: Codable {
  case cache(CacheUsage)
  case start(Metrics)
  case step(RunLog.Step)
  case epoch(RunLog.Epoch, gateGradientNorms: [String: [Double]]?)
  case sample(RunLog.Sampled)
  /// `bestEpoch` is 0 for the model before the first step, nil for a run that failed.
  case end(RunLog.Ending, bestEpoch: Int?)
  /// Written by a later version.
  case unknown

  /// Why a line is not a line of a run's log.
  struct Failure: Error {
    let reason: String
  }

  private enum Key: String, CodingKey {
    case event, epoch, step, loss, learningRate, gradientNorm, trainingLoss, validation, gradientNorms
    case gateGradientNorms, isBest, prompt, text, column, truth, forecast, parts, bytes, place, folder, reason, ending
    case bestEpoch, sinceEpoch, best
  }

  /// nil for weights, which are files of their own.
  init?(_ event: FineTuner.Event) {
    switch event {
    case .cache(let cache): self = .cache(cache)
    case .start(let metrics): self = .start(metrics)
    case .step(let step):
      self = .step(
        .init(
          epoch: step.epoch, number: step.number, loss: step.loss, learningRate: step.learningRate,
          gradientNorm: step.gradientNorm))
    case .epoch(let epoch): self = .epoch(.init(epoch), gateGradientNorms: epoch.gateGradientNorms)
    case .sample(let sample, let epoch): self = .sample(.init(epoch: epoch, sample: sample))
    case .end(let run): self = .end(.ended(run.ending), bestEpoch: run.bestEpoch)
    case .weights: return nil
    }
  }

  /// - Throws: `Failure`, or `DecodingError` for a value that is missing or of another type.
  init(from decoder: any Decoder) throws {
    let line = try decoder.container(keyedBy: Key.self)
    let event = try line.decode(String.self, forKey: .event)
    func value<Value: Decodable>(_ key: Key) throws -> Value { try line.decode(Value.self, forKey: key) }
    func number(_ key: Key) throws -> Int {
      let number: Int = try value(key)
      // Up to where a Double is exact.
      guard 0...1 << 53 ~= number else { throw Failure(reason: "\(key.rawValue) \(number) is out of range") }
      return number
    }
    switch event {
    case "cache":
      let place: CacheUsage.Place =
        switch try value(.place) as String {
        case "memory": .memory
        case "file": .file(folder: try value(.folder))
        case "nowhere": .nowhere(reason: try value(.reason))
        default: throw Failure(reason: "its place is not memory, file or nowhere")
        }
      self = .cache(CacheUsage(parts: try value(.parts), bytes: try value(.bytes), place: place))
    case "start": self = .start(try value(.validation))
    case "step":
      _ = (try number(.epoch), try number(.step))
      self = .step(try RunLog.Step(from: decoder))
    case "epoch":
      let epoch = RunLog.Epoch(
        number: try number(.epoch), trainingLoss: try value(.trainingLoss),
        validation: try line.decodeIfPresent(Metrics.self, forKey: .validation),
        learningRate: try value(.learningRate), gradientNorm: try value(.gradientNorm),
        gradientNorms: try line.decodeIfPresent([String: Double].self, forKey: .gradientNorms),
        isBest: try line.decodeIfPresent(Bool.self, forKey: .isBest) ?? false)
      self = .epoch(
        epoch, gateGradientNorms: try line.decodeIfPresent([String: [Double]].self, forKey: .gateGradientNorms))
    case "sample":
      let epoch = try number(.epoch)
      let sample: Sample =
        if let column = try line.decodeIfPresent(String.self, forKey: .column) {
          .forecast(.init(column: column, truth: try value(.truth), forecast: try value(.forecast)))
        } else {
          .text(prompt: try value(.prompt), continuation: try value(.text))
        }
      self = .sample(RunLog.Sampled(epoch: epoch, sample: sample))
    case "end":
      let ending: RunLog.Ending =
        switch try value(.ending) as String {
        case "finished": .ended(.finished)
        case "interrupted": .ended(.interrupted)
        case "noImprovement": .ended(.noImprovement(sinceEpoch: try value(.sinceEpoch)))
        case "collapsed": .ended(.collapsed(sinceEpoch: try value(.sinceEpoch)))
        case "diverging":
          .ended(.diverging(epoch: try value(.epoch), loss: try value(.loss), best: try value(.best)))
        case "failed": .failed(reason: try value(.reason))
        default: throw Failure(reason: "its ending is unknown")
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
      try step.encode(to: encoder)
    case .epoch(var epoch, let gateGradientNorms):
      // They depend on the machine.
      (epoch.seconds, epoch.sequencesPerSecond) = (nil, nil)
      try line.encode("epoch", forKey: .event)
      try epoch.encode(to: encoder)
      try line.encodeIfPresent(gateGradientNorms, forKey: .gateGradientNorms)
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

extension RunLog {
  /// Adds an event.
  public mutating func note(_ event: FineTuner.Event) {
    if let line = RunLine(event) { add(line) }
  }

  mutating func add(_ line: RunLine) {
    switch line {
    case .cache(let cache): self.cache = cache
    case .start(let metrics): start = metrics
    case .step(let step): note(step)
    case .epoch(let epoch, let norms): note(epoch, gateGradientNorms: norms)
    case .sample(let sampled): note(sampled)
    case .end(let ending, _): self.ending = ending
    case .unknown: unknownLines += 1
    }
  }
}
