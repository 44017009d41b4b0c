import FileIO
import Foundation

/// Reads files through libhdf5, of which this library itself refuses a part by name: n-bit, scale-offset and szip filters,
/// numbers of unusual widths.
///
/// libhdf5 is not made for files that lie. It therefore runs in a process of its own, with limits on its memory, time, files
/// and descriptors, and copies the file into a plain one, which is then read as any other. A crash, or a limit that is
/// reached, is an ``HDF5Error`` of the kind `libraryFailed`, and costs nobody else anything.
///
///     let reader = HDF5LibraryReader(program: "/usr/local/bin/lstm-ft", arguments: ["hdf5-copy"])
///     let file = try reader.open("weights.h5")
///
/// The program is `lstm-ft`, or any of one's own that passes its arguments to ``runChild(_:)``.
public struct HDF5LibraryReader: Sendable {
  /// What the other process may use at most.
  public struct Limits: Sendable, Equatable {
    /// Seconds, by the clock and of computing.
    public var seconds = 60
    /// Bytes of memory, the program itself included.
    public var memoryBytes = 2 << 30
    /// Bytes of the copy.
    public var fileBytes = 8 << 30
    /// Open files.
    public var descriptors = 32

    /// The standard limits, which can then be changed.
    public init() {}
  }

  /// The path of the program that is started.
  public var program: String
  /// What it is given before its other arguments.
  public var arguments: [String]
  /// What it may use.
  public var limits: Limits

  /// - Parameter arguments: what the program is given first, so that it calls ``runChild(_:)`` with the others.
  public init(program: String, arguments: [String] = [], limits: Limits = Limits()) {
    (self.program, self.arguments, self.limits) = (program, arguments, limits)
  }

  /// Copies a file by libhdf5 and opens the copy.
  /// - Parameters:
  ///   - name: used in errors instead of the path.
  ///   - readLimits: what the copy may have at most.
  /// - Throws: ``HDF5Error``: `libraryFailed` when the other process crashes or reaches a limit; otherwise as for any file.
  public func open(
    _ path: String, named name: String? = nil, limits readLimits: HDF5Limits = .standard
  ) throws(HDF5Error) -> HDF5File {
    let call = Call(file: name ?? path, object: nil)
    // Says what is no file, or no HDF5, before a process is started.
    let byteCount = try OpenFile(path, named: call.file).byteCount
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("hdf5-copy-" + UUID().uuidString)
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    } catch {
      throw call.error(.cannotCreate, "no temporary folder can be made for a copy of it")
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    let (copy, report) = (folder.appendingPathComponent("copy.h5"), folder.appendingPathComponent("report.json"))
    try run([path, copy.path, report.path], call)
    let answer = try CopyReport(contentsOf: report.path, call)
    if let failure = answer.failure { throw failure.error(call.file) }
    do throws(HDF5Error) {
      return try HDF5File(
        copy: copy.path, named: call.file, byteCount: byteCount, limits: readLimits,
        leftOut: answer.leftOut.map { $0.error(call.file) })
    } catch {
      throw call.error(.libraryFailed, "libhdf5's copy of it cannot be read: \(error.detail)")
    }
  }

  private func run(_ paths: [String], _ call: Call) throws(HDF5Error) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    let numbers = [limits.seconds, limits.memoryBytes, limits.fileBytes, limits.descriptors]
    process.arguments = arguments + numbers.map(String.init) + paths.map { URL(fileURLWithPath: $0).path }
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("HDF5") }
    // A crash is expected, and takes a second if it is described.
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    (process.standardInput, process.standardOutput, process.standardError) =
      (FileHandle.nullDevice, FileHandle.nullDevice, FileHandle.nullDevice)
    do {
      try process.run()
    } catch {
      throw call.error(.libraryFailed, "\(program), which reads it through libhdf5, cannot be started")
    }
    let end = ContinuousClock.now + .seconds(limits.seconds)
    while process.isRunning {
      if ContinuousClock.now > end {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        throw call.error(.libraryFailed, "libhdf5 has not read it within \(limits.seconds) seconds")
      }
      usleep(2000)
    }
    process.waitUntilExit()
    if process.terminationReason == .uncaughtSignal {
      let isTime = process.terminationStatus == SIGXCPU
      throw call.error(
        .libraryFailed,
        isTime
          ? "libhdf5 has not read it within \(limits.seconds) seconds"
          : "libhdf5 crashed while reading it (signal \(process.terminationStatus)): it is damaged or made to do harm")
    }
    guard process.terminationStatus == 0 else {
      throw call.error(.libraryFailed, "\(program) cannot read through libhdf5 (status \(process.terminationStatus))")
    }
  }
}

/// What the process that copied has to say. It is trusted no more than the file.
struct CopyReport: Codable {
  struct Entry: Codable {
    enum Kind: String, Codable {
      case refused, damaged
      /// Another name for what is in the copy, or for nothing.
      case link
    }

    var kind = Kind.refused
    let object: String?
    let detail: String

    func error(_ file: String) -> HDF5Error {
      let kind: HDF5Error.Kind =
        switch kind {
        case .refused: .refused
        case .damaged: .corrupt
        case .link: .notFound
        }
      return HDF5Error(kind, file: file, object: object, message: detail)
    }
  }

  /// Why there is no copy.
  var failure: Entry?
  /// What is not in the copy.
  var leftOut: [Entry] = []

  static let byteLimit = 1 << 20

  init() {}

  init(contentsOf path: String, _ call: Call) throws(HDF5Error) {
    do {
      let file = try RegularFile(path: path)
      guard file.byteCount <= Self.byteLimit else { throw UnreadableReason.truncated }
      let bytes = try ByteSource.file(file).bytes(at: 0, count: file.byteCount)
      self = try JSONDecoder().decode(CopyReport.self, from: Data(bytes))
    } catch {
      throw call.error(.libraryFailed, "what read it through libhdf5 has not said how that went")
    }
  }

  func write(to path: String) throws {
    var bounded = self
    var data = try JSONEncoder().encode(bounded)
    while data.count > Self.byteLimit, !bounded.leftOut.isEmpty {
      bounded.leftOut.removeLast(bounded.leftOut.count / 2 + 1)
      data = try JSONEncoder().encode(bounded)
    }
    try data.write(to: URL(fileURLWithPath: path))
  }
}
