import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

/// A folder in which a log, times and a configuration lie as given.
func runFolder(_ folder: TemporaryFolder, log: String, times: String? = nil, configuration: String? = nil) throws
  -> String
{
  let path = folder.path("run")
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  for (name, text) in [("log.jsonl", log), ("times.jsonl", times), ("config.json", configuration)] {
    if let text { try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name)) }
  }
  return path
}

/// A run of three epochs of three steps with samples.
func sampledRun(
  _ path: String, samples: @escaping @Sendable (Int) -> Sample? = { _ in nil }, epochs: Int = 3
) throws -> (RunFolder, FineTuner.Run) {
  let run = try RunFolder(path)
  let (model, data) = (featureModel(), try featureData(10))
  var tuner = try makeTuner(model)
  tuner.options.epochs = epochs
  let count = Counter()
  tuner.sampling = { _ in
    count.value += 1
    return samples(count.value - 1)
  }
  let result = try tuner.fit(model, data, validation: featureData(4, seed: 9)) { try run.record($0) }
  return (run, result)
}

final class Counter: @unchecked Sendable { var value = 0 }

@Suite struct RunLogTests {
  static let start = #"{"event":"start","validation":{"examples":3,"loss":0.5,"mae":1}}"#
  static let step = #"{"epoch":1,"event":"step","gradientNorm":0.5,"learningRate":0.001,"loss":0.25,"step":1}"#
  static let epoch =
    #"{"epoch":1,"event":"epoch","gradientNorm":0.5,"isBest":true,"learningRate":0.001,"trainingLoss":0.25}"#

  @Test func whatARunSaysIsWhatItsFolderSays() throws {
    let folder = try TemporaryFolder()
    let forecast = Sample.forecast(.init(column: "temp", truth: [1, 2.5, .nan], forecast: [1, 2, .infinity]))
    let (run, result) = try sampledRun(folder.path("run")) {
      $0 == 1 ? forecast : .text(prompt: "a", continuation: "b\n")
    }
    let read = try RunLog(folder: run.path)
    for log in [read, run.history] {
      #expect(log.start == result.baseline)
      #expect(log.epochs == result.epochs.map(RunLog.Epoch.init))
      #expect(log.epochCount == 3 && log.stepCount == 9)
      #expect(log.ending == .ended(.finished))
      #expect(log.best?.number == (result.bestEpoch == 0 ? nil : result.bestEpoch))
      #expect(log.samples.map(\.epoch) == [0, 1, 2, 3])
      #expect(log.samples[0].sample == .text(prompt: "a", continuation: "b\n"))
      guard case .forecast(let series) = log.samples[1].sample else { throw WrongSample() }
      #expect(series.truth[1] == 2.5 && series.truth[2].isNaN && series.forecast[2] == .infinity)
      #expect(log.gateGradientNorms == result.epochs.last?.gateGradientNorms)
      #expect(log.lossChart().series.map { $0.points } == run.history.lossChart().series.map { $0.points })
      #expect(abs((log.seconds ?? 0) - result.epochs.reduce(0) { $0 + $1.seconds }) < 1e-9)
    }
    #expect(read.losses == run.history.losses && read.gradientNorms == run.history.gradientNorms)
    #expect(read.partNorms == run.history.partNorms && !read.partNorms.isEmpty)
    #expect(!read.endsInHalfALine && read.unknownLines == 0)
  }

  private struct WrongSample: Error {}

  static let endings: [FineTuner.Ending] = [
    .finished, .interrupted, .noImprovement(sinceEpoch: 0), .noImprovement(sinceEpoch: 4), .collapsed(sinceEpoch: 2),
    .diverging(epoch: 3, loss: 12.5, best: 0.5),
  ]

  @Test(arguments: endings)
  func everyEndingIsWrittenDown(_ ending: FineTuner.Ending) throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    let model = featureModel()
    try run.record(.start(RunFolderTests.metrics))
    try run.record(
      .end(
        .init(
          best: model, last: model, bestEpoch: 0, baseline: RunFolderTests.metrics, epochs: [], ending: ending,
          seconds: 1)))
    #expect(try RunLog(folder: run.path).ending == .ended(ending))
    #expect(try String(contentsOfFile: run.file("report.html"), encoding: .utf8).contains(run.history.state))
  }

  @Test func aRunThatHadToStopSaysWhy() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    try run.record(.start(RunFolderTests.metrics))
    try run.record(failure: FineTuningError.diverged(epoch: 1, step: 2, detail: "the loss is inf"))
    let log = try RunLog(folder: run.path)
    #expect(log.ending == .failed(reason: "stopped in epoch 1, step 2: the loss is inf"))
    #expect(log.state == "stopped in epoch 1, step 2: the loss is inf" && log.advice?.isEmpty == false)
    #expect(try String(contentsOfFile: run.file("report.html"), encoding: .utf8).contains("the loss is inf"))
  }

  // MARK: - What goes wrong

  /// As a killed run, or a disk that lost its power, leaves it.
  @Test(arguments: ["{\"event\":\"ep", "{", "\u{0}\u{0}\u{0}", "{\"epoch\":2,\"event\":\"step\"}"])
  func halfALineAtTheEndIsPassedOver(_ rest: String) throws {
    let folder = try TemporaryFolder()
    let whole = [Self.start, Self.step, Self.epoch].joined(separator: "\n") + "\n"
    let path = try runFolder(
      folder, log: whole + rest, times: #"{"epoch":1,"seconds":2,"sequencesPerSecond":3}"# + "\n{\"ep")
    let log = try RunLog(folder: path)
    #expect(log.endsInHalfALine && log.epochCount == 1 && log.stepCount == 1 && log.ending == nil)
    #expect(log.epochs.first?.seconds == 2 && log.seconds == 2)
    // With an end it is a line like any other.
    let bad = try runFolder(folder, log: whole + rest + "\n")
    #expect(
      message { _ = try RunLog(folder: bad) }.hasPrefix("\(bad)/log.jsonl: line 4 is not a line of a run's log: "))
  }

  @Test(arguments: [
    ("nonsense", "it is not JSON"),
    ("", "it is not JSON"),
    ("[1,2]", "it is not a JSON object"),
    ("{}", #"it has no "event""#),
    (#"{"event":7}"#, #"its "event" is of another type"#),
    (#"{"event":"step","epoch":2,"step":1}"#, #"it has no "loss""#),
    (
      #"{"event":"step","epoch":2,"step":"<b>","loss":1,"learningRate":1,"gradientNorm":1}"#,
      #"its "step" is of another type"#
    ),
    (#"{"event":"step","epoch":2,"step":-1,"loss":1,"learningRate":1,"gradientNorm":1}"#, "step -1 is out of range"),
    (step, "step 1 of epoch 1 comes after step 1 of epoch 1"),
    (epoch, "epoch 1 comes after epoch 1"),
    (
      #"{"event":"epoch","epoch":9223372036854775807,"trainingLoss":1,"learningRate":1,"gradientNorm":1}"#,
      "epoch 9223372036854775807 is out of range"
    ),
    (#"{"event":"epoch","epoch":2,"trainingLoss":1e999,"learningRate":1,"gradientNorm":1}"#, "it is not JSON"),
    (#"{"event":"start"}"#, #"it has no "validation""#),
    (#"{"event":"sample","epoch":1,"text":"x"}"#, #"it has no "prompt""#),
    (#"{"event":"sample","epoch":1,"column":"x","truth":[1]}"#, #"it has no "forecast""#),
    (#"{"event":"end","ending":"well"}"#, "its ending is unknown"),
    (#"{"event":"end","ending":"collapsed"}"#, #"it has no "sinceEpoch""#),
    (#"{"event":"cache","bytes":1,"parts":[],"place":"moon"}"#, "its place is not memory, file or nowhere"),
  ])
  func aBadLineIsNamed(_ line: String, _ detail: String) throws {
    let folder = try TemporaryFolder()
    let lines = [Self.start, Self.step, Self.epoch, line, #"{"event":"later"}"#]
    let path = try runFolder(folder, log: lines.joined(separator: "\n") + "\n")
    do {
      _ = try RunLog(folder: path)
      Issue.record("read")
    } catch FineTuningError.badData(let file, let found, _) {
      #expect(file == path + "/log.jsonl")
      // Foundation's words for what is no JSON differ in how far they come.
      #expect(found == "line 4 is not a line of a run's log: \(detail)")
    }
  }

  @Test func deepNestingAndBytesThatAreNoTextAreBadLines() throws {
    let folder = try TemporaryFolder()
    for bad in [Data(repeating: UInt8(ascii: "["), count: 200_000), Data([0xff, 0xfe, 0x80])] {
      let path = try runFolder(folder, log: "")
      try (bad + Data("\n".utf8)).write(to: URL(fileURLWithPath: path + "/log.jsonl"))
      #expect(
        message { _ = try RunLog(folder: path) }.hasPrefix("\(path)/log.jsonl: line 1 is not a line of a run's log"))
    }
  }

  @Test func aBadLineOfTheTimesIsNamed() throws {
    let folder = try TemporaryFolder()
    let path = try runFolder(folder, log: Self.start + "\n", times: "{\"epoch\":1}\n{\n")
    #expect(
      message { _ = try RunLog(folder: path) }
        == #"\#(path)/times.jsonl: line 1 is not a line of a run's log: it has no "seconds""#)
  }

  @Test func whatIsNoFileIsAnError() throws {
    let folder = try TemporaryFolder()
    #expect(
      message { _ = try RunLog(folder: folder.path("none")) }
        == "\(folder.path("none"))/log.jsonl: no such file")
    let path = try runFolder(folder, log: Self.start + "\n")
    try FileManager.default.createDirectory(atPath: path + "/times.jsonl", withIntermediateDirectories: false)
    #expect(
      message { _ = try RunLog(folder: path) } == "\(path)/times.jsonl: it is a directory, not a file")
    try FileManager.default.removeItem(atPath: path + "/log.jsonl")
    #expect(mkfifo(path + "/log.jsonl", 0o600) == 0)
    #expect(
      message { _ = try RunLog(folder: path) } == "\(path)/log.jsonl: it is not a regular file")
  }

  @Test func linesOfAnotherVersionAreCounted() throws {
    let folder = try TemporaryFolder()
    let path = try runFolder(folder, log: Self.start + "\n{\"event\":\"weather\",\"sun\":[1]}\n" + Self.step + "\n")
    let log = try RunLog(folder: path)
    #expect(log.unknownLines == 1 && log.stepCount == 1)
    #expect(log.page(path: path).contains("1 line of an unknown kind in the log."))
  }

  @Test func anEmptyLogIsARunThatHasNotBegun() throws {
    let folder = try TemporaryFolder()
    let log = try RunLog(folder: try runFolder(folder, log: ""))
    #expect(log.state == "not started" && log.start == nil)
    try wellFormed(log.page(path: "run"))
  }

  // MARK: - Size

  @Test func aLongRunTakesNoMoreRoomThanAShortOne() throws {
    var log = RunLog()
    log.note(.start(RunFolderTests.metrics))
    let (norms, long) = ((0..<5000).map(Double.init), String(repeating: "&", count: 20_000))
    for epoch in 1...5000 {
      for step in 1...8 {
        log.note(
          .init(
            epoch: epoch, number: step, loss: 1 / Double(epoch), learningRate: 1e-3 / Double(step), gradientNorm: 2))
      }
      let isBest = epoch == 1234
      log.note(
        RunLog.Epoch(
          number: epoch, trainingLoss: 1, validation: RunFolderTests.metrics, learningRate: 1, gradientNorm: 1,
          gradientNorms: ["layer0": Double(epoch)], isBest: isBest, seconds: 0.5),
        gateGradientNorms: ["layer0": norms])
      log.note(
        RunLog.Sampled(epoch: epoch, sample: .text(prompt: "", continuation: long)))
    }
    #expect(log.stepCount == 40_000 && log.epochCount == 5000 && log.sampleCount == 5000)
    #expect(log.epochs.count <= 2002 && log.samples.count <= 26)
    for epoch in [1, 1234, 5000] {
      #expect(log.epochs.contains { $0.number == epoch })
    }
    #expect([0, 1234, 5000].dropFirst().allSatisfy { epoch in log.samples.contains { $0.epoch == epoch } })
    #expect(log.seconds == 2500)
    let page = log.page(path: "run")
    #expect(page.utf8.count < 1_000_000, "\(page.utf8.count)")
    #expect(page.contains("40,000 steps.") && page.contains(" of 5,000 epochs."))
    #expect(page.components(separatedBy: "<tr").count <= 70)
    try wellFormed(page)
  }

  @Test func namesWithoutEndAndPartsWithoutNumberAreCut() throws {
    var log = RunLog()
    log.note(.start(RunFolderTests.metrics))
    let norms = Dictionary(
      uniqueKeysWithValues: (0..<500).map { ("part\($0)" + String(repeating: "x", count: 5000), 1.0) })
    log.note(
      RunLog.Epoch(
        number: 1, trainingLoss: 1, validation: nil, learningRate: 1, gradientNorm: 1, gradientNorms: norms,
        isBest: true
      ),
      gateGradientNorms: norms.mapValues { [$0, $0] })
    log.note(
      RunLog.Sampled(
        epoch: 1,
        sample: .forecast(
          .init(
            column: "c" + String(repeating: "\u{301}", count: 100_000), truth: Array(repeating: 1, count: 1_000_000),
            forecast: []))))
    let page = log.page(path: "run")
    #expect(page.utf8.count < 300_000, "\(page.utf8.count)")
    #expect(page.contains("the first 12 of 64 parts"))
    try wellFormed(page)
  }
}
