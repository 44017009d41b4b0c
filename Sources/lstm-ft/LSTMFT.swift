import ArgumentParser
import FileIO
import LSTMCheckpoints

@main
struct LSTMFT: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstm-ft",
    abstract: "Import a pretrained LSTM, freeze some layers, fine-tune the rest on your data, export it.",
    usage: "lstm-ft <command> [<arguments>] [<options>]",
    discussion: """
        lstm-ft import weights.h5
        lstm-ft finetune --data mine.csv --target temp --window 48 --freeze layer0
        lstm-ft export finetuned.h5 --to pytorch-h5 -o back.h5

      By default, import writes model.h5 and finetune reads it.

      Exit codes:
         0  done                           73  the output cannot be created
         1  a difference (diff, verify)    74  reading or writing failed
        64  wrong usage                   130  stopped by Ctrl-C, after saving
        65  bad data or checkpoint        143  stopped by SIGTERM, after saving
        66  file not found                129  the same by SIGHUP, 141 by SIGPIPE
      """,
    version: "0.1.0",
    subcommands: [
      Import.self, Inspect.self, Finetune.self, LRFind.self, Evaluate.self, Predict.self, Generate.self, Export.self,
      Verify.self, Diff.self, Report.self, Layers.self,
    ])

  /// Runs a command and turns every failure into one line on stderr and an exit code.
  static func main() {
    HDF5Reader.runIfStartedForIt()
    do {
      try checkCommandName()
      var command = try parseAsRoot()
      try CommandOptions(type(of: command)).checkRepeats(Array(CommandLine.arguments.dropFirst(2)))
      try command.run()
    } catch let failure as any DescribedFailure {
      Console.fail(failure.message.spelled, advice: failure.advice.map(\.spelled), code: failure.category.exitCode)
    } catch let code as ExitCode {
      exit(withError: code)
    } catch {
      let code = exitCode(for: error)
      // Help and version are not errors.
      if code.isSuccess { exit(withError: error) }
      guard code == .validationFailure else { Console.fail(message(for: error), advice: [], code: 70) }
      let parsed = ParserMessage(message(for: error))
      Console.fail(parsed.message, advice: parsed.advice + ["see \(commandPath()) --help"], code: 64)
    }
  }

  /// For a misspelled command the parser would complain about the argument after it.
  private static func checkCommandName() throws {
    let names = configuration.subcommands.map { $0._commandName }
    guard let first = CommandLine.arguments.dropFirst().first, !first.hasPrefix("-"), first != "help",
      !names.contains(first)
    else { return }
    let near = nearestNames(to: first, among: names, limit: 1)
    throw InputError.usage(
      "unknown command \(first)",
      advice: near.map { "did you mean lstm-ft \($0)?" } + ["commands are \(names.joined(separator: ", "))"])
  }

  /// `lstm-ft finetune`, from the arguments as typed.
  private static func commandPath() -> String {
    let name = CommandLine.arguments.dropFirst().first { argument in
      configuration.subcommands.contains { $0._commandName == argument }
    }
    return "lstm-ft" + (name.map { " " + $0 } ?? "")
  }
}

extension FailureCategory {
  var exitCode: Int32 {
    switch self {
    case .usage: 64
    case .badInput: 65
    case .notFound: 66
    case .cannotCreate: 73
    case .inputOutput: 74
    }
  }
}
