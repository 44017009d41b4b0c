import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate text with a language model.",
    usage: "lstm-ft generate [<model>] [--prompt <text>] [<options>]",
    discussion: """
        lstm-ft generate textgenrnn.h5 --prompt "Why do" --temperature 0.5
        lstm-ft generate finetuned.h5 --prompt "Once upon" --top-p 0.9 --seed 7
        lstm-ft generate finetuned.h5 --count 5 --stop "." --json
        lstm-ft generate finetuned.h5 --interactive

      The text is printed while it is generated. The same seed gives the same text on any number of threads. The model \
      needs a vocabulary (import --vocabulary); one that gives a single output per window of tokens also needs \
      --window, unless its file has it.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Text")
  var text: TextArguments

  @OptionGroup(title: "Sampling")
  var choice: ChoiceArguments

  @OptionGroup(title: "Computing")
  var computing: ThreadArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct TextArguments: ParsableArguments {
    @Option(parsing: .unconditional, help: ArgumentHelp("The beginning of the text.", valueName: "text"))
    var prompt: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("The maximum number of tokens.", valueName: "tokens"))
    var length = 200

    @Option(
      parsing: .unconditionalSingleValue,
      help: ArgumentHelp("Stop before this text; \\n is a line break. Repeatable.", valueName: "text"))
    var stop: [String] = []

    @Option(parsing: .unconditional, help: ArgumentHelp("The number of texts.", valueName: "texts"))
    var count = 1

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("The input window in tokens. (default: as trained)", valueName: "tokens"))
    var window: Int?

    @Flag(help: "Read prompts from standard input, one per line.")
    var interactive = false
  }

  struct ChoiceArguments: ParsableArguments {
    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "1 samples from the model's probabilities, lower values sharpen them, 0 takes the most likely token.",
        valueName: "number"))
    var temperature = 1.0

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("Sample from this many of the most likely tokens.", valueName: "tokens"))
    var topK: Int?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Sample from the most likely tokens that add up to this probability.", valueName: "probability"))
    var topP: Double?

    @Option(parsing: .unconditional, help: "Random seed for the first text; each later text uses the next.")
    var seed: UInt64 = 0
  }

  struct Answer: Encodable {
    struct Text: Encodable {
      let prompt: String
      let text: String
      let tokens: Int
      let ending: TextGenerator.Ending
      let seed: UInt64
    }

    let model: String
    let texts: [Text]
  }

  func run() throws {
    let console = out.console
    let kernels = try computing.kernels()
    guard text.count >= 1 else { throw InputError.usage("--count \(text.count): expected at least 1") }
    if text.interactive, text.prompt != nil {
      throw InputError.usage("--prompt and --interactive cannot be combined")
    }
    let loaded = try openModel(model)
    try console.warnOfNonFinite(loaded, file: model)
    let record = loaded.preprocessing
    guard loaded.configuration.inputs[0].vocabulary != nil else {
      throw InputError.usage(
        "\(model) reads features, and text comes from a model that reads tokens",
        advice: ["for its outputs: lstm-ft predict \(shellPath(model)) --data FILE"])
    }
    guard let vocabulary = record.vocabulary else {
      throw InputError.usage(
        "\(model) has no vocabulary, which maps token numbers to characters or words",
        advice: ["add one with lstm-ft import CHECKPOINT --vocabulary FILE"])
    }
    let generator = try TextGenerator(
      loaded, vocabulary: vocabulary, window: text.window ?? record.window, kernels: kernels)
    var texts: [Answer.Text] = []
    if text.interactive {
      while let line = readPrompt() { try add(line, generator, console, &texts) }
    } else {
      try add(text.prompt ?? "", generator, console, &texts)
    }
    try console.result(Answer(model: model, texts: texts))
  }

  private func readPrompt() -> String? {
    if isatty(0) != 0 { FileHandle.standardError.write(Data("> ".utf8)) }
    return readLine()
  }

  /// Generates the texts for a prompt, with an empty line between them.
  private func add(
    _ prompt: String, _ generator: TextGenerator, _ console: Console, _ texts: inout [Answer.Text]
  ) throws {
    let encoding = generator.vocabulary.encode(prompt)
    if encoding.unknownCount > 0 {
      console.warn(
        "\(grouped(encoding.unknownCount)) of the prompt's \(plural(encoding.count, generator.vocabulary.unit.noun)) are not in the vocabulary"
      )
    }
    for number in 0..<text.count {
      let seed = choice.seed &+ UInt64(number)
      let options = TextGenerator.Options(
        length: text.length, temperature: choice.temperature, topK: choice.topK, topP: choice.topP, seed: seed,
        stops: text.stop.map { $0.replacing("\\n", with: "\n") })
      if number > 0 { console.stream("\n") }
      var isShown = false
      let made = try generator.generate(after: prompt, options) { piece in
        // Not before the first piece: an error is printed alone.
        if !isShown { console.stream(prompt) }
        isShown = true
        console.stream(piece)
      }
      console.stream((isShown ? "" : prompt) + "\n")
      texts.append(
        Answer.Text(prompt: prompt, text: made.text, tokens: made.tokens, ending: made.ending, seed: seed))
    }
  }
}
