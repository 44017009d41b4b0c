import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

#if canImport(Glibc)
  import Glibc
#endif

#if DEBUG
  /// Every system call of every command fails once in each way. Whatever happens, the old file or the new one is there and
  /// whole, the error is one line, and the next run leaves nothing behind. LSTM_FT_FAULTS=all takes every call; otherwise some
  /// calls in the middle of long commands are left out.
  @Suite(.serialized) struct FaultTests {
    /// A command, and how its output is looked at.
    struct Case: Sendable, CustomTestStringConvertible {
      let name: String
      let arguments: [String]
      let outputs: [String]
      var testDescription: String { name }
    }

    static let cases: [Case] = [
      Case(name: "import", arguments: ["import", "weights.h5", "-o", "out.h5"], outputs: ["out.h5"]),
      Case(
        name: "export", arguments: ["export", "model.h5", "--to", "safetensors", "-o", "out.safetensors"],
        outputs: ["out.safetensors"]),
      Case(
        name: "export to Keras", arguments: ["export", "headed.h5", "--to", "keras", "-o", "out.keras"],
        outputs: ["out.keras"]),
      Case(
        name: "predict",
        arguments: [
          "predict", "headed.h5", "--data", "mine.csv", "--target", "temp", "--window", "8", "-o", "out.csv",
        ],
        outputs: ["out.csv"]),
      Case(
        name: "lr-find",
        arguments: [
          "lr-find", "headed.h5", "--data", "mine.csv", "--target", "temp", "--window", "8", "--steps", "5", "-o",
          "out.svg",
        ], outputs: ["out.svg"]),
      Case(
        name: "finetune",
        arguments: [
          "finetune", "headed.h5", "--data", "mine.csv", "--target", "temp", "--window", "8", "--epochs", "1",
          "--batch-size",
          "64", "--threads", "1", "--run", "run", "-o", "out.h5",
        ], outputs: ["out.h5"]),
    ]

    private static func prepare(_ place: Workplace) async throws {
      try place.writeBareLSTM()
      try place.writeSeries(rows: 40)
      try await succeeds(place, "import", "weights.h5")
      let configuration = ModelConfiguration(
        input: .features(size: 1), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: 1)])
      try LSTMModel(configuration, seed: 3).write(path: place.path("headed.h5"))
    }

    /// - Returns: a letter for each call.
    private static func calls(_ place: Workplace, _ arguments: [String]) async throws -> [Character] {
      let list = place.path("calls")
      let outcome = try await place.run(arguments, environment: ["LSTM_FT_FAULT_CALLS": list])
      #expect(outcome.code == 0, "\(outcome.stderr)")
      defer { try? FileManager.default.removeItem(atPath: list) }
      return Array(try place.read("calls"))
    }

    private static func remains(_ place: Workplace) throws -> [String] {
      try FileManager.default.subpathsOfDirectory(atPath: place.url.path).filter { $0.hasSuffix(".tmp") }
    }

    /// Some of a long command's calls; all of a short one's.
    private static func chosen(_ calls: [Character], _ kinds: Set<Character>) -> [Int] {
      let all = calls.indices.filter { kinds.contains(calls[$0]) }
      let limit = ProcessInfo.processInfo.environment["LSTM_FT_FAULTS"] == "all" ? Int.max : 5
      guard all.count > limit else { return all.map { $0 + 1 } }
      return Set((0..<limit).map { all[$0 * (all.count - 1) / (limit - 1)] }).sorted().map { $0 + 1 }
    }

    private struct Fault: Sendable {
      let action: String
      /// The kinds of calls that fail so.
      let kinds: Set<Character>
      var code: Int32? { Int32(action) }
    }

    private static let faults = [
      Fault(action: "\(ENOSPC)", kinds: ["n", "w", "s", "t", "d", "c"]),
      Fault(action: "\(EIO)", kinds: ["o", "n", "r", "w", "s", "t", "m", "c", "d"]),
      Fault(action: "\(EFBIG)", kinds: ["w", "t"]),
      Fault(action: "\(EMFILE)", kinds: ["o", "n"]),
      Fault(action: "short", kinds: ["w"]),
      Fault(action: "kill", kinds: ["o", "n", "r", "w", "s", "t", "m", "c", "d"]),
    ]

    @Test(.timeLimit(.minutes(10)), arguments: cases)
    func everyCallFailsOnce(_ work: Case) async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      let calls = try await Self.calls(place, work.arguments)
      #expect(calls.contains("w") && calls.contains("m") && calls.contains("s"))
      let good = try work.outputs.map { try Data(contentsOf: URL(fileURLWithPath: place.path($0))) }
      for fault in Self.faults {
        for number in Self.chosen(calls, fault.kinds) {
          try? FileManager.default.removeItem(atPath: place.path("run"))
          let label = "\(work.name): \(fault.action) at call \(number) of \(calls.count), \(calls[number - 1])"
          let outcome = try await place.run(
            work.arguments, environment: ["LSTM_FT_FAULT": "\(number):\(fault.action)"])
          switch outcome.code {
          case 0: break
          case 73, 74: #expect(fault.code != nil, "\(label): \(outcome.stderr)")
          case 128 + SIGKILL: #expect(fault.action == "kill", "\(label)")
          default: Issue.record("\(label): exit \(outcome.code): \(outcome.stderr)")
          }
          if outcome.code == 73 || outcome.code == 74 {
            let lines = outcome.stderr.split(separator: "\n")
            #expect(lines.first?.hasPrefix("error: ") == true && lines.count <= 3, "\(label): \(outcome.stderr)")
            #expect(
              lines.first?.contains(String(cString: strerror(fault.code ?? 0))) == true, "\(label): \(outcome.stderr)")
            #expect(try Self.remains(place).isEmpty, "\(label)")
          }
          // The output is the one before, or the new one; both are these bytes but for the date of a model's history.
          for (name, bytes) in zip(work.outputs, good) {
            let now = try Data(contentsOf: URL(fileURLWithPath: place.path(name)))
            if now != bytes {
              #expect(name.hasSuffix(".h5") || name.hasSuffix(".keras"), "\(label)")
              for tensor in try place.checkpoint(name).tensors { _ = try tensor.bytes() }
            }
          }
        }
      }
      // Nothing stays behind.
      try? FileManager.default.removeItem(atPath: place.path("run"))
      try await succeeds(place, work.arguments)
      #expect(try Self.remains(place).isEmpty)
    }

    /// A run that was stopped by any fault is resumed, or begun again in its folder, and ends with the same bits.
    @Test(.timeLimit(.minutes(10))) func aRunGoesOnAfterAnyFault() async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      let begin = try #require(Self.cases.last).arguments.map { $0 == "1" ? "1" : $0 } + ["--save-every", "0.001"]
      let calls = try await Self.calls(place, begin)
      func weights() throws -> [String: [UInt8]] {
        try Dictionary(uniqueKeysWithValues: place.checkpoint("out.h5").tensors.map { ($0.name, try $0.bytes()) })
      }
      let expected = try weights()
      let log = try place.read("run/log.jsonl")
      for fault in ["\(ENOSPC)", "kill"] {
        for number in Self.chosen(calls, ["n", "w", "s", "t", "d", "m", "c"]) {
          try? FileManager.default.removeItem(atPath: place.path("run"))
          try? FileManager.default.removeItem(atPath: place.path("out.h5"))
          var outcome = try await place.run(begin, environment: ["LSTM_FT_FAULT": "\(number):\(fault)"])
          let label = "\(fault) at call \(number), \(calls[number - 1]): \(outcome.stderr)"
          if outcome.code != 0 {
            let isBegun = FileManager.default.fileExists(atPath: place.path("run/config.json"))
            outcome = try await place.run(isBegun ? ["finetune", "--resume", "run", "--threads", "1"] : begin)
          }
          #expect(outcome.code == 0, "\(label), then \(outcome.stderr)")
          guard outcome.code == 0 else { continue }
          #expect(try weights() == expected, "\(label)")
          #expect(try place.read("run/log.jsonl") == log, "\(label)")
          #expect(try Self.remains(place).isEmpty, "\(label)")
        }
      }
    }

    /// What cannot be read for want of descriptors, or from a failing disk, is not called a damaged file.
    @Test(arguments: [EMFILE, EIO, ENFILE])
    func failingToReadIsNoDamage(_ code: Int32) async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      try place.copy("demo/sf-temps.csv", as: "table.csv")
      for arguments in [
        ["inspect", "weights.h5"], ["inspect", "model.h5"],
        ["evaluate", "headed.h5", "--data", "table.csv", "--target", "temp", "--window", "8"],
      ] {
        let calls = try await Self.calls(place, arguments)
        for number in Self.chosen(calls, code == EIO ? ["r", "o"] : ["o"]) {
          let outcome = try await place.run(arguments, environment: ["LSTM_FT_FAULT": "\(number):\(code)"])
          #expect(outcome.code == 74 || outcome.code == 0, "\(arguments) call \(number): \(outcome.stderr)")
          guard outcome.code != 0 else { continue }
          #expect(outcome.stderr.contains(String(cString: strerror(code))), "\(outcome.stderr)")
        }
      }
    }
  }
#endif
