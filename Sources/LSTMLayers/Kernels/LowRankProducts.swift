/// The products that a low-rank adapter of a matrix is made of: W + s B A, and what dL/dW gives to A and B.
///
/// Legend: W (O, I), A (r, I), B (O, r), s the scale. Every sum is made by one thread in one order, so results are the
/// same bits for any number of threads.
public final class LowRankProducts {
  private let kernels: Kernels
  /// s A or s B.
  private let scaled = FloatBuffer()
  /// The right factor of a product.
  private let packed = FloatBuffer()
  /// Rows of s B A, some for each thread.
  private let product = FloatBuffer()

  public init(_ kernels: Kernels = .best) { self.kernels = kernels }

  /// Makes room for matrices of a size, so that later calls with sizes no larger allocate nothing.
  public func reserve(rows o: Int, columns i: Int, rank r: Int) {
    scaled.reserve(max(o, i) * r)
    packed.reserve(max(kernels.packedCount(o, i), kernels.packedCount(i, r), kernels.packedCount(r, i)))
    product.reserve(parts(o, i, r) * Self.productRows * i)
  }

  private func parts(_ o: Int, _ i: Int, _ r: Int) -> Int { kernels.parts(o * i * (r + 1), each: 1 << 17) }

  /// Rows that stay near between the product that makes them and the sum that takes them.
  private static let productRows = 16

  /// Writes W + s B A to `sum`. Where B A is zero, what is written are W's own bits.
  public func add(
    _ w: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, scale: Float, rows o: Int,
    columns i: Int, rank r: Int, into sum: UnsafeMutablePointer<Float>
  ) {
    let computing = Computing()
    defer { computing.end() }
    reserve(rows: o, columns: i, rank: r)
    setScaled(b, count: o * r, scale)
    kernels.pack(r, i, a, rowStride: i, columnStride: 1, into: packed)
    let left = UnsafePointer(scaled.pointer)
    let parts = parts(o, i, r)
    parallel(parts) { part in
      let rows = share(o, multiple: 8, part: part, of: parts)
      let tile = product.pointer + part * Self.productRows * i
      var first = rows.lowerBound
      while first < rows.upperBound {
        let count = min(Self.productRows, rows.upperBound - first)
        kernels.multiply(
          m: count, n: i, k: r, left + first * r, rowStride: r, packed, tile, outputStride: i, start: .zero)
        let (base, to) = (w + first * i, sum + first * i)
        // -0 + 0 is 0: not the bits that were there.
        for j in 0..<count * i { to[j] = tile[j] == 0 ? base[j] : base[j] + tile[j] }
        first += count
      }
    }
  }

  /// Writes dL/dA = s B^T dL/dW and dL/dB = s dL/dW A^T.
  /// - Parameter gradient: dL/dW (O, I), of W + s B A.
  public func project(
    _ gradient: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, scale: Float, rows o: Int,
    columns i: Int, rank r: Int, intoA aGradient: UnsafeMutablePointer<Float>,
    intoB bGradient: UnsafeMutablePointer<Float>
  ) {
    let computing = Computing()
    defer { computing.end() }
    reserve(rows: o, columns: i, rank: r)
    setScaled(b, count: o * r, scale)
    kernels.pack(o, i, gradient, rowStride: i, columnStride: 1, into: packed)
    kernels.multiplyOnAllThreads(
      m: r, n: i, k: o, scaled.pointer, rowStride: 1, columnStride: r, packed, aGradient, outputStride: i, start: .zero)
    setScaled(a, count: r * i, scale)
    kernels.pack(i, r, scaled.pointer, rowStride: 1, columnStride: i, into: packed)
    kernels.multiplyOnAllThreads(
      m: o, n: r, k: i, gradient, rowStride: i, packed, bGradient, outputStride: r, start: .zero)
  }

  private func setScaled(_ values: UnsafePointer<Float>, count: Int, _ scale: Float) {
    let to = scaled.pointer
    for j in 0..<count { to[j] = scale * values[j] }
  }
}
