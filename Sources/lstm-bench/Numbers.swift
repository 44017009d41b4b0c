import LSTMCheckpoints
import LSTMLayers

extension BenchCase {
  /// How large the numbers are that a case computes with. A speed that depends on it is a fault.
  enum Numbers: String, Sendable {
    /// PyTorch's initialization, and data around 1. A loss on the last of 200 steps then sends back gradients that vanish.
    case usual
    /// Gates that forget nothing, so that gradients stay as large as they are.
    case healthy
    /// Gates that forget: gradients are below 1e-38 long before the first step.
    case vanishing
    /// Half of the units have shut output gates: what they give is below 1e-38.
    case deadUnits
    /// Input that has faded to below 1e-38, into a network without biases.
    case fadedInput
    /// Nothing but zeros, into a network without biases.
    case zeroInput

    var hasBiases: Bool { self != .fadedInput && self != .zeroInput }

    /// What a case's normal input is multiplied by.
    var inputScale: Float {
      switch self {
      case .usual, .healthy, .vanishing, .deadUnits: 1
      case .fadedInput: 0x1p-132
      case .zeroInput: 0
      }
    }

    func change(_ model: LSTMModel) {
      let parameters = model.parameters
      for (index, slot) in parameters.slots.enumerated() where slot.name.hasPrefix("lstm.bias_ih") {
        let h = slot.count / 4
        var values = parameters.values(index)
        for unit in 0..<h {
          switch self {
          case .healthy: values[h + unit] += 6
          case .vanishing: values[h + unit] -= 1
          case .deadUnits where unit % 2 == 0: values[3 * h + unit] -= 95
          case .usual, .deadUnits, .fadedInput, .zeroInput: break
          }
        }
        parameters.set(index, values)
      }
    }
  }

  /// The same case with other numbers.
  func with(_ numbers: Numbers) -> BenchCase {
    var other = self
    other.numbers = numbers
    for index in other.model.layers.indices where !numbers.hasBiases { other.model.layers[index].bias = .none }
    return other
  }
}

/// Whether a case takes as long with numbers that vanish as with healthy ones.
struct NumbersCheck {
  /// Time of the same with healthy numbers; less is no fault.
  static let limit = 1.15

  struct Result: Encodable {
    let bench: String
    let figure: String
    let milliseconds: Double
    let healthyMilliseconds: Double
    /// Median over pairs of neighbors in time, and their range.
    let ratio: Double
    let lowest: Double
    let highest: Double

    var isWithinLimit: Bool { ratio <= NumbersCheck.limit }
  }

  static var cases: [BenchCase] {
    BenchCase.all.filter { ["series-200", "seed"].contains($0.name) || $0.numbers != .usual }
  }

  /// Runs one case and its twin in turns: A B B A.
  static func run(_ bench: BenchCase, kernels: Kernels, seconds: Double, rounds: Int = 4) throws -> [Result] {
    // Without biases there is less to do: so has the twin.
    var twin = bench.with(.healthy)
    twin.model = bench.model
    return try bench.figures.map { figure in
      var (own, healthy): ([Double], [Double]) = ([], [])
      for round in 0..<2 * rounds {
        for isOwn in round % 2 == 0 ? [true, false] : [false, true] {
          let time = try Measuring(bench: isOwn ? bench : twin, kernels: kernels, seconds: seconds).measure(figure)
          if isOwn { own.append(time.milliseconds) } else { healthy.append(time.milliseconds) }
        }
      }
      let ratios = zip(own, healthy).map { $0 / $1 }
      return Result(
        bench: bench.name, figure: figure.name, milliseconds: own.median, healthyMilliseconds: healthy.median,
        ratio: ratios.median, lowest: ratios.min() ?? .nan, highest: ratios.max() ?? .nan)
    }
  }
}
