import FileIO
import LSTMCheckpoints
import LSTMFineTuning

// How settings of training are written on the command line.

extension Schedule {
  /// From a text: `constant`, `linear`, `cosine`, `slanted-triangle`, `one-cycle`, `step` or `plateau`, each maybe with
  /// numbers: `linear:0.1`, `cosine:0.01`, `slanted-triangle:0.1,32`, `one-cycle:0.3,25,10000`, `step:2,0.5`,
  /// `plateau:2,0.1`.
  /// - Throws: `FineTuningError.invalidOption` saying what was expected.
  init(_ text: String, warmUp: Int = 0) throws(FineTuningError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let texts = parts.count < 2 ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false)
    let numbers = texts.compactMap { Double($0) }
    func refused(_ expected: String) -> FineTuningError {
      .invalid(.schedule, "\(text)", "expected \(expected)", advice: [])
    }
    func number(_ place: Int, _ usual: Double) -> Double { numbers.indices.contains(place) ? numbers[place] : usual }
    guard numbers.count == texts.count, numbers.allSatisfy(\.isFinite) else {
      throw refused("numbers behind the colon")
    }
    guard warmUp >= 0 else { throw .invalid(.warmUp, "\(warmUp)", "expected at least 0 steps", advice: []) }
    let shape: Shape
    let most: Int
    switch parts[0] {
    case "constant": (shape, most) = (.constant, 0)
    case "linear": (shape, most) = (.linear(final: number(0, 0)), 1)
    case "cosine": (shape, most) = (.cosine(final: number(0, 0)), 1)
    case "slanted-triangle":
      guard 0..<1 ~= number(0, 0.1), number(1, 32) >= 1 else {
        throw refused("a part from 0 to below 1, and a ratio of at least 1")
      }
      (shape, most) = (.slantedTriangle(cut: number(0, 0.1), ratio: number(1, 32)), 2)
    case "one-cycle":
      guard 0..<1 ~= number(0, 0.3), number(1, 25) >= 1, number(2, 1e4) >= 1 else {
        throw refused("a part from 0 to below 1, and two divisors of at least 1")
      }
      (shape, most) = (.oneCycle(peak: number(0, 0.3), division: number(1, 25), finalDivision: number(2, 1e4)), 3)
    case "step", "plateau":
      let count = number(0, parts[0] == "step" ? 1 : 2)
      let least = parts[0] == "step" ? 1.0 : 0.0
      guard count >= least, count <= 1e9, count == count.rounded(), number(1, 0.1) > 0, number(1, 0.1) <= 1 else {
        throw refused("a whole number of epochs, and a factor above 0 and up to 1")
      }
      let factor = number(1, 0.1)
      shape =
        parts[0] == "step" ? .step(epochs: Int(count), factor: factor) : .plateau(patience: Int(count), factor: factor)
      most = 2
    default:
      throw refused("constant, linear, cosine, slanted-triangle, one-cycle, step or plateau")
    }
    guard numbers.count <= most else {
      throw refused(most == 0 ? "no numbers" : "at most \(most) \(most == 1 ? "number" : "numbers")")
    }
    if case .linear(let final) = shape, final < 0 { throw refused("a final factor of at least 0") }
    if case .cosine(let final) = shape, final < 0 { throw refused("a final factor of at least 0") }
    self.init(shape, warmUp: warmUp)
  }
}

extension LoRA {
  /// From text such as `rank=8,alpha=16`. Without an alpha the scale is 1.
  /// - Throws: `FineTuningError.invalidOption` with the part that is not understood.
  init(parsing text: String, targets: [String] = ["recurrent"]) throws(FineTuningError) {
    func expected(_ what: String, found: Substring) -> FineTuningError {
      .invalid(
        .lora, "\(text)", "expected \(what), found \"\(found)\"", advice: ["for example \(.lora, "rank=8,alpha=16")"])
    }
    var (rank, alpha): (Int?, Double?) = (nil, nil)
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false)
      guard sides.count == 2 else { throw expected("rank=NUMBER and alpha=NUMBER", found: part) }
      switch sides[0] {
      case "rank":
        guard rank == nil else { throw expected("one rank", found: part) }
        guard let value = Int(sides[1]), value >= 1 else {
          throw expected("a whole rank of at least 1", found: sides[1])
        }
        rank = value
      case "alpha":
        guard alpha == nil else { throw expected("one alpha", found: part) }
        guard let value = Double(sides[1]), value.isFinite, value > 0 else {
          throw expected("an alpha above 0", found: sides[1])
        }
        alpha = value
      default: throw expected("rank or alpha", found: sides[0])
      }
    }
    guard let rank else {
      throw .invalid(.lora, "\(text)", "there is no rank", advice: ["for example \(.lora, "rank=8,alpha=16")"])
    }
    self.init(rank: rank, alpha: alpha ?? Double(rank), targets: targets)
  }
}

extension HeadChoice {
  /// From `new`, `new:SIZE` or `keep`.
  /// - Throws: `FineTuningError.invalidOption`.
  init(parsing text: String) throws(FineTuningError) {
    if text == "keep" {
      self = .keepAll
      return
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts[0] == "new", parts.count <= 2 else {
      throw .invalid(.head, "\(text)", "expected new, new:SIZE or keep", advice: ["for example \(.head, "new:9")"])
    }
    guard parts.count == 2 else {
      self = .new(size: nil)
      return
    }
    let limit = ModelConfiguration.sizeLimit
    guard let size = Int(parts[1]), 1...limit ~= size else {
      throw .invalid(
        .head, "\(text)", "expected a size from 1 to \(limit), found \"\(parts[1])\"",
        advice: ["for example \(.head, "new:9")"])
    }
    self = .new(size: size)
  }
}
