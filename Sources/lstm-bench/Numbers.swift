import LSTMCheckpoints
import LSTMLayers

extension BenchCase {
  /// The magnitude of the numbers in a case, which should not affect the speed.
  enum Numbers: String, Sendable {
    /// PyTorch's initialization, and data around 1. With a loss on the last of 200 steps, gradients vanish.
    case usual
    /// Open forget gates, so that gradients keep their magnitude.
    case healthy
    /// Nearly closed forget gates: gradients are below 1e-38 long before the first step.
    case vanishing
    /// Half of the units have closed output gates: their outputs are below 1e-38.
    case deadUnits
    /// An input below 1e-38, to a network without biases.
    case fadedInput
    /// An input of zeros, to a network without biases.
    case zeroInput

    var hasBiases: Bool { self != .fadedInput && self != .zeroInput }

    /// The factor for a case's input.
    var inputScale: Float {
      switch self {
      case .usual, .healthy, .vanishing, .deadUnits: 1
      case .fadedInput: 0x1p-132
      case .zeroInput: 0
      }
    }

    func change(_ model: LSTMModel) {
      let parameters = model.parameters
      for (index, slot) in parameters.slots.enumerated() where slot.specification.part == .cell(.inputBias) {
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

  /// The same case with numbers of another magnitude.
  func with(_ numbers: Numbers) -> BenchCase {
    var other = self
    other.numbers = numbers
    for index in other.model.layers.indices where !numbers.hasBiases { other.model.layers[index].bias = .none }
    return other
  }
}

/// Checks that a case takes no longer with very small numbers than with ordinary ones.
struct NumbersCheck {
  /// The largest ratio of its time to that with ordinary numbers.
  static let limit = 1.15

  struct Result: Encodable {
    let bench: String
    let figure: String
    let milliseconds: Double
    let healthyMilliseconds: Double
    /// The median of the ratios of consecutive pairs, and their range.
    let ratio: Double
    let lowest: Double
    let highest: Double

    var isWithinLimit: Bool { ratio <= NumbersCheck.limit }
  }

  static var cases: [BenchCase] {
    BenchCase.all.filter { ["series-200", "seed"].contains($0.name) || $0.numbers != .usual }
  }

  /// Runs a case and its twin with ordinary numbers in the order A B B A.
  static func run(_ bench: BenchCase, kernels: Kernels, seconds: Double, rounds: Int = 4) throws -> [Result] {
    // Without biases there is less to compute, also for the twin.
    var twin = bench.with(.healthy)
    twin.model = bench.model
    twin.cell = bench.cell
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
