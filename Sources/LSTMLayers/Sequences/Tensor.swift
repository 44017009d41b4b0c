/// Float32 values with a shape.
public struct Tensor: Sendable, Equatable {
  /// The size of each axis.
  public let shape: [Int]
  /// The values in C order, as many as the product of `shape`.
  public var values: [Float]

  /// A tensor of a shape and values in C order.
  /// - Precondition: the number of values is the product of `shape`.
  public init(shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// A tensor of zeros.
  public init(zeros shape: [Int]) {
    self.init(shape: shape, values: [Float](repeating: 0, count: shape.reduce(1, *)))
  }
}

extension Tensor {
  /// (A, B, C...) -> (B, A, C...)
  func swappingFirstAxes() -> Tensor {
    let (a, b) = (shape[0], shape[1])
    let width = shape.dropFirst(2).reduce(1, *)
    var swapped = [Float](repeating: 0, count: values.count)
    for i in 0..<a {
      for j in 0..<b {
        for k in 0..<width { swapped[(j * a + i) * width + k] = values[(i * b + j) * width + k] }
      }
    }
    return Tensor(shape: [b, a] + shape.dropFirst(2), values: swapped)
  }
}
