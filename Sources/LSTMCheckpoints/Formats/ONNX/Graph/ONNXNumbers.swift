/// Small arrays of sizes and indices, which nodes compute with when a model is run. Here they are computed once; nil is
/// what is not known.
struct ONNXNumbers {
  var values: [ONNXSize?]
  var shape: [Int]

  static let limit = 4096
  /// Elements of a constant that is made of one number.
  static let constantLimit = 1 << 20

  init(_ values: [ONNXSize?], shape: [Int]) {
    self.values = values
    self.shape = shape
  }

  init(_ list: [Int]) { self.init(list.map { ONNXSize(factor: $0) }, shape: [list.count]) }
  init(_ one: Int) { self.init([ONNXSize(factor: one)], shape: []) }
  init(_ truth: Bool) { self.init(truth ? 1 : 0) }

  var isScalar: Bool { shape.isEmpty }
  /// All of them, where they are known.
  var known: [Int]? {
    let list = values.compactMap { $0?.known }
    return list.count == values.count ? list : nil
  }

  /// The places of all values of a shape as those along each axis, in C order.
  private static func places(_ shape: [Int]) -> [[Int]] {
    if shape.contains(0) { return [] }
    var all: [[Int]] = [[]]
    for size in shape { all = all.flatMap { head in (0..<size).map { head + [$0] } } }
    return all
  }

  /// The values of another shape, each at the place that `from` gives for its own.
  private func taking(_ shape: [Int], _ from: ([Int]) -> [Int]) -> ONNXNumbers? {
    guard let count = elementCount(shape), count <= Self.limit else { return nil }
    var strides = self.shape
    var step = 1
    for axis in self.shape.indices.reversed() {
      strides[axis] = step
      // Of an empty one they are of no use, and may be beyond an `Int`.
      step &*= self.shape[axis]
    }
    let made = Self.places(shape).map { place in values[zip(from(place), strides).reduce(0) { $0 + $1.0 * $1.1 }] }
    return ONNXNumbers(made, shape: shape)
  }

  func reshaped(_ target: [Int]) -> ONNXNumbers? {
    var wanted = target
    for (index, size) in target.enumerated() where size == 0 && shape.indices.contains(index) {
      wanted[index] = shape[index]
    }
    if let wild = wanted.firstIndex(of: -1) {
      wanted[wild] = 1
      guard wanted.allSatisfy({ $0 > 0 }), let rest = elementCount(wanted), values.count % rest == 0 else { return nil }
      wanted[wild] = values.count / rest
    }
    guard wanted.allSatisfy({ 0...Self.limit ~= $0 }), wanted.count <= 8, elementCount(wanted) == values.count else {
      return nil
    }
    return ONNXNumbers(values, shape: wanted)
  }

  func transposed(_ order: [Int]) -> ONNXNumbers? {
    guard order.sorted() == Array(shape.indices) else { return nil }
    return taking(order.map { shape[$0] }) { place in
      var from = place
      for (index, axis) in order.enumerated() { from[axis] = place[index] }
      return from
    }
  }

  func sliced(axis: Int, start: Int, end: Int, step: Int) -> ONNXNumbers? {
    guard shape.indices.contains(axis), step != 0, step != .min else { return nil }
    let picked = Self.range(start, end, step, count: shape[axis])
    var made = shape
    made[axis] = picked.count
    return taking(made) { place in
      var from = place
      from[axis] = picked[place[axis]]
      return from
    }
  }

  /// The places that a slice takes of an axis.
  static func range(_ start: Int, _ end: Int, _ step: Int, count: Int) -> [Int] {
    func bounded(_ value: Int, _ low: Int, _ high: Int) -> Int {
      min(max(value < 0 ? value.addingReportingOverflow(count).partialValue : value, low), high)
    }
    if step > 0 {
      let (first, last) = (bounded(start, 0, count), bounded(end, 0, count))
      return first < last ? Array(stride(from: first, to: last, by: step)) : []
    }
    // An end far below zero is before the first.
    let last = end < -count ? -1 : bounded(end, -1, count - 1)
    return Array(stride(from: bounded(start, 0, count - 1), to: last, by: step))
  }

  func gathered(axis: Int, _ indices: ONNXNumbers) -> ONNXNumbers? {
    guard shape.indices.contains(axis), let known = indices.known else { return nil }
    let places = known.map { $0 < 0 ? $0 &+ shape[axis] : $0 }
    guard places.allSatisfy({ 0..<shape[axis] ~= $0 }) else { return nil }
    let made = Array(shape[..<axis]) + indices.shape + Array(shape[(axis + 1)...])
    let rank = indices.shape.count
    return taking(made) { place in
      var (flat, from) = (0, Array(place[..<axis]))
      for (index, size) in indices.shape.enumerated() { flat = flat * size + place[axis + index] }
      from.append(places[flat])
      return from + place[(axis + rank)...]
    }
  }

  static func joined(_ list: [ONNXNumbers], axis: Int) -> ONNXNumbers? {
    guard let first = list.first, first.shape.indices.contains(axis) else { return nil }
    guard let outer = elementCount(Array(first.shape[..<axis])), outer <= limit else { return nil }
    var made = first.shape
    made[axis] = list.reduce(0) { $0 + ($1.shape.indices.contains(axis) ? $1.shape[axis] : 0) }
    var values: [ONNXSize?] = []
    for part in 0..<outer {
      for one in list {
        let inner = one.values.count / max(outer, 1)
        guard one.shape.count == first.shape.count, one.values.count <= limit else { return nil }
        values += one.values[part * inner..<(part + 1) * inner]
      }
    }
    guard values.count <= limit, elementCount(made) == values.count else { return nil }
    return ONNXNumbers(values, shape: made)
  }

  /// Elementwise, with broadcasting.
  static func combined(
    _ a: ONNXNumbers, _ b: ONNXNumbers, _ operation: (ONNXSize, ONNXSize) -> ONNXSize?
  ) -> ONNXNumbers? {
    let rank = max(a.shape.count, b.shape.count)
    func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
    let (one, other) = (padded(a.shape), padded(b.shape))
    guard zip(one, other).allSatisfy({ $0 == $1 || $0 == 1 || $1 == 1 }) else { return nil }
    let shape = zip(one, other).map { $0 == 1 ? $1 : $0 }
    func spread(_ numbers: ONNXNumbers, _ own: [Int]) -> ONNXNumbers? {
      ONNXNumbers(numbers.values, shape: own).taking(shape) { place in zip(place, own).map { $1 == 1 ? 0 : $0 } }
    }
    guard let x = spread(a, one), let y = spread(b, other) else { return nil }
    let values = zip(x.values, y.values).map { left, right in left.flatMap { l in right.flatMap { operation(l, $0) } } }
    return ONNXNumbers(values, shape: shape)
  }
}

extension ONNXSize {
  /// What sizes are computed with; nil where that is not known.
  static func combining(_ operation: String) -> ((ONNXSize, ONNXSize) -> ONNXSize?)? {
    func whole(_ make: @escaping (Int, Int) -> Int?) -> (ONNXSize, ONNXSize) -> ONNXSize? {
      { a, b in
        guard let x = a.known, let y = b.known else { return nil }
        return make(x, y).map { ONNXSize(factor: $0) }
      }
    }
    func checked(_ result: (partialValue: Int, overflow: Bool)) -> Int? { result.overflow ? nil : result.partialValue }
    switch operation {
    case "Mul": return { $0 * $1 }
    case "Add":
      let sum = whole { checked($0.addingReportingOverflow($1)) }
      return { a, b in a.known == 0 ? b : b.known == 0 ? a : sum(a, b) }
    case "Sub":
      let difference = whole { checked($0.subtractingReportingOverflow($1)) }
      return { a, b in b.known == 0 ? a : difference(a, b) }
    case "Div":
      let quotient = whole { $1 == 0 ? nil : checked($0.dividedReportingOverflow(by: $1)) }
      return { a, b in b.known == 1 ? a : quotient(a, b) }
    case "Mod": return whole { $1 == 0 ? nil : checked($0.remainderReportingOverflow(dividingBy: $1)) }
    case "Equal":
      let same = whole { $0 == $1 ? 1 : 0 }
      return { a, b in
        if a == b { return ONNXSize(factor: 1) }
        // A size that is not known is none below 1, such as the -1 that stands for it.
        if [(a, b), (b, a)].contains(where: { $0.known == nil && $0.factor > 0 && $1.known.map { $0 < 1 } ?? false }) {
          return ONNXSize(factor: 0)
        }
        return same(a, b)
      }
    case "Less": return whole { $0 < $1 ? 1 : 0 }
    case "LessOrEqual": return whole { $0 <= $1 ? 1 : 0 }
    case "Greater": return whole { $0 > $1 ? 1 : 0 }
    case "GreaterOrEqual": return whole { $0 >= $1 ? 1 : 0 }
    case "And": return whole { $0 != 0 && $1 != 0 ? 1 : 0 }
    case "Or": return whole { $0 != 0 || $1 != 0 ? 1 : 0 }
    case "Min": return whole { min($0, $1) }
    case "Max": return whole { max($0, $1) }
    default: return nil
    }
  }
}
