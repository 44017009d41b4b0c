import Foundation

/// The processor time that the calling thread spends on something. What runs beside it does not count, so that a limit tells
/// of the work alone: whether it grows with the square of the input.
public func processorTime(_ body: () throws -> Void) rethrows -> Duration {
  let began = threadTime()
  try body()
  return threadTime() - began
}

private func threadTime() -> Duration {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
}
