import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What lies beside an LSTM is told by shapes, names and what lies beside it.
@Suite struct TensorKindTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let shapes: [(String, [Int])]
    let kinds: [TensorKind]
    var testDescription: String { shapes.map(\.0).joined(separator: ", ") }

    init(_ kind: TensorKind, _ shapes: (String, [Int])...) {
      self.shapes = shapes
      kinds = shapes.map { _ in kind }
    }
  }

  static let cases = [
    Case(
      .batchNormalization, ("net.1.weight", [4]), ("net.1.bias", [4]), ("net.1.running_mean", [4]),
      ("net.1.running_var", [4])),
    Case(.batchNormalization, ("b/gamma", [4]), ("b/moving_mean", [4]), ("b/moving_variance", [4])),
    Case(.normalization, ("x.weight", [4]), ("x.bias", [4])),
    Case(.normalization, ("x/gamma", [4]), ("x/beta", [4])),
    Case(.groupNormalization, ("front.gn1.weight", [4]), ("front.gn1.bias", [4])),
    Case(.groupNormalization, ("group_norm.weight", [4]), ("group_norm.bias", [4])),
    Case(.scaling, ("act.weight", [1])),
    Case(.convolution(1), ("a.0.weight", [5, 3, 3]), ("a.0.bias", [5])),
    Case(.convolution(2), ("a.0.weight", [5, 1, 3, 3])),
    Case(.convolution(1), ("a.weight_g", [5, 1, 1]), ("a.weight_v", [5, 3, 3])),
    Case(.attention, ("self_attn.in_proj_weight", [12, 4]), ("self_attn.out_proj.weight", [4, 4])),
    Case(.attention, ("m.q_proj.weight", [4, 4]), ("m.k_proj.weight", [4, 4]), ("m.v_proj.weight", [4, 4])),
    Case(.attention, ("Wa.weight", [4, 4]), ("Ua.weight", [4, 4]), ("Va.weight", [1, 4])),
    Case(.attention, ("w_omega", [4, 4]), ("u_omega", [4, 1])),
    Case(.attention, ("attention_vector", [4])),
    Case(.gru(4), ("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("g.bias_ih_l0", [12])),
    Case(.gru(4), ("g/kernel", [3, 12]), ("g/recurrent_kernel", [4, 12]), ("g/bias", [2, 12])),
    Case(.rnn(4), ("r.weight_ih_l0_reverse", [4, 3]), ("r.weight_hh_l0_reverse", [4, 4])),
    Case(.crf, ("crf.transitions", [9, 9]), ("crf.start_transitions", [9])),
    Case(.initialState, ("h0", [1, 1, 4]), ("net.c_0", [1, 1, 4])),
    Case(.positions, ("pos.pe", [1, 50, 4])),
    Case(.embedding, ("words.emb.weight", [30, 4])),
    Case(.dense, ("a.weight", [2, 4]), ("a.bias", [2])),
    Case(.optimizer, ("optimizer/state/0/exp_avg", [4, 4]), ("lstm/kernel/Adam_1", [4, 4])),
    Case(.loss, ("criterion.weight", [3]), ("loss_fn.pos_weight", [1])),
    Case(.average, ("ema.fc.weight", [2, 4]), ("model_ema.fc.bias", [2])),
    Case(.counter, ("bn.num_batches_tracked", [])),
    Case(.unknown, ("something", [3, 4]), ("mask", [3, 3, 3])),
  ]

  @Test(arguments: cases) func isTold(_ test: Case) {
    let candidates = test.shapes.map { name, shape in
      Candidate(
        name: name.replacing("/", with: "."),
        tensor: StoredTensor(name: name, shape: shape, values: .init(repeating: 0, count: shape.reduce(1, *))))
    }
    let kinds = TensorKinds(candidates)
    #expect(candidates.map(kinds.kind) == test.kinds)
  }

  /// A normalization as wide as all gates is inside the cell, and so is what lies beside it.
  @Test func normalizationsInsideACellAreTold() {
    let shapes: [(String, [Int])] = [
      ("cell.weight_ih", [16, 3]), ("cell.weight_hh", [16, 4]), ("cell.ln_i.weight", [16]), ("cell.ln_i.bias", [16]),
      ("cell.ln_c.weight", [4]), ("cell.ln_c.bias", [4]), ("norm.weight", [4]), ("norm.bias", [4]),
    ]
    let candidates = shapes.map { name, shape in
      Candidate(
        name: name,
        tensor: StoredTensor(name: name, shape: shape, values: .init(repeating: 0, count: shape.reduce(1, *))))
    }
    let kinds = TensorKinds(candidates)
    #expect(candidates[2...5].map(kinds.kind) == Array(repeating: .cellNormalization, count: 4))
    #expect(candidates[6...].map(kinds.kind) == [.normalization, .normalization])
  }

  /// A projected LSTM's recurrent weight may have any ratio, and four gates are an LSTM.
  @Test func anLSTMIsNoGRU() {
    for shapes: [(String, [Int])] in [
      [("weight_ih_l0", [24, 3]), ("weight_hh_l0", [24, 6])],
      [("weight_ih_l0", [24, 3]), ("weight_hh_l0", [24, 8]), ("weight_hr_l0", [8, 6])],
      [("weight_ih_l0", [48, 3]), ("weight_hh_l0", [24, 8])],
    ] {
      let candidates = shapes.map { name, shape in
        Candidate(
          name: name,
          tensor: StoredTensor(name: name, shape: shape, values: .init(repeating: 0, count: shape.reduce(1, *))))
      }
      let kinds = TensorKinds(candidates)
      #expect(candidates.allSatisfy { kinds.recurrentKind($0) == nil })
    }
  }

  @Test func whatComputesSaysSo() {
    #expect(TensorKind.batchNormalization.effect == .changesOutput)
    #expect(TensorKind.optimizer.effect == .none)
    #expect(TensorKind.unknown.effect == .unknown)
    #expect(TensorKind.gru(8).reason.description.hasPrefix("3H = 24: a GRU"))
  }
}
