import Foundation
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Runs as sequences of events. A run that hangs, or a thread that stays, runs into the limit.
@Suite(.timeLimit(.minutes(5))) struct EventsTests {
  private static func tuner(
    _ model: LSTMModel, epochs: Int = 3, seed: UInt64 = 5, patience: Int? = nil
  ) throws -> FineTuner {
    var tuner = FineTuner(
      try plan(model, freezing: ["layer0"]), optimizer: .adamW(learningRate: 0.02),
      options: .init(epochs: epochs, batchSize: 4, patience: patience, seed: seed))
    tuner.sampling = { model in .text(prompt: "", continuation: "\(allValues(model)["head.0.bias"] ?? [])") }
    return tuner
  }

  /// All that an event says but how long it took.
  private static func text(_ event: FineTuner.Event) -> String {
    func values(_ model: LSTMModel) -> String { "\(allValues(model).sorted { $0.key < $1.key })" }
    switch event {
    case .cache(let cache): return "cache \(cache)"
    case .start(let metrics): return "start \(metrics)"
    case .step(let step):
      return "step \(step.epoch) \(step.number) \(step.count) \(step.loss) \(step.learningRate) \(step.gradientNorm)"
    case .epoch(var record):
      (record.seconds, record.sequencesPerSecond) = (0, 0)
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return "epoch \((try? encoder.encode(record)).map { String(decoding: $0, as: UTF8.self) } ?? "")"
    case .sample(let sample, let epoch): return "sample \(epoch) \(sample)"
    case .weights(let model, let state, let isBest):
      return "weights \(state.epoch) \(state.step) \(state.order) \(isBest) \(values(model))"
    case .end(let run): return "end \(run.bestEpoch) \(run.ending) \(values(run.best)) \(values(run.last))"
    }
  }

  private static func kind(_ text: String) -> Substring { text.prefix { $0 != " " } }

  private static func texts(_ events: FineTuner.Events) async throws -> [String] {
    var texts: [String] = []
    for try await event in events { texts.append(text(event)) }
    return texts
  }

  private static func fitted(_ tuner: FineTuner, _ model: LSTMModel, _ data: SequenceData) throws -> [String] {
    var texts: [String] = []
    _ = try tuner.fit(model, data, validation: data) { texts.append(text($0)) }
    return texts
  }

  @Test func theyAreThoseOfFitOnStreams() async throws {
    let model = featureModel(readout: .all)
    let data = try StreamData(
      SequenceData(
        inputs: .features(noise(3 * 10 * 2, seed: 1), steps: 10, size: 2),
        targets: .values(noise(3 * 10, seed: 2), size: 1, perStep: true)), chunkSteps: 4)
    let tuner = try Self.tuner(model)
    var expected: [String] = []
    _ = try tuner.fit(model, data, validation: data) { expected.append(Self.text($0)) }
    #expect(expected.count { $0.hasPrefix("step") } == 9)
    #expect(try await Self.texts(tuner.events(model, data, validation: data)) == expected)
  }

  @Test func theyAreThoseOfFitInOrder() async throws {
    let (model, data) = (featureModel(), try featureData(10))
    let tuner = try Self.tuner(model)
    let expected = try Self.fitted(tuner, model, data)
    let events = tuner.events(model, data, validation: data)
    let found = try await Self.texts(events)
    #expect(found == expected)
    let epoch: [Substring] = ["step", "step", "step", "epoch", "sample", "weights"]
    #expect(found.map(Self.kind) == ["cache", "start", "sample", "weights"] + epoch + epoch + epoch + ["end"])
    // Each iteration is a run of its own.
    #expect(try await Self.texts(events) == expected)
  }

  @Test func twoRunsAtOnceDoNotMeet() async throws {
    let (model, data) = (featureModel(), try featureData(23))
    let (a, b) = (try Self.tuner(model, epochs: 6, seed: 1), try Self.tuner(model, epochs: 6, seed: 2))
    async let first = Self.texts(a.events(model, data, validation: data))
    async let second = Self.texts(b.events(model, data, validation: data))
    let (one, two) = (try await first, try await second)
    #expect(try one == Self.fitted(a, model, data))
    #expect(try two == Self.fitted(b, model, data))
    #expect(one != two)
  }

  @Test func aTaskThatIsCancelledGetsTheStateAndTheEnd() async throws {
    let (model, data) = (featureModel(), try featureData(40))
    let tuner = try Self.tuner(model)
    let expected = try Self.fitted(tuner, model, data)
    let folder = try TemporaryFolder()
    let path = folder.path("run")
    let cancelled = Task {
      let run = try RunFolder(path)
      var (texts, ending) = ([String](), FineTuner.Ending?.none)
      for try await event in tuner.events(model, data, validation: data) {
        try run.record(event)
        texts.append(Self.text(event))
        if case .step(let step) = event, step.epoch == 1, step.number == 2 { withUnsafeCurrentTask { $0?.cancel() } }
        if case .end(let run) = event { ending = run.ending }
      }
      return (texts, ending)
    }
    let (texts, ending) = try await cancelled.value
    #expect(ending == .interrupted)
    // In the middle of the first epoch of ten steps, soon after the second.
    let steps = texts.count { $0.hasPrefix("step ") }
    #expect(2...4 ~= steps, "\(steps)")
    #expect(texts.dropLast(2) == expected.prefix(texts.count - 2))
    #expect(texts.suffix(2).map(Self.kind) == ["weights", "end"])
    // What was handed over is enough to go on.
    let point = try #require(try ResumePoint(run: path))
    let rest = try await Self.texts(tuner.events(model, data, validation: data, resuming: point))
    #expect(rest.filter { $0.hasPrefix("step ") } == expected.filter { $0.hasPrefix("step ") }.suffix(30 - steps))
    #expect(rest.last == expected.last)
  }

  @Test func aRunIsNotBegunForATaskThatWasCancelled() async throws {
    let (model, data) = (featureModel(), try featureData(10))
    let asked = Count()
    var tuner = try Self.tuner(model)
    tuner.shouldStop = {
      asked.add()
      return false
    }
    let task = Task { [tuner] in
      withUnsafeCurrentTask { $0?.cancel() }
      var iterator = tuner.events(model, data).makeAsyncIterator()
      await #expect(throws: CancellationError.self) { _ = try await iterator.next() }
      return try await iterator.next() == nil
    }
    #expect(try await task.value)
    #expect(asked.value == 0)
  }

  /// Whether a run holds on to it.
  private final class Token: Sendable {}

  private static func isReleased(_ token: () -> Token?) async throws -> Bool {
    for _ in 0..<2000 where token() != nil { try await Task.sleep(for: .milliseconds(5)) }
    return token() == nil
  }

  @Test(arguments: [0, 1, 2, 7]) func aLoopThatIsLeftEndsTheThread(_ taken: Int) async throws {
    let (model, data) = (featureModel(), try featureData(40))
    weak var held: Token?
    let asked = Count()
    do {
      let token = Token()
      held = token
      var tuner = try Self.tuner(model, epochs: .max)
      tuner.shouldStop = {
        asked.add()
        return withExtendedLifetime(token) { false }
      }
      var count = 0
      for try await _ in tuner.events(model, data) {
        count += 1
        if count > taken { break }
      }
    }
    #expect(try await Self.isReleased { held })
    // Three events come before the first step; two may have been ready or under way.
    #expect(asked.value <= taken + 2)
  }

  @Test func anIteratorThatNobodyAsksBeginsNothing() async throws {
    let (model, data) = (featureModel(), try featureData(10))
    weak var held: Token?
    do {
      let token = Token()
      held = token
      var tuner = try Self.tuner(model)
      tuner.shouldStop = { withExtendedLifetime(token) { false } }
      _ = tuner.events(model, data).makeAsyncIterator()
    }
    #expect(held == nil)
  }

  @Test func aRunWaitsForWhoeverIsSlow() async throws {
    let (model, data) = (featureModel(), try featureData(40))
    let done = Count()
    var tuner = try Self.tuner(model, epochs: 1)
    // Asked once the event of a step was handed over.
    tuner.shouldStop = {
      done.add()
      return false
    }
    var steps = 0
    for try await event in tuner.events(model, data) {
      guard case .step = event else { continue }
      steps += 1
      if steps < 5 { try await Task.sleep(for: .milliseconds(50)) }
      #expect(done.value <= steps + 1)
    }
    #expect(steps == 10 && done.value == 10)
  }

  @Test func whatARunThrowsIsThrownOnce() async throws {
    let model = featureModel()
    let data = try SequenceData(
      inputs: .features(noise(24, seed: 1), steps: 3, size: 2),
      targets: .values([0, 0, 3e38, 0], size: 1, perStep: false))
    var tuner = try Self.tuner(model)
    (tuner.options.batchSize, tuner.options.shuffles) = (1, false)
    var iterator = tuner.events(model, data).makeAsyncIterator()
    var kinds: [Substring] = []
    do {
      while let event = try await iterator.next() { kinds.append(Self.kind(Self.text(event))) }
      Issue.record("nothing was thrown")
    } catch let error as FineTuningError {
      guard case .diverged(1, 3, _) = error else {
        Issue.record("\(error)")
        return
      }
    }
    #expect(kinds.suffix(2) == ["step", "step"])
    #expect(try await iterator.next() == nil)
    // What does not fit is thrown by the first call.
    tuner.options.batchSize = 0
    var refused = tuner.events(model, data).makeAsyncIterator()
    await #expect(throws: FineTuningError.self) { _ = try await refused.next() }
    #expect(try await refused.next() == nil)
  }

  @Test func anErrorInTheLoopEndsTheThread() async throws {
    struct Enough: Error {}
    let (model, data) = (featureModel(), try featureData(10))
    weak var held: Token?
    do {
      let token = Token()
      held = token
      var tuner = try Self.tuner(model, epochs: .max)
      tuner.shouldStop = { withExtendedLifetime(token) { false } }
      for try await event in tuner.events(model, data) {
        if case .epoch(let record) = event, record.number == 2 { throw Enough() }
      }
    } catch is Enough {}
    #expect(try await Self.isReleased { held })
  }
}

/// Counts on any thread.
private final class Count: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  func add() { lock.withLock { count += 1 } }
  var value: Int { lock.withLock { count } }
}
