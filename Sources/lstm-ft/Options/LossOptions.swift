import ArgumentParser
import FileIO
import Foundation
import LSTMFineTuning
import LSTMReports

extension SequenceReduction: ExpressibleByArgument {}

struct LossArguments: ParsableArguments {
  @Option(
    help:
      "Training loss, by these names or those of PyTorch and Keras; of a model with several outputs also output=loss, for each. By default mse for real values, cross-entropy for classes, and crf for a model that ends in a CRF."
  )
  var loss: [NamedLoss] = []

  @Option(
    help: ArgumentHelp(
      "What the loss of an output is multiplied by, of a model with several. Repeatable. (default: 1)",
      valueName: "output=weight"))
  var lossWeight: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where huber changes from quadratic to linear, in the units that the model computes in.", valueName: "delta"))
  var huberDelta: Float = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Cross-entropy: label smoothing, as torch.nn.CrossEntropyLoss's, in training only.", valueName: "fraction"))
  var labelSmoothing: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Cross-entropy: one weight per class, separated by commas.", valueName: "weights"))
  var classWeights: String?

  @Option(
    help: ArgumentHelp(
      "crf and ctc: how the losses of sequences become one. mean: their mean; token-mean: their sum divided by all labels; "
        + "length-mean: the mean of each one divided by its labels; sum. (default: mean for crf, length-mean for ctc)",
      valueName: "reduction"))
  var reduction: SequenceReduction?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "ctc: the number of the blank; -1 is the last output, as in Keras. (default: as fine-tuned, else 0)",
      valueName: "class"))
  var blank: Int?

  @Flag(help: "ctc: a sequence with fewer steps than its labels need counts as a loss of zero, and is no error.")
  var zeroInfinity = false

  func apply(to settings: inout RunSettings) throws {
    settings.loss = try choice()
    let outputs = try outputs()
    settings.outputs = outputs == ObjectiveFit.Choice() ? nil : outputs
    settings.labelSmoothing = labelSmoothing
    guard 0...1 ~= labelSmoothing else {
      throw InputError.usage("--label-smoothing \(short(Double(labelSmoothing))): expected a number from 0 to 1")
    }
    settings.classWeights = try classWeights.map { text in
      try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let weight = Float(part.trimmingCharacters(in: .whitespaces)) else {
          throw InputError.usage("--class-weights \(text): expected numbers, found \"\(part)\"")
        }
        return weight
      }
    }
  }

  /// The one that is of no output by name.
  var own: LossChoice? { loss.last { $0.output == nil }?.choice }

  /// Losses and their weights by output.
  func outputs() throws -> ObjectiveFit.Choice {
    var outputs = ObjectiveFit.Choice()
    for named in loss {
      guard let output = named.output else { continue }
      guard outputs.losses[output] == nil else { throw InputError.usage("--loss \(output): it is given twice") }
      outputs.losses[output] = try choice(named.choice)
    }
    for text in lossWeight {
      guard let equals = text.lastIndex(of: "="), let weight = Double(text[text.index(after: equals)...]) else {
        throw InputError.usage(
          "--loss-weight \(text): expected OUTPUT=WEIGHT", advice: ["for example --loss-weight kind=0.2"])
      }
      outputs.weights[String(text[..<equals])] = weight
    }
    return outputs
  }

  func choice() throws -> Loss? { try choice(own) }

  private func choice(_ loss: LossChoice?) throws -> Loss? {
    guard huberDelta > 0 else {
      throw InputError.usage("--huber-delta \(short(Double(huberDelta))): expected a number above 0")
    }
    let named = self.loss.map(\.choice.name)
    guard huberDelta == 1 || named.contains(.huber) else { throw InputError.usage("--huber-delta needs --loss huber") }
    let isOfSequences = named.contains(.crf) || named.contains(.ctc)
    guard reduction == nil || isOfSequences else { throw InputError.usage("--reduction needs --loss crf or ctc") }
    guard blank == nil && !zeroInfinity || named.contains(.ctc) else {
      throw InputError.usage("--\(blank != nil ? "blank" : "zero-infinity") needs --loss ctc")
    }
    switch loss?.name {
    case .mse: return .meanSquaredError
    case .mae: return .meanAbsoluteError
    case .huber: return .huber(delta: huberDelta)
    case .crossEntropy: return .crossEntropy
    case .bce: return .binaryCrossEntropy
    case .crf: return .crf(reduction: reduction ?? .mean)
    case .ctc: return .ctc(blank: blank, reduction: reduction ?? .lengthMean, zeroInfinity: zeroInfinity)
    case nil: return nil
    }
  }
}
