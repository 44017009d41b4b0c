import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport

/// What a finished command said.
struct Outcome: Sendable {
  let code: Int32
  let stdout: String
  let stderr: String
}

/// A folder of its own in which the built tool is run as a person would run it.
final class Workplace: Sendable {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  var url: URL { folder.url }
  func path(_ name: String) -> String { folder.path(name) }

  /// Runs `lstm-ft` with these arguments and waits for it.
  /// - Parameters:
  ///   - interrupt: a signal to send once standard output contains a text.
  ///   - killing: how long it may run before it is killed as by a crash.
  @discardableResult
  func run(
    _ arguments: [String], environment: [String: String] = [:], interrupt: (signal: Int32, after: String)? = nil,
    killing limit: Duration? = nil
  ) async throws -> Outcome {
    try await launch(
      try Self.executable(), arguments, in: url, environment: environment, interrupt: interrupt, killing: limit)
  }

  /// Runs one of the programs under `Examples` with the data that come with it.
  func runExample(_ name: String) async throws -> Outcome {
    try await launch(
      try Self.executable(name), [fixtures.appendingPathComponent("examples").path], in: url, environment: [:])
  }

  /// Types a line into a shell, as a person would who has the tool on their path.
  /// - Parameter folder: where they are; nil for the workplace.
  @discardableResult
  func type(_ line: String, in folder: String? = nil) async throws -> Outcome {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let tools = try Self.executable().deletingLastPathComponent().path
    return try await launch(
      URL(fileURLWithPath: "/bin/sh"), ["-c", line], in: folder.map { URL(fileURLWithPath: $0) } ?? url,
      environment: ["PATH": tools + ":" + path])
  }

  /// A few processes at a time: all tests run at once, and hundreds of processes on a few cores only wait for each
  /// other, each with its open files.
  private static let turns = Turns(ProcessInfo.processInfo.activeProcessorCount + 2)

  private func launch(
    _ executable: URL, _ arguments: [String], in folder: URL, environment: [String: String],
    interrupt: (signal: Int32, after: String)? = nil, killing limit: Duration? = nil
  ) async throws -> Outcome {
    await Self.turns.take()
    defer { Task { await Self.turns.giveBack() } }
    // Outside the working folder, whose contents are looked at.
    let streams = try TemporaryFolder()
    let (out, err) = (streams.path("stdout"), streams.path("stderr"))
    for path in [out, err] where !FileManager.default.createFile(atPath: path, contents: nil) {
      throw WorkplaceError(description: "\(path) cannot be made")
    }
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let handles = try [out, err].map { try FileHandle(forWritingTo: URL(fileURLWithPath: $0)) }
    (process.standardOutput, process.standardError) = (handles[0], handles[1])
    // A finished `Process` may live on, and its handles with it. With some 1,400 open files, `Process.run` reads
    // past the end of the list of them, which the address sanitizer sees.
    defer { handles.forEach { try? $0.close() } }
    let ended = AsyncStream<Int32> { continuation in
      process.terminationHandler = { process in
        // As a shell says it.
        let code = process.terminationStatus
        continuation.yield(process.terminationReason == .uncaughtSignal ? 128 + code : code)
        continuation.finish()
      }
    }
    try process.run()
    if let interrupt {
      while process.isRunning, !(try text(out)).contains(interrupt.after) {
        try await Task.sleep(for: .milliseconds(5))
      }
      kill(process.processIdentifier, interrupt.signal)
      // A tool that does not listen must not outlive the test.
      try await Task.sleep(for: .seconds(20), while: { process.isRunning })
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
    if let limit {
      try await Task.sleep(for: limit, while: { process.isRunning }, in: .milliseconds(1))
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
    var code: Int32 = -1
    for await value in ended { code = value }
    return Outcome(code: code, stdout: try text(out), stderr: try text(err))
  }

  @discardableResult
  func run(_ arguments: String...) async throws -> Outcome { try await run(arguments) }

  private func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
  }

  /// The tool and the examples lie beside the test bundle.
  static func executable(_ name: String = "lstm-ft") throws -> URL {
    #if os(macOS)
      let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
      let products = bundle?.deletingLastPathComponent()
    #else
      let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent() as URL?
    #endif
    guard let tool = products?.appendingPathComponent(name),
      FileManager.default.isExecutableFile(atPath: tool.path)
    else {
      throw WorkplaceError(description: "\(name) is not beside \(CommandLine.arguments[0])")
    }
    return tool
  }

  // MARK: - Files

  func copy(_ fixture: String, as name: String) throws {
    try FileManager.default.copyItem(at: fixtures.appendingPathComponent(fixture), to: url.appendingPathComponent(name))
  }

  func write(_ name: String, _ text: String) throws { try write(name, Data(text.utf8)) }
  func write(_ name: String, _ data: Data) throws { try data.write(to: url.appendingPathComponent(name)) }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(at: url.appendingPathComponent(name), withIntermediateDirectories: true)
  }

  func checkpoint(_ name: String) throws -> Checkpoint { try Checkpoint(path: path(name)) }

  func read(_ name: String) throws -> String { try text(path(name)) }

  /// Every file below the folder and its bytes; folders end in a slash.
  func contents() throws -> [String: Data] {
    var found: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: url.path) {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: path(name), isDirectory: &isFolder)
      found[isFolder.boolValue ? name + "/" : name] =
        isFolder.boolValue ? Data() : try Data(contentsOf: url.appendingPathComponent(name))
    }
    return found
  }

  // MARK: - What most tests need

  /// `mine.csv`: the first rows of San Francisco's temperatures, columns temp and date.
  func writeSeries(rows: Int = 130, as name: String = "mine.csv") throws {
    let table = try String(contentsOf: fixtures.appendingPathComponent("demo/sf-temps.csv"), encoding: .utf8)
    try write(name, table.split(separator: "\n").prefix(rows + 1).joined(separator: "\n") + "\n")
  }

  /// An LSTM of PyTorch's, without a head, of one feature.
  func writeBareLSTM(as name: String = "weights.h5") throws {
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 6), .init(hiddenSize: 6)])
    try LSTMModel(configuration, seed: 7).write(path: path(name), as: .pytorchHDF5)
  }
}

extension Task where Success == Never, Failure == Never {
  /// Sleeps in short steps as long as something holds, but not longer than this.
  fileprivate static func sleep(
    for limit: Duration, while holds: () -> Bool, in steps: Duration = .milliseconds(10)
  ) async throws {
    let end = ContinuousClock.now + limit
    while holds(), ContinuousClock.now < end { try await sleep(for: steps) }
  }
}

/// How many may do something at once; the others wait for their turn.
private actor Turns {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func giveBack() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }
}

struct WorkplaceError: Error, CustomStringConvertible {
  let description: String
}
