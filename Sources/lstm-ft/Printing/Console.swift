import ArgumentParser
import FileIO
import Foundation

struct OutputOptions: ParsableArguments {
  @Flag(help: "Write one JSON object to standard output, and all other text to standard error.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print only errors and the requested result.")
  var quiet = false

  var console: Console { Console(json: json, quiet: quiet) }
}

/// All output to the terminal.
///
/// Every line may hold names and texts from files, so nothing in it moves the cursor, reorders the line or begins another one.
struct Console: Sendable {
  let json: Bool
  let quiet: Bool

  /// The most characters of a line: a model of a thousand layers fits, a name of a megabyte is shortened.
  private static let lineLimit = 100_000

  /// Progress and results, on standard output; on standard error with --json.
  /// - Parameter heading: before the line, bold on a terminal.
  func say(_ line: String = "", heading: String = "") {
    if quiet { return }
    let line = printable(line, limit: Self.lineLimit)
    write((heading.isEmpty ? "" : bold(printable(heading))) + line + "\n", to: json ? 2 : 1)
  }

  func say(_ lines: [String]) { for line in lines { say(line) } }

  /// The requested result: printed even with --quiet.
  func answer(_ line: String) {
    if !json { write(printable(line, limit: Self.lineLimit) + "\n", to: 1, isAsked: true) }
  }

  func answer(_ lines: [String]) { for line in lines { answer(line) } }

  /// A piece of the requested result, as it is made: as it is into a file or a pipe, printable on a terminal.
  func stream(_ text: String) {
    if !json { write(isatty(1) != 0 ? printableLines(text) : text, to: 1, isAsked: true) }
  }

  /// The answer of --json.
  func result(_ value: some Encodable) throws {
    guard json else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.userInfo[.settingSpelling] = Spelling.text(_:_:) as @Sendable (Setting, String?) -> String
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    write(escapedInJSON(text) + "\n", to: 1, isAsked: true)
  }

  /// Whether a progress line can be overwritten.
  var isLive: Bool { !quiet && !json && isatty(1) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

  /// Overwrites the current line with what fits on it: a line that wraps could not be overwritten.
  func live(_ text: String) { if isLive { write("\r\u{1B}[2K" + printable(text).prefix(liveWidth), to: 1) } }

  /// The most characters of a line that can be overwritten.
  var liveWidth: Int {
    var size = winsize()
    let columns = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    return max(columns - 1, 1)
  }

  func clearLive() { live("") }

  /// Bold on a terminal, unless NO_COLOR is set.
  private func bold(_ text: String) -> String {
    isLive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil ? "\u{1B}[1m\(text)\u{1B}[0m" : text
  }

  /// On standard error, where the requested result may go to standard output.
  func note(_ text: String) { if !quiet { write("note: " + printable(text) + "\n", to: 2) } }

  func warn(_ text: String) { if !quiet { write("warning: " + printable(text) + "\n", to: 2) } }

  /// Prints one line for the error and at most two of advice, and exits.
  static func fail(_ message: String, advice: [String], code: Int32) -> Never {
    let lines = message.split(separator: "\n", omittingEmptySubsequences: true).joined(separator: " ")
    var text = "error: " + printable(lines, limit: 4000) + "\n"
    for line in advice.prefix(2) { text += "  " + printable(line, limit: 4000) + "\n" }
    write(text, to: 2)
    exit(code)
  }
}

/// - Parameter isAsked: whether it is the requested result; any other text that cannot be printed does not stop the work.
private func write(_ text: String, to descriptor: Int32, isAsked: Bool = false) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno != EINTR {
      guard isAsked else { return }
      Console.fail("cannot write to standard output: \(String(cString: strerror(errno)))", advice: [], code: 74)
    }
    bytes = bytes.dropFirst(max(count, 0))
  }
}

/// Rows as columns of equal width, a line each; numbers to the right. Long names are shortened: the longest cell of a
/// column widens all of its rows.
func table(_ rows: [[String]], header: [String], rightAligned: Set<Int> = []) -> [String] {
  let all = [header] + rows.map { row in row.map { printable($0, limit: 400) } }
  let widths = header.indices.map { column in all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
  return all.map { row in
    var line = "  "
    for (column, cell) in row.enumerated() {
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      line += (rightAligned.contains(column) ? padding + cell : cell + padding) + "  "
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}

/// `208 kB`
func size(_ bytes: Int) -> String {
  switch bytes {
  case ..<1000: "\(bytes) bytes"
  case ..<1_000_000: String(format: "%.0f kB", Double(bytes) / 1e3)
  case ..<1_000_000_000: String(format: "%.1f MB", Double(bytes) / 1e6)
  default: String(format: "%.2f GB", Double(bytes) / 1e9)
  }
}
