import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

#if canImport(Glibc)
  import Glibc
#endif

#if DEBUG
  /// Each system call of each command fails once in each way. Whatever happens, the old file or the new one is there and
  /// whole, the error is one line with the reason, and nothing stays behind. By default some calls of each command are taken;
  /// LSTM_FT_FAULTS=all takes every one.
  @Suite(.serialized) struct FaultTests {
    static let takesAll = ProcessInfo.processInfo.environment["LSTM_FT_FAULTS"] == "all"

    static func prepare(_ place: Workplace) async throws {
      try place.writeBareLSTM()
      try place.writeSeries(rows: 40)
      try await succeeds(place, "import", "weights.h5")
      let configuration = ModelConfiguration(
        input: .features(size: 1), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: 1)])
      try LSTMModel(configuration, seed: 3).write(path: place.path("headed.h5"))
      try await succeeds(
        place, "export", "headed.h5", "--to", "keras", "--bias", "single", "-o", "weights.keras")
    }

    /// - Returns: a letter for each call.
    private static func calls(_ place: Workplace, _ arguments: [String]) async throws -> [Character] {
      let outcome = try await place.run(arguments, environment: ["LSTM_FT_FAULT_CALLS": place.path("calls")])
      #expect(outcome.code == 0, "\(outcome.stderr)")
      defer { try? FileManager.default.removeItem(atPath: place.path("calls")) }
      return Array(try place.read("calls"))
    }

    private static func remains(_ place: Workplace) throws -> [String] {
      try FileManager.default.subpathsOfDirectory(atPath: place.url.path).filter { $0.hasSuffix(".tmp") }
    }

    /// Some of the calls of these kinds, evenly; or all. Counted from 1.
    private static func chosen(_ calls: [Character], _ kinds: String, _ limit: Int) -> [Int] {
      let all = calls.indices.filter { kinds.contains(calls[$0]) }
      guard !takesAll, all.count > limit else { return all.map { $0 + 1 } }
      return (0..<limit).map { all[$0 * (all.count - 1) / (limit - 1)] + 1 }
    }

    struct Fault: Sendable {
      let action: String
      /// The kinds of calls that fail so.
      let kinds: String
      var reason: String? { Int32(action).map { String(cString: strerror($0)) } }
    }

    static let faults = [
      Fault(action: "\(ENOSPC)", kinds: "nwstdc"),
      Fault(action: "\(EIO)", kinds: "onrwstmcd"),
      Fault(action: "\(EFBIG)", kinds: "wt"),
      Fault(action: "\(EMFILE)", kinds: "on"),
      Fault(action: "short", kinds: "w"),
      Fault(action: "kill", kinds: "onrwstmcd"),
    ]

    @Test(.timeLimit(.minutes(takesAll ? 120 : 10)), arguments: cases)
    func everyCallFailsOnce(_ work: Case) async throws {
      try await walk(work) { calls, fault in Self.chosen(calls, fault.kinds, 4) }
    }

    /// The same for every other format and command; by default one call for each fault, another one in each case.
    @Test(.timeLimit(.minutes(takesAll ? 120 : 10)), arguments: others)
    func everyCallOfTheOthersFailsOnce(_ work: Case) async throws {
      let place = work.testDescription.unicodeScalars.reduce(0) { $0 + Int($1.value) }
      try await walk(work) { calls, fault in
        let all = Self.chosen(calls, fault.kinds, .max)
        return Self.takesAll || all.isEmpty ? all : [all[place % all.count]]
      }
    }

    /// What a file holds: its description, and the bytes of each tensor.
    private struct Contents: Equatable {
      let configuration: ModelConfiguration?
      let tensors: [String: [UInt8]]

      init(_ checkpoint: Checkpoint) throws {
        configuration = checkpoint.configuration
        tensors = try Dictionary(uniqueKeysWithValues: checkpoint.tensors.map { ($0.name, try $0.bytes()) })
      }
    }

    /// Without the line of a page that says when it was written.
    private static func bytes(_ place: Workplace, _ name: String) throws -> Data {
      let data = try Data(contentsOf: URL(fileURLWithPath: place.path(name)))
      guard name.hasSuffix(".html") else { return data }
      let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
      return Data(lines.filter { !$0.hasPrefix("<p>Written by ") }.joined(separator: "\n").utf8)
    }

    private func walk(_ work: Case, _ choose: ([Character], Fault) -> [Int]) async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      for (fixture, name) in work.fixtures { try place.copy(fixture, as: name) }
      for arguments in work.before { try await succeeds(place, arguments) }
      // Replacing a file takes calls of its own.
      try await succeeds(place, work.arguments)
      try? FileManager.default.removeItem(atPath: place.path("run"))
      let calls = try await Self.calls(place, work.arguments)
      #expect(calls.contains("r") && work.output == nil || calls.contains("m") && calls.contains("s"))
      let good = try work.output.map { try Self.bytes(place, $0) }
      let contents = try work.output.flatMap { try $0.hasSuffix(".h5") ? Contents(place.checkpoint($0)) : nil }
      for fault in Self.faults {
        for number in choose(calls, fault) {
          try? FileManager.default.removeItem(atPath: place.path("run"))
          let label =
            "\(work.testDescription): \(fault.action) at call \(number) of \(calls.count), \(calls[number - 1])"
          let outcome = try await place.run(
            work.arguments, environment: ["LSTM_FT_FAULT": "\(number):\(fault.action)"])
          switch outcome.code {
          case 0:
            #expect(fault.action != "kill", "\(label)")
            // What could not be read is never passed over.
            #expect(fault.action != "\(EIO)" || calls[number - 1] != "r", "\(label)")
          case 73, 74: Self.checkError(outcome.stderr, fault.reason, label)
          case 128 + SIGKILL: #expect(fault.action == "kill", "\(label)")
          default: Issue.record("\(label): exit \(outcome.code): \(outcome.stderr)")
          }
          if fault.action != "kill" { #expect(try Self.remains(place).isEmpty, "\(label)") }
          guard let output = work.output else { continue }
          // The output is the one before, or the new one: the same bytes but for the date in a model's history.
          if try Self.bytes(place, output) != good {
            #expect(try contents == Contents(place.checkpoint(output)), "\(label)")
          }
        }
      }
      // The next run removes what a kill left.
      try? FileManager.default.removeItem(atPath: place.path("run"))
      try await succeeds(place, work.arguments)
      #expect(try Self.remains(place).isEmpty)
    }

    /// One line that says which file and why, and at most two of advice.
    private static func checkError(_ text: String, _ reason: String?, _ label: String) {
      let lines = text.split(separator: "\n").filter { !$0.hasPrefix("warning: ") }
      #expect(lines.first?.hasPrefix("error: ") == true && lines.count <= 3, "\(label): \(text)")
      #expect(lines.first?.contains(reason ?? "?") == true, "\(label): \(text)")
      let files =
        [
          ".h5", ".csv", ".svg", ".json", ".keras", ".safetensors", ".onnx", ".npz", ".npy", ".pt", ".pkl", ".txt",
          ".html",
        ]
        + [".py", "run", "/tmp", "/dev/shm"]
      #expect(files.contains { lines.first?.contains($0) == true }, "\(label): \(text)")
    }

    /// The weights of a `.keras` archive are written by themselves, and read to be packed.
    @Test func whatIsPackedMayNotBeReadable() async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      let work = try #require(Self.cases.first { $0.output == "out.keras" })
      let calls = try await Self.calls(place, work.arguments)
      let reads = calls.indices.suffix(25).filter { calls[$0] == "r" }
      #expect(reads.count > 1)
      for index in reads {
        let outcome = try await place.run(work.arguments, environment: ["LSTM_FT_FAULT": "\(index + 1):\(EIO)"])
        #expect(outcome.code == 74)
        Self.checkError(outcome.stderr, String(cString: strerror(EIO)), "reading by call \(index + 1)")
      }
    }

    /// Constants of a graph are tried as this and that; what cannot be read is none of it.
    @Test func aGraphIsNotDescribedWithoutWhatCannotBeRead() async throws {
      let place = try Workplace()
      try place.copy("onnx-graph/attention_product.onnx", as: "graph.onnx")
      let calls = try await Self.calls(place, ["inspect", "graph.onnx"])
      let reads = calls.indices.filter { calls[$0] == "r" }
      #expect(reads.count > 10)
      for index in reads.suffix(10) {
        let outcome = try await place.run(
          ["inspect", "graph.onnx"], environment: ["LSTM_FT_FAULT": "\(index + 1):\(EIO)"])
        #expect(outcome.code == 74)
        Self.checkError(outcome.stderr, String(cString: strerror(EIO)), "reading by call \(index + 1)")
      }
    }

    /// A run that any fault stopped is resumed, or begun again in its folder, and ends with the same bits.
    @Test(.timeLimit(.minutes(takesAll ? 120 : 10))) func aRunGoesOnAfterAnyFault() async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      let begin = Self.finetune + ["--save-every", "0.001"]
      let calls = try await Self.calls(place, begin)
      func weights() throws -> [String: [UInt8]] {
        try Dictionary(uniqueKeysWithValues: place.checkpoint("out.h5").tensors.map { ($0.name, try $0.bytes()) })
      }
      let expected = try weights()
      let log = try place.read("run/log.jsonl")
      for fault in ["\(ENOSPC)", "\(EIO)", "kill"] {
        for number in Self.chosen(calls, fault == "\(EIO)" ? "onrwstdmc" : "nwstdmc", 6) {
          for name in ["run", "out.h5"] { try? FileManager.default.removeItem(atPath: place.path(name)) }
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

    /// What goes wrong while a run is resumed does not spoil it: the next try ends with the same bits.
    @Test(.timeLimit(.minutes(takesAll ? 120 : 10))) func resumingMayFailToo() async throws {
      let place = try Workplace()
      try await Self.prepare(place)
      func weights() throws -> [String: [UInt8]] {
        try Dictionary(uniqueKeysWithValues: place.checkpoint("out.h5").tensors.map { ($0.name, try $0.bytes()) })
      }
      let begin = Self.finetune + ["--save-every", "0.001"]
      let made = try await Self.calls(place, begin)
      let expected = try weights()
      let manager = FileManager.default
      try manager.removeItem(atPath: place.path("run"))
      // Stopped in the middle.
      _ = try await place.run(begin, environment: ["LSTM_FT_FAULT": "\(made.count * 2 / 3):kill"])
      try manager.moveItem(atPath: place.path("run"), toPath: place.path("stopped"))
      let resume = ["finetune", "--resume", "run", "--threads", "1"]
      try manager.copyItem(atPath: place.path("stopped"), toPath: place.path("run"))
      let calls = try await Self.calls(place, resume)
      for fault in ["\(ENOSPC)", "\(EIO)", "kill"] {
        for number in Self.chosen(calls, fault == "\(EIO)" ? "onrwstmc" : "nwstmc", 4) {
          try manager.removeItem(atPath: place.path("run"))
          try manager.copyItem(atPath: place.path("stopped"), toPath: place.path("run"))
          try? manager.removeItem(atPath: place.path("out.h5"))
          let outcome = try await place.run(resume, environment: ["LSTM_FT_FAULT": "\(number):\(fault)"])
          let label = "\(fault) at call \(number), \(calls[number - 1])"
          #expect(
            [0, 73, 74, fault == "kill" ? 128 + SIGKILL : 0].contains(outcome.code), "\(label): \(outcome.stderr)")
          if outcome.code == 73 || outcome.code == 74 {
            Self.checkError(outcome.stderr, Int32(fault).map { String(cString: strerror($0)) }, label)
          }
          let again = try await place.run(resume)
          #expect(again.code == 0, "\(label), then \(again.stderr)")
          guard again.code == 0 else { continue }
          #expect(try weights() == expected, "\(label)")
          #expect(try Self.remains(place).allSatisfy { $0.hasPrefix("stopped/") }, "\(label)")
        }
      }
    }
  }
#endif
