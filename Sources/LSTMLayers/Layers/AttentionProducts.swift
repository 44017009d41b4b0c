import CLSTMKernels

/// Rows of the sequences of a batch, of which attention reads or writes some columns.
struct AttentionRows {
  /// The first column of the first head, in the first row.
  let base: UnsafeMutablePointer<Float>
  /// Values in a row.
  let stride: Int
  /// Columns of a head; those of further heads follow.
  let width: Int
  let shape: PackedShape
  let isPerStep: Bool

  /// - Parameters:
  ///   - base: the output or the gradient of a layer.
  ///   - columns: where they begin, and how many there are of each head; all of them when nil.
  init(
    _ base: UnsafeMutablePointer<Float>, of layer: NetworkLayer, stride: Int? = nil, first: Int = 0, width: Int? = nil
  ) {
    self.base = base + first
    self.stride = stride ?? layer.width
    self.width = width ?? layer.width
    shape = layer.shape.packed
    isPerStep = layer.value.isPerStep
  }

  /// Rows of the b-th longest sequence.
  func count(_ b: Int) -> Int { isPerStep ? shape.lengths[b] : 1 }

  @inline(__always)
  func row(_ b: Int, _ t: Int) -> UnsafeMutablePointer<Float> { base + (isPerStep ? shape.offsets[t] + b : b) * stride }

  /// Copies a head's columns of one sequence to (T, width).
  func gather(_ b: Int, head: Int, into to: UnsafeMutablePointer<Float>) {
    for t in 0..<count(b) { (to + t * width).update(from: row(b, t) + head * width, count: width) }
  }

  /// Writes rows (count, width) from step `first` on.
  func write(_ from: UnsafePointer<Float>, _ b: Int, head: Int, first: Int, count: Int) {
    for t in 0..<count { (row(b, first + t) + head * width).update(from: from + t * width, count: width) }
  }

  /// Adds `factor` times rows (count, width) from step `first` on.
  func add(_ from: UnsafePointer<Float>, by factor: Float, _ b: Int, head: Int, first: Int, count: Int) {
    for t in 0..<count { addScaled(from + t * width, by: factor, to: row(b, first + t) + head * width, count: width) }
  }
}

/// Attention by products: with p_i = softmax over j of scale q_i k_j, out_i = sum of p_ij v_j, for each sequence and head.
///
/// Nothing is kept for the backward pass, which computes p again, some queries at a time: memory grows with the number of
/// steps, not with its square. A sequence and head is computed by one thread, so results do not depend on their number.
///
/// Legend: q (T, D), k (U, D), v (U, E).
final class AttentionProducts {
  private let kernels: Kernels
  private let scratch = FloatBuffer()
  /// Queries at a time.
  private static let block = 64

  init(_ kernels: Kernels) { self.kernels = kernels }

  /// What attends to what.
  struct Operands {
    let (q, k, v): (AttentionRows, AttentionRows, AttentionRows)
    let heads: Int
    let scale: Float
    /// Whether query i sees the steps up to i only.
    let isCausal: Bool

    /// The number of steps that query i sees, of `count`.
    @inline(__always)
    func seen(_ i: Int, of count: Int) -> Int { isCausal ? min(i + 1, count) : count }
  }

  /// Writes out (T, E) of every sequence and head.
  func forward(_ x: Operands, into out: AttentionRows) {
    forEach(x, isBackward: false) { b, head, cursor in
      var cursor = cursor
      let (t, u, d, e) = (x.q.count(b), x.k.count(b), x.q.width, x.v.width)
      let rows = cursor.take(max(t * d, u * max(d, e)))
      let (keys, values) = (cursor.take(kernels.packedCount(d, u)), cursor.take(kernels.packedCount(u, e)))
      let (shares, result) = (cursor.take(Self.block * u), cursor.take(Self.block * e))
      x.k.gather(b, head: head, into: rows)
      pack(d, u, rows, rowStride: 1, columnStride: d, into: keys)
      x.v.gather(b, head: head, into: rows)
      pack(u, e, rows, rowStride: e, columnStride: 1, into: values)
      x.q.gather(b, head: head, into: rows)
      forEachBlock(t) { first, count in
        computeShares(x, rows + first * d, first, count, keys, u, into: shares)
        multiply(count, e, u, shares, u, 1, values, result)
        out.write(result, b, head: head, first: first, count: count)
      }
    }
  }

  /// Where the gradients of q, k and v are added, each nil where none is wanted.
  struct Sinks {
    let (q, k, v): (AttentionRows?, AttentionRows?, AttentionRows?)
    /// dL/d scale of each sequence (B), written where it is wanted, for one head.
    var scale: UnsafeMutablePointer<Float>?
  }

  /// With dp = dout v^T and ds = p (dp - sum of p dp):  dq = scale ds k,  dk = scale ds^T q,  dv = p^T dout.
  /// - Parameter outputGradient: dL/d out.
  func backward(_ x: Operands, outputGradient: AttentionRows, into sinks: Sinks) {
    forEach(x, isBackward: true) { b, head, cursor in
      var cursor = cursor
      let (t, u, d, e) = (x.q.count(b), x.k.count(b), x.q.width, x.v.width)
      let (q, k, v, g) = (cursor.take(t * d), cursor.take(u * d), cursor.take(u * e), cursor.take(t * e))
      let (keyColumns, keyRows) = (cursor.take(kernels.packedCount(d, u)), cursor.take(kernels.packedCount(u, d)))
      let valueColumns = cursor.take(kernels.packedCount(e, u))
      let blockPack = cursor.take(kernels.packedCount(Self.block, max(d, e)))
      let (shares, slopes) = (cursor.take(Self.block * u), cursor.take(Self.block * u))
      let (dq, dk, dv) = (cursor.take(Self.block * d), cursor.take(u * d), cursor.take(u * e))
      x.q.gather(b, head: head, into: q)
      x.k.gather(b, head: head, into: k)
      x.v.gather(b, head: head, into: v)
      outputGradient.gather(b, head: head, into: g)
      pack(d, u, k, rowStride: 1, columnStride: d, into: keyColumns)
      pack(u, d, k, rowStride: d, columnStride: 1, into: keyRows)
      pack(e, u, v, rowStride: 1, columnStride: e, into: valueColumns)
      dk.update(repeating: 0, count: u * d)
      dv.update(repeating: 0, count: u * e)
      var scaleGradient: Float = 0
      forEachBlock(t) { first, count in
        computeShares(x, q + first * d, first, count, keyColumns, u, into: shares)
        multiply(count, u, e, g + first * e, e, 1, valueColumns, slopes)
        for i in 0..<count {
          let (p, s) = (shares + i * u, slopes + i * u)
          let mean = dotProduct(p, s, count: u)
          for j in 0..<u { s[j] = p[j] * (s[j] - mean) }
        }
        multiply(count, d, u, slopes, u, 1, keyRows, dq)
        if sinks.scale != nil { scaleGradient += dotProduct(dq, q + first * d, count: count * d) }
        sinks.q?.add(dq, by: x.scale, b, head: head, first: first, count: count)
        pack(count, d, q + first * d, rowStride: d, columnStride: 1, into: blockPack)
        multiply(u, d, count, slopes, 1, u, blockPack, dk, start: dk)
        pack(count, e, g + first * e, rowStride: e, columnStride: 1, into: blockPack)
        multiply(u, e, count, shares, 1, u, blockPack, dv, start: dv)
      }
      sinks.k?.add(dk, by: x.scale, b, head: head, first: 0, count: u)
      sinks.v?.add(dv, by: 1, b, head: head, first: 0, count: u)
      sinks.scale?[b] = scaleGradient
    }
  }

  /// p (count, U) of the queries from `first` on, zero where they do not see.
  private func computeShares(
    _ x: Operands, _ q: UnsafePointer<Float>, _ first: Int, _ count: Int, _ keys: UnsafePointer<Float>, _ u: Int,
    into shares: UnsafeMutablePointer<Float>
  ) {
    multiply(count, u, x.q.width, q, x.q.width, 1, keys, shares)
    for i in 0..<count {
      let (p, seen) = (shares + i * u, x.seen(first + i, of: u))
      for j in 0..<seen { p[j] *= x.scale }
      kernels.softmax(p, rows: 1, size: seen)
      (p + seen).update(repeating: 0, count: u - seen)
    }
  }

  // MARK: - Work

  private func forEachBlock(_ count: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    for first in stride(from: 0, to: count, by: Self.block) { body(first, min(Self.block, count - first)) }
  }

  /// Visits every sequence and head, on all threads, with scratch memory for one.
  private func forEach(_ x: Operands, isBackward: Bool, _ body: (_ b: Int, _ head: Int, Cursor) -> Void) {
    let items = x.q.shape.count * x.heads
    guard items > 0 else { return }
    let (t, u, d, e) = (x.q.count(0), x.k.count(0), x.q.width, x.v.width)
    var (longestQuery, longestKey) = (t, u)
    for b in 0..<x.q.shape.count {
      longestQuery = max(longestQuery, x.q.count(b))
      longestKey = max(longestKey, x.k.count(b))
    }
    let parts = min(items, kernels.parts(items * t * u * (d + e), each: 1 << 17))
    let each = scratchCount(longestQuery, longestKey, d, e, isBackward)
    scratch.reserve(parts * each)
    let memory = scratch.pointer
    parallel(parts) { part in
      for item in share(items, multiple: 1, part: part, of: parts) {
        body(item / x.heads, item % x.heads, Cursor(next: memory + part * each))
      }
    }
  }

  private func scratchCount(_ t: Int, _ u: Int, _ d: Int, _ e: Int, _ isBackward: Bool) -> Int {
    let block = Self.block
    let parts =
      isBackward
      ? t * (d + e) + 2 * u * (d + e) + kernels.packedCount(d, u) + kernels.packedCount(u, d)
        + kernels.packedCount(e, u) + kernels.packedCount(block, max(d, e)) + 2 * block * u + block * d
      : max(t * d, u * max(d, e)) + kernels.packedCount(d, u) + kernels.packedCount(u, e) + block * (u + e)
    // Each is rounded up to a cache line.
    return parts + 16 * 16
  }

  /// Hands out scratch memory.
  private struct Cursor {
    var next: UnsafeMutablePointer<Float>

    mutating func take(_ count: Int) -> UnsafeMutablePointer<Float> {
      defer { next += (count + 15) & ~15 }
      return next
    }
  }

  /// On this thread: packs a (K, N) matrix.
  private func pack(
    _ k: Int, _ n: Int, _ b: UnsafePointer<Float>, rowStride: Int, columnStride: Int,
    into packed: UnsafeMutablePointer<Float>
  ) { kernels.table.pointee.pack(k, 0, k, 0, n, b, rowStride, columnStride, packed) }

  /// On this thread: C (M, N) = start + A (M, K) B, rows of C side by side.
  private func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ rowStride: Int, _ columnStride: Int,
    _ packed: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, start: UnsafePointer<Float>? = nil
  ) { kernels.table.pointee.multiply(m, n, k, a, rowStride, columnStride, packed, c, n, start) }
}
