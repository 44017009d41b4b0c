import Foundation

/// Finds the columns that tell whose row it is, in a table of several series.
enum EntityColumn {
  /// A column as small numbers, one for each different cell.
  struct Codes {
    let name: String
    var values: [Int32]
    var count: Int
  }

  /// Columns that may tell whose row it is: texts, and whole numbers; of few different values.
  static func candidates(
    _ table: CSVTable, apartFrom reserved: Set<String>, numeric: Set<String>
  ) -> [Codes] {
    var found: [Codes] = []
    for name in table.columnNames where !reserved.contains(name) {
      guard let cells = try? table.strings(column: name) else { continue }
      if numeric.contains(name), cells.contains(where: { $0.utf8.contains { !(0x30...0x39 ~= $0 || $0 == 0x20) } }) {
        continue
      }
      var codes: [String: Int32] = [:]
      var values: [Int32] = []
      values.reserveCapacity(cells.count)
      for cell in cells {
        let next = Int32(codes.count)
        values.append(codes[cell] ?? next)
        if values[values.count - 1] == next { codes[cell] = next }
        // Each series has a few rows.
        if codes.count * 2 > cells.count { break }
      }
      guard values.count == cells.count, codes.count > 1 else { continue }
      found.append(Codes(name: name, values: values, count: codes.count))
    }
    return found.sorted { $0.count < $1.count }
  }

  /// Of these, the fewest values, one column or two together, under which no time repeats; nil when there are none.
  static func distinguishing(_ candidates: [Codes], _ instants: [Int64]) -> [String]? {
    if let one = candidates.first(where: { isUnique($0.values, instants) }) { return [one.name] }
    for (place, first) in candidates.enumerated() {
      for second in candidates.dropFirst(place + 1) where Int(first.count) * second.count <= instants.count {
        let both = zip(first.values, second.values).map { Int64($0) << 32 | Int64($1) }
        if isUnique(both, instants) { return [first.name, second.name] }
      }
    }
    return nil
  }

  /// The column under which times run one way, where they run back and forth in the whole.
  static func ordering(_ candidates: [Codes], _ instants: [Int64]) -> String? {
    for candidate in candidates where candidate.count * 8 <= instants.count {
      var last = [Int64?](repeating: nil, count: candidate.count)
      var (rises, falls) = (true, true)
      for (code, instant) in zip(candidate.values, instants) {
        if let before = last[Int(code)] {
          rises = rises && instant > before
          falls = falls && instant < before
        }
        last[Int(code)] = instant
        if !rises && !falls { break }
      }
      if rises || falls { return candidate.name }
    }
    return nil
  }

  /// Whether a time hardly ever repeats under a value.
  private static func isUnique<Value: Hashable>(_ values: [Value], _ instants: [Int64]) -> Bool {
    var seen = Set<Pair<Value>>()
    var repeats = 0
    let limit = instants.count / 100
    for (value, instant) in zip(values, instants) where !seen.insert(Pair(value: value, instant: instant)).inserted {
      repeats += 1
      if repeats > limit { return false }
    }
    return true
  }

  private struct Pair<Value: Hashable>: Hashable {
    let value: Value
    let instant: Int64
  }

  /// Names in the order that people expect: numbers by their value.
  static func isBefore(_ a: [String], _ b: [String]) -> Bool {
    for (a, b) in zip(a, b) where a != b {
      let order = a.compare(b, options: .numeric)
      return order == .orderedSame ? a < b : order == .orderedAscending
    }
    return a.count < b.count
  }
}
