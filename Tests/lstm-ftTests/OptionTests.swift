import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

/// Options that were given twice, the names that people use for losses and optimizers, and what --patience 0 means.
@Suite(.serialized) struct OptionTests {
  @Test(arguments: [
    ("finetune --data mine.csv --lr 1 --lr 2", "--lr is given twice: 1 and 2", "leave one of them out"),
    (
      "finetune --data mine.csv --lr=1 --learning-rate 2",
      "--lr and --learning-rate, which are one option, are given twice: 1 and 2", "leave one of them out"
    ),
    (
      "import weights.h5 -o a.h5 --output b.h5",
      "-o and --output, which are one option, are given twice: a.h5 and b.h5",
      "leave one of them out"
    ),
    ("evaluate --data mine.csv --window 3 --window=4", "--window is given twice: 3 and 4", "leave one of them out"),
    (
      "predict --data mine.csv --features a --features b", "--features is given twice: a and b",
      "separate several by commas"
    ),
    ("lr-find --data mine.csv --from 1 --from 2", "--from is given twice: 1 and 2", "leave one of them out"),
    ("export model.h5 --to pt --to onnx -o x", "--to is given twice: pt and onnx", "leave one of them out"),
    ("generate --seed -0 --seed 1", "--seed is given twice: -0 and 1", "leave one of them out"),
    ("verify a b --tolerance 1 --tolerance 1", "--tolerance is given twice: 1 and 1", "leave one of them out"),
    ("diff a b --prefix x --prefix y", "--prefix is given twice: x and y", "leave one of them out"),
    ("inspect a --readout last --readout all", "--readout is given twice: last and all", "leave one of them out"),
    ("report run -o a -o b", "-o is given twice: a and b", "leave one of them out"),
    (
      "finetune --data mine.csv --shuffle --no-shuffle", "--shuffle and --no-shuffle cannot be combined",
      "leave one of them out"
    ),
  ])
  func anOptionIsGivenOnce(_ typed: String, _ message: String, _ advice: String) async throws {
    let outcome = try await Workplace().run(typed.split(separator: " ").map(String.init))
    #expect(outcome.code == 64)
    #expect(outcome.stderr == "error: \(message)\n  \(advice)\n")
  }

  @Test func whatIsRepeatableStaysSo() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()
    #expect(try await place.run("import", "weights.h5", "--quiet", "--quiet").code == 0)
    let done = try await place.run(
      "finetune", "--data", "mine.csv", "--target", "temp", "--window", "4", "--epochs", "1", "--freeze", "layer0",
      "--freeze", "layer1", "--json", "--json")
    #expect(done.code == 0, "\(done.stderr)")
  }

  // MARK: - Names

  static func place() async throws -> Workplace {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()
    #expect(try await place.run("import", "weights.h5").code == 0)
    return place
  }

  static let finetune = ["finetune", "--data", "mine.csv", "--target", "temp", "--window", "4", "--epochs", "1"]

  @Test func lossesByTheNamesThatPeopleUse() async throws {
    let place = try await Self.place()
    for (name, loss) in [
      ("MSELoss", "mse"), ("mean_squared_error", "mse"), ("l2", "mse"), ("l1", "mae"), ("L1Loss", "mae"),
      ("mean_absolute_error", "mae"), ("nn.HuberLoss", "huber"), ("huber_loss", "huber"), ("smooth_l1", "huber"),
      ("SmoothL1Loss", "huber"),
    ] {
      let done = try await place.run(Self.finetune + ["--loss", name])
      #expect(done.code == 0 && done.stdout.contains("train  \(loss), "), "\(name): \(done.stderr)")
      #expect(done.stdout.contains("note   --loss \(name): ") == name.lowercased().hasPrefix("smooth"))
    }
    for (name, loss) in [
      ("BCELoss", "binary cross-entropy"), ("bce_with_logits", "binary cross-entropy"),
      ("binary_crossentropy", "binary cross-entropy"), ("BinaryCrossentropy", "binary cross-entropy"),
      ("categorical_crossentropy", "cross-entropy"), ("sparse_categorical_crossentropy", "cross-entropy"),
      ("CrossEntropyLoss", "cross-entropy"), ("ce", "cross-entropy"), ("NLLLoss", "cross-entropy"),
    ] {
      // Temperatures are neither.
      let refused = try await place.run(Self.finetune + ["--loss", name])
      #expect(
        refused.code == 65 && refused.stderr.hasPrefix("error: mine.csv: \(loss) needs"), "\(name): \(refused.stderr)")
    }
    let unknown = try await place.run(Self.finetune + ["--loss", "focal"])
    #expect(unknown.code == 64)
    #expect(unknown.stderr.hasPrefix("error: --loss focal: expected mse, mae, huber, cross-entropy, bce, crf or ctc\n"))
  }

  @Test func optimizersByAnyNameOrNone() async throws {
    let place = try await Self.place()
    for (name, rule) in [("AdamW", "adamw"), ("ADAM", "adam"), ("SGD", "sgd"), ("adam_w", "adamw")] {
      let done = try await place.run(Self.finetune + ["--optimizer", name])
      #expect(done.code == 0 && done.stdout.contains(", \(rule) at "), "\(name): \(done.stderr)")
    }
    let refused = try await place.run(Self.finetune + ["--optimizer", "RMSprop"])
    #expect(refused.code == 64)
    #expect(refused.stderr.hasPrefix("error: --optimizer RMSprop: it is not supported; expected adam, adamw or sgd\n"))
    let amsgrad = try await place.run(Self.finetune + ["--optimizer", "amsgrad"])
    #expect(amsgrad.stderr.hasSuffix("use --optimizer adam --amsgrad\n"))
    #expect(try await place.run(Self.finetune + ["--optimizer", "adam", "--amsgrad"]).code == 0)
  }

  // MARK: - Patience

  /// A rate at which everything saturates.
  @Test func withoutPatienceARunGoesOnWhateverBecomesOfIt() async throws {
    let place = try await Self.place()
    let wild = Self.finetune.dropLast() + ["12", "--lr", "30", "--clip-norm", "0"]
    let stopped = try await place.run(wild + ["--patience", "20"])
    #expect(stopped.code == 0 && stopped.stdout.contains("stopped: "), "\(stopped.stdout) \(stopped.stderr)")
    let whole = try await place.run(wild + ["--patience", "0"])
    #expect(whole.code == 0 && !whole.stdout.contains("stopped: "), "\(whole.stderr)")
    #expect(whole.stdout.contains("\n12/12 "))
    #expect(whole.stderr.contains("warning: ") && whole.stderr.contains("because of --patience 0"))
  }
}
