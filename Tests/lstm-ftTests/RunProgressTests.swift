import Foundation
import LSTMFineTuning
import Testing

@testable import lstm_ft

@Suite struct RunProgressTests {
  private static func time(_ seconds: Double) -> Date { Date(timeIntervalSinceReferenceDate: seconds) }

  @Test func saysHowFastAndHowLong() {
    var progress = RunProgress(epochs: 3, batchSize: 8)
    progress.note(epoch: 1, step: 1, of: 10, at: Self.time(100))
    #expect(
      progress.line(loss: 0.5, rate: 0.001, at: Self.time(100))
        == "epoch 1/3 [##------------------] loss 0.5000, rate 0.001"
    )
    progress.note(epoch: 1, step: 5, of: 10, at: Self.time(102))
    #expect(
      progress.line(loss: 0.25, rate: 0.001, at: Self.time(102))
        == "epoch 1/3 [##########----------] loss 0.2500, rate 0.001, 16 seq/s, 12.5 s left")
    #expect(
      progress.line(loss: 0.25, rate: 0.001, at: Self.time(102), width: 70)
        == "epoch 1/3 [#####------] loss 0.2500, rate 0.001, 16 seq/s, 12.5 s left")
    #expect(progress.line(loss: 0.25, rate: 0.001, at: Self.time(102), width: 1).contains("[##--]"))
    // What validation takes counts for what is left, and not for the pace of training.
    progress.note(epoch: 1, step: 10, of: 10, at: Self.time(104.5))
    progress.note(epoch: 2, step: 1, of: 10, at: Self.time(110))
    #expect(progress.remaining(at: Self.time(110)) == 19)
    #expect(progress.sequencesPerSecond(at: Self.time(110)) == nil)
    progress.note(epoch: 3, step: 10, of: 10, at: Self.time(120))
    #expect(progress.remaining(at: Self.time(120)) == 0)
  }

  @Test func aResumedRunCountsOnlyWhatIsLeft() {
    var progress = RunProgress(epochs: 10, batchSize: 4)
    progress.note(epoch: 9, step: 6, of: 10, at: Self.time(0))
    #expect(progress.remaining(at: Self.time(0)) == nil)
    progress.note(epoch: 9, step: 8, of: 10, at: Self.time(1))
    #expect(progress.remaining(at: Self.time(1)) == 6)
    #expect(progress.sequencesPerSecond(at: Self.time(1)) == 8)
  }

  @Test func aRunWithoutEndAndOddTimesDoNotCrash() {
    var progress = RunProgress(epochs: .max, batchSize: .max)
    progress.note(epoch: 1, step: 1, of: 1 << 40, at: Self.time(5))
    progress.note(epoch: .max, step: 2, of: 1 << 40, at: Self.time(5))
    _ = progress.line(loss: .nan, rate: .infinity, at: Self.time(5))
    progress.note(epoch: 1, step: 3, of: 0, at: Self.time(0))
    #expect(progress.line(loss: 1, rate: 1, at: Self.time(0)).hasPrefix("epoch 1/\(Int.max) [####################]"))
  }

  @Test func samplesAreOneLine() {
    #expect(
      Sample.text(prompt: "To be", continuation: ", or\nnot \u{1b}[0m").line == #"  sample  "To be, or\nnot \u{1B}[0m""#
    )
    let long = Sample.text(prompt: "", continuation: String(repeating: "ab", count: 500)).line
    #expect(long.hasSuffix("…\"") && long.count == 2 + 8 + 102)
    let series = Sample.forecast(.init(column: "te\tmp", truth: [0, 1, 2, .nan], forecast: [1, 1, 2, 0]))
    #expect(series.line == #"  truth ▁▅█·  forecast ▅▅█▁  (te\tmp)"#)
    #expect(Sample.forecast(.init(column: "", truth: [], forecast: [])).line == "  truth   forecast   ()")
  }

  @Test(arguments: [
    (["lr-find", "--data", "mine.csv"], "--data mine.csv"),
    (
      ["lr-find", "my model.h5", "--from", "1e-6", "--to=1", "--data=mine.csv", "--lr", "3", "--freeze", "lstm.*"],
      "'my model.h5' --data=mine.csv --freeze 'lstm.*'"
    ),
    (
      ["lr-find", "--steps", "20", "-o", "a.svg", "--text", "t.txt", "--chunk", "8", "--json", "-q"],
      "--text t.txt --chunk 8"
    ),
  ])
  func whatToTypeAfterARangeTest(_ arguments: [String], _ expected: String) {
    #expect(LRFind.training(arguments, at: 2.5e-4) == "lstm-ft finetune \(expected) --learning-rate 0.00025")
  }
}

@Suite struct EpochTableTests {
  @Test func whatEachOutputHasKeepsToTheTerminal() {
    let lines = EpochTable.wrapped((1...4).map { "output_number_\($0) accuracy 88.0 %" }, indent: "  ")
    #expect(
      lines == [
        "  output_number_1 accuracy 88.0 %, output_number_2 accuracy 88.0 %,",
        "  output_number_3 accuracy 88.0 %, output_number_4 accuracy 88.0 %",
      ])
    #expect(EpochTable.wrapped([], indent: "  ").isEmpty)
  }
}
