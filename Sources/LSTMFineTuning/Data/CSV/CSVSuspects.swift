/// Sentinel values: numbers in a column that seem to mark missing values.
struct CSVSuspects {
  /// The first row of each.
  var rows: [Int]
  /// How many cells hold them.
  var count: Int
  /// The range of the other values; nil where there are none.
  var others: ClosedRange<Double>?

  /// Hardly ever measured: one of them is enough.
  static let certain: [Double] = [
    -999, -9999, -99999, -999_999, -9_999_999, -999.9, -999.99, -999.999, -9999.9, -9999.99, -9999.999, -99999.9, -8888,
    -7777, -6999, -6666, -32768, -32767, -2_147_483_648, 1e20, 1e30, 1e34, 1e35, 1e36, 1e37, 9.96921e36,
    9.969209968386869e36, 9.9692099683868690e+36, 1.70141e38, 1.701410009187828e38, 3.4028234663852886e38,
    3.40282e38, -1e20, -1e30, -1e34, -3.4028234663852886e38, -3.40282e38, -1.7976931348623157e308,
    1.7976931348623157e308,
  ]
  /// Measured as well: such a number has to come again.
  static let possible: [Double] = [
    -99, -99.9, -99.99, -88, -888, 999, 9999, 99999, 999_999, 9_999_999, 999.9, 999.99, 9999.9, 9999.99, 99999.9, 8888,
    32767, 65535, 2_147_483_647,
  ]
}

extension CSVTable.Found {
  /// Values at the edge of the column and far outside the others that are known to mark missing values.
  func suspects(_ options: CSVOptions, rows: Range<Int>) -> CSVSuspects? {
    guard !options.acceptsSentinelValues, let first = values.first else { return nil }
    var (lowest, highest) = (first, first)
    for value in values {
      lowest = Swift.min(lowest, value)
      highest = Swift.max(highest, value)
    }
    let certain = CSVSuspects.certain.map { Number($0) }
    let known = certain + CSVSuspects.possible.map { Number($0) }
    // Almost every column ends here. Numbers above 1e15 are listed or not: there are many habits.
    func isKnown(_ value: Number) -> Bool { abs(value) >= 1e15 || known.contains(value) }
    guard isKnown(lowest) || isKnown(highest) else { return nil }

    var isGap = [Bool](repeating: false, count: values.count)
    for gap in gaps { isGap[gap] = true }
    var counts: [Number: (row: Int, count: Int)] = [:]
    var moments = (count: 0.0, mean: 0.0, squares: 0.0)
    var range = (low: Double.infinity, high: -Double.infinity)
    for (row, value) in values.enumerated() where !isGap[row] {
      if isKnown(value) {
        counts[value, default: (row, 0)].count += 1
        // More habits than anybody has: these are measurements.
        guard counts.count <= 8 else { return nil }
        continue
      }
      let number = Double(value)
      moments.count += 1
      let step = number - moments.mean
      moments.mean += step / moments.count
      moments.squares += step * (number - moments.mean)
      range = (Swift.min(range.low, number), Swift.max(range.high, number))
    }
    let deviation = (moments.squares / Swift.max(moments.count, 1)).squareRoot()
    let found = counts.filter { value, place in
      let isCertain = certain.contains(value)
      guard isCertain || place.count > 1 else { return false }
      guard moments.count > 0 else { return isCertain && counts.count == 1 }
      let number = Double(value)
      let gap = number < range.low ? range.low - number : number > range.high ? number - range.high : 0
      // Where the others do not vary, by their size.
      let unit = Swift.max(deviation, Swift.max(abs(moments.mean), 1) * 1e-2)
      guard gap >= 2 * unit, abs(number - moments.mean) >= 6 * unit else { return false }
      return number < 0 || (moments.count > 2 && gap >= range.high - range.low && gap > abs(range.high) / 4)
    }
    guard !found.isEmpty else { return nil }
    let ordered = found.values.sorted { $0.row < $1.row }
    return CSVSuspects(
      rows: ordered.map { rows.lowerBound + $0.row }, count: ordered.reduce(0) { $0 + $1.count },
      others: moments.count > 0 ? range.low...range.high : nil)
  }
}
