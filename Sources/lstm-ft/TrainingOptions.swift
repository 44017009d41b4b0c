import ArgumentParser
import LSTMFineTuning

enum LossName: String, ExpressibleByArgument, CaseIterable {
  case mse, mae, huber
  case crossEntropy = "cross-entropy"
  case bce
}

enum OptimiserName: String, ExpressibleByArgument, CaseIterable {
  case adam, adamw, sgd
}

enum ScalerMode: String, ExpressibleByArgument, CaseIterable, Encodable {
  case auto, keep, refit, none
}

struct LossArguments: ParsableArguments {
  @Option(help: "mse, mae, huber, cross-entropy or bce. (default: mse for real values, cross-entropy for classes)")
  var loss: LossName?

  @Option(help: "Where Huber's loss turns from square to straight, in the units the model computes in.")
  var huberDelta: Float = 1

  func choice() throws -> Loss? {
    guard huberDelta > 0 else {
      throw InputError.usage("--huber-delta \(huberDelta): expected a number above 0", advice: [])
    }
    switch loss {
    case .mse: return .meanSquaredError
    case .mae: return .meanAbsoluteError
    case .huber: return .huber(delta: huberDelta)
    case .crossEntropy: return .crossEntropy
    case .bce: return .binaryCrossEntropy
    case nil: return nil
    }
  }
}

struct OptimiserArguments: ParsableArguments {
  @Option(name: [.long, .customLong("optimizer")], help: "adam, adamw or sgd, exactly as torch.optim's.")
  var optimiser: OptimiserName = .adam

  @Option(name: [.long, .customLong("lr")], help: "How far a step goes.")
  var learningRate = 1e-3

  @Option(help: "SGD's momentum.")
  var momentum = 0.0

  @Option(help: "SGD's dampening of the momentum.")
  var dampening = 0.0

  @Flag(help: "SGD with Nesterov's momentum.")
  var nesterov = false

  @Option(help: "Adam's decay of the first moment.")
  var beta1 = 0.9

  @Option(help: "Adam's decay of the second moment.")
  var beta2 = 0.999

  @Option(help: "Adam's epsilon, added after bias correction.")
  var epsilon = 1e-8

  @Flag(help: "Adam with the largest second moment so far.")
  var amsgrad = false

  @Option(help: "L2 decay for adam and sgd, decoupled decay for adamw. (default: 0.01 for adamw, else 0)")
  var weightDecay: Double?

  @Option(help: "Largest global norm of the gradients; 0 for none.")
  var clipNorm = 1.0

  func rule() throws -> OptimiserRule {
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
      throw InputError.usage("\(flag) \(value): expected \(expected)", advice: [])
    }
    if nesterov && (momentum == 0 || dampening != 0) {
      throw InputError.usage("--nesterov needs --momentum above 0 and no --dampening", advice: [])
    }
    switch optimiser {
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

struct LoopArguments: ParsableArguments {
  @Option(help: "Times through the data.")
  var epochs = 10

  @Option(help: "Sequences a step.")
  var batchSize = 32

  @Flag(inversion: .prefixedNo, help: "Whether each epoch takes the sequences in a new order.")
  var shuffle = true

  @Option(help: "The part of the data that is for validation: the last rows of a series, else drawn by the seed.")
  var validationSplit = 0.2

  @Option(help: "Epochs without a better validation loss before stopping; 0 to run them all.")
  var patience = 5

  @Option(help: "Seed of the order, the split and fresh values.")
  var seed: UInt64 = 0

  func check() throws {
    for (flag, value, isGood, expected) in [
      ("--epochs", Double(epochs), epochs >= 1, "at least 1"),
      ("--batch-size", Double(batchSize), batchSize >= 1, "at least 1"),
      ("--patience", Double(patience), patience >= 0, "at least 0"),
      ("--validation-split", validationSplit, 0..<1 ~= validationSplit, "a number from 0 to below 1"),
    ] where !isGood {
      let text = value == value.rounded() ? "\(Int(exactly: value) ?? 0)" : "\(value)"
      throw InputError.usage("\(flag) \(text): expected \(expected)", advice: [])
    }
  }
}
