import FileIO
import Foundation

extension HDF5LibraryReader {
  /// The work of the process that copies: limits itself, reads a file through libhdf5, writes a plain one.
  /// - Parameter arguments: those of the process, after the ones of ``arguments``.
  /// - Returns: the status for the process to exit with.
  public static func runChild(_ arguments: [String]) -> Int32 {
    let numbers = arguments.prefix(4).compactMap { Int($0) }
    guard numbers.count == 4, arguments.count == 7, numbers.allSatisfy({ (1..<1 << 60).contains($0) }) else {
      return 64
    }
    #if HDF5Writing
      let (input, copy, answer) = (arguments[4], arguments[5], arguments[6])
      // Nothing of the process that started this one is open here.
      for descriptor in 3..<256 as Range<Int32> { close(descriptor) }
      // At the first it is told, at the second it is killed.
      limit(RLIMIT_CPU, numbers[0], numbers[0] + 5)
      limit(RLIMIT_AS, numbers[1])
      limit(RLIMIT_FSIZE, numbers[2])
      limit(RLIMIT_NOFILE, numbers[3])
      limit(RLIMIT_CORE, 0)
      // Writing beyond the limit is an error, not a signal.
      signal(SIGXFSZ, SIG_IGN)
      var report = CopyReport()
      do {
        report.leftOut = try LibraryCopy.make(of: input, at: copy, byteLimit: numbers[2])
      } catch let error as HDF5Error {
        report.failure = .init(
          kind: error.kind == .refused ? .refused : .damaged, object: error.object, detail: error.detail)
      } catch {
        report.failure = .init(kind: .damaged, object: nil, detail: "\(error)")
      }
      do {
        try report.write(to: answer)
      } catch {
        return 74
      }
      return 0
    #else
      return 69
    #endif
  }

  #if HDF5Writing
    #if canImport(Darwin)
      private static func limit(_ resource: Int32, _ value: Int, _ hard: Int? = nil) {
        var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(hard ?? value))
        setrlimit(resource, &limit)
      }
    #else
      private static func limit(_ resource: __rlimit_resource, _ value: Int, _ hard: Int? = nil) {
        var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(hard ?? value))
        setrlimit(numericCast(resource.rawValue), &limit)
      }
    #endif
  #endif
}
