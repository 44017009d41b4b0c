import ArgumentParser
import LSTMFineTuning
import LSTMReports

extension ScalerChoice.Mode: ExpressibleByArgument {}

/// What becomes of a model's parts.
struct PartArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A part of the model that stays as it is, byte for byte. Repeatable.", valueName: "selector"))
  var freeze: [String] = []

  @Option(help: ArgumentHelp("A part that trains although --freeze covers it. Repeatable.", valueName: "selector"))
  var unfreeze: [String] = []

  @Option(
    help: ArgumentHelp(
      "Replace the head's last layer by a new dense one: new, or new:SIZE; keep to go on with one that has many more "
        + "outputs than the data has classes.", valueName: "new[:size]")
  )
  var head: String?

  @Flag(
    help: """
      Start the whole network from fresh values: what transfer has to beat. The model may then be a configuration file, \
      too (JSON, as of import --config).
      """)
  var fromScratch = false

  @Flag(
    help: """
      Afterwards train the same network from fresh values, with nothing frozen, on the same data for as many epochs, and \
      say which is better.
      """)
  var compareScratch = false

  @Option(
    help: ArgumentHelp(
      "Standardization: keep the model's, refit it to the training part, or none; auto keeps, and refits for CSV "
        + "when the model has none.", valueName: "mode"))
  var scaler: ScalerChoice.Mode = .auto

  @Flag(help: "CSV with --id, or several files: each id's rows are standardized by its own scaler.")
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

/// What a run leaves behind.
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
    help: "Whether to show, after each epoch, what a language model writes or how a forecast lies beside the truth.")
  var samples = true

  @Option(
    help: ArgumentHelp(
      "Go on with the run in this folder, with all that it was begun with; only --threads, --quiet and --json may be "
        + "given beside it.", valueName: "folder"), completion: .directory)
  var resume: String?
}
