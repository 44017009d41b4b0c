import FileIO
import Foundation

// The parser that is tried is named by FUZZ_TARGET, or by the end of the program's name: `fuzz_csv` tries `csv`.
nonisolated(unsafe) private var target: Target?

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  let program = arguments.pointee?.pointee.map { String(cString: $0) } ?? ""
  let environment = ProcessInfo.processInfo.environment
  let called = URL(fileURLWithPath: program).lastPathComponent
  target = Target.named(environment["FUZZ_TARGET"] ?? String(called.dropFirst("fuzz_".count)))
  guard let target else {
    FileHandle.standardError.write(Data((Target.all.map(\.name).joined(separator: " ") + "\n").utf8))
    exit(64)
  }
  // What the inputs begin from: each file that is named on standard input, as the target takes it.
  if let folder = environment["FUZZ_MAKE_SEEDS"] {
    var number = 0
    while let path = readLine() {
      guard let bytes = FileManager.default.contents(atPath: path) else { continue }
      for seed in target.seeds([UInt8](bytes)) {
        _ = FileManager.default.createFile(atPath: "\(folder)/seed-\(number)", contents: Data(seed))
        number += 1
      }
    }
    exit(0)
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func tryInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let target else { return 0 }
  do {
    try target.body(Array(UnsafeBufferPointer(start: bytes, count: count)))
  } catch is any DescribedFailure {
    // As it should be.
  } catch {
    fatalError("an error that says nothing: \(error)")
  }
  return 0
}
