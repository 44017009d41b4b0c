import FileIO

extension Layout {
  /// burn: input_gate.input_transform.weight, ...
  public static let burn = Layout("burn")
}

extension LayoutNames {
  static let burn = LayoutNames(
    layout: .burn, recurrent: .init(gates: [.input, .forget, .cell, .output], matrices: .perGate, biases: .two),
    title: "burn's Lstm", evidence: "input_gate.input_transform: burn's names",
    leaves: zip(Gate.of(.lstm), ["input_gate", "forget_gate", "cell_gate", "output_gate"]).flatMap { gate, name in
      [
        Leaf("\(name).input_transform.weight", .input, gate), Leaf("\(name).hidden_transform.weight", .recurrent, gate),
        Leaf("\(name).input_transform.bias", .inputBias, gate),
        Leaf("\(name).hidden_transform.bias", .recurrentBias, gate),
      ]
    },
    dense: Dense(weight: "weight", bias: "bias", isTransposed: true, embedding: "weight"),
    usual: Usual(
      single: "lstm", stacked: "layers.#", among: "layers.#", forward: "layers.#.forward", backward: "layers.#.reverse",
      embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.none, .dual])
}
