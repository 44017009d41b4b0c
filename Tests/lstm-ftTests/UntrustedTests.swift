import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Files and folders that somebody else prepared.
@Suite struct UntrustedTests {
  /// What a terminal obeys, and what reorders a line.
  private static let hostile = "a\u{1B}[2J\u{9B}31m\u{202E}b\u{2066}c\u{200F}\nwrote model.h5\rd\u{7}"

  private static func isClean(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.properties.generalCategory {
      case .control: scalar == "\n"
      case .format, .lineSeparator, .paragraphSeparator: false
      default: true
      }
    }
  }

  /// safetensors allows any names.
  private static func writeHostile(_ place: Workplace, names: [String] = [hostile + ".weight_ih_l0", hostile]) throws {
    var header: [String: Any] = ["__metadata__": [hostile: hostile]]
    for (index, name) in names.enumerated() {
      header[name] = ["dtype": "F32", "shape": [1], "data_offsets": [4 * index, 4 * index + 4]] as [String: Any]
    }
    let json = try JSONSerialization.data(withJSONObject: header)
    var bytes = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
    bytes += json + Data(count: 4 * names.count)
    try place.write("hostile.safetensors", bytes)
  }

  @Test func namesNeverReachTheTerminalAsTheyAre() async throws {
    let place = try Workplace()
    try Self.writeHostile(place)
    try place.writeBareLSTM()
    try await succeeds(place, "import", "weights.h5")
    for arguments in [
      ["inspect", "hostile.safetensors"], ["inspect", "hostile.safetensors", "--stats"],
      ["inspect", "hostile.safetensors", "--json"], ["import", "hostile.safetensors"],
      ["import", "hostile.safetensors", "--json"], ["diff", "hostile.safetensors", "weights.h5"],
      ["verify", "model.h5", "hostile.safetensors"],
    ] {
      let outcome = try await place.run(arguments)
      #expect(Self.isClean(outcome.stdout) && Self.isClean(outcome.stderr), "\(arguments)")
      #expect(!outcome.stdout.contains("\nwrote model.h5"), "\(arguments)")
      #expect(!outcome.stderr.contains("\nwrote model.h5"), "\(arguments)")
    }
    // JSON means what the file says.
    let json = try await place.run("inspect", "hostile.safetensors", "--json").stdout
    let read = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let tensors = try #require(read["tensors"] as? [[String: Any]])
    #expect(tensors.contains { $0["name"] as? String == Self.hostile })
  }

  @Test func columnsOfDataNeverReachTheTerminalAsTheyAre() async throws {
    let place = try Workplace()
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: 1)])
    try LSTMModel(configuration, seed: 3).write(path: place.path("model.h5"))
    let column = "t\u{1B}[2J\u{202E}x"
    try place.write("mine.csv", "\(column)\n" + (0..<60).map { "\($0 % 7)\n" }.joined())
    for command in ["finetune", "evaluate"] {
      let more = command == "finetune" ? ["--epochs", "1"] : []
      let outcome = try await place.run([command, "--data", "mine.csv", "--target", column, "--window", "8"] + more)
      #expect(outcome.code == 0, "\(outcome.stderr)")
      #expect(Self.isClean(outcome.stdout) && Self.isClean(outcome.stderr), "\(command)")
    }
  }

  @Test(arguments: [20_000, 2_000_000]) func longNamesAreShortened(_ length: Int) async throws {
    let place = try Workplace()
    let long = String(repeating: "x", count: length)
    try Self.writeHostile(place, names: ["lstm.weight_ih_l0" + long, long + ".weight_hh_l0", long])
    for arguments in [["inspect", "hostile.safetensors"], ["import", "hostile.safetensors"]] {
      let outcome = try await place.run(arguments)
      #expect(outcome.stderr.utf8.count < 15_000, "\(arguments)")
      #expect(outcome.stdout.utf8.count < 200_000, "\(arguments)")
    }
  }

  // MARK: - Outputs

  private static let training = [
    "finetune", "--data", "mine.csv", "--target", "temp", "--window", "8", "--epochs", "2", "--batch-size", "64",
  ]

  private static func prepare() async throws -> Workplace {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries(rows: 60)
    try await succeeds(place, "import", "weights.h5")
    return place
  }

  private func link(_ place: Workplace, _ name: String, to target: String) throws {
    try #require(symlink(target, place.path(name)) == 0)
  }

  @Test func nothingIsWrittenThroughLinks() async throws {
    let place = try await Self.prepare()
    try place.write("precious.txt", "precious")
    try link(place, "out.h5", to: "precious.txt")
    for arguments in [
      Self.training + ["-o", "out.h5", "--overwrite"], ["import", "weights.h5", "-o", "out.h5", "--overwrite"],
      ["export", "model.h5", "--to", "safetensors", "-o", "out.h5", "--overwrite"],
    ] {
      let outcome = try await place.run(arguments)
      #expect(outcome.code == 73 && outcome.stderr.contains("symbolic link"), "\(outcome.stderr)")
    }
    // A run's folder with links in it.
    for name in ["log.jsonl", "config.json", "times.jsonl", "best.h5", "last.h5", "loss.svg", "report.html"] {
      try? FileManager.default.removeItem(atPath: place.path("run"))
      try place.makeFolder("run")
      try link(place, "run/" + name, to: "../precious.txt")
      let outcome = try await place.run(Self.training + ["--run", "run"])
      #expect(outcome.code == 73, "\(name): \(outcome.code) \(outcome.stderr)")
      #expect(try place.read("precious.txt") == "precious", "\(name)")
    }
    // Also when it is resumed, and by a second name.
    try? FileManager.default.removeItem(atPath: place.path("run"))
    try await succeeds(place, Self.training + ["--run", "run"])
    for name in ["log.jsonl", "times.jsonl"] {
      let before = try Data(contentsOf: URL(fileURLWithPath: place.path("run/" + name)))
      for isHard in [false, true] {
        try before.write(to: URL(fileURLWithPath: place.path("other")))
        unlink(place.path("run/" + name))
        if isHard {
          try #require(Glibc.link(place.path("other"), place.path("run/" + name)) == 0)
        } else {
          try link(place, "run/" + name, to: "../other")
        }
        let outcome = try await place.run("finetune", "--resume", "run")
        if name == "log.jsonl" { #expect(outcome.code == 73, "\(outcome.stderr)") }
        #expect(try Data(contentsOf: URL(fileURLWithPath: place.path("other"))) == before)
      }
      unlink(place.path("run/" + name))
      try before.write(to: URL(fileURLWithPath: place.path("run/" + name)))
    }
  }

  @Test func aReadOnlyOutputIsRefused() async throws {
    let place = try await Self.prepare()
    try await succeeds(place, "import", "weights.h5", "-o", "kept.h5")
    chmod(place.path("kept.h5"), 0o444)
    for more in [[], ["--overwrite"]] {
      let outcome = try await place.run(["import", "weights.h5", "-o", "kept.h5"] + more)
      #expect(outcome.code == 73 && outcome.stderr.contains("read-only"), "\(outcome.stderr)")
    }
  }

  @Test func theRecordOfARunIsNoOutput() async throws {
    let place = try await Self.prepare()
    try place.makeFolder("run")
    for name in ["log.jsonl", "config.json", "best.h5", "LAST.h5"] {
      let outcome = try await place.run(Self.training + ["--run", "run", "-o", "./run/" + name])
      #expect(outcome.code == 64 && outcome.stderr.contains("its own record"), "\(outcome.stderr)")
    }
    try await succeeds(place, Self.training + ["--run", "run", "-o", "run/model.h5"])
  }

  @Test func aForeignRecordDoesNotSayWhereToWrite() async throws {
    let place = try await Self.prepare()
    try place.makeFolder("work")
    for name in ["model.h5", "mine.csv"] {
      try FileManager.default.moveItem(atPath: place.path(name), toPath: place.path("work/" + name))
    }
    let words = Self.training.joined(separator: " ")
    #expect(try await place.type("lstm-ft \(words) --run run -o ../elsewhere.h5", in: place.path("work")).code == 0)
    try FileManager.default.removeItem(atPath: place.path("elsewhere.h5"))
    let refused = try await place.type("lstm-ft finetune --resume run", in: place.path("work"))
    #expect(refused.code == 64, "\(refused.stderr)")
    #expect(!FileManager.default.fileExists(atPath: place.path("elsewhere.h5")))
    // The advice is right.
    let advice = try #require(refused.stderr.split(separator: "\n").last { $0.contains("lstm-ft finetune") })
    let command = String(advice.split(separator: ": ", maxSplits: 1)[1])
    #expect(command == "lstm-ft finetune --resume run -o ../elsewhere.h5")
    #expect(try await place.type(command, in: place.path("work")).code == 0)
    #expect(FileManager.default.fileExists(atPath: place.path("elsewhere.h5")))
  }

  @Test func aStartThatFailsLeavesNoFolder() async throws {
    let place = try await Self.prepare()
    #if DEBUG
      let outcome = try await place.run(
        Self.training + ["--run", "a/b"], environment: ["LSTM_FT_FAULT": "1000000:28"])
      #expect(outcome.code == 0)
      // The first new file after the log is the record's.
      try? FileManager.default.removeItem(atPath: place.path("a"))
      let failed = try await place.run(
        Self.training + ["--run", "a/b"], environment: ["LSTM_FT_FAULT": "\(try await recordCall(place)):28"])
      #expect(failed.code == 73, "\(failed.stderr)")
      #expect(!FileManager.default.fileExists(atPath: place.path("a")))
    #endif
    // One that was killed there can be used again.
    try place.makeFolder("killed")
    try place.write("killed/log.jsonl", "")
    try await succeeds(place, Self.training + ["--run", "killed"])
    let again = try await place.run(Self.training + ["--run", "killed"])
    #expect(again.code == 73 && again.stderr.contains("already holds a run"), "\(again.stderr)")
  }

  private func recordCall(_ place: Workplace) async throws -> Int {
    try await succeeds(place, Self.training + ["--run", "counted"])
    try? FileManager.default.removeItem(atPath: place.path("counted"))
    let outcome = try await place.run(
      Self.training + ["--run", "counted"], environment: ["LSTM_FT_FAULT_CALLS": place.path("calls")])
    #expect(outcome.code == 0)
    let creations = try place.read("calls").enumerated().filter { $0.element == "n" }.map { $0.offset + 1 }
    return try #require(creations.dropFirst().first)
  }

  // MARK: - Signals

  @Test(arguments: [SIGHUP, SIGPIPE, SIGTERM, SIGINT]) func everySignalToEndSaves(_ signal: Int32) async throws {
    let place = try await Self.prepare()
    let arguments = Self.training.map { $0 == "2" ? "100000" : $0 } + ["--patience", "0", "--run", "run"]
    let outcome = try await place.run(arguments, interrupt: (signal, "epoch "))
    #expect(outcome.code == 128 + signal, "\(outcome.stderr)")
    #expect(outcome.stdout.contains("everything is saved in run"))
    #expect(FileManager.default.fileExists(atPath: place.path("run/last.h5")))
  }

  @Test func aClosedPipeSavesToo() async throws {
    let place = try await Self.prepare()
    let words = Self.training.map { $0 == "2" ? "100000" : $0 }.joined(separator: " ")
    let outcome = try await place.type(
      "(lstm-ft \(words) --patience 0 --run run; echo $? > code) | head -n 40 > shown")
    #expect(outcome.code == 0)
    #expect(try place.read("code") == "141\n")
    #expect(FileManager.default.fileExists(atPath: place.path("run/last.h5")))
  }

  // MARK: - Size

  private func sparse(_ place: Workplace, _ name: String, _ head: String, _ size: Int) throws {
    try place.write(name, head)
    try #require(truncate(place.path(name), off_t(size)) == 0)
  }

  @Test func dataBeyondTheMemoryIsAnError() async throws {
    let place = try await Self.prepare()
    let terabyte = 1 << 40
    try sparse(place, "rows.csv", "temp\n1\n2\n", terabyte)
    try sparse(place, "line.csv", "temp,1", terabyte)
    for (arguments, words) in [
      (["evaluate", "--data", "rows.csv", "--target", "temp", "--window", "8"], "of memory"),
      (["evaluate", "--data", "line.csv", "--target", "temp", "--window", "8"], "row without an end"),
    ] {
      let outcome = try await place.run(arguments)
      #expect([64, 65].contains(outcome.code), "\(arguments): \(outcome.code) \(outcome.stderr)")
      #expect(outcome.stderr.contains(words), "\(outcome.stderr)")
    }
  }

  /// A run's files are recognized by what is stored of them, when the run is resumed, too.
  @Test(.timeLimit(.minutes(2))) func dataOfHolesIsTrainedOn() async throws {
    let place = try Workplace()
    for name in ["torch_bare.onnx", "torch_bare.reference.h5"] { try place.copy("onnx/" + name, as: name) }
    try await succeeds(place, "import", "torch_bare.onnx")
    try #require(truncate(place.path("torch_bare.reference.h5"), off_t(1 << 40)) == 0)
    try await succeeds(
      place, "finetune", "--data", "torch_bare.reference.h5", "--validation-split", "0", "--epochs", "1", "--run", "run"
    )
    #expect(try place.read("run/config.json").contains("\"sparse-"))
    try await succeeds(place, "finetune", "--resume", "run")
    try #require(truncate(place.path("torch_bare.reference.h5"), off_t(1 << 40) + 1) == 0)
    let changed = try await place.run("finetune", "--resume", "run")
    #expect(changed.code == 65 && changed.stderr.contains("it has changed since the run was started"))
  }

  @Test func moreColumnsThanATableHasAreAnError() async throws {
    let place = try await Self.prepare()
    // A cell in each of more columns than a table has.
    try place.write("columns.csv", Data(repeating: UInt8(ascii: ","), count: 3_000_000) + Data("\n1\n".utf8))
    let columns = try await place.run("evaluate", "--data", "columns.csv", "--target", "x", "--window", "8")
    #expect(columns.code == 65 && columns.stderr.contains("cells in a row"), "\(columns.stderr)")
  }

  @Test func badNumbersAreErrors() async throws {
    let place = try await Self.prepare()
    for arguments in [
      ["generate", "--prompt", "a", "--window", "-1"],
      ["finetune", "--data", "mine.csv", "--target", "temp", "--window", "-1"],
      Self.training.map { $0 == "2" ? "-1" : $0 }, Self.training.map { $0 == "64" ? "-3" : $0 },
    ] {
      let outcome = try await place.run(arguments)
      #expect(outcome.code == 64, "\(arguments): \(outcome.code) \(outcome.stderr)")
    }
  }
}
