import ArgumentParser
import LSTMCheckpoints
import LSTMLayers
import LSTMReports

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a stored input through a model and compare with the source framework's outputs.",
    usage: "lstm-ft verify <model> <reference> [<options>]",
    discussion: """
        lstm-ft verify model.h5 reference.h5
        lstm-ft verify weights.pt reference.npz --config model.json --tolerance 1e-6

      The reference holds x, and those of y, h and c that are to be compared; scripts/reference-pytorch.py and \
      scripts/reference-keras.py write one beside a checkpoint. Exit code 0 when all is within the tolerance, 1 when not.
      """)

  @Argument(help: "The model file, or any checkpoint.", completion: .file())
  var model: String

  @Argument(help: "The stored input and outputs: HDF5, .npz or .safetensors.", completion: .file())
  var reference: String

  @Option(help: ArgumentHelp("The largest |ours - theirs| / max(1, |theirs|) that passes.", valueName: "value"))
  var tolerance = 1e-5

  @OptionGroup(title: "Names and layout")
  var load: LoadArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Answer: Encodable {
    let agrees: Bool
    let tolerance: Double
    let parts: [Verification.Part]
  }

  func validate() throws {
    guard tolerance >= 0 else { throw ValidationError("--tolerance \(tolerance): expected 0 or more") }
  }

  func run() throws {
    let console = out.console
    let loaded = try openModel(model, options: load.options())
    let verification = try Verification(
      loaded, against: openCheckpoint(reference, reader: load.reader), tolerance: tolerance)
    let rows = verification.parts.map { part in
      [
        part.name, shapeText(part.shape), short(part.largest), short(part.relative),
        "[" + part.index.map(String.init).joined(separator: ", ") + "]", "\(part.expected)", "\(part.found)",
        part.relative <= tolerance ? "" : "DIFFERS",
      ]
    }
    console.say(
      table(
        rows, header: ["", "shape", "largest", "relative", "at", "theirs", "ours", ""], rightAligned: [2, 3, 5, 6]))
    console.say()
    console.say(
      verification.agrees
        ? "agrees with \(reference) within \(short(tolerance))"
        : "does not agree with \(reference) within \(short(tolerance))")
    try console.result(Answer(agrees: verification.agrees, tolerance: tolerance, parts: verification.parts))
    if !verification.agrees { throw ExitCode(1) }
  }
}
