/// A constant of a graph: weights, or a view of them.
struct ONNXConstant {
  var tensor: StoredTensor
  /// Whether `tensor` is to be transposed. It is kept so that two transpositions are none.
  var isTransposed = false
  /// The file's tensors that it was made from.
  var sources: Set<String>

  /// How many views lie one on the other: each is a call when it is read.
  var depth = 0

  static let depthLimit = 64

  var shape: [Int] { isTransposed ? tensor.shape.reversed() : tensor.shape }
  /// The tensor as its value is.
  var value: StoredTensor { isTransposed ? tensor.transposed() : tensor }

  /// A view of it; nil when there are too many already.
  func with(_ tensor: StoredTensor) -> ONNXConstant? {
    depth < Self.depthLimit ? ONNXConstant(tensor: tensor, sources: sources, depth: depth + 1) : nil
  }
}

/// A size: a number times axes of the input whose sizes are not known.
struct ONNXSize: Equatable {
  var factor: Int
  /// Sorted.
  var symbols: [Int] = []

  var known: Int? { symbols.isEmpty ? factor : nil }

  static func * (_ a: ONNXSize, _ b: ONNXSize) -> ONNXSize? {
    let (product, overflow) = a.factor.multipliedReportingOverflow(by: b.factor)
    guard !overflow, a.symbols.count + b.symbols.count < 16 else { return nil }
    return ONNXSize(factor: product, symbols: (a.symbols + b.symbols).sorted())
  }
}

extension ONNXConstant {
  func with(_ make: (StoredTensor) -> StoredTensor) -> ONNXConstant? { with(make(value)) }
}
