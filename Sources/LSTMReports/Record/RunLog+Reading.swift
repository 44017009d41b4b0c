import Foundation

extension RunLog {
  /// Reads what a run has left in its folder: `log.jsonl`, and beside it `times.jsonl` and `config.json` if they are there.
  ///
  /// A last line that is half written, as a killed run leaves it, is passed over.
  /// - Throws: `FineTuningError.badData` that names the file and the line for anything else that is not a run's.
  public init(folder: String) throws {
    self.init()
    let configuration = folder + "/config.json"
    if FileManager.default.fileExists(atPath: configuration) { record = try RunRecord(contentsOf: configuration) }
    try readLog(folder + "/log.jsonl")
    let times = folder + "/times.jsonl"
    if FileManager.default.fileExists(atPath: times) { try readTimes(times) }
  }

  mutating func readLog(_ file: String) throws {
    let decoder = JSONDecoder.ofRuns
    endsInHalfALine = try LineFile(file).forEachLine { line in
      let known: RunLine
      do {
        known = try decoder.decode(RunLine.self, from: line.bytes)
      } catch {
        throw line.failure(file, Self.reason(error))
      }
      try note(known, line, file)
    }
  }

  private mutating func readTimes(_ file: String) throws {
    var times: [Int: RunTime] = [:]
    let decoder = JSONDecoder.ofRuns
    _ = try LineFile(file).forEachLine { line in
      do {
        let time = try decoder.decode(RunTime.self, from: line.bytes)
        times[time.epoch] = time
      } catch {
        throw line.failure(file, Self.reason(error))
      }
    }
    note(times)
  }

  private mutating func note(_ known: RunLine, _ line: LineFile.Line, _ file: String) throws {
    switch known {
    case .cache(let cache): self.cache = cache
    case .start(let metrics): start = metrics
    case .step(let step):
      // A log that does not count up is two logs, or damaged.
      if let before = lastStep, (step.epoch, step.number) <= before {
        throw line.failure(
          file, "step \(step.number) of epoch \(step.epoch) comes after step \(before.step) of epoch \(before.epoch)")
      }
      note(step)
    case .epoch(let epoch, let gateGradientNorms):
      if let before = lastEpoch?.number, epoch.number <= before {
        throw line.failure(file, "epoch \(epoch.number) comes after epoch \(before)")
      }
      note(epoch, gateGradientNorms: gateGradientNorms)
    case .sample(let sampled): note(sampled)
    case .end(let ending, _): note(ending)
    case .unknown: unknownLines += 1
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let failure = error as? RunLine.Failure { return failure.reason }
    switch error as? DecodingError {
    case .keyNotFound(let key, _): return "it has no \"\(oneLine(key.stringValue, limit: 40))\""
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let path = oneLine(context.codingPath.map(\.stringValue).joined(separator: "."), limit: 80)
      return path.isEmpty ? "it is not a JSON object" : "its \"\(path)\" is of another type"
    default: return "it is not JSON"
    }
  }
}

/// JSON has no number for a loss that is infinite or NaN, which a pretrained model may well have.
extension JSONDecoder {
  static var ofRuns: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }
}

extension JSONEncoder {
  static var ofRuns: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }
}
