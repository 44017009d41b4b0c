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
    discussion: """
      lstm-ft export finetuned.h5 --to pytorch-h5 -o back.h5

      Tensors that did not change are written byte for byte, under the names they came with. In Python:
      model.load_state_dict({k: torch.tensor(v[...]) for k, v in h5py.File("back.h5").items()})
      """)

  @Argument(help: "The model file.")
  var model: String

  @Option(name: .customLong("to"), help: "The format: pytorch-h5.")
  var format: ExportFormat

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: String

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Answer: Encodable {
    let output: String
    let format: String
    let tensors: [String: String]
  }

  func run() throws {
    let console = out.console
    try requireDifferent(output, from: model)
    guard FileManager.default.fileExists(atPath: model) else { throw InputError.noModel(model) }
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
