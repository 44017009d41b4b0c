import Foundation
import LSTMReports

/// The progress of a run, its speed and its remaining time, also for a resumed run.
struct RunProgress {
  let epochs: Int
  let batchSize: Int
  /// The first steps seen, of the run and of the epoch: earlier ones, of a resumed run, were not timed.
  private var first: (position: Double, time: Date)?
  private var firstOfEpoch: (epoch: Int, step: Int, time: Date)?
  private var (epoch, step, steps) = (0, 0, 0)

  init(epochs: Int, batchSize: Int) {
    self.epochs = epochs
    self.batchSize = batchSize
  }

  private var position: Double { Double(epoch - 1) * Double(steps) + Double(step) }

  /// - Parameter step: the one just done, from 1.
  mutating func note(epoch: Int, step: Int, of steps: Int, at now: Date) {
    (self.epoch, self.step, self.steps) = (epoch, step, steps)
    if first == nil { first = (position, now) }
    if firstOfEpoch?.epoch != epoch { firstOfEpoch = (epoch, step, now) }
  }

  /// Seconds to the end of the last epoch at the pace so far, that of validation included; nil before there is one.
  func remaining(at now: Date) -> Double? {
    guard let first, position > first.position else { return nil }
    let pace = now.timeIntervalSince(first.time) / (position - first.position)
    return max(pace * (Double(epochs) * Double(steps) - position), 0)
  }

  /// In this epoch.
  func sequencesPerSecond(at now: Date) -> Double? {
    guard let firstOfEpoch, step > firstOfEpoch.step else { return nil }
    return Double(step - firstOfEpoch.step) * Double(batchSize) / max(now.timeIntervalSince(firstOfEpoch.time), 1e-9)
  }

  /// `epoch 3/10 [#####---------------] loss 0.6160, rate 0.001, 12853 seq/s, 12.3 s left`
  /// - Parameter width: the most characters; the bar shrinks to fit.
  func line(loss: Double, rate: Double, at now: Date, width: Int = 120) -> String {
    let pace = sequencesPerSecond(at: now).map { String(format: ", %.0f seq/s", $0) } ?? ""
    let rest = remaining(at: now).map { ", \(duration($0)) left" } ?? ""
    let (before, after) = ("epoch \(epoch)/\(epochs) [", "] loss \(digits(loss)), rate \(short(rate))\(pace)\(rest)")
    let room = min(max(width - before.count - after.count, 4), 20)
    let filled = Int(Double(room) * min(Double(step) / Double(max(steps, 1)), 1))
    return before + String(repeating: "#", count: filled) + String(repeating: "-", count: room - filled) + after
  }
}
