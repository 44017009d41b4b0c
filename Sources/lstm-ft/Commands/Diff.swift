import ArgumentParser
import LSTMCheckpoints
import LSTMReports

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two checkpoints: names, shapes, types and values.",
    usage: "lstm-ft diff <first> <second> [<options>]",
    discussion: """
        lstm-ft diff model.h5 finetuned.h5
        lstm-ft diff weights.h5 back.h5 --quiet && echo same
        lstm-ft diff model.keras model.onnx

      Exit code 0 when the two are the same, 1 when they differ. Values are compared bit by bit; for recurrent tensors \
      the largest difference of each gate is shown. Files of different layouts are compared as imported.
      """)

  @Argument(help: ArgumentHelp("A checkpoint or model.", valueName: "first"), completion: .file())
  var first: String

  @Argument(help: ArgumentHelp("Another.", valueName: "second"), completion: .file())
  var second: String

  @OptionGroup(title: "Names and layout")
  var load: LoadArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  func run() throws {
    let console = out.console
    let difference = try CheckpointDifference(
      openCheckpoint(first, mayBeArray: true, reader: load.reader),
      openCheckpoint(second, mayBeArray: true, reader: load.reader), options: load.options())
    for name in difference.onlyInFirst { console.say("only in \(first): \(name)") }
    for name in difference.onlyInSecond { console.say("only in \(second): \(name)") }
    for item in difference.shapes {
      console.say("\(item.name): shape \(shapeText(item.first)) against \(shapeText(item.second))")
    }
    for item in difference.dataTypes {
      console.say("\(item.name): \(item.first.rawValue) against \(item.second.rawValue)")
    }
    if !difference.values.isEmpty {
      console.say(
        table(
          difference.values.map(row),
          header: ["tensor", "differ", "largest", "at", "gate i", "gate f", "gate g", "gate o"],
          rightAligned: [1, 2, 4, 5, 6, 7]))
    }
    if difference.configurationDiffers { console.say("the configurations differ") }
    if difference.preprocessingDiffers { console.say("the preprocessing differs") }
    let same = plural(difference.identical.count, "tensor")
    console.say(
      difference.isEqual
        ? "the same: \(same), bit by bit" : "\(same) the same, largest difference \(short(difference.largest))")
    try console.result(Answer(same: difference.isEqual, largest: difference.largest, difference: difference))
    if !difference.isEqual { throw ExitCode(1) }
  }

  struct Answer: Encodable {
    let same: Bool
    let largest: Double
    let difference: CheckpointDifference
  }

  private func row(_ item: CheckpointDifference.Values) -> [String] {
    let gates = item.gates.map { [short($0.i), short($0.f), short($0.g), short($0.o)] } ?? []
    let place = "[" + item.index.map(String.init).joined(separator: ", ") + "]"
    return [item.name, grouped(item.differingCount), short(item.largest), place] + gates
  }
}
