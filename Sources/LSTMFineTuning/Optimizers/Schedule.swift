import Foundation

/// How the learning rate moves over a run: a factor for every parameter's own rate, step by step.
///
/// All but `plateau` are functions of the step alone, so that a run that is resumed needs nothing but its number.
public struct Schedule: Sendable, Equatable, Codable {
  /// How a rate moves over the run.
  public enum Shape: Sendable, Equatable, Codable {
    /// A factor of 1.
    case constant
    /// From 1 in equal steps to `final` after the last step (torch's LinearLR from 1).
    case linear(final: Double = 0)
    /// Half a cosine from 1 to `final` after the last step (torch's CosineAnnealingLR).
    case cosine(final: Double = 0)
    /// Up in the first `cut` of the steps and down in the rest, between 1 / `ratio` and 1 (ULMFiT, Howard and Ruder 2018).
    case slantedTriangle(cut: Double = 0.1, ratio: Double = 32)
    /// Up by half a cosine from 1 / `division` in the first `peak` of the steps, down to 1 / (`division` *
    /// `finalDivision`) in the rest, while momentum (Adam's beta1) goes from 0.95 to 0.85 and back (torch's OneCycleLR).
    case oneCycle(peak: Double = 0.3, division: Double = 25, finalDivision: Double = 1e4)
    /// Times `factor` after every so many epochs (torch's StepLR).
    case step(epochs: Int, factor: Double = 0.1)
    /// Times `factor` after more than `patience` epochs without a validation loss 0.01 % below the best (torch's
    /// ReduceLROnPlateau).
    case plateau(patience: Int = 2, factor: Double = 0.1)
  }

  /// How the rate moves once it is warm.
  public var shape: Shape
  /// Steps in which the rate rises in equal parts to the shape's beginning; the shape has the steps that are left.
  public var warmUp: Int

  /// A shape, after so many steps of linear warm-up.
  public init(_ shape: Shape = .constant, warmUp: Int = 0) {
    self.shape = shape
    self.warmUp = warmUp
  }

  /// The same rate at every step.
  public static let constant = Schedule()

  /// The factors of one step.
  struct Factors: Equatable {
    var rate: Double
    /// In place of the optimizer's own momentum or beta1.
    var momentum: Double?
  }

  /// - Parameters:
  ///   - step: from 0, over the whole run.
  ///   - total: steps of the run.
  ///   - epoch: from 0.
  ///   - plateau: what `Plateau` has come to.
  func factors(step: Int, of total: Int, epoch: Int, plateau: Double = 1) -> Factors {
    if step < warmUp { return Factors(rate: Double(step + 1) / (Double(warmUp) + 1) * beginning) }
    let (t, all) = (Double(step - warmUp), Double(max(total - min(warmUp, total), 1)))
    switch shape {
    case .constant: return Factors(rate: 1)
    case .linear(let final): return Factors(rate: 1 + (final - 1) * t / all)
    case .cosine(let final): return Factors(rate: final + (1 - final) * (1 + cos(.pi * t / all)) / 2)
    case .slantedTriangle(let cut, let ratio):
      let turn = (all * cut).rounded(.down)
      let p = t < turn ? t / turn : 1 - (t - turn) / max(all - turn, 1)
      return Factors(rate: (1 + p * (ratio - 1)) / ratio)
    case .oneCycle(let peak, let division, let finalDivision):
      let turn = peak * all - 1
      func between(_ a: Double, _ b: Double, _ part: Double) -> Double { b + (a - b) / 2 * (cos(.pi * part) + 1) }
      if t <= turn {
        let part = turn > 0 ? t / turn : 1
        return Factors(rate: between(1 / division, 1, part), momentum: between(0.95, 0.85, part))
      }
      let part = min((t - turn) / max(all - 1 - turn, 1e-9), 1)
      return Factors(rate: between(1, 1 / (division * finalDivision), part), momentum: between(0.85, 0.95, part))
    case .step(let epochs, let factor): return Factors(rate: pow(factor, Double(epoch / max(epochs, 1))))
    case .plateau: return Factors(rate: plateau)
    }
  }

  /// The factor at which the shape itself begins.
  private var beginning: Double {
    switch shape {
    case .slantedTriangle(_, let ratio): 1 / ratio
    case .oneCycle(_, let division, _): 1 / division
    default: 1
    }
  }

  /// What torch's ReduceLROnPlateau keeps.
  struct Plateau: Sendable, Codable, Equatable {
    private(set) var factor = 1.0
    /// nil before the first epoch.
    private var best: Double?
    private var badEpochs = 0

    /// Takes the loss of an epoch.
    mutating func observe(_ loss: Double, _ schedule: Schedule) {
      guard case .plateau(let patience, let reduction) = schedule.shape else { return }
      if loss < (best ?? .infinity) * (1 - 1e-4) {
        (best, badEpochs) = (loss, 0)
      } else {
        badEpochs += 1
      }
      if badEpochs > patience { (factor, badEpochs) = (factor * reduction, 0) }
    }
  }
}

extension Schedule {
  /// For people: `cosine`, `one-cycle, 20 steps of warm-up`.
  public var summary: String {
    let name =
      switch shape {
      case .constant: "constant"
      case .linear(let final): final == 0 ? "linear" : "linear to \(final)"
      case .cosine(let final): final == 0 ? "cosine" : "cosine to \(final)"
      case .slantedTriangle: "slanted triangle"
      case .oneCycle: "one cycle"
      case .step(let epochs, let factor): "times \(factor) every \(epochs == 1 ? "epoch" : "\(epochs) epochs")"
      case .plateau(let patience, let factor):
        "times \(factor) after \(patience + 1) epochs without a better validation loss"
      }
    return warmUp == 0 ? name : "\(name), \(warmUp) steps of warm-up"
  }
}
