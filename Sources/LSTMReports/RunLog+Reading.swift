import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

extension RunLog {
  /// Reads what a run has left in its folder: `log.jsonl`, and beside it `times.jsonl` and `config.json` if they are there.
  ///
  /// A last line that is half written, as a killed run leaves it, is passed over.
  /// - Throws: `FineTuningError.badData` that names the file and the line for anything else that is not a run's.
  public init(folder: String) throws {
    self.init()
    let configuration = folder + "/config.json"
    if FileManager.default.fileExists(atPath: configuration) {
      self.configuration = try RunConfiguration(contentsOf: configuration)
    }
    try readLog(folder + "/log.jsonl")
    let times = folder + "/times.jsonl"
    if FileManager.default.fileExists(atPath: times) { try readTimes(times) }
  }

  mutating func readLog(_ file: String) throws {
    let decoder = Self.decoder
    endsInHalfALine = try LineFile(file).forEachLine { line in
      // Most lines are steps; those alone are read faster than any line.
      if line.bytes.count < 512, let step = try? decoder.decode(StepLine.self, from: line.bytes), step.event == "step" {
        try note(step, line, file)
      } else {
        try note(Line(line, decoder, file), line, file)
      }
    }
  }

  private mutating func readTimes(_ file: String) throws {
    struct Time: Decodable {
      let epoch: Int
      let seconds: Double
      let sequencesPerSecond: Double
    }
    var times: [Int: (seconds: Double, sequencesPerSecond: Double)] = [:]
    let decoder = Self.decoder
    _ = try LineFile(file).forEachLine { line in
      do {
        let time = try decoder.decode(Time.self, from: line.bytes)
        times[time.epoch] = (time.seconds, time.sequencesPerSecond)
      } catch {
        throw line.failure(file, Line.reason(error))
      }
    }
    note(seconds: times)
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }

  private struct StepLine: Decodable {
    let event: String
    let epoch, step: Int
    let loss, learningRate, gradientNorm: Double
  }

  private mutating func note(_ record: StepLine, _ line: LineFile.Line, _ file: String) throws {
    try checkNumber(record.epoch, "epoch", line, file)
    try checkNumber(record.step, "step", line, file)
    // A log that does not count up is two logs, or damaged.
    if let before = lastStep, (record.epoch, record.step) <= before {
      throw line.failure(
        file, "step \(record.step) of epoch \(record.epoch) comes after step \(before.step) of epoch \(before.epoch)")
    }
    note(
      step: record.step, epoch: record.epoch, loss: record.loss, learningRate: record.learningRate,
      gradientNorm: record.gradientNorm)
  }

  private func checkNumber(_ number: Int, _ name: String, _ line: LineFile.Line, _ file: String) throws {
    guard (0...1 << 53).contains(number) else { throw line.failure(file, "no \(name) has the number \(number)") }
  }

  private mutating func note(_ record: Line, _ line: LineFile.Line, _ file: String) throws {
    func need<Value>(_ value: Value?, _ name: String) throws -> Value {
      guard let value else { throw line.failure(file, "a line \"\(record.event)\" without its \(name)") }
      return value
    }
    switch record.event {
    case "cache":
      let place = try need(record.place, "place")
      let (parts, bytes) = (try need(record.parts, "parts"), try need(record.bytes, "bytes"))
      switch place {
      case "memory": cache = .init(parts: parts, bytes: bytes, place: .memory)
      case "file": cache = .init(parts: parts, bytes: bytes, place: .file(folder: try need(record.folder, "folder")))
      case "nowhere":
        cache = .init(parts: parts, bytes: bytes, place: .nowhere(reason: try need(record.reason, "reason")))
      default: throw line.failure(file, "its place is none of memory, file and nowhere")
      }
    case "start": start = try need(record.validation, "validation")
    case "step":
      let (epoch, step) = (try need(record.epoch, "epoch"), try need(record.step, "step"))
      try note(
        StepLine(
          event: record.event, epoch: epoch, step: step, loss: need(record.loss, "loss"),
          learningRate: need(record.learningRate, "learningRate"),
          gradientNorm: need(record.gradientNorm, "gradientNorm")), line, file)
    case "epoch":
      let epoch = try need(record.epoch, "epoch")
      try checkNumber(epoch, "epoch", line, file)
      if let before = lastEpoch?.epoch, epoch <= before {
        throw line.failure(file, "epoch \(epoch) comes after epoch \(before)")
      }
      note(
        Epoch(
          epoch: epoch, trainingLoss: try need(record.trainingLoss, "trainingLoss"), validation: record.validation,
          learningRate: try need(record.learningRate, "learningRate"),
          gradientNorm: try need(record.gradientNorm, "gradientNorm"), gradientNorms: record.gradientNorms,
          isBest: record.isBest ?? false),
        gateGradientNorms: record.gateGradientNorms)
    case "sample":
      let epoch = try need(record.epoch, "epoch")
      try checkNumber(epoch, "epoch", line, file)
      if let column = record.column {
        let (truth, forecast) = (try need(record.truth, "truth"), try need(record.forecast, "forecast"))
        note(Sampled(epoch: epoch, sample: .forecast(.init(column: column, truth: truth, forecast: forecast))))
      } else {
        let (prompt, text) = (try need(record.prompt, "prompt"), try need(record.text, "text"))
        note(Sampled(epoch: epoch, sample: .text(prompt: prompt, continuation: text)))
      }
    case "end":
      switch try need(record.ending, "ending") {
      case "finished": note(.ended(.finished))
      case "interrupted": note(.ended(.interrupted))
      case "noImprovement": note(.ended(.noImprovement(sinceEpoch: try need(record.sinceEpoch, "sinceEpoch"))))
      case "collapsed": note(.ended(.collapsed(sinceEpoch: try need(record.sinceEpoch, "sinceEpoch"))))
      case "diverging":
        note(
          .ended(
            .diverging(
              epoch: try need(record.epoch, "epoch"), loss: try need(record.loss, "loss"),
              best: try need(record.best, "best"))))
      case "failed": note(.failed(reason: try need(record.reason, "reason")))
      default: throw line.failure(file, "an ending that lstm-ft does not know")
      }
    default: unknownLines += 1
    }
  }
}

/// Any line of a log.
private struct Line: Decodable {
  let event: String
  let epoch, step, bytes, sinceEpoch: Int?
  let loss, learningRate, gradientNorm, trainingLoss, best: Double?
  let validation: Metrics?
  let gradientNorms: [String: Double]?
  let gateGradientNorms: [String: [Double]]?
  let isBest: Bool?
  let prompt, text, column, place, folder, reason, ending: String?
  let truth, forecast: [Float]?
  let parts: [String]?

  init(_ line: LineFile.Line, _ decoder: JSONDecoder, _ file: String) throws {
    do {
      self = try decoder.decode(Line.self, from: line.bytes)
    } catch {
      throw line.failure(file, Self.reason(error))
    }
  }

  static func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _): "it has no \"\(oneLine(key.stringValue, limit: 40))\""
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      context.codingPath.isEmpty
        ? "it is not a JSON object"
        : "its \"\(oneLine(context.codingPath.map(\.stringValue).joined(separator: "."), limit: 80))\" is of another type"
    default: "it is not JSON"
    }
  }
}
