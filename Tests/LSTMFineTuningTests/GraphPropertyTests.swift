import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// What freezing, caching, resuming and adapters promise, on a graph of every sort.
@Suite struct GraphPropertyTests {
  /// Parts of a model that have parameters, from the input up.
  private static func parts(_ configuration: ModelConfiguration) -> [String] {
    var parts: [String] = []
    for parameter in configuration.parameters where parameter.part != .fixed && !parts.contains(parameter.role.layer) {
      parts.append(parameter.role.layer)
    }
    return parts
  }

  private static func tuner(_ graph: GraphCase, _ plan: FreezePlan) -> FineTuner {
    var tuner = FineTuner(plan, optimizer: .adam(learningRate: 0.01), loss: graph.loss)
    tuner.options.epochs = 2
    tuner.options.batchSize = 4
    return tuner
  }

  private static func bits(_ model: LSTMModel) -> [String: [UInt32]] {
    allValues(model).mapValues { $0.map(\.bitPattern) }
  }

  /// The lowest parts, each part alone, and all but one.
  private static func choices(_ configuration: ModelConfiguration) -> [[String]] {
    let parts = parts(configuration)
    let all =
      parts.indices.map { Array(parts.prefix($0)) } + parts.indices.map { [parts[$0]] }
      + parts.map { kept in parts.filter { $0 != kept } }
    // What is left may be tied to what is frozen.
    return all.filter { (try? FreezePlan(configuration, freezing: $0)) != nil }
  }

  @Test(arguments: GraphCase.all)
  func whatIsFrozenKeepsEveryBitWithAndWithoutACache(_ graph: GraphCase) throws {
    let model = try graph.model()
    let (data, validation) = (try graph.data(), try graph.data(3, seed: 9))
    let before = Self.bits(model)
    let choices = Self.choices(model.configuration)
    #expect(choices.count >= 3 * Self.parts(model.configuration).count - 2)
    for freezing in choices {
      let plan = try FreezePlan(model, freezing: freezing)
      var tuner = Self.tuner(graph, plan)
      let after = Self.bits(try tuner.fit(model, data, validation: validation).last)
      for (index, parameter) in plan.parameters.enumerated() {
        let isFrozen = parameter.part == .fixed || parameter.places.contains { freezing.contains($0.role.layer) }
        #expect(plan.trainable[index] == !isFrozen, "\(freezing): \(parameter.name)")
        #expect((before[parameter.name] == after[parameter.name]) == isFrozen, "\(freezing): \(parameter.name)")
      }
      // Dropout that the graph has, and every other one on top.
      for regularization in [Regularization(), RegularizationTests.everything] {
        tuner.options.regularization = regularization
        tuner.options.cache = .init()
        let kept = try CachingTests.Trace(tuner, model, data, validation)
        tuner.options.cache = .off
        #expect(try CachingTests.Trace(tuner, model, data, validation) == kept, "\(freezing)")
      }
    }
  }

  /// With all but the last part frozen, everything below it is computed once.
  @Test(arguments: GraphCase.all)
  func theFrozenPrefixIsCachedWhateverItIsMadeOf(_ graph: GraphCase) throws {
    let model = try graph.model()
    let parts = Self.parts(model.configuration)
    let plan = try FreezePlan(model, freezing: Array(parts.dropLast()))
    let caches = try CachingTests.caches(
      Self.tuner(graph, plan), model, try graph.data(), try graph.data(3, seed: 9))
    let constants = model.configuration.parameters.filter { $0.part == .fixed }.map(\.role.layer)
    #expect(caches.count == 1 && caches.first?.place == .memory)
    #expect(caches.first?.parts.filter { !constants.contains($0) } == Array(parts.dropLast()))
  }

  /// A dropout layer acts where what reads it trains, whatever stands between, and nowhere else.
  @Test(arguments: [
    ("3 features -> LSTM 4 -> last -> dropout 0.5 -> dense 2", ["layer0"], [String]()),
    ("3 features -> LSTM 4 -> dropout 0.5 -> tanh -> last -> dense 2", ["layer0"], []),
    ("3 features -> LSTM 4 -> dropout 0.5 -> LSTM 4 -> last -> dense 2", ["lstm"], ["dropout1"]),
    (
      "3 features -> conv 4 kernel 3 -> dropout 0.5 -> LSTM 4 -> last -> dropout 0.5 -> dense 2", ["conv1", "layer0"],
      ["dropout1"]
    ),
    ("3 features -> dropout 0.5 -> LSTM 4 -> last -> dense 2", ["layer0"], ["dropout1"]),
  ])
  func dropoutActsWhereItIsRead(_ line: String, _ freezing: [String], _ idle: [String]) throws {
    let graph = GraphCase(name: "dropout", line: line)
    let model = try graph.model()
    let plan = try FreezePlan(model, freezing: freezing)
    #expect(GradientPlan(model.configuration, trainable: plan.trainable).idleDropout(in: model.configuration) == idle)
    let data = try graph.data()
    let tuner = Self.tuner(graph, plan)
    let run = try CachingTests.Trace(tuner, model, data, nil)
    var without = tuner
    without.options.cache = .off
    #expect(try CachingTests.Trace(without, model, data, nil) == run)
    var (other, drops) = (tuner, line.split(separator: "dropout").count - 1)
    other.options.seed += 1
    other.options.shuffles = false
    var same = tuner
    same.options.shuffles = false
    drops -= idle.count
    #expect(
      try (CachingTests.Trace(other, model, data, nil) != CachingTests.Trace(same, model, data, nil)) == (drops > 0))
  }

  @Test(arguments: GraphCase.all)
  func selectorsAreNamesKindsAndGlobs(_ graph: GraphCase) throws {
    let configuration = try graph.configuration()
    for parameter in configuration.parameters where parameter.part != .fixed {
      let role = parameter.role
      for selector in [role.layer, role.kind, role.layer.prefix(3) + "*", parameter.name] {
        let chosen = try Selection(String(selector), of: configuration.parameters)
        let names = chosen.indices.map { configuration.parameters[$0].name }
        #expect(names.contains(parameter.name) && !chosen.isOfGates, "\(selector)")
      }
    }
    let recurrent = configuration.parameters.filter { $0.places.contains(where: \.role.isRecurrent) }
    if recurrent.isEmpty {
      #expect(throws: FineTuningError.self) { try Selection("recurrent", of: configuration.parameters) }
    } else {
      let chosen = try Selection("recurrent", of: configuration.parameters).indices
      #expect(chosen.map { configuration.parameters[$0] } == recurrent)
    }
  }

  @Test func whatCannotBeFrozenIsSaid() throws {
    let graph = try #require(GraphCase.all.first { $0.name == "CTC" })
    let configuration = try graph.configuration()
    #expect(
      message { _ = try FreezePlan(configuration, freezing: ["pool1"]) }
        == "freezing pool1: this layer (max_pooling) has no parameters to freeze")
    for (line, example) in [
      (graph.line, "gates such as layer0.forget, and tensor globs such as 'lstm.weight_hh_*'"),
      ("3 features -> coder: GRU 4 -> dense 2", "gates such as coder.reset, and tensor globs such as 'coder.*'"),
      ("3 features -> conv 4 kernel 3 -> mean -> dense 2", "and tensor globs such as 'head.0.*'"),
    ] {
      let configuration = try ModelConfiguration(line: line)
      let error = #expect(throws: FineTuningError.self) { try FreezePlan(configuration, freezing: ["nothing"]) }
      #expect(error?.advice.last?.description.hasSuffix(example) == true)
      // What is named is there.
      for word in example.split(whereSeparator: { " ,'".contains($0) }) where word.contains(".") {
        #expect(throws: Never.self) { try FreezePlan(configuration, freezing: [String(word)]) }
      }
    }
  }

  /// Stopped and resumed after every step, with everything that draws random numbers.
  @Test(arguments: GraphCase.all)
  func resumedAtEveryStepIsAsIfNeverStopped(_ graph: GraphCase) throws {
    let model = try graph.model()
    let (data, validation) = (try graph.data(), try graph.data(3, seed: 9))
    let frozen = Self.parts(model.configuration).first.map { [$0] } ?? []
    var tuner = Self.tuner(graph, try FreezePlan(model, freezing: frozen))
    tuner.options.regularization = .init(dropout: 0.2, hiddenDropout: 0.1, weightDrop: 0.2)
    let whole = try tuner.fit(model, data, validation: validation)
    let folder = try TemporaryFolder()
    final class Flag: @unchecked Sendable { var isSet = false }
    let flag = Flag()
    tuner.shouldStop = { flag.isSet }
    var (record, point) = (try RunFolder(folder.path("run")), ResumePoint?.none)
    for stop in 0...6 {
      flag.isSet = false
      let run = try tuner.fit(model, data, validation: validation, resuming: point) { event in
        if case .step = event { flag.isSet = true }
        try record.record(event)
      }
      guard run.ending == .interrupted else {
        #expect(stop == 6)
        #expect(Self.bits(run.last) == Self.bits(whole.last) && Self.bits(run.best) == Self.bits(whole.best))
        #expect(run.epochs.map(\.validation?.loss) == whole.epochs.map(\.validation?.loss))
        return
      }
      point = try ResumePoint(run: folder.path("run"))
      record = try RunFolder(resuming: folder.path("run"), point?.state)
    }
    Issue.record("it never came to an end")
  }

  /// What moves is a matrix of the adapters' rank, or the head; a part that can have no adapter is named.
  @Test(arguments: GraphCase.all)
  func adaptersGoOnEveryMatrix(_ graph: GraphCase) throws {
    let model = try graph.model()
    let data = try graph.data()
    for part in Self.parts(model.configuration) {
      let lora = LoRA(rank: 1, alpha: 4, targets: [part])
      let own = model.configuration.parameters.filter { $0.role.layer == part && $0.tied.isEmpty }
      let kinds = ["lstm", "gru", "rnn", "dense", "convolution", "self_attention", "attention"]
      let matrices = own.filter { $0.shape.count > 1 && ($0.shape[0] > 1 || $0.role.kind == "dense") }
      guard !matrices.isEmpty, kinds.contains(own[0].role.kind) else {
        #expect(message { _ = try FreezePlan(model, lora: lora) }.contains(part))
        continue
      }
      let plan = try FreezePlan(model, lora: lora)
      let after = try Self.tuner(graph, plan).fit(model, data).last
      for (index, parameter) in plan.parameters.enumerated() where plan.adapted[index] {
        let (rows, columns) = parameter.matrix
        let (old, new) = (model.parameters.values(index), after.parameters.values(index))
        let change = zip(new, old).map { Double($0) - Double($1) }
        let largest = try #require(change.indices.max { abs(change[$0]) < abs(change[$1]) })
        #expect(abs(change[largest]) > 1e-4, "\(part): \(parameter.name) learns")
        // Of rank 1: each row is a multiple of the one with the largest value.
        let (pivot, column) = (largest / columns, largest % columns)
        for row in 0..<rows {
          let factor = change[row * columns + column] / change[largest]
          for j in 0..<columns {
            let wanted = factor * change[pivot * columns + j]
            #expect(abs(change[row * columns + j] - wanted) < 1e-6, "\(part): \(parameter.name)")
          }
        }
      }
      let frozen = plan.parameters.indices.filter { !plan.trainable[$0] }.map { plan.parameters[$0].name }
      let (old, new) = (Self.bits(model), Self.bits(after))
      for name in frozen { #expect(old[name] == new[name], "\(part): \(name)") }
    }
    guard !model.configuration.recurrentLayers.isEmpty else { return }
    let plan = try FreezePlan(model, lora: LoRA(rank: 1, alpha: 1))
    for (parameter, adapted) in zip(plan.parameters, plan.adapted) {
      #expect(adapted == (parameter.role.isRecurrent && parameter.name.contains(/weight_[ih]h/)), "\(parameter.name)")
    }
  }

  /// ULMFiT takes the parts from the head down, in every graph.
  @Test(arguments: GraphCase.all)
  func recipesTakeAGraphApart(_ graph: GraphCase) throws {
    let model = try graph.model()
    let plan = try FreezePlan(model, recipe: .ulmfit)
    let firsts = plan.groups.filter { $0.status != .frozen }.map { plan.learningRate(of: $0, base: 1) }
    #expect(firsts.last?.firstEpoch == 1 && firsts.last?.learningRate == 1)
    if graph.name != "tied language model" {
      #expect(firsts.count >= 2 && firsts[0].firstEpoch == firsts.map(\.firstEpoch).max() && firsts[0].firstEpoch > 1)
      for (lower, upper) in zip(firsts, firsts.dropFirst()) { #expect(lower.firstEpoch >= upper.firstEpoch) }
    }
    // The head is never all of it.
    if graph.name != "tied language model" {
      let lowest = Self.parts(model.configuration)[0]
      let groups = try FreezePlan(model, freezing: ["head"]).groups
      #expect(groups.first { $0.name == lowest }?.status == .trainable)
    }
    for recipe in Recipe.allCases {
      let run = try Self.tuner(graph, FreezePlan(model, recipe: recipe)).fit(model, try graph.data())
      #expect(run.epochs.count == 2)
    }
  }

  /// A part's own rate moves it by that much against the rest.
  @Test(arguments: GraphCase.all)
  func aPartHasItsOwnRate(_ graph: GraphCase) throws {
    let model = try graph.model()
    let data = try graph.data(4)
    func moved(_ rates: [LearningRateOverride]) throws -> [String: Float] {
      var tuner = FineTuner(
        try FreezePlan(model, rates: rates), optimizer: .sgd(learningRate: 1e-3), loss: graph.loss)
      tuner.options.epochs = 1
      tuner.options.clipNorm = nil
      let (before, after) = (allValues(model), allValues(try tuner.fit(model, data).last))
      return after.merging(before) { zip($0, $1).map { abs($0 - $1) }.max().map { [$0] } ?? [] }.mapValues {
        $0.first ?? 0
      }
    }
    let usual = try moved([])
    for part in Self.parts(model.configuration) {
      let own = try moved([LearningRateOverride(part, 4e-3)])
      for parameter in model.configuration.parameters where parameter.part.isTrainable {
        guard let old = usual[parameter.name], let new = own[parameter.name], old > 1e-6 else { continue }
        let factor: Float = parameter.places.contains { $0.role.layer == part } ? 4 : 1
        #expect(abs(new / old - factor) < 0.1 * factor, "\(part): \(parameter.name)")
      }
    }
  }

  // MARK: - Streams

  /// Step by step as in one go, or an error that names the layer which cannot.
  @Test(arguments: GraphCase.all)
  func stepsAreAsTheWholeSequence(_ graph: GraphCase) throws {
    let model = try graph.model()
    let configuration = model.configuration
    let stream: LSTMStream
    do {
      stream = try LSTMStream(model)
    } catch {
      let names = configuration.layers.map(\.name)
      #expect(names.contains { "\(error)".contains("found \($0), ") }, "\(error)")
      #expect(!["causal stack", "branches", "residuals", "cell activations"].contains(graph.name))
      return
    }
    var state = stream.makeState()
    var y = [Float](repeating: 0, count: stream.outputSize)
    let steps = 7
    let whole: Tensor
    var parts: [Float] = []
    if let vocabulary = configuration.inputs[0].vocabulary {
      let tokens = (0..<steps).map { Int32(1 + $0 * 5 % (vocabulary - 1)) }
      whole = try model(SequenceBatch(tokens: tokens, count: 1, steps: steps)).output
      for token in tokens {
        stream.step(token: Int(token), &state, into: &y)
        parts += y
      }
    } else {
      let width = configuration.inputs[0].width
      let x = Tensor(shape: [1, steps, width], values: noise(steps * width, seed: 4))
      whole = try model(x).output
      for step in 0..<steps {
        stream.step(Array(x.values[step * width..<(step + 1) * width]), &state, into: &y)
        parts += y
      }
    }
    #expect(whole.values == parts.suffix(whole.values.count))
  }
}
