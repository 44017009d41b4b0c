import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMLayers

enum ExportFormat: String, ExpressibleByArgument, CaseIterable {
  case pytorchHDF5 = "pytorch-h5"
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model for the framework it came from.",
    usage: "lstm-ft export <model> --to <format> -o <file> [<options>]",
    discussion: """
        lstm-ft export finetuned.h5 --to pytorch-h5 -o back.h5

      Tensors that did not change are written byte for byte, under the names they came with. In Python:

        f = h5py.File("back.h5")
        model.load_state_dict({k: torch.tensor(v[...]) for k, v in f.items()})
      """)

  @Argument(help: "The model file.", completion: .file())
  var model: String

  @OptionGroup(title: "Output")
  var target: Target

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Target: ParsableArguments {
    @Option(name: .customLong("to"), help: ArgumentHelp("The format.", valueName: "format"))
    var format: ExportFormat

    @Option(
      name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var output: String
  }

  struct Answer: Encodable {
    let output: String
    let format: String
    let tensors: [String: String]
  }

  func run() throws {
    let console = out.console
    let (format, output) = (target.format, target.output)
    try requireOutput(output, apartFrom: [model])
    let checkpoint = try openModel(model).checkpoint
    try checkpoint.write(path: output, as: .pytorchHDF5)
    var names: [String: String] = [:]
    for tensor in checkpoint.tensors { names[tensor.name] = checkpoint.pyTorchName(of: tensor.name) }
    console.say(
      table(
        checkpoint.tensors.map { [$0.name, names[$0.name] ?? "", shapeText($0.shape), $0.dataType.rawValue] },
        header: ["in the model", "written as", "shape", "type"]))
    console.say()
    console.say("wrote \(output) (\(plural(checkpoint.tensors.count, "tensor")))")
    try console.result(Answer(output: output, format: format.rawValue, tensors: names))
  }
}
