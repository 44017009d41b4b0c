import ArgumentParser
import FileIO
import Foundation
import LSTMFineTuning
import LSTMLayers
import LSTMReports

struct OptimizerArguments: ParsableArguments {
  @Option(
    name: [.long, .customLong("optimiser")],
    help: ArgumentHelp("The optimizer, exactly as torch.optim's.", valueName: "name"))
  var optimizer: OptimizerChoice = .adam

  @Option(
    name: [.long, .customLong("lr")], parsing: .unconditional,
    help: ArgumentHelp("Learning rate.", valueName: "rate"))
  var learningRate = 1e-3

  @Option(parsing: .unconditional, help: "SGD's momentum.")
  var momentum = 0.0

  @Option(parsing: .unconditional, help: "SGD's dampening of the momentum.")
  var dampening = 0.0

  @Flag(help: "SGD with Nesterov's momentum.")
  var nesterov = false

  @Option(parsing: .unconditional, help: "Adam's decay of the first moment.")
  var beta1 = 0.9

  @Option(parsing: .unconditional, help: "Adam's decay of the second moment.")
  var beta2 = 0.999

  @Option(parsing: .unconditional, help: "Adam's epsilon, added after bias correction.")
  var epsilon = 1e-8

  @Flag(help: "Adam with the maximum of the second moments so far (AMSGrad).")
  var amsgrad = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Weight decay: L2 for adam and sgd, decoupled for adamw. (default: 0.01 for adamw, else 0)", valueName: "decay"))
  var weightDecay: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Clip the global norm of the gradients to this; 0 for no clipping.", valueName: "norm"))
  var clipNorm = 1.0

  func apply(to settings: inout RunSettings) throws {
    settings.optimizer = try rule()
    settings.training.clipNorm = clipNorm == 0 ? nil : clipNorm
  }

  private func rule() throws -> Optimizer {
    let optimizer = try self.optimizer.known()
    for (flag, value, isGood, expected) in [
      ("--learning-rate", learningRate, learningRate > 0, "a number above 0"),
      ("--momentum", momentum, 0..<1 ~= momentum, "a number from 0 to below 1"),
      ("--dampening", dampening, 0...1 ~= dampening, "a number from 0 to 1"),
      ("--beta1", beta1, 0..<1 ~= beta1, "a number from 0 to below 1"),
      ("--beta2", beta2, 0..<1 ~= beta2, "a number from 0 to below 1"),
      ("--epsilon", epsilon, epsilon >= 0, "a number of at least 0"),
      ("--weight-decay", weightDecay ?? 0, (weightDecay ?? 0) >= 0, "a number of at least 0"),
      ("--clip-norm", clipNorm, clipNorm >= 0, "a number of at least 0"),
    ] where !isGood || !value.isFinite {
      throw InputError.usage("\(flag) \(short(value)): expected \(expected)")
    }
    let foreign: [(String, Bool)] =
      optimizer == .sgd
      ? [
        ("--beta1", beta1 != 0.9), ("--beta2", beta2 != 0.999), ("--epsilon", epsilon != 1e-8), ("--amsgrad", amsgrad),
      ]
      : [("--momentum", momentum != 0), ("--dampening", dampening != 0), ("--nesterov", nesterov)]
    for (flag, isGiven) in foreign where isGiven {
      throw InputError.usage(
        "\(flag) does not apply to --optimizer \(optimizer.rawValue)",
        advice: [optimizer == .sgd ? "choose --optimizer adam or adamw" : "choose --optimizer sgd"])
    }
    if nesterov && (momentum == 0 || dampening != 0) {
      throw InputError.usage(
        "--nesterov needs --momentum above 0 and no --dampening", advice: ["for example --momentum 0.9"])
    }
    switch optimizer {
    case .adam:
      return .adam(
        learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay ?? 0,
        isAMSGrad: amsgrad)
    case .adamw:
      return .adamW(
        learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay ?? 0.01,
        isAMSGrad: amsgrad)
    case .sgd:
      return .sgd(
        learningRate: learningRate, momentum: momentum, dampening: dampening, isNesterov: nesterov,
        weightDecay: weightDecay ?? 0)
    }
  }
}

struct ThreadArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads to use; results do not depend on it. (default: all cores)", valueName: "count"))
  var threads: Int?

  /// What to compute on.
  func kernels() throws -> Kernels {
    var kernels = Kernels.best
    guard let threads else { return kernels }
    guard 1...255 ~= threads else { throw InputError.usage("--threads \(threads): expected a number from 1 to 255") }
    kernels.threads = threads
    return kernels
  }
}

struct CacheArguments: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Whether to cache the outputs of frozen layers; results are bit-identical.")
  var cache = true

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Memory for that cache; a larger one goes to a temporary file in the run's folder. (default: a quarter of all)",
      valueName: "megabytes"))
  var cacheMemory: Int?

  func apply(to settings: inout RunSettings) throws {
    if let cacheMemory {
      guard cache else { throw InputError.usage("--cache-memory does not apply with --no-cache") }
      guard 0...(1 << 30) ~= cacheMemory else {
        throw InputError.usage("--cache-memory \(cacheMemory): expected at least 0 megabytes")
      }
    }
    settings.training.cache = CachePolicy(isOn: cache, memoryLimit: cacheMemory.map { $0 * 1_000_000 })
  }
}

struct RateArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What trains when: full, everything from the start; head-first, the head alone for one epoch, then everything at a "
        + "tenth of the learning rate; or ulmfit, gradual unfreezing of one more part per epoch from the head down, each "
        + "at the learning rate above it divided by 2.6, with a slanted triangle.", valueName: "recipe"))
  var recipe: Recipe = .full

  @Option(
    help: ArgumentHelp(
      "The learning rate schedule: constant, linear, cosine, slanted-triangle, one-cycle, step:EPOCHS,FACTOR or "
        + "plateau:EPOCHS,FACTOR. (default: the recipe's)", valueName: "schedule"))
  var schedule: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Warm-up steps, in which the learning rate rises to where the schedule begins.", valueName: "steps"))
  var warmUp = 0

  @Option(help: ArgumentHelp("A learning rate for one part. Repeatable.", valueName: "selector=rate"))
  var lrFor: [String] = []

  @Flag(inversion: .prefixedNo, help: "Whether weight decay applies to biases too, as in torch.optim.")
  var biasDecay = true

  @Option(
    help: ArgumentHelp(
      "Train low-rank adapters instead of whole matrices (and the head, and what --unfreeze names), except what --freeze "
        + "names; they are merged into the weights that are written.", valueName: "rank=8[,alpha=16]"))
  var lora: String?

  @Option(
    help: ArgumentHelp("A part whose matrices get adapters. Repeatable. (default: recurrent)", valueName: "selector"))
  var loraOn: [String] = []

  func apply(to settings: inout RunSettings) throws {
    settings.recipe = recipe
    settings.rates = try rates()
    settings.lora = try adapters()
    settings.training.schedule = try choice()
    settings.training.decaysBiases = biasDecay
  }

  private func adapters() throws -> LoRA? {
    guard let lora else {
      guard loraOn.isEmpty else {
        throw InputError.usage("--lora-on needs --lora", advice: ["for example --lora rank=8"])
      }
      return nil
    }
    return try LoRA(parsing: lora, targets: loraOn.isEmpty ? ["recurrent"] : loraOn)
  }

  private func choice() throws -> Schedule? {
    if let schedule { return try Schedule(schedule, warmUp: warmUp) }
    guard warmUp >= 0 else { throw InputError.usage("--warm-up \(warmUp): expected at least 0 steps") }
    return warmUp == 0 ? nil : Schedule(recipe.schedule.shape, warmUp: warmUp)
  }

  private func rates() throws -> [LearningRateOverride] {
    try lrFor.map { text in
      guard let equals = text.lastIndex(of: "="), let rate = Double(text[text.index(after: equals)...]) else {
        throw InputError.usage("--lr-for \(text): expected SELECTOR=RATE", advice: ["for example --lr-for layer1=1e-4"])
      }
      return LearningRateOverride(String(text[..<equals]), rate)
    }
  }
}

extension Recipe: ExpressibleByArgument {}

struct RegularizationArguments: ParsableArguments {
  @Option(
    parsing: .unconditional, help: ArgumentHelp("Dropout between LSTM layers, as torch.nn.LSTM's.", valueName: "rate"))
  var dropout: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Locked dropout of the LSTMs' input: the same features at every step.", valueName: "rate"))
  var inputDropout: Float = 0

  @Option(parsing: .unconditional, help: ArgumentHelp("Locked dropout between LSTM layers.", valueName: "rate"))
  var hiddenDropout: Float = 0

  @Option(parsing: .unconditional, help: ArgumentHelp("Locked dropout of the last LSTM's output.", valueName: "rate"))
  var outputDropout: Float = 0

  @Option(parsing: .unconditional, help: ArgumentHelp("Dropout of whole tokens in the embedding.", valueName: "rate"))
  var embeddingDropout: Float = 0

  @Option(parsing: .unconditional, help: ArgumentHelp("Dropout of recurrent weights (AWD-LSTM).", valueName: "rate"))
  var weightDrop: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Activation regularization (AR): the weight of the mean square of the last LSTM's output after dropout.",
      valueName: "alpha"))
  var ar: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Temporal activation regularization (TAR): the weight of the mean square of that output's change from step to step.",
      valueName: "beta"))
  var tar: Float = 0

  func choice() throws -> Regularization {
    for (flag, value) in [
      ("--dropout", dropout), ("--input-dropout", inputDropout), ("--hidden-dropout", hiddenDropout),
      ("--output-dropout", outputDropout), ("--embedding-dropout", embeddingDropout), ("--weight-drop", weightDrop),
    ] where !(0..<1 ~= value) {
      throw InputError.usage("\(flag) \(short(Double(value))): expected a number from 0 to below 1")
    }
    for (flag, value) in [("--ar", ar), ("--tar", tar)] where !(value >= 0 && value.isFinite) {
      throw InputError.usage("\(flag) \(short(Double(value))): expected a number of at least 0")
    }
    return Regularization(
      dropout: dropout, inputDropout: inputDropout, hiddenDropout: hiddenDropout, outputDropout: outputDropout,
      embeddingDropout: embeddingDropout, weightDrop: weightDrop, activationRegularization: ar,
      temporalActivationRegularization: tar)
  }
}

struct LoopArguments: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("Passes through the training data.", valueName: "count"))
  var epochs = 10

  @Option(parsing: .unconditional, help: ArgumentHelp("Sequences per step.", valueName: "sequences"))
  var batchSize = 32

  @Flag(inversion: .prefixedNo, help: "Whether to shuffle the sequences in each epoch.")
  var shuffle = true

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The fraction of the data held out for validation: the last rows of a series, else drawn by the seed.",
      valueName: "fraction"))
  var validationSplit = 0.2

  @Option(
    help: ArgumentHelp(
      "CSV with times: the last time to train on, a date or a date and time; later rows are for validation.",
      valueName: "date"))
  var trainUntil: String?

  @Option(
    help: ArgumentHelp(
      "CSV with times: the first time to validate on; earlier rows are for training.", valueName: "date"))
  var validateFrom: String?

  @Option(
    help: ArgumentHelp(
      "Separate validation data: a file like those of --data, or a folder. Repeatable.", valueName: "file"),
    completion: .file())
  var validationData: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Early stopping: epochs without a better validation loss before the run stops; 0 to run all epochs, even if the model "
        + "diverges or collapses, and report that at the end.", valueName: "epochs"))
  var patience = 5

  @Option(parsing: .unconditional, help: "Random seed for shuffling, the split, dropout and initial values.")
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Save the run after this many seconds, also within an epoch; 0 to save only after epochs.", valueName: "seconds"))
  var saveEvery = 60.0

  func apply(to settings: inout RunSettings) throws {
    try check()
    if !validationData.isEmpty, trainUntil != nil || validateFrom != nil {
      throw InputError.usage("--validation-data and a split by dates cannot be combined")
    }
    settings.split = SplitChoice(
      fraction: validationSplit, trainUntil: trainUntil, validateFrom: validateFrom, shuffles: shuffle, seed: seed)
    settings.validationFiles = validationData
    settings.training.epochs = epochs
    settings.training.batchSize = batchSize
    settings.training.shuffles = shuffle
    settings.training.patience = patience == 0 ? nil : patience
    settings.training.stopsOnFailure = patience != 0
    settings.training.seed = seed
    settings.training.saveInterval = saveEvery == 0 ? nil : saveEvery
  }

  private func check() throws {
    for (flag, value, isGood, expected) in [
      ("--epochs", Double(epochs), epochs >= 1, "at least 1"),
      ("--batch-size", Double(batchSize), batchSize >= 1, "at least 1"),
      ("--patience", Double(patience), patience >= 0, "at least 0"),
      ("--save-every", saveEvery, saveEvery >= 0, "at least 0"),
      ("--validation-split", validationSplit, 0..<1 ~= validationSplit, "a number from 0 to below 1"),
    ] where !isGood {
      throw InputError.usage("\(flag) \(short(value)): expected \(expected)")
    }
  }
}
