/// The products of a low-rank adapter (LoRA, Hu et al. 2021): W + s B A, and the gradients of A and B from dL/dW.
///
/// Legend: W (O, I), A (r, I), B (O, r), s the scale. Each sum is computed by one thread in a fixed order, so results are
/// bit-identical for any number of threads.
package final class LowRankProducts {
  private let kernels: Kernels
  /// s A or s B.
  private let scaled = FloatBuffer()
  /// The packed right factor of a product.
  private let packed = FloatBuffer()
  /// A tile of rows of s B A for each thread.
  private let product = FloatBuffer()

  /// - Parameter kernels: the instruction set and threads to use.
  package init(_ kernels: Kernels = .best) { self.kernels = kernels }

  /// Reserves buffers, so that later calls with these or smaller sizes do not allocate.
  package func reserve(rows o: Int, columns i: Int, rank r: Int) {
    scaled.reserve(max(o, i) * r)
    packed.reserve(max(kernels.packedCount(o, i), kernels.packedCount(i, r), kernels.packedCount(r, i)))
    product.reserve(parts(o, i, r) * Self.productRows * i)
  }

  private func parts(_ o: Int, _ i: Int, _ r: Int) -> Int { kernels.parts(o * i * (r + 1), each: 1 << 17) }

  /// Rows of a tile, few enough to stay in cache between the product and the sum.
  private static let productRows = 16

  /// Writes W + s B A to `sum` (O, I). Where B A is zero, the result is bit-identical to W.
  package func add(
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
        // -0 + 0 would be +0.
        for j in 0..<count * i { to[j] = tile[j] == 0 ? base[j] : base[j] + tile[j] }
        first += count
      }
    }
  }

  /// Writes dL/dA = s B^T dL/dW and dL/dB = s dL/dW A^T.
  /// - Parameter gradient: dL/dW (O, I), of W + s B A.
  package func project(
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
