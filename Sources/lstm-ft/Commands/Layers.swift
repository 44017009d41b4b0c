import ArgumentParser
import LSTMCheckpoints
import LSTMReports

struct Layers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the kinds of layers, or the layers and tensors of a model given as one line.",
    usage: "lstm-ft layers [<model>] [<options>]",
    discussion: """
        lstm-ft layers
        lstm-ft layers '8 features -> LSTM 64 -> last -> dense 3'

      The kinds, each with a model as one line, as inspect prints it and --model reads it:

      \(list)

      In JSON (--config) a layer has its kind under this name, with the same settings. docs/models.md has all of them, and what Keras and ONNX cannot hold and why, which is listed below the kinds.
      """)

  @Argument(help: "A model as one line, to see what it has.")
  var model: String?

  @OptionGroup(title: "Output")
  var out: OutputOptions

  private struct Kind: Encodable {
    struct Setting: Encodable {
      let key: String
      let choices: [String]?
      let isFlag: Bool
    }

    let kind: String
    let example: String
    let settings: [Setting]
  }

  private struct Answer: Encodable {
    struct Tensor: Encodable {
      let name: String
      let shape: [Int]
      /// Whether training moves it.
      let isTrained: Bool
    }

    let line: String
    let configuration: ModelConfiguration
    let graph: [ModelConfiguration.Row]
    let parameters: Int
    let tensors: [Tensor]
  }

  private static var list: String {
    Layer.examples.map { "  " + pad($0.kind, 16) + $0.line }.joined(separator: "\n")
  }

  func run() throws {
    let console = out.console
    if let model { return try show(described(model), console) }
    console.say(table(Layer.examples.map { [$0.kind, $0.line] }, header: ["kind", "example of a model"]))
    console.say("")
    console.say(
      table(
        FormatLimit.all.map { [$0.what, $0.formats.map(\.rawValue).joined(separator: ", "), $0.reason] },
        header: ["cannot be written", "as", "because"]))
    try console.result(
      Layer.examples.map { example in
        Kind(
          kind: example.kind, example: example.line,
          settings: Layer.settings(ofKind: example.kind).map {
            .init(key: $0.key, choices: $0.choices.isEmpty ? nil : $0.choices, isFlag: $0.isFlag)
          })
      })
  }

  private func show(_ configuration: ModelConfiguration, _ console: Console) throws {
    let tensors = configuration.parameters
    let count = tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    if out.json {
      return try console.result(
        Answer(
          line: configuration.line, configuration: configuration, graph: configuration.rows, parameters: count,
          tensors: tensors.map { .init(name: $0.name, shape: $0.shape, isTrained: $0.part.isTrainable) }))
    }
    console.answer("\(configuration.line): \(plural(tensors.count, "tensor")), \(plural(count, "value"))")
    console.answer("")
    console.answer(graphTable(configuration))
    guard !tensors.isEmpty else { return }
    console.answer("")
    console.answer(table(tensors.map { [$0.name, shapeText($0.shape)] }, header: ["tensor", "shape"]))
  }
}

/// Beside the command's own `configuration`.
private func described(_ line: String) throws -> ModelConfiguration { try configuration(line: line) }
