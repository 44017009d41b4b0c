/// Float32 values with a shape, in C order.
public struct Tensor: Sendable, Equatable {
  /// The size of each axis.
  public let shape: [Int]
  /// As many as the product of `shape`.
  public var values: [Float]

  /// - Precondition: the number of values is the product of `shape`.
  public init(shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// Zeros of a shape.
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
