import ArgumentParser
import LSTMCheckpoints
import LSTMReports

struct Layers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the kinds of layers that a model may have, with an example of each.",
    usage: "lstm-ft layers [<options>]",
    discussion: """
      Each example is a model as one line, as inspect prints it and --model reads it:

      \(list)

      In JSON (--config) a layer has its kind under this name, with the same settings. docs/models.md has all of them.
      """)

  @OptionGroup(title: "Output")
  var out: OutputOptions

  private struct Kind: Encodable {
    let kind: String
    let example: String
  }

  private static var list: String {
    Layer.examples.map { "  " + pad($0.kind, 16) + $0.line }.joined(separator: "\n")
  }

  func run() throws {
    let console = out.console
    console.say(table(Layer.examples.map { [$0.kind, $0.line] }, header: ["kind", "example of a model"]))
    try console.result(Layer.examples.map { Kind(kind: $0.kind, example: $0.line) })
  }
}
