import Foundation

/// Turns SIGINT and SIGTERM into a request to stop, which the loop checks after each step.
enum Interruption {
  // Written by the handler only; a word-sized store is all that a signal handler may do.
  nonisolated(unsafe) private static var received: Int32 = 0

  static func listen() {
    // The parent process may have left them blocked.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in [SIGINT, SIGTERM] { sigaddset(&wanted, number) }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        // The second signal ends the process at once.
        if Interruption.received != 0 { _exit(128 + number) }
        Interruption.received = number
      }
    }
  }

  static var isWished: Bool { received != 0 }
  /// 130 or 143.
  static var exitCode: Int32 { 128 + received }
}
