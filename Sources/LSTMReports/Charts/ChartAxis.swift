import Foundation

/// One axis of a chart: which values it spans, where they lie in pixels and where its ticks are.
struct ChartAxis {
  struct Tick: Equatable {
    var value: Double
    var label: String
  }

  /// The ends of the axis in data units.
  private(set) var lower: Double
  private(set) var upper: Double
  let isLogarithmic: Bool
  private(set) var ticks: [Tick] = []
  /// Values between the ticks that get a fainter line, on logarithmic axes.
  private(set) var minorValues: [Double] = []

  /// - Parameters:
  ///   - values: The least and the greatest value to show.
  ///   - isLogarithmic: Decades instead of equal steps; the values must then be positive.
  ///   - tickCount: About how many ticks there is room for.
  ///   - isPadded: Whether the ends move out to ticks. Without it they are the values themselves.
  ///   - isWhole: Whether ticks must be whole numbers.
  init(
    _ values: ClosedRange<Double>, isLogarithmic: Bool = false, tickCount: Int, isPadded: Bool,
    isWhole: Bool = false
  ) {
    lower = values.lowerBound
    upper = values.upperBound
    self.isLogarithmic = isLogarithmic
    if isLogarithmic {
      setLogarithmic(tickCount)
    } else {
      setLinear(tickCount, isPadded: isPadded, isWhole: isWhole)
    }
  }

  /// Where a value lies: 0 at the lower end, 1 at the upper.
  func share(_ value: Double) -> Double {
    isLogarithmic
      ? (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
      : (value - lower) / (upper - lower)
  }

  // MARK: Linear

  private mutating func setLinear(_ tickCount: Int, isPadded: Bool, isWhole: Bool) {
    let magnitude = max(abs(lower), abs(upper))
    if upper - lower <= max(magnitude * 1e-12, 1e-150) {
      // One value only, as far as can be drawn: room on both sides, so that it is in the middle.
      let room = isWhole || magnitude < 1e-140 ? 1 : magnitude * 0.1
      lower -= room
      upper += room
    } else if isPadded, lower > 0, lower <= upper * 0.3 {
      lower = 0
    }
    var step = Self.niceStep((upper - lower) / Double(max(tickCount, 1)))
    if isWhole { step = max(step, 1) }
    if isPadded {
      // A thousandth of slack, so that a value on a tick does not add another step.
      lower = (lower / step + 1e-3).rounded(.down) * step
      upper = (upper / step - 1e-3).rounded(.up) * step
    }
    let first = (lower / step - 1e-6).rounded(.up)
    let last = (upper / step + 1e-6).rounded(.down)
    let count = last - first
    guard count >= 0, count < 200 else { return }
    let values = (0...Int(count)).map { (first + Double($0)) * step }
    ticks = Self.labeled(values, step: step)
  }

  /// The nearest of 1, 2 and 5 times a power of ten that is not below `rough`.
  static func niceStep(_ rough: Double) -> Double {
    let power = pow(10, floor(log10(rough)))
    guard power > 0, power.isFinite else { return 1 }
    let factor = [1.0, 2, 5].first { $0 >= rough / power * (1 - 1e-9) } ?? 10
    return factor * power
  }

  private static func labeled(_ values: [Double], step: Double) -> [Tick] {
    let magnitude = values.map(abs).max() ?? 0
    let stepExponent = Int(floor(log10(step) + 1e-9))
    let isScientific = magnitude >= 1e7 || (magnitude < 1e-3 && magnitude > 0)
    return values.map { value in
      let value = abs(value) < step * 1e-6 ? 0 : value
      if isScientific, value == 0 { return Tick(value: 0, label: "0") }
      guard isScientific else {
        return Tick(value: value, label: plain(value, decimals: max(0, -stepExponent)))
      }
      let exponent = Int(floor(log10(abs(value)) + 1e-9))
      let mantissa = value / pow(10, Double(exponent))
      let label = plain(mantissa, decimals: min(max(0, exponent - stepExponent), 12))
      return Tick(value: value, label: "\(label)×10\(superscript(exponent))")
    }
  }

  // MARK: Logarithmic

  private mutating func setLogarithmic(_ tickCount: Int) {
    var span = log10(upper) - log10(lower)
    if span < 1e-9 {
      lower /= 2
      upper *= 2
    } else {
      let room = pow(10, span * 0.04)
      lower /= room
      upper *= room
    }
    span = log10(upper) - log10(lower)
    if span < 0.7 {
      // Less than a factor of five: equal steps read better than fragments of a decade.
      let linear = ChartAxis(lower...upper, tickCount: tickCount, isPadded: false)
      ticks = linear.ticks
      return
    }
    let decades = Int(floor(log10(lower)))...Int(ceil(log10(upper)))
    func values(_ factors: [Double], every: Int = 1) -> [Double] {
      var values: [Double] = []
      for decade in decades where decade % every == 0 {
        for factor in factors {
          let value = factor * pow(10, Double(decade))
          if value >= lower * (1 - 1e-9), value <= upper * (1 + 1e-9) { values.append(value) }
        }
      }
      return values
    }
    let choices: [[Double]] = [[1, 2, 5], [1, 3], [1]]
    // Labels on this axis may stand closer than on a linear one, where they also set the grid.
    let limit = max(tickCount + 2, 2 * tickCount)
    let finest = choices.map { values($0) }.first { $0.count <= limit + 1 }
    let chosen = finest ?? values([1], every: max(1, Int((span / Double(limit)).rounded(.up))))
    if span <= Double(tickCount) {
      minorValues = values([1, 2, 3, 4, 5, 6, 7, 8, 9]).filter { !chosen.contains($0) }
    }
    // One style for the whole axis: 0.01 beside 10⁻⁵ would be hard to compare.
    let isPlain = chosen.allSatisfy { $0 > 0.9e-4 && $0 < 9.9e5 }
    ticks = chosen.map { Tick(value: $0, label: Self.logarithmicLabel($0, isPlain: isPlain)) }
  }

  private static func logarithmicLabel(_ value: Double, isPlain: Bool) -> String {
    let exponent = Int(floor(log10(value) + 1e-9))
    if isPlain { return plain(value, decimals: max(0, -exponent)) }
    let mantissa = Int((value / pow(10, Double(exponent))).rounded())
    return (mantissa == 1 ? "" : "\(mantissa)×") + "10\(superscript(exponent))"
  }

  // MARK: Text

  /// Fixed decimals, a real minus sign and commas between thousands from 10,000 on.
  static func plain(_ value: Double, decimals: Int) -> String {
    let text = String(format: "%.\(decimals)f", abs(value))
    let isNegative = value < 0 && text.contains { $0 != "0" && $0 != "." }
    let whole = text.prefix { $0 != "." }
    var grouped = ""
    for (index, digit) in whole.enumerated() {
      if whole.count >= 5, index > 0, (whole.count - index) % 3 == 0 { grouped += "," }
      grouped.append(digit)
    }
    return (isNegative ? "−" : "") + grouped + text.dropFirst(whole.count)
  }

  private static func superscript(_ number: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return String(String(number).compactMap { $0 == "-" ? "⁻" : $0.wholeNumberValue.map { digits[$0] } })
  }
}
