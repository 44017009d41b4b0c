import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

#if os(Linux)
  /// Thousands of imports in one process take no more memory and no more descriptors than the first hundred. Alone in its
  /// process it runs when it is asked for: LSTM_FT_SOAK says how many imports.
  @Suite struct SoakTests {
    private static let wanted = ProcessInfo.processInfo.environment["LSTM_FT_SOAK"].flatMap { Int($0) } ?? 0

    @Test(.enabled(if: wanted > 0), .timeLimit(.minutes(120))) func importsLeaveNothingBehind() throws {
      let folder = try TemporaryFolder()
      let model = LSTMModel(
        ModelConfiguration(
          input: .features(size: 8), layers: [.init(hiddenSize: 64)], readout: .last, head: [.init(size: 4)]), seed: 5)
      let formats: [Checkpoint.Format] = [.native, .pytorchHDF5, .pt, .safetensors, .npz, .kerasArchive, .onnx]
      let sources = try formats.map { format in
        let path = folder.path("source" + format.suffix + "-" + format.rawValue + format.suffix)
        try model.write(path: path, as: format, options: WriteOptions(bias: format == .kerasArchive ? .single : nil))
        return path
      }
      func importOne(_ number: Int) throws {
        let plan = try LoadPlan(Checkpoint(path: sources[number % sources.count]))
        try LSTMModel(plan, seed: 1).write(path: folder.path("model.h5"))
      }
      for number in 0..<100 { try importOne(number) }
      let (memory, descriptors) = (try Self.residentBytes(), try Self.descriptorCount())
      for number in 0..<Self.wanted { try importOne(number) }
      let (memoryThen, descriptorsThen) = (try Self.residentBytes(), try Self.descriptorCount())
      print(
        "\(Self.wanted) imports: \(memory >> 10) -> \(memoryThen >> 10) kB, \(descriptors) -> \(descriptorsThen) descriptors"
      )
      #expect(descriptorsThen == descriptors)
      #expect(memoryThen - memory < 16 << 20)
    }

    private static func residentBytes() throws -> Int {
      let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
      return try #require(Int(text.split(separator: " ")[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func descriptorCount() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
  }
#endif
