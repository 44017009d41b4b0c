import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What loading finds in names and shapes.
@Suite struct LoadPlanTests {
  private func mapping(_ shapes: [(String, [Int])], _ options: LoadOptions = LoadOptions()) throws -> [String: String] {
    let plan = try LoadPlan(checkpoint(shapes), options: options)
    try plan.validate()
    return plan.mapping
  }

  @Test(arguments: ["", "lstm.", "module.lstm.", "_orig_mod.encoder.rnn.", "model_state/lstm.", "a/b/c/"])
  func anyPrefix(_ prefix: String) throws {
    let found = try mapping(layer(prefix, 0, 3, 4) + layer(prefix, 1, 4, 4))
    #expect(found.count == 8)
    #expect(found["lstm.bias_hh_l1"] == prefix + "bias_hh_l1")
  }

  @Test func aPlainFileWithAHeadBesideIt() throws {
    let found = try mapping(layer("", 0, 3, 4) + [("head.0.weight", [2, 4]), ("head.0.bias", [2])])
    #expect(found["head.0.weight"] == "head.0.weight")
    #expect(found["lstm.weight_ih_l0"] == "weight_ih_l0")
  }

  @Test func reverseAndProjection() throws {
    var shapes: [(String, [Int])] = []
    for suffix in ["l0", "l0_reverse"] {
      shapes += [
        ("weight_ih_\(suffix)", [40, 3]), ("weight_hh_\(suffix)", [40, 2]), ("weight_hr_\(suffix)", [2, 10]),
      ]
    }
    for suffix in ["l1", "l1_reverse"] {
      shapes += [
        ("weight_ih_\(suffix)", [40, 4]), ("weight_hh_\(suffix)", [40, 2]), ("weight_hr_\(suffix)", [2, 10]),
      ]
    }
    let plan = try LoadPlan(checkpoint(shapes))
    try plan.validate()
    let expected = PlainStack.Layer(hiddenSize: 10, isBidirectional: true, projectionSize: 2, bias: .none)
    #expect(plan.configuration.plain.layers == [expected, expected])
  }

  @Test func cells() throws {
    let names = ["weight_ih": [16, 3], "weight_hh": [16, 4], "bias_ih": [16], "bias_hh": [16]]
    let found = try mapping(names.map { ("cell." + $0.key, $0.value) })
    #expect(found["lstm.weight_hh_l0"] == "cell.weight_hh")
    // A list of cells is a stack.
    let second = ["weight_ih": [16, 4], "weight_hh": [16, 4], "bias_ih": [16], "bias_hh": [16]]
    let stack = try mapping(
      names.map { ("cells.0." + $0.key, $0.value) } + second.map { ("cells.1." + $0.key, $0.value) })
    #expect(stack["lstm.weight_hh_l1"] == "cells.1.weight_hh")
  }

  @Test(arguments: [true, false])
  func weightDropsTrueWeightIsTheRawOne(_ rawFirst: Bool) throws {
    var shapes = layer("rnns.0.module.", 0, 3, 4)
    shapes.insert(("rnns.0.weight_hh_l0_raw", [16, 4]), at: rawFirst ? 0 : shapes.count)
    let plan = try LoadPlan(checkpoint(shapes))
    try plan.validate()
    #expect(plan.mapping["lstm.weight_hh_l0"] == "rnns.0.weight_hh_l0_raw")
    #expect(plan.report.unexpected.map(\.source) == ["rnns.0.module.weight_hh_l0"])
    #expect(
      plan.report.unexpected.map(\.reason) == ["a copy with dropout applied; the true weight is the one with _raw"])
    #expect(!plan.report.unexpected.contains { !$0.isAllowed })
  }

  @Test func modulesThatDifferInANumberAreAStackInNaturalOrder() throws {
    let found = try LoadPlan(checkpoint((0..<12).reversed().flatMap { layer("rnns.\($0).", 0, 4, 4) }))
    #expect(found.mapping["lstm.weight_ih_l2"] == "rnns.2.weight_ih_l0")
    #expect(found.mapping["lstm.weight_ih_l10"] == "rnns.10.weight_ih_l0")
    #expect(found.report.notes == ["one stack of 12 layers from the modules rnns.0, rnns.1, rnns.2, rnns.3, ..."])
  }

  @Test func mapRules() throws {
    let shapes = layer("core_", 0, 3, 4) + [("proj_out/W", [2, 4]), ("proj_out/b", [2])]
    let rules = try [
      RenamingRule("^core_(.*)$=lstm.$1"), RenamingRule("W$=weight"), RenamingRule("b$=bias"), RenamingRule("^x=y"),
    ]
    let plan = try LoadPlan(checkpoint(shapes), options: LoadOptions(rules: rules))
    try plan.validate()
    #expect(plan.mapping["head.0.weight"] == "proj_out/W")
    #expect(plan.mapping["lstm.bias_ih_l0"] == "core_bias_ih_l0")
    #expect(plan.report.notes.last == "rules ^x=y changes no name")
  }

  @Test func rulesSeeNamesWithoutThePrefix() throws {
    let options = LoadOptions(prefix: "net", rules: [try RenamingRule("^core=lstm")])
    #expect(try mapping(layer("net/core/", 0, 3, 4), options).count == 4)
  }

  @Test func anAllowedGlobThatMatchesNothingIsSaid() throws {
    let plan = try LoadPlan(
      checkpoint(layer("", 0, 3, 4)), options: LoadOptions(allowedUnexpected: ["optimizer*"]))
    #expect(plan.report.notes == ["allowedUnexpected optimizer* matches no tensor"])
  }

  @Test func whatIsAllowedToBeMissingIsStillReported() throws {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4)], head: [.init(size: 2)])
    let plan = try LoadPlan(
      checkpoint(layer("", 0, 3, 4)),
      options: LoadOptions(allowedMissing: ["head.*"], configuration: configuration))
    try plan.validate()
    #expect(plan.report.missing.map(\.target) == ["head.0.weight", "head.0.bias"])
    #expect(plan.tensors.count == 4)
  }

  @Test func aKnownHeadChoosesByItsSizes() throws {
    let shapes = layer("", 0, 3, 4) + [("a.weight", [7, 4]), ("b.weight", [2, 4])]
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4)], head: [.init(size: 2, hasBias: false)])
    let plan = try LoadPlan(
      checkpoint(shapes), options: LoadOptions(allowedUnexpected: ["a.*"], configuration: configuration))
    #expect(plan.mapping["head.0.weight"] == "b.weight")
    let strict = try LoadPlan(checkpoint(shapes), options: LoadOptions(configuration: configuration))
    #expect(strict.mapping["head.0.weight"] == "b.weight")
    #expect(strict.report.unexpected.map(\.source) == ["a.weight"])
  }

  @Test func embeddingByNameOrByShape() throws {
    let head = [("fc.weight", [2, 4]), ("fc.bias", [2])]
    for name in ["emb", "word_embeddings", "wte", "lut"] {
      let plan = try LoadPlan(checkpoint([("\(name).weight", [30, 3])] + layer("lstm.", 0, 3, 4) + head))
      try plan.validate()
      #expect(plan.configuration.plain.input == .tokens(vocabulary: 30, size: 3), "\(name)")
    }
    // As wide as the LSTM's output and with no telling name it may be a head.
    let tied = try LoadPlan(checkpoint([("lut.weight", [30, 4])] + layer("lstm.", 0, 4, 4)))
    #expect(tied.mapping["head.0.weight"] == "lut.weight")
  }

  @Test func attention() throws {
    let shapes = layer("lstm.", 0, 3, 4) + [("attention.weight", [1, 4]), ("fc.weight", [2, 4]), ("fc.bias", [2])]
    let plan = try LoadPlan(checkpoint(shapes))
    try plan.validate()
    #expect(plan.configuration.readout == .attention)
    #expect(plan.mapping["attention.weight"] == "attention.weight")
  }

  @Test func provenanceNamesTheSource() throws {
    let plan = try LoadPlan(checkpoint(layer("m.", 0, 3, 4)))
    let provenance = plan.provenance(sha256: "00")
    #expect(provenance.source == "w.h5")
    #expect(provenance.format == "pytorch-h5")
    #expect(provenance.layout == "pytorch")
    #expect(provenance.mapping == plan.mapping)
    var again = checkpoint(layer("lstm.", 0, 3, 4))
    again.provenance = provenance
    #expect(try LoadPlan(again).provenance(sha256: "11") == provenance)
  }

  @Test func rulesThatMakeNoSense() {
    func refusal(_ text: String) -> [String] {
      do throws(CheckpointError) {
        _ = try RenamingRule(text)
        return []
      } catch {
        return ([error.message] + error.advice).map(\.description)
      }
    }
    #expect(
      refusal("lstm") == [
        "rules lstm: expected REGEX=REPLACEMENT, found no =", "for example rules ^rnn\\.=lstm.",
      ])
    #expect(refusal("(=x") == ["rules (=x: \"(\" is not a regular expression"])
    #expect(refusal("=x") == ["rules =x: \"\" is not a regular expression"])
    #expect(
      refusal("a(.)=$2") == ["rules a(.)=$2: $2 stands for a group that the expression does not have (it has 1)"])
    #expect(refusal("(?=a)b=c") == [])
    #expect(refusal("a=\\$5") == [])
  }
}

/// Names and shapes that no honest file has.
@Suite struct HostileCheckpointTests {
  @Test(arguments: [
    [], [0], [0, 0], [5], [1, 1, 1, 1, 1], [Int.max, 0], [1 << 40, 1 << 20], [Int.max, Int.max, 2],
  ])
  func shapesOfEveryKind(_ shape: [Int]) throws {
    for victim in 0..<4 {
      for extra in [
        "fc.weight", "embedding.weight", "attention.weight", "weight", "lstm.weight_hr_l0", "lstm.peephole_l0",
      ] {
        var shapes = layer("lstm.", 0, 3, 4) + [(extra, shape)]
        #expect(refusal(checkpoint(shapes)) != [])
        shapes[victim].1 = shape
        #expect(refusal(checkpoint(shapes)) != [])
      }
    }
  }

  @Test(arguments: [
    "lstm.weight_ih_l-1", "lstm.weight_ih_l+1", "lstm.weight_ih_l00", "lstm.weight_ih_l99999999999999999999",
    "lstm.weight_ih_l１", "lstm.weight_ih_l", "lstm.weight_ih_lx", "lstm.weight_ihh_l0", "lstm.weight_ih_l0_reversed",
    "", ".", "...", "lstm.weight_ih_l1 ",
  ])
  func namesThatAreNoLayers(_ name: String) throws {
    #expect(PyTorchName(name) == nil)
    let found = checkpoint(layer("lstm.", 0, 3, 4) + [("x" + name, [1])])
    #expect(try LoadPlan(found).report.unexpected.map(\.source) == ["x" + name])
  }

  @Test func controlCharactersDoNotReachATerminal() {
    let name = "evil\u{1b}[2J\nerror\u{202e}"
    let text = refusal(checkpoint(layer("lstm.", 0, 3, 4) + [(name, [2])])).joined()
    #expect(text.contains("evil?[2J?error?"))
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
    #expect(printable(String(repeating: "x", count: 100_000)).count == 2001)
  }

  @Test func manyTensorsTakeNoTime() throws {
    let shapes = (0..<10_000).map { ("block.\($0).weight", [4, 4]) } + (0..<10_000).map { ("s\($0).bias", [4]) }
    let found = checkpoint(layer("lstm.", 0, 4, 4).dropLast() + shapes)
    let time = processorTime {
      _ = refusal(found, LoadOptions(activation: .relu))
      _ = refusal(found, LoadOptions(prefix: "blokc"))
    }
    #expect(time < .seconds(20))
  }
}
