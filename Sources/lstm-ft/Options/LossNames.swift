import ArgumentParser
import FileIO

enum LossName: String, CaseIterable {
  case mse, mae, huber
  case crossEntropy = "cross-entropy"
  case bce, crf, ctc
}

/// A loss by its own name or by one of its usual names in PyTorch, Keras and elsewhere.
struct LossChoice: ExpressibleByArgument {
  let name: LossName
  /// How the loss of this name differs elsewhere; nil where it does not.
  let note: String?

  static var allValueStrings: [String] { LossName.allCases.map(\.rawValue) }

  init?(argument: String) {
    guard let (name, note) = Self.known[plainName(argument)] else { return nil }
    (self.name, self.note) = (name, note.map { "--loss \(argument): \($0)" })
  }

  private static let known: [String: (LossName, String?)] = {
    var known: [String: (LossName, String?)] = [:]
    func add(_ name: LossName, _ others: String..., note: String? = nil) {
      for other in others { known[other] = (name, note) }
    }
    add(.mse, "mse", "meansquarederror", "l2", "squarederror")
    add(.mae, "mae", "meanabsoluteerror", "l1", "absoluteerror")
    add(.huber, "huber")
    add(
      .huber, "smoothl1",
      note: "it is huber divided by its delta; with --huber-delta 1, the default, the two are the same")
    add(
      .crossEntropy, "crossentropy", "ce", "categoricalcrossentropy", "sparsecategoricalcrossentropy",
      "softmaxcrossentropy", "softmaxcrossentropywithlogits", "sparsesoftmaxcrossentropywithlogits")
    add(
      .crossEntropy, "nll", "negativeloglikelihood",
      note:
        "taken as cross-entropy, which includes the softmax: the model's outputs are logits, not log-probabilities"
    )
    add(.bce, "bce", "binarycrossentropy")
    add(
      .bce, "bcewithlogits", "binarycrossentropywithlogits", "sigmoidcrossentropy", "sigmoidcrossentropywithlogits",
      "logistic", "log")
    add(.crf, "crf", "crfnll", "conditionalrandomfield")
    add(.ctc, "ctc", "ctcbatchcost", "connectionisttemporalclassification")
    return known
  }()
}

/// A loss, and the output that it is of: `mse`, or `price=mse`.
struct NamedLoss: ExpressibleByArgument {
  /// nil for the model's only or first one.
  let output: String?
  let choice: LossChoice

  static var allValueStrings: [String] { LossChoice.allValueStrings }

  init?(argument: String) {
    guard let equals = argument.lastIndex(of: "=") else {
      guard let choice = LossChoice(argument: argument) else { return nil }
      (output, self.choice) = (nil, choice)
      return
    }
    guard let choice = LossChoice(argument: String(argument[argument.index(after: equals)...])) else { return nil }
    (output, self.choice) = (String(argument[..<equals]), choice)
  }
}

/// An optimizer; those that other tools have and this one does not are known by name, to give advice.
struct OptimizerChoice: ExpressibleByArgument {
  enum Name: String, CaseIterable { case adam, adamw, sgd }

  /// nil for one that is not supported.
  let name: Name?
  let given: String

  static let adam = OptimizerChoice(name: .adam, given: "adam")
  static var allValueStrings: [String] { Name.allCases.map(\.rawValue) }

  private static let foreign: Set = [
    "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "radam", "amsgrad", "adafactor", "lamb", "lars", "lion",
    "lbfgs",
    "ftrl", "rprop", "asgd", "sparseadam", "adabelief", "novograd", "muon", "momentum", "nesterov",
  ]

  var defaultValueDescription: String { given }

  private init(name: Name?, given: String) { (self.name, self.given) = (name, given) }

  init?(argument: String) {
    let plain = plainName(argument)
    (name, given) = (Name(rawValue: plain), argument)
    guard name != nil || Self.foreign.contains(plain) else { return nil }
  }

  /// - Throws: `InputError.usage` for one that is known but not supported.
  func known() throws -> Name {
    if let name { return name }
    let advice =
      switch plainName(given) {
      case "amsgrad": "use --optimizer adam --amsgrad"
      case "momentum": "use --optimizer sgd --momentum 0.9"
      case "nesterov": "use --optimizer sgd --momentum 0.9 --nesterov"
      case "rmsprop": "adam is closest to it: it divides by the same running mean of squares, and averages gradients"
      default: "most LSTMs are fine-tuned with adam"
      }
    throw InputError.usage(
      "--optimizer \(given): it is not supported; expected adam, adamw or sgd", advice: [Message(advice)])
  }
}

/// `BCEWithLogitsLoss`, `binary_crossentropy` and `binary-cross-entropy` in one spelling.
private func plainName(_ text: String) -> String {
  var plain = text.lowercased().filter { !"-_ .".contains($0) }
  for prefix in [
    "torchnn", "torchoptim", "nn", "kerasloss", "keraslosses", "tfkeraslosses", "optim", "tfkerasoptimizers",
  ]
  where plain.hasPrefix(prefix) && plain.count > prefix.count && text.contains(".") {
    plain.removeFirst(prefix.count)
    break
  }
  if plain.count > 4, plain.hasSuffix("loss") { plain.removeLast(4) }
  return plain
}
