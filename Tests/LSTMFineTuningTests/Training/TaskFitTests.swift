import FileIO
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct TaskFitTests {
  static func values(_ size: Int, steps: Int = 4, perStep: Bool = false) throws -> SequenceData {
    try SequenceData(
      inputs: .features(noise(2 * steps * 2, seed: 1), steps: steps, size: 2),
      targets: .values(noise(2 * size * (perStep ? steps : 1), seed: 2).map(abs), size: size, perStep: perStep))
  }

  static func classes(_ classes: [Int32], steps: Int = 4, perStep: Bool = false) throws -> SequenceData {
    let count = classes.count / (perStep ? steps : 1)
    return try SequenceData(
      inputs: .features(noise(count * steps * 2, seed: 1), steps: steps, size: 2),
      targets: .classes(classes, perStep: perStep))
  }

  static func fit(
    _ model: LSTMModel, _ data: SequenceData, loss: Loss? = nil, head: HeadChoice = .keep,
    readout: PlainStack.Readout? = nil, mayChangeModel: Bool = true
  ) throws -> TaskFit {
    try TaskFit(
      model, data, file: "d.h5", loss: loss, head: head, readout: readout, seed: 7, mayChangeModel: mayChangeModel)
  }

  static let both = PlainStack.Layer(hiddenSize: 4, isBidirectional: true)

  // MARK: - Readout

  @Test func anUndecidedReadoutComesFromTheTargets() throws {
    let model = featureModel(readout: nil)
    let last = try Self.fit(model, Self.values(1))
    #expect(last.model.configuration.readout == .last)
    #expect(last.notes == ["readout: last step, because there is one target a sequence"])
    let all = try Self.fit(model, Self.values(1, perStep: true))
    #expect(all.model.configuration.readout == .all)
    #expect(all.notes == ["readout: all steps, because there is one target a step"])
    #expect(allValues(all.model) == allValues(model))
  }

  @Test func aBidirectionalModelsReadoutIsAskedFor() throws {
    let asked = "a bidirectional model can be read out in two ways, and d.h5 asks for one value a sequence"
    let model = featureModel(layers: [Self.both], readout: nil)
    #expect(message { _ = try Self.fit(model, Self.values(1)) } == asked)
    #expect(try Self.fit(model, Self.values(1), readout: .final).model.configuration.readout == .final)
    // With one step there is but one way, and with a plain layer on top, too - unless the head sees every layer.
    #expect(try Self.fit(model, Self.values(1, steps: 1)).model.configuration.readout == .last)
    var configuration = featureModel(layers: [Self.both, .init(hiddenSize: 3)], readout: nil).configuration
    #expect(try Self.fit(LSTMModel(configuration), Self.values(1)).model.configuration.readout == .last)
    configuration.plain.skip = true
    #expect(message { _ = try Self.fit(LSTMModel(configuration), Self.values(1)) } == asked)
  }

  @Test func readoutsThatContradictTheTargets() throws {
    #expect(
      message { _ = try Self.fit(featureModel(readout: .last), Self.values(1, perStep: true)) }
        == "d.h5: y has a target for each step, but the model gives one output a sequence")
    #expect(
      message { _ = try Self.fit(featureModel(readout: .all), Self.values(1)) }
        == "d.h5: y has one target a sequence, but the model gives an output for each step")
    do {
      _ = try Self.fit(featureModel(readout: .all), Self.values(4))
    } catch let error as FineTuningError {
      #expect(
        error.advice == [
          "choose another readout: last, final, mean or max",
          "or, if y holds one value for each step, save it as (N, 4, 1)",
        ])
    }
  }

  @Test(arguments: [PlainStack.Readout.last, .all], [true, false])
  func ofOneStepTheSequencesTargetIsTheSteps(_ readout: PlainStack.Readout, _ perStep: Bool) throws {
    let model = featureModel(readout: readout)
    let data = try Self.values(1, steps: 1, perStep: perStep)
    let fit = try Self.fit(model, data)
    #expect(fit.model.configuration == model.configuration)
    #expect(try FineTuner(FreezePlan(fit.model), loss: fit.loss).fit(fit.model, data).epochs.count == 10)
  }

  @Test func anotherReadoutIsSaid() throws {
    let mean = try Self.fit(featureModel(), Self.values(1), readout: .mean)
    #expect(mean.notes == ["readout mean instead of last, as asked"])
    let attention = try Self.fit(featureModel(), Self.values(1), readout: .attention)
    #expect(attention.notes.last == "attention: its weights start from random values")
    #expect(attention.model["attention.weight"]?.shape == [1, 4])
    #expect(
      message { _ = try Self.fit(featureModel(), Self.values(1), readout: .attention, mayChangeModel: false) }
        == "readout attention: the model has no attention weights")
  }

  // MARK: - Head

  @Test(arguments: [HeadChoice.new(size: nil), .new(size: 1)])
  func aNewHeadIsNewAlsoWhenItHasTheOldOnesShape(_ head: HeadChoice) throws {
    let model = featureModel()
    let fit = try Self.fit(model, Self.values(1), head: head)
    #expect(fit.model.configuration == model.configuration)
    #expect(fit.notes == ["head: a new dense layer 4 -> 1 with random values replaces head.0, which gave 1"])
    for (name, values) in allValues(fit.model) {
      #expect((values != model[name]?.values) == name.hasPrefix("head"), "\(name)")
    }
    // From the seed.
    #expect(allValues(try Self.fit(model, Self.values(1), head: head).model) == allValues(fit.model))
  }

  @Test func aHeadOfSeveralLayersLosesTheLastAlone() throws {
    var configuration = featureModel().configuration
    configuration.plain.head = [.init(size: 3, activation: .tanh), .init(size: 1)]
    let model = LSTMModel(configuration, seed: 3)
    let fit = try Self.fit(model, Self.values(2), head: .new(size: nil))
    #expect(fit.notes == ["head: a new dense layer 3 -> 2 with random values replaces head.1, which gave 1"])
    for (name, values) in allValues(fit.model) where !name.hasPrefix("head.1") {
      #expect(values == model[name]?.values, "\(name)")
    }
  }

  @Test func aNewHeadHasAnOutputForEachClassOfTheWholeFile() throws {
    let data = try Self.classes([0, 1, 2, 5])
    let fit = try Self.fit(featureModel(outputs: 1), data.selecting([0, 1]), head: .new(size: nil))
    #expect(fit.model.configuration.outputSize == 6 && fit.loss == .crossEntropy)
    #expect(try Self.fit(featureModel(), data, head: .new(size: 9)).model.configuration.outputSize == 9)
    #expect(
      message { _ = try Self.fit(featureModel(), data, head: .new(size: 5)) }
        == "d.h5: y: expected classes from 0 to 4, which the model's 5 outputs can tell apart, found 5")
  }

  @Test func aBareModelGetsAHeadUnlessItsStateHasTheWidth() throws {
    let bare = featureModel(readout: nil, outputs: nil)
    let fit = try Self.fit(bare, Self.values(2))
    #expect(fit.model.configuration.plain.head == [.init(size: 2)])
    #expect(fit.notes.last == "head: the model has none; a new dense layer 4 -> 2 starts from random values")
    #expect(try Self.fit(bare, Self.values(4)).model.configuration.plain.head.isEmpty)
    // Three classes do not make four hidden values their logits.
    #expect(try Self.fit(bare, Self.classes([0, 1, 2])).model.configuration.plain.head == [.init(size: 3)])
    #expect(
      message { _ = try Self.fit(bare, Self.values(2), mayChangeModel: false) }
        == "d.h5: the model gives 4 values a sequence, the targets have 2 values")
  }

  @Test func outputsThatAreTooFew() throws {
    #expect(
      message { _ = try Self.fit(featureModel(outputs: 3), Self.classes([0, 3])) }
        == "d.h5: y: expected classes from 0 to 2, which the model's 3 outputs can tell apart, found 3")
    #expect(
      message { _ = try Self.fit(featureModel(outputs: 2), Self.values(1)) }
        == "d.h5: the model gives 2 values a sequence, the targets have 1 value")
    #expect(try Self.fit(featureModel(outputs: 9), Self.classes([0, 3])).loss == .crossEntropy)
  }

  // MARK: - Loss

  @Test func oneOutputAndTwoClassesMeanBinaryCrossEntropy() throws {
    let fit = try Self.fit(featureModel(outputs: 1), Self.classes([0, 1, SequenceData.ignored]))
    #expect(fit.loss == .binaryCrossEntropy)
    #expect(fit.notes == ["loss: bce, because the model gives one value and the classes are 0 and 1"])
    #expect(try Self.fit(featureModel(outputs: 2), Self.classes([0, 1])).loss == .crossEntropy)
  }

  static func ending(in activation: PlainStack.Activation) -> LSTMModel {
    var configuration = featureModel(outputs: 1).configuration
    configuration.plain.head[0].activation = activation
    return LSTMModel(configuration)
  }

  @Test(arguments: [
    (
      Loss.binaryCrossEntropy, PlainStack.Activation.softmax, "bce does not go with a head that ends in softmax"
    ),
    (.binaryCrossEntropy, .relu, "bce does not go with a head that ends in relu"),
    (.crossEntropy, .sigmoid, "cross-entropy does not go with a head that ends in sigmoid"),
    (.crossEntropy, .tanh, "cross-entropy does not go with a head that ends in tanh"),
  ])
  func lossAndActivationThatContradict(
    _ loss: Loss, _ activation: PlainStack.Activation, _ expected: String
  ) throws {
    let data = try Self.classes([0, 0])
    #expect(message { _ = try Self.fit(Self.ending(in: activation), data, loss: loss) } == "loss " + expected)
    #expect(try Self.fit(Self.ending(in: activation), data, loss: loss, head: .new(size: nil)).loss == loss)
  }

  @Test(arguments: [(Loss.binaryCrossEntropy, PlainStack.Activation.sigmoid), (.crossEntropy, .softmax)])
  func aLossWithTheActivationInIt(_ loss: Loss, _ activation: PlainStack.Activation) throws {
    #expect(try Self.fit(Self.ending(in: activation), Self.classes([0, 0]), loss: loss).loss == loss)
  }

  @Test func lossesThatContradictTheTargets() throws {
    let model = featureModel()
    #expect(
      message { _ = try Self.fit(model, Self.values(1), loss: .crossEntropy) }
        == "d.h5: cross-entropy needs class numbers in y, found real values")
    #expect(
      message { _ = try Self.fit(model, Self.classes([0, 1]), loss: .huber(delta: 1)) }
        == "d.h5: huber needs real values in y, found class numbers")
    #expect(
      message { _ = try Self.fit(model, Self.classes([0, 2]), loss: .binaryCrossEntropy) }
        == "d.h5: binary cross-entropy needs classes 0 and 1, found 2")
    let data = try SequenceData(
      inputs: .features([1, 2], steps: 1, size: 2), targets: .values([1.5], size: 1, perStep: false))
    #expect(
      message { _ = try Self.fit(model, data, loss: .binaryCrossEntropy) }
        == "d.h5: binary cross-entropy needs targets from 0 to 1, found 1.5")
    #expect(
      message { _ = try Self.fit(model, Self.classes([-100, -100])) }
        == "d.h5: every class number in y is -100: nothing counts")
    let none = try SequenceData(inputs: .features([1, 2], steps: 1, size: 2), targets: .none)
    #expect(message { _ = try Self.fit(model, none) } == "d.h5: there are no targets")
  }
}
