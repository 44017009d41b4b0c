import ArgumentParser
import Foundation
import LSTMCheckpoints

@main
struct LSTMFT: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstm-ft",
    abstract: "Take a pretrained LSTM, freeze some layers, fine-tune the rest on your data, hand it back.",
    discussion: """
      lstm-ft import weights.h5
      lstm-ft finetune --data mine.csv --target temp --window 48 --freeze layer0
      lstm-ft export finetuned.h5 --to pytorch-h5 -o back.h5

      Exit codes: 0 done, 1 a negative answer (diff), 64 usage, 65 bad data or checkpoint, 66 file not found,
      73 cannot create the output, 74 reading or writing failed, 130/143 stopped by a signal after saving.
      """,
    version: "0.1.0",
    subcommands: [
      Import.self, Inspect.self, Finetune.self, Evaluate.self, Predict.self, Export.self,
    ])

  /// Runs a command and turns every failure into one line on stderr and an exit code.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as any DescribedFailure {
      Console.fail(failure.message, advice: failure.advice, code: failure.category.exitCode)
    } catch let code as ExitCode {
      exit(withError: code)
    } catch {
      let code = exitCode(for: error)
      // Help and version are not errors.
      if code.isSuccess { exit(withError: error) }
      let help = commandPath().map { ["see \($0) --help"] } ?? []
      Console.fail(message(for: error), advice: help, code: code == .validationFailure ? 64 : 70)
    }
  }

  /// `lstm-ft finetune`, from the arguments as typed.
  private static func commandPath() -> String? {
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
