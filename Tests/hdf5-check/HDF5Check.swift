import FileIO
import Foundation
import HDF5

/// Reads HDF5 files as this project does, for comparison with other readers (scripts/compare-hdf5.py) and for files that
/// lie (scripts/check-hdf5):
///
///     hdf5-check dump            the paths of files on stdin; a line of JSON about each
///     hdf5-check read FILE ...   reads everything; prints time and peak memory of each
///     hdf5-check library FILE ... the same through libhdf5, in a process of its own
///     hdf5-check mutate FILE ... changes each byte in turn and reads everything; prints what was slowest
@main
enum HDF5Check {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case "dump": while let path = readLine() { print(dump(path)) }
    case "read":
      for path in arguments.dropFirst() { measure(path) { () throws(HDF5Error) in try HDF5File(reading: path) } }
    case "library":
      var reader = HDF5LibraryReader(program: CommandLine.arguments[0], arguments: ["hdf5-copy"])
      reader.limits.seconds = 5
      for path in arguments.dropFirst() { measure(path) { [reader] () throws(HDF5Error) in try reader.open(path) } }
    case "hdf5-copy": exit(HDF5LibraryReader.runChild(Array(arguments.dropFirst())))
    case "mutate": for path in arguments.dropFirst() { mutate(path) }
    default:
      FileHandle.standardError.write(
        Data("hdf5-check dump | read FILE ... | library FILE ... | mutate FILE ...\n".utf8))
      exit(64)
    }
  }

  /// Reads whatever can be read, as a person's file would be.
  @discardableResult
  static func readEverything(
    _ open: () throws(HDF5Error) -> HDF5File, refused report: (HDF5Error) -> Void = { _ in }
  ) -> (read: Int, refused: Int) {
    let root: HDF5Group
    do throws(HDF5Error) {
      root = try open().contents()
    } catch {
      report(error)
      return (0, 1)
    }
    var (read, refused) = (0, root.allUnreadable().count)
    for dataset in root.allDatasets() {
      do {
        if dataset.type.isString { _ = try dataset.readStrings() } else { try dataset.forEachPiece { _ in } }
        read += 1
      } catch {
        refused += 1
      }
    }
    return (read, refused)
  }

  private static func measure(_ path: String, _ open: () throws(HDF5Error) -> HDF5File) {
    let began = ContinuousClock.now
    var reason = ""
    let result = readEverything(open) { reason = $0.detail }
    print("\(path)\t\(seconds(since: began))\t\(peak() >> 20)\t\(result.read)\t\(result.refused)\t\(reason)")
  }

  private static func mutate(_ path: String) {
    guard let data = FileManager.default.contents(atPath: path) else { return }
    let whole = [UInt8](data)
    var (slowest, count) = (0.0, 0)
    for place in whole.indices {
      // Each of them once: nothing, everything, one more, and one bit.
      for value in Set([0, 0xFF, whole[place] &+ 1, whole[place] ^ 0x40]) where value != whole[place] {
        var bytes = whole
        bytes[place] = value
        let began = ContinuousClock.now
        readEverything { () throws(HDF5Error) in try HDF5File(bytes: bytes, named: "file") }
        slowest = max(slowest, seconds(since: began))
        count += 1
      }
    }
    print("\(path)\t\(count)\t\(slowest)\t\(peak() >> 20)")
  }

  private static func seconds(since began: ContinuousClock.Instant) -> Double {
    Double((ContinuousClock.now - began) / .microseconds(1)) / 1e6
  }

  /// Bytes of memory at the most, so far.
  private static func peak() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return Int(usage.ru_maxrss)
    #else
      getrusage(numericCast(RUSAGE_SELF.rawValue), &usage)
      return Int(usage.ru_maxrss) << 10
    #endif
  }
}
