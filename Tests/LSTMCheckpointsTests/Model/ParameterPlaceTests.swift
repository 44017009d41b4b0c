import Testing

@testable import LSTMCheckpoints

/// Where a parameter stands is a value, not something to be read from its name.
@Suite struct ParameterPlaceTests {
  static let configuration = ModelConfiguration(
    input: .tokens(vocabulary: 9, size: 4),
    layers: [
      .init(hiddenSize: 3, hasPeepholes: true),
      .init(hiddenSize: 5, isBidirectional: true, projectionSize: 2, bias: .single),
    ], readout: .attention, head: [.init(size: 6, hasBias: true), .init(size: 1, hasBias: false)])

  @Test func partsOfTheModel() {
    let parts = Self.configuration.parameters.map { "\($0.role.name) \($0.name)" }
    #expect(
      parts == [
        "embedding embedding.weight",
        "layer0 lstm.weight_ih_l0", "layer0 lstm.weight_hh_l0", "layer0 lstm.bias_ih_l0", "layer0 lstm.bias_hh_l0",
        "layer0 lstm.peephole_l0",
        "layer1 lstm.weight_ih_l1", "layer1 lstm.weight_hh_l1", "layer1 lstm.bias_ih_l1", "layer1 lstm.weight_hr_l1",
        "layer1 lstm.weight_ih_l1_reverse", "layer1 lstm.weight_hh_l1_reverse", "layer1 lstm.bias_ih_l1_reverse",
        "layer1 lstm.weight_hr_l1_reverse",
        "attention attention.weight", "head.0 head.0.weight", "head.0 head.0.bias", "head.1 head.1.weight",
      ])
  }

  @Test func kindsAndGates() {
    for parameter in Self.configuration.parameters {
      let letters = String(parameter.gates.map(\.letter))
      switch parameter.part {
      case .cell(let part):
        #expect(parameter.name.hasPrefix("lstm.\(part.rawValue)_l"))
        #expect(letters == (part == .projection ? "" : part == .peephole ? "ifo" : "ifgo"))
        // Blocks of one size.
        #expect(parameter.gates.isEmpty || parameter.shape[0].isMultiple(of: parameter.gates.count))
      case .weight: #expect(parameter.name.hasSuffix(".weight") && letters.isEmpty)
      case .bias: #expect(parameter.name.hasSuffix(".bias") && letters.isEmpty)
      case .gain, .statistic, .fixed: Issue.record("\(parameter.name) is no part of a plain stack")
      }
    }
    #expect(Gate.of(.lstm).map(\.name) == ["input", "forget", "cell", "output"])
  }
}
