import Foundation

extension RunLog {
  /// Reads a run's folder: `log.jsonl`, and `times.jsonl` and `config.json` if they are there.
  ///
  /// An incomplete last line, as a killed run leaves it, is ignored.
  /// - Throws: `FileError` when a file cannot be read, `FineTuningError.badData` with the file and the line for anything
  ///   else that a run does not write.
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
    var times: [Int: (seconds: Double, sequencesPerSecond: Double)] = [:]
    let decoder = JSONDecoder.ofRuns
    _ = try LineFile(file).forEachLine { line in
      do {
        let time = try decoder.decode(RunTime.self, from: line.bytes)
        times[time.epoch] = (time.seconds, time.sequencesPerSecond)
      } catch {
        throw line.failure(file, Self.reason(error))
      }
    }
    note(times)
  }

  private mutating func note(_ known: RunLine, _ line: LineFile.Line, _ file: String) throws {
    switch known {
    case .step(let step):
      // A log whose steps do not count up is damaged, or two logs in one.
      if let before = lastStep, (step.epoch, step.number) <= before {
        throw line.failure(
          file, "step \(step.number) of epoch \(step.epoch) comes after step \(before.step) of epoch \(before.epoch)")
      }
    case .epoch(let epoch, _):
      if let before = lastEpoch?.number, epoch.number <= before {
        throw line.failure(file, "epoch \(epoch.number) comes after epoch \(before)")
      }
    case .cache, .start, .sample, .end, .unknown: break
    }
    add(known)
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

/// JSON has no infinite and no NaN numbers, but a loss may be either.
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
