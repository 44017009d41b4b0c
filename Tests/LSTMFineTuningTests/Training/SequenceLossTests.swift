import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Losses of whole sequences in training, against pytorch-crf and torch.nn.CTCLoss.
@Suite struct SequenceLossTests {
  /// Sequences of a golden group, as features that go straight to the loss.
  struct Scores {
    let golden: Golden
    let name: String
    let values: Tensor
    let lengths: [Int]
    var width: Int { values.shape[2] }
    var steps: Int { values.shape[1] }

    init(_ file: String, _ name: String, _ values: String) throws {
      golden = try Golden("golden-crf/\(file).h5")
      self.name = name
      self.values = try golden.tensor("\(name)/\(values)")
      lengths = try golden.integers("\(name)/lengths")
    }

    func data(_ targets: SequenceData.Targets) throws -> SequenceData {
      try SequenceData(
        inputs: .features(values.values, steps: steps, size: width), targets: targets, lengths: lengths)
    }

    /// A CRF by itself, or with nothing above the input.
    func model() throws -> LSTMModel {
      let isCRF = golden.has("\(name)/transitions")
      var kind = Layer.CRF()
      kind.hasEnds = golden.has("\(name)/start_transitions")
      var model = LSTMModel(
        try ModelConfiguration(
          inputs: [.init(.features(size: width))],
          layers: [isCRF ? Layer("crf", kind) : Layer("all", Layer.Readout(.all))]))
      for slot in model.parameters.slots {
        try model.set(slot.name, to: golden.tensor("\(name)/\(slot.name.dropFirst(4))"))
      }
      return model
    }

    struct Found {
      var loss: Double
      /// (N, T, K), zero at padded steps.
      var gradient: [Float]
      var parameters: [String: [Float]]
    }

    func evaluate(_ loss: Loss, _ targets: SequenceData.Targets, kernels: Kernels = .best) throws -> Found {
      let model = try model()
      let data = try data(targets)
      let network = Network(model, kernels: kernels)
      let runner = BatchRunner(network, loss: loss)
      let trainable = model.parameters.slots.map { _ in true }
      let plan = GradientPlan(model.configuration, trainable: trainable, wantsInput: true)
      let (output, sum) = try runner.run(data, nil, 0..<data.count, for: plan)
      var found = Found(loss: sum.mean, gradient: [Float](repeating: 0, count: values.values.count), parameters: [:])
      // Where each row of the output belongs.
      let starts = (0..<data.count).map { $0 * steps }
      var rows = [Int](repeating: 0, count: output.count)
      network.locateOutputs(starts: starts, isPerStep: true, into: &rows)
      for (row, place) in rows.enumerated() {
        for k in 0..<width { found.gradient[place * width + k] = runner.gradient.pointer[row * width + k] }
      }
      let gradients = ParameterStore(model.configuration.parameters)
      network.backward(runner.gradient.pointer, into: gradients, plan)
      for (index, slot) in gradients.slots.enumerated() { found.parameters[slot.name] = gradients.values(index) }
      return found
    }
  }

  /// PyTorch computes in float32, with losses of some hundreds.
  static func isClose(_ found: [Float], _ wanted: [Float], _ tolerance: Float = 2e-5) -> Bool {
    found.count == wanted.count && zip(found, wanted).allSatisfy { abs($0 - $1) <= tolerance }
  }

  // MARK: - CRF

  static let chains = ["ends", "no_ends", "one_tag", "one_step", "long", "large_scores"]

  @Test(arguments: chains) func chainsAreThoseOfTorchcrf(_ name: String) throws {
    let scores = try Scores("crf", name, "emissions")
    let tags = SequenceData.Targets.classes(try scores.golden.integers("\(name)/tags").map(Int32.init), perStep: true)
    for (reduction, key) in [(SequenceReduction.mean, "mean"), (.tokenMean, "token_mean")] {
      let wanted = try scores.golden.doubles("\(name)/loss_\(key)")[0]
      #expect(abs(try scores.evaluate(.crf(reduction: reduction), tags).loss - wanted) <= 1e-5 * max(1, abs(wanted)))
    }
    let mean = try scores.evaluate(.crf(), tags)
    #expect(Self.isClose(mean.gradient, try scores.golden.tensor("\(name)/grad/emissions").values))
    for (parameter, gradient) in mean.parameters {
      let wanted = try scores.golden.tensor("\(name)/grad/\(parameter.dropFirst(4))").values
      #expect(Self.isClose(gradient, wanted, 1e-4), "\(parameter)")
    }
    // Of the sum, the gradient is that of the mean, as often as there are sequences; the report is the mean.
    let sum = try scores.evaluate(.crf(reduction: .sum), tags)
    let count = Float(scores.lengths.count)
    #expect(sum.loss == mean.loss)
    #expect(
      abs(sum.loss * Double(count) - (try scores.golden.doubles("\(name)/loss_sum")[0])) <= 1e-4 * max(1, sum.loss))
    #expect(Self.isClose(sum.gradient, mean.gradient.map { $0 * count }))
  }

  @Test func theMeanOfLengthsIsTheMeanOfEachByItself() throws {
    let scores = try Scores("crf", "ends", "emissions")
    let tags = try scores.golden.integers("ends/tags").map(Int32.init)
    let whole = try scores.evaluate(.crf(reduction: .lengthMean), .classes(tags, perStep: true))
    var (sum, gradient) = (0.0, [Float]())
    for (b, length) in scores.lengths.enumerated() {
      // Every other sequence has no tags and does not count.
      var own = tags
      for at in own.indices where at / scores.steps != b { own[at] = SequenceData.ignored }
      let one = try scores.evaluate(.crf(), .classes(own, perStep: true))
      sum += one.loss / Double(length)
      gradient += one.gradient[b * scores.steps * scores.width..<(b + 1) * scores.steps * scores.width].map {
        $0 / Float(length * scores.lengths.count)
      }
    }
    #expect(abs(whole.loss - sum / Double(scores.lengths.count)) <= 1e-9)
    #expect(Self.isClose(whole.gradient, gradient, 1e-7))
  }

  @Test func tagsThatEndBeforeTheirStepsAreAsPadding() throws {
    let scores = try Scores("crf", "ends", "emissions")
    let tags = try scores.golden.integers("ends/tags").map(Int32.init)
    let wanted = try scores.evaluate(.crf(), .classes(tags, perStep: true))
    // No lengths, but -100 where they would end.
    let (steps, lengths) = (scores.steps, scores.lengths)
    let marked = tags.enumerated().map { $0 % steps < lengths[$0 / steps] ? $1 : SequenceData.ignored }
    let data = try SequenceData(
      inputs: .features(scores.values.values, steps: steps, size: scores.width),
      targets: .classes(marked, perStep: true))
    let metrics = try Evaluator(Network(scores.model()), loss: .crf()).evaluate(data)
    #expect(abs(metrics.loss - wanted.loss) <= 1e-12)
    var gap = marked
    gap[1] = SequenceData.ignored
    #expect(throws: ShapeError.self) { try scores.evaluate(.crf(), .classes(gap, perStep: true)) }
    gap[1] = Int32(scores.width)
    #expect(throws: ShapeError.self) { try scores.evaluate(.crf(), .classes(gap, perStep: true)) }
  }

  @Test(arguments: chains) func theBestTagsAreThoseOfTorchcrf(_ name: String) throws {
    let scores = try Scores("crf", name, "emissions")
    let data = try scores.data(.none)
    let evaluator = Evaluator(Network(try scores.model()), loss: .crf(), batchSize: 2)
    let found = try #require(try evaluator.tags(data))
    let wanted = try scores.golden.integers("\(name)/tags_found")
    for (b, tags) in found.tags.enumerated() {
      #expect(tags == Array(wanted[b * scores.steps..<b * scores.steps + scores.lengths[b]]))
      for t in 0..<scores.steps {
        let place = (b * scores.steps + t) * scores.width
        let sum = found.probabilities.values[place..<place + scores.width].reduce(0, +)
        #expect(abs(sum - (t < scores.lengths[b] ? 1 : 0)) <= 1e-5)
      }
    }
  }

  @Test func whatIsMeasuredOfTags() throws {
    let scores = try Scores("crf", "ends", "emissions")
    let best = try scores.golden.integers("ends/tags_found").map { $0 < 0 ? SequenceData.ignored : Int32($0) }
    let evaluator = Evaluator(Network(try scores.model()), loss: .crf(), batchSize: 3)
    let right = try evaluator.evaluate(scores.data(.classes(best, perStep: true)))
    #expect(right.accuracy == 1 && right.sequenceAccuracy == 1 && right.errorRate == nil)
    var wrong = best
    wrong[0] = (wrong[0] + 1) % Int32(scores.width)
    wrong[1] = (wrong[1] + 1) % Int32(scores.width)
    let (found, confusion) = try evaluator.report(scores.data(.classes(wrong, perStep: true)))
    let steps = scores.lengths.reduce(0, +)
    #expect(found.accuracy == Double(steps - 2) / Double(steps))
    #expect(found.sequenceAccuracy == 0.75)
    #expect(confusion?.counts.joined().reduce(0, +) == steps)
  }

  // MARK: - CTC

  static let alignments = ["blank_first", "blank_last", "repeats", "empty", "long", "zero_infinity"]

  @Test(arguments: alignments) func alignmentsAreThoseOfTorch(_ name: String) throws {
    let scores = try Scores("ctc", name, "logits")
    let group = try #require(scores.golden.root.group(at: name))
    let blank = try #require(group.attribute("blank")?.integer)
    let y = try scores.golden.tensor("\(name)/y")
    let labels = SequenceData.Targets.labels(
      try scores.golden.integers("\(name)/y").map(Int32.init), width: y.shape[1])
    for chosen in blank == 0 ? [blank] : [blank, -1] {
      for (reduction, key) in [(SequenceReduction.lengthMean, "mean"), (.sum, "sum")] {
        let loss = Loss.ctc(blank: chosen, reduction: reduction, zeroInfinity: name == "zero_infinity")
        let found = try scores.evaluate(loss, labels)
        let wanted = try scores.golden.doubles("\(name)/loss_\(key)")[0]
        let scale = reduction == .sum ? Double(scores.lengths.count) : 1
        #expect(abs(found.loss * scale - wanted) <= 1e-5 * max(1, abs(wanted)))
        #expect(Self.isClose(found.gradient, try scores.golden.tensor("\(name)/grad_\(key)").values))
      }
    }
    let each = try scores.golden.doubles("\(name)/losses")
    let mean = try scores.evaluate(.ctc(blank: blank, reduction: .mean, zeroInfinity: name == "zero_infinity"), labels)
    #expect(abs(mean.loss - each.reduce(0, +) / Double(each.count)) <= 1e-5 * max(1, mean.loss))
  }

  @Test func labelsThatCannotBeAreRefused() throws {
    let scores = try Scores("ctc", "zero_infinity", "logits")
    func refusal(_ labels: [Int32], _ loss: Loss = .ctc()) -> String {
      do {
        _ = try scores.evaluate(loss, .labels(labels, width: 3))
        return ""
      } catch { return "\(error)" }
    }
    let none = SequenceData.ignored
    #expect(refusal([1, 2, none, 3, 2, none]) == "")
    #expect(refusal([1, 2, none, 3, 3, none]).contains("2, which need 3"))
    #expect(refusal([1, 2, none, 3, 3, none], .ctc(zeroInfinity: true)) == "")
    #expect(refusal([1, 0, none, 3, none, none]).contains("without the blank, 0"))
    #expect(refusal([1, 4, none, 3, none, none]).contains("classes from 0 to 3"))
    #expect(refusal([1, none, 2, 3, none, none]).contains("after a sequence's last"))
    #expect(refusal([1, 2, none, 3, none, none], .ctc(blank: 4)).contains("one of the model's 4 outputs"))
    #expect(refusal([1, 2, none, 3, none, none], .ctc(blank: -5)).contains("one of the model's 4 outputs"))
    #expect(refusal([1, 2, none, 3, none, none], .crossEntropy).contains("sequences of labels"))
  }

  @Test func whatIsMeasuredOfLabels() throws {
    // Peaks: blank, 1, 1, blank, 1, 2 and, shorter, 2, 2, 1.
    let peaks = [[0, 1, 1, 0, 1, 2], [2, 2, 1]]
    var logits = [Float](repeating: 0, count: 2 * 6 * 3)
    for (b, peaks) in peaks.enumerated() { for (t, k) in peaks.enumerated() { logits[(b * 6 + t) * 3 + k] = 9 } }
    let model = LSTMModel(
      try ModelConfiguration(inputs: [.init(.features(size: 3))], layers: [Layer("all", Layer.Readout(.all))]))
    let none = SequenceData.ignored
    let data = try SequenceData(
      inputs: .features(logits, steps: 6, size: 3), targets: .labels([1, 1, 2, 2, 2, none], width: 3), lengths: [6, 3])
    let evaluator = Evaluator(Network(model), loss: .ctc(), batchSize: 1)
    let metrics = try evaluator.evaluate(data)
    // 1 1 2 is right; 2 1 for 2 2 is one edit of five labels.
    #expect(metrics.errorRate == 0.2 && metrics.sequenceAccuracy == 0.5 && metrics.accuracy == nil)
    #expect(try evaluator.labels(data, blank: 0).map(\.labels) == [[1, 1, 2], [2, 1]])
    let searched = try evaluator.labels(data, blank: 0, beam: 20)
    #expect(searched.map(\.labels) == [[1, 1, 2], [2, 1]])
    #expect(searched.allSatisfy { exp($0.logProbability) > 0.9 })
  }
}
