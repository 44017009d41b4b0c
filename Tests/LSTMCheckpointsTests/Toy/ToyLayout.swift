import FileIO

@testable import LSTMCheckpoints

extension LayoutNames {
  /// A layout that the library has not: gates o, g, f, i; both matrices transposed.
  static let toy = LayoutNames(
    layout: Layout("toy"),
    recurrent: RecurrentLayout(gates: [.output, .cell, .forget, .input], matrices: .columns, biases: .two),
    title: "the toy's LSTM", evidence: "from_below and from_before: the toy's names",
    leaves: [
      Leaf("from_below", .input), Leaf("from_before", .recurrent), Leaf("push_below", .inputBias),
      Leaf("push_before", .recurrentBias),
    ],
    dense: Dense(weight: "table", bias: "push", isTransposed: true, embedding: "table"),
    usual: Usual(
      single: "cell", stacked: "cell#", among: "cell#", forward: "cell#.forward", backward: "cell#.backward",
      embedding: "words", dense: "dense#", separator: "/"),
    biases: [.none, .dual])
}
