import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Every kind of recurrent layer, forward and backward, against a twin in double precision and its central differences.
@Suite struct RecurrentGradientTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var kind: Layer.Recurrent
    var lengths = [5, 3, 1, 5]
    var inputSize = 3
    var startsFromZero = false
    var testDescription: String { name }

    init(
      _ name: String, _ cell: Layer.Recurrent.Cell, size: Int, _ change: (inout Layer.Recurrent, inout Case) -> Void
    ) {
      self.name = name
      kind = Layer.Recurrent(cell, size: size)
      var (kind, other) = (kind, self)
      change(&kind, &other)
      self = other
      self.kind = kind
    }
  }

  static let cases: [Case] =
    [
      Case("LSTM", .lstm, size: 4) { _, _ in },
      Case("LSTM with everything", .lstm, size: 5) { kind, _ in
        kind.projectionSize = 2
        kind.hasPeepholes = true
        kind.forgetOffset = 0.75
        (kind.activation, kind.outputActivation, kind.gateActivation) = (.relu, .softsign, .hardSigmoidKeras3)
        (kind.cellClip, kind.projectionClip, kind.inputClip) = (0.9, 0.4, 1.1)
      },
      Case("LSTM clips its cell, reversed", .lstm, size: 4) { kind, _ in
        kind.cellClip = 0.5
        kind.isReversed = true
      },
      Case("LSTM clips what goes into its activations", .lstm, size: 4) { kind, _ in
        kind.inputClip = 0.7
        kind.hasPeepholes = true
      },
      Case("LSTM clips its projection", .lstm, size: 6) { kind, _ in
        kind.projectionSize = 3
        kind.projectionClip = 0.2
      },
      Case("GRU", .gru, size: 4) { _, _ in },
      Case("GRU from zero, reversed", .gru, size: 5) { kind, test in
        kind.isReversed = true
        test.startsFromZero = true
      },
      Case("GRU, one step from zero", .gru, size: 7) { _, test in
        (test.lengths, test.startsFromZero) = ([1, 1], true)
      },
      Case("GRU of one unit, one sequence", .gru, size: 1) { _, test in (test.lengths, test.inputSize) = ([6], 1) },
      Case("GRU of two vectors", .gru, size: 17) { _, test in (test.lengths, test.inputSize) = ([3, 2], 2) },
      Case("GRU with a single bias", .gru, size: 4) { kind, _ in kind.bias = .single },
      Case("GRU without a bias", .gru, size: 4) { kind, _ in kind.bias = .none },
      Case("GRU with hard gates", .gru, size: 4) { kind, _ in kind.gateActivation = .hardSigmoid },
      Case("GRU with hard gates of Keras 3", .gru, size: 4) { kind, _ in kind.gateActivation = .hardSigmoidKeras3 },
      Case("GRU with clips and other functions", .gru, size: 4) { kind, _ in
        (kind.activation, kind.gateActivation, kind.inputClip) = (.elu, .softsign, 0.8)
      },
      Case("GRU that resets the state", .gru, size: 4) { kind, _ in kind.resetsAfter = false },
      Case("GRU that resets the state, from zero, reversed", .gru, size: 5) { kind, test in
        (kind.resetsAfter, kind.isReversed) = (false, true)
        test.startsFromZero = true
      },
      Case("GRU that resets the state, one step from zero", .gru, size: 7) { kind, test in
        kind.resetsAfter = false
        (test.lengths, test.startsFromZero) = ([1, 1], true)
      },
      Case("GRU that resets the state, a single bias, two vectors", .gru, size: 17) { kind, test in
        (kind.resetsAfter, kind.bias) = (false, .single)
        (test.lengths, test.inputSize) = ([3, 2], 2)
      },
      Case("GRU that resets the state, with hard gates", .gru, size: 4) { kind, _ in
        (kind.resetsAfter, kind.gateActivation) = (false, .hardSigmoid)
      },
      Case("GRU that resets the state, with clips and other functions", .gru, size: 4) { kind, _ in
        (kind.activation, kind.gateActivation, kind.inputClip, kind.resetsAfter) = (.swish, .hardTanh, 0.8, false)
      },
      Case("plain", .rnn, size: 4) { _, _ in },
      Case("plain with ReLU, reversed", .rnn, size: 5) { kind, _ in
        (kind.activation, kind.isReversed) = (.relu, true)
      },
      Case("plain of two vectors, from zero", .rnn, size: 17) { kind, test in
        kind.bias = .single
        (test.lengths, test.inputSize, test.startsFromZero) = ([3, 2], 2, true)
      },
      Case("plain, clipped", .rnn, size: 4) { kind, _ in (kind.activation, kind.inputClip) = (.tanh, 0.6) },
    ]
    + functions.flatMap { activation in
      [
        Case("LSTM gates: \(activation.rawValue)", .lstm, size: 3) { kind, test in
          (kind.gateActivation, test.lengths) = (activation, [3, 2])
        },
        Case("LSTM cell: \(activation.rawValue)", .lstm, size: 3) { kind, test in
          (kind.activation, test.lengths) = (activation, [3, 2])
        },
        Case("LSTM output: \(activation.rawValue)", .lstm, size: 3) { kind, test in
          (kind.outputActivation, test.lengths) = (activation, [3, 2])
        },
        Case("plain: \(activation.rawValue)", .rnn, size: 3) { kind, test in
          (kind.activation, test.lengths) = (activation, [3, 2])
        },
      ]
    }

  static let functions = Activation.allCases.filter(\.isElementwise)

  @Test(arguments: cases) func everyGradientMatchesCentralDifferences(_ test: Case) throws {
    var made = try RecurrentRun(test.kind, inputSize: test.inputSize, lengths: test.lengths, seed: 7)
    made.startsFromZero = test.startsFromZero
    let run = made
    let numbers = run.numbers
    let wanted = run.reference(numbers)
    let found = try Kernels.available.map { try run.run($0) }
    for (kernels, result) in zip(Kernels.available, found) {
      for (values, twin) in [
        (result.outputs, wanted.outputs), (result.hidden, wanted.hidden), (result.cell, wanted.cell),
      ] {
        #expect(values.count == twin.count)
        for (value, twin) in zip(values, twin) {
          #expect(abs(Double(value) - twin) <= 2e-6 * max(1, abs(twin)), "\(kernels.name)")
        }
      }
      // Without a backward pass it computes the same bits.
      let short = try run.run(kernels, keepsActivations: false)
      #expect(short.outputs == result.outputs && short.hidden == result.hidden && short.cell == result.cell)
    }

    func compare(
      _ count: Int, _ what: String, _ values: (RecurrentRun.Result) -> [Float],
      _ change: (inout RecurrentRun.Numbers, _ at: Int, _ by: Double) -> Void
    ) {
      let wanted = (0..<count).map { at in
        var (above, below) = (numbers, numbers)
        let step = 1e-6
        change(&above, at, step)
        change(&below, at, -step)
        return (run.loss(above) - run.loss(below)) / (2 * step)
      }
      let scale = wanted.reduce(1e-3) { max($0, abs($1)) }
      for (kernels, result) in zip(Kernels.available, found) {
        let values = values(result)
        #expect(values.count == wanted.count)
        for (value, wanted) in zip(values, wanted) {
          #expect(abs(Double(value) - wanted) <= 1e-5 * scale, "\(kernels.name), \(what): \(value) \(wanted)")
        }
      }
    }
    for (part, values) in numbers.parameters {
      compare(values.count, part, { $0.gradients[part] ?? [] }) { $0.parameters[part]?[$1] += $2 }
    }
    compare(numbers.input.count, "input", \.inputGradient) { $0.input[$1] += $2 }
    if !run.startsFromZero {
      compare(numbers.hidden.count, "h0", \.initialHidden) { $0.hidden[$1] += $2 }
      if test.kind.cell == .lstm {
        compare(numbers.cell.count, "c0", \.initialCell) { $0.cell[$1] += $2 }
      }
    }
  }
}
