import Foundation

/// Turns the signals that ask a process to end into a request to stop, which the loop checks after each step: Ctrl-C, the end
/// of a terminal or of the pipe that the output goes to, and what a batch system sends.
enum Interruption {
  // Written by the handler only; a word-sized store is all that a signal handler may do.
  nonisolated(unsafe) private static var received: Int32 = 0

  private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGPIPE]

  static func listen() {
    // nohup has it ignored.
    let numbers = numbers.filter { $0 != SIGHUP || !isIgnored($0) }
    // The parent process may have left them blocked.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in numbers { sigaddset(&wanted, number) }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    for number in numbers {
      signal(number) { number in
        // The second signal ends the process at once. Every line into a pipe that nobody reads is one.
        if Interruption.received != 0, number == SIGPIPE { return }
        if Interruption.received != 0 { _exit(128 + number) }
        Interruption.received = number
      }
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    let before = signal(number, SIG_IGN)
    let isIgnored = unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    if !isIgnored { signal(number, before) }
    return isIgnored
  }

  static var isWished: Bool { received != 0 }
  /// 130 or 143, 129 or 141.
  static var exitCode: Int32 { 128 + received }
}
