import FileIO

extension ONNXTranslator {
  mutating func clipped(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    func bound(_ attribute: String, _ input: Int) -> Double?? {
      if let value = number(node, attribute) { return .some(Double(value)) }
      if isAbsent(node, input) { return .some(nil) }
      return scalar(node, input).map { .some($0) }
    }
    guard let rows = rows(node), let low = bound("min", 1), let high = bound("max", 2) else { return nil }
    return try bounded(rows, low, high, node)
  }

  /// Values between two bounds: an activation, with a rescaling before and behind it where the bounds are no activation's.
  mutating func bounded(
    _ rows: ONNXRows, _ low: Double?, _ high: Double?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    func squashed(_ rows: ONNXRows, _ activation: Activation) throws(ONNXRefusal) -> ONNXRows {
      rows.of(try layer(Layer.ActivationLayer(activation), [rows.source], node))
    }
    func scaled(_ rows: ONNXRows, _ scale: Double, _ offset: Double) throws(ONNXRefusal) -> ONNXRows {
      try self.scaled(rows, by: ONNXAffineRows(scale: [scale], offset: [offset]), sources: [], node)
    }
    let bounds = (low.flatMap { $0 <= -3e38 ? nil : $0 }, high.flatMap { $0 >= 3e38 ? nil : $0 })
    // A difference from a bound far away has fewer digits.
    let isNear = [bounds.0, bounds.1].allSatisfy { $0.map { $0.magnitude <= 100 } ?? true }
    switch bounds {
    case (nil, nil): return rows
    case (0?, nil): return try squashed(rows, .relu)
    case (0?, 6?): return try squashed(rows, .relu6)
    case (let low?, 1?) where low == -1: return try squashed(rows, .hardTanh)
    case (let low?, let high?) where low == 0 && 1e-3...1e6 ~= high:
      return try scaled(try squashed(try scaled(rows, 6 / high, 0), .relu6), high / 6, 0)
    case (let low?, let high?) where low == -high && 1e-3...1e6 ~= high:
      return try scaled(try squashed(try scaled(rows, 1 / high, 0), .hardTanh), high, 0)
    case (let low?, nil) where isNear:
      return try scaled(try squashed(try scaled(rows, 1, -low), .relu), 1, low)
    case (nil, let high?) where isNear:
      return try scaled(try squashed(try scaled(rows, -1, high), .relu), -1, high)
    case (let low?, let high?) where isNear && high - low >= 1e-3:
      let share = 6 / (high - low)
      return try scaled(try squashed(try scaled(rows, share, -low * share), .relu6), 1 / share, low)
    default:
      func text(_ bound: Double?) -> String { bound.map { "\($0)" } ?? "none" }
      throw ONNXRefusal(detail: "its bounds, \(text(bounds.0)) and \(text(bounds.1)), are too far apart or too close")
    }
  }
}
