import Foundation

/// Lets tests inject a failure, or kill the process, at each step of one write.
package struct Faults: Sendable {
  package enum Step: Sendable { case write, synchronize, rename }

  package static let none = Faults { _ in nil }

  /// Returns an `errno` value to fail with, or nil to continue.
  let inject: @Sendable (Step) -> Int32?

  package init(_ inject: @escaping @Sendable (Step) -> Int32?) { self.inject = inject }

  func check(_ step: Step) throws(CallError) {
    if let code = inject(step) { throw CallError(code: code) }
  }
}

/// Lets tests make any system call of a whole process fail, in debug builds. The environment says which:
///
/// - `LSTM_FT_FAULT=12:28` fails the 12th call with the `errno` 28; `12:short` writes one byte of many, `12:kill` kills the
///   process before the call. `12:28:on` fails all calls from the 12th on that the first one's kind belongs to.
/// - `LSTM_FT_FAULT_CALLS` names a file to which a letter is appended for each call.
/// - `LSTM_FT_FAULT_JOURNAL` names a file to which a line is appended for each call that succeeded and changes something: what a
///   power loss leaves is worked out from it.
package enum SystemFaults {
  /// A kind of call.
  package enum Kind: Character, Sendable {
    case open = "o"
    case create = "n"
    case read = "r"
    case write = "w"
    case truncate = "t"
    case synchronize = "s"
    case rename = "m"
    case close = "c"
    case makeFolder = "d"
  }

  #if DEBUG
    private enum Action: Equatable { case fail(Int32), short, kill }

    private final class Plan: @unchecked Sendable {
      private let lock = NSLock()
      private var count = 0
      private let number: Int
      private let action: Action?
      private let goesOn: Bool
      private var failing: Kind?
      private let calls: Int32

      init?() {
        let environment = ProcessInfo.processInfo.environment
        let words = (environment["LSTM_FT_FAULT"] ?? "").split(separator: ":")
        calls = environment["LSTM_FT_FAULT_CALLS"].map { open($0, O_WRONLY | O_CREAT | O_APPEND, 0o600) } ?? -1
        number = words.first.flatMap { Int($0) } ?? 0
        goesOn = words.count > 2
        action =
          switch words.dropFirst().first {
          case "kill": .kill
          case "short": .short
          case let code?: Int32(code).map { .fail($0) }
          case nil: nil
          }
        if action == nil, calls < 0 { return nil }
      }

      func next(_ kind: Kind) throws(CallError) -> Int? {
        lock.lock()
        defer { lock.unlock() }
        count += 1
        if calls >= 0 {
          var letter = kind.rawValue.asciiValue ?? 0
          _ = write(calls, &letter, 1)
        }
        if let failing, failing == kind, goesOn, case .fail(let code) = action { throw CallError(code: code) }
        guard count == number, let action else { return nil }
        failing = kind
        switch action {
        case .fail(let code): throw CallError(code: code)
        case .short: return kind == .write ? 1 : nil
        case .kill:
          kill(getpid(), SIGKILL)
          return nil
        }
      }
    }

    private static let plan = Plan()
    private static let journal = ProcessInfo.processInfo.environment["LSTM_FT_FAULT_JOURNAL"].map {
      open($0, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }

    /// - Returns: the most bytes to write; nil for all of them.
    @discardableResult
    static func check(_ kind: Kind) throws(CallError) -> Int? { try plan?.next(kind) }

    /// A line of the journal: a word, and what belongs to it, separated by tabulators.
    static func note(_ word: String, _ parts: @autoclosure () -> [String]) {
      guard let journal else { return }
      let line = Array(([word] + parts()).joined(separator: "\t").utf8) + [UInt8(ascii: "\n")]
      // In one piece, as other threads write lines, too.
      _ = line.withUnsafeBytes { write(journal, $0.baseAddress, $0.count) }
    }

    /// What was written at a place, as hexadecimal digits.
    static func noteWritten(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: @autoclosure () -> Int) {
      guard journal != nil else { return }
      let digits = Array("0123456789abcdef".utf8)
      let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
      note("write", ["\(descriptor)", "\(offset())", String(decoding: text, as: UTF8.self)])
    }
  #else
    @inline(__always) static func note(_ word: String, _ parts: @autoclosure () -> [String]) {}
    @inline(__always)
    static func noteWritten(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: @autoclosure () -> Int) {}

    @discardableResult @inline(__always)
    static func check(_ kind: Kind) throws(CallError) -> Int? { nil }
  #endif
}
