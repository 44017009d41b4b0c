import LSTMFineTuning

/// A line of a run's `times.jsonl`: what depends on the machine, and so has no place in the log.
struct RunTime: Codable {
  let epoch: Int
  let seconds: Double
  let sequencesPerSecond: Double

  init(_ epoch: Epoch) {
    (self.epoch, seconds, sequencesPerSecond) = (epoch.number, epoch.seconds, epoch.sequencesPerSecond)
  }
}
