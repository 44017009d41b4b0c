import ArgumentParser
import LSTMFineTuning
import LSTMReports

extension ScalerChoice.Mode: ExpressibleByArgument {}

/// Which parts of a model train, and what they start from.
struct PartArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A part of the model to freeze: it stays the same, byte for byte. Repeatable.", valueName: "selector"))
  var freeze: [String] = []

  @Option(help: ArgumentHelp("A part that trains although --freeze covers it. Repeatable.", valueName: "selector"))
  var unfreeze: [String] = []

  @Option(
    help: ArgumentHelp(
      "Replace the head's last layer with a new dense one: new, or new:SIZE; or keep one that has many more "
        + "outputs than the data has classes: keep.", valueName: "new[:size]")
  )
  var head: String?

  @Flag(
    help: """
      Train the whole network from random initial values: the baseline for transfer learning. The model may then also be \
      a configuration file (JSON, as for import --config).
      """)
  var fromScratch = false

  @Flag(
    help: """
      Afterwards train the same network from random initial values, with nothing frozen, on the same data for as many \
      epochs, and compare the two.
      """)
  var compareScratch = false

  @Option(
    help: ArgumentHelp(
      "Standardization: keep the model's scaler, refit it on the training data, or none; auto keeps it, and refits for "
        + "CSV when the model has none.", valueName: "mode"))
  var scaler: ScalerChoice.Mode = .auto

  @Flag(help: "CSV with --id, or several files: fit a separate scaler for each series.")
  var scalerPerId = false

  func apply(to settings: inout RunSettings) throws {
    settings.freezing = freeze
    settings.unfreezing = unfreeze
    settings.head = try head.map { try .init(parsing: $0) } ?? .keep
    settings.fromScratch = fromScratch
    settings.comparesScratch = compareScratch
    settings.scaler = ScalerChoice(scaler, perID: scalerPerId)
  }
}

/// The files that a run writes.
struct OutputFiles: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The fine-tuned model to write.", valueName: "file"),
    completion: .file())
  var output = "finetuned.h5"

  @Option(
    name: .customLong("run"), help: ArgumentHelp("The run's folder. (default: runs/<time>)", valueName: "folder"),
    completion: .directory)
  var runFolder: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Whether to show samples: what a language model generates after each epoch, or a forecast beside the truth.")
  var samples = true

  @Option(
    help: ArgumentHelp(
      "Resume the run in this folder with its own settings; only -o, --threads, --overwrite, --quiet and --json may be "
        + "given with it.", valueName: "folder"), completion: .directory)
  var resume: String?
}
