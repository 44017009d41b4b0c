import FileIO
import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct FreezePlanTests {
  /// Embedding, a bidirectional and a plain layer, attention, two dense layers.
  static let configuration = ModelConfiguration(
    input: .tokens(vocabulary: 9, size: 3),
    layers: [.init(hiddenSize: 4, isBidirectional: true), .init(hiddenSize: 2)], readout: .attention,
    head: [.init(size: 3, activation: .relu), .init(size: 2)])

  static func names(_ isWanted: (String) -> Bool) -> Set<String> {
    Set(configuration.parameters.map(\.name).filter(isWanted))
  }

  static func frozen(_ plan: FreezePlan) -> Set<String> {
    Set(zip(plan.parameters, plan.trainable).filter { !$1 }.map(\.0.name))
  }

  static let selectors: [(String, @Sendable (String) -> Bool)] = [
    ("embedding", { $0 == "embedding.weight" }),
    ("lstm", { $0.hasPrefix("lstm.") }),
    ("layer0", { $0.contains("_l0") }),
    ("layer1", { $0.contains("_l1") }),
    ("layer0.forward", { $0.hasSuffix("_l0") }),
    ("layer0.reverse", { $0.hasSuffix("_l0_reverse") }),
    ("layer1.forward", { $0.hasSuffix("_l1") }),
    ("attention", { $0 == "attention.weight" }),
    ("head", { $0.hasPrefix("head.") }),
    ("head.0", { $0.hasPrefix("head.0.") }),
    ("head.1", { $0.hasPrefix("head.1.") }),
    ("head.1.bias", { $0 == "head.1.bias" }),
    ("lstm.weight_hh_*", { $0.hasPrefix("lstm.weight_hh_") }),
    ("*bias*", { $0.contains("bias") }),
    ("lstm.*_l[0-1]", { $0.hasSuffix("_l0") || $0.hasSuffix("_l1") }),
    ("head.?.weight", { $0.hasPrefix("head.") && $0.hasSuffix("weight") }),
  ]

  @Test(arguments: selectors.indices) func selectorsFreezeWhatTheyName(_ index: Int) throws {
    let (selector, isWanted) = Self.selectors[index]
    let plan = try FreezePlan(Self.configuration, freezing: [selector])
    let expected = Self.names(isWanted)
    #expect(!expected.isEmpty && Self.frozen(plan) == expected)
    let sizes = Dictionary(uniqueKeysWithValues: plan.parameters.map { ($0.name, $0.elementCount) })
    #expect(plan.frozenCount == expected.reduce(0) { $0 + (sizes[$1] ?? 0) })
    #expect(plan.trainableCount + plan.frozenCount == Self.configuration.parameterCount)
  }

  @Test func unfreezingComesAfterFreezing() throws {
    let plan = try FreezePlan(Self.configuration, freezing: ["*"], unfreezing: ["head", "layer1"])
    #expect(Self.frozen(plan) == Self.names { !$0.hasPrefix("head") && !$0.hasSuffix("_l1") })
    let most = try FreezePlan(Self.configuration, freezing: ["lstm", "head"], unfreezing: ["lstm.bias*"])
    #expect(Self.frozen(most) == Self.names { $0.hasPrefix("lstm.weight") || $0.hasPrefix("head") })
  }

  @Test(arguments: [
    ("layer00", ["layer0"]), ("layr1", ["layer1"]), ("Layer0.reversed", ["layer0.reverse"]),
    ("embeding", ["embedding"]),
    ("lstm.weight_hh_l5", ["lstm.weight_hh_l0"]), ("zzzzzzzz", []), ("", []), ("layer2", ["layer0", "layer1"]),
    ("fc", []), ("lstm.nothing*", []),
  ])
  func aSelectorThatMatchesNothing(_ selector: String, _ nearest: [String]) {
    for unfreezes in [false, true] {
      do {
        _ = try FreezePlan(
          Self.configuration, freezing: unfreezes ? [] : [selector], unfreezing: unfreezes ? [selector] : [])
        Issue.record("nothing was thrown")
      } catch {
        guard case .unknownSelector(selector, let found, let known) = error else {
          Issue.record("\(error)")
          continue
        }
        #expect(nearest.allSatisfy(found.contains), "\(found)")
        #expect(nearest.isEmpty || found.first.map(nearest.contains) == true, "\(found)")
        #expect(
          known == [
            "embedding", "lstm", "layer0", "layer0.forward", "layer0.reverse", "layer1", "layer1.forward", "attention",
            "head", "head.0", "head.1",
          ])
        #expect(error.message == "\"\(selector)\" matches no part of this model" && error.category == .usage)
        #expect(
          error.advice.count <= 2
            && error.advice.last?.description.hasPrefix("known are embedding, lstm, layer0") == true)
      }
    }
  }

  @Test(arguments: [["*"], ["embedding", "lstm", "attention", "head"]])
  func nothingLeftToTrain(_ freezing: [String]) {
    #expect(
      message { _ = try FreezePlan(Self.configuration, freezing: freezing) }
        == "everything is frozen: there is nothing to train")
  }

  // MARK: - Fates

  static let statuses: [(freezing: [String], unfreezing: [String], statuses: [String: FreezePlan.Status])] = [
    ([], [], [:]),
    (["embedding", "layer0"], [], ["embedding": .frozen, "layer0": .frozen]),
    (["layer0"], [], ["layer0": .passesGradient]),
    (["layer1", "head"], [], ["layer1": .passesGradient, "head.0": .passesGradient, "head.1": .passesGradient]),
    (["embedding", "layer0.reverse"], [], ["embedding": .frozen, "layer0": .mixed]),
    (
      ["*"], ["layer0.forward"],
      [
        "embedding": .frozen, "layer0": .mixed, "layer1": .passesGradient, "attention": .passesGradient,
        "head.0": .passesGradient, "head.1": .passesGradient,
      ]
    ),
    (
      ["*"], ["head.1"],
      [
        "embedding": .frozen, "layer0": .frozen, "layer1": .frozen, "attention": .frozen, "head.0": .frozen,
      ]
    ),
  ]

  @Test(arguments: statuses.indices) func groupsSayWhatBecomesOfEachPart(_ index: Int) throws {
    let (freezing, unfreezing, expected) = Self.statuses[index]
    let plan = try FreezePlan(Self.configuration, freezing: freezing, unfreezing: unfreezing)
    #expect(plan.groups.map(\.name) == ["embedding", "layer0", "layer1", "attention", "head.0", "head.1"])
    for group in plan.groups {
      #expect(group.status == expected[group.name] ?? .trainable, "\(group.name)")
      let isPartly = group.status == .mixed
      #expect(isPartly == (0 < group.trainableCount && group.trainableCount < group.parameterCount), "\(group.name)")
    }
    #expect(plan.groups.reduce(0) { $0 + $1.parameterCount } == Self.configuration.parameterCount)
    #expect(plan.groups.reduce(0) { $0 + $1.trainableCount } == plan.trainableCount)
  }
}
