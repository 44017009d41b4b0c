import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate text with a language model.",
    usage: "lstm-ft generate [<model>] [--prompt <text>] [<options>]",
    discussion: """
        lstm-ft generate textgenrnn.h5 --prompt "Why do" --temperature 0.5
        lstm-ft generate finetuned.h5 --prompt "Once upon" --top-p 0.9 --seed 7
        lstm-ft generate finetuned.h5 --count 5 --stop "." --json
        lstm-ft generate finetuned.h5 --interactive

      The text is shown as it is made. The same seed makes the same text, on any number of threads. The model needs a \
      vocabulary (import --vocabulary), and one that gives a single output for a window of tokens needs --window, \
      unless it is stored.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Text")
  var text: TextArguments

  @OptionGroup(title: "Choice")
  var choice: ChoiceArguments

  @OptionGroup(title: "Computing")
  var computing: ThreadArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct TextArguments: ParsableArguments {
    @Option(parsing: .unconditional, help: ArgumentHelp("What the text begins with.", valueName: "text"))
    var prompt: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens to make at most.", valueName: "tokens"))
    var length = 200

    @Option(
      parsing: .unconditionalSingleValue,
      help: ArgumentHelp("End before this text; \\n is a line's end. Repeatable.", valueName: "text"))
    var stop: [String] = []

    @Option(parsing: .unconditional, help: ArgumentHelp("How many texts to make.", valueName: "texts"))
    var count = 1

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("Tokens that the model looks at. (default: as trained)", valueName: "tokens"))
    var window: Int?

    @Flag(help: "Read prompts from standard input, a line each.")
    var interactive = false
  }

  struct ChoiceArguments: ParsableArguments {
    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "1 draws as likely as the model says, less makes the likely likelier, 0 takes the likeliest.",
        valueName: "number"))
    var temperature = 1.0

    @Option(
      parsing: .unconditional, help: ArgumentHelp("Draw among so many of the likeliest tokens.", valueName: "tokens"))
    var topK: Int?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("Draw among the likeliest tokens that make up this probability.", valueName: "part"))
    var topP: Double?

    @Option(parsing: .unconditional, help: "Seed of the first text; each later one has the next.")
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
    guard text.count >= 1 else { throw InputError.usage("--count \(text.count): expected at least 1", advice: []) }
    if text.interactive, text.prompt != nil {
      throw InputError.usage("--prompt and --interactive exclude each other", advice: [])
    }
    let loaded = try openModel(model)
    let record = loaded.preprocessing
    guard let vocabulary = record.vocabulary else {
      throw InputError.usage(
        "\(model) has no vocabulary: nobody knows which number stands for which character or word",
        advice: ["give it with lstm-ft import CHECKPOINT --vocabulary FILE"])
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

  /// Makes the texts of a prompt; several are told apart by an empty line.
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
        // Not before the first piece: what is wrong with the request comes alone.
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
