import LSTMCheckpoints

/// Keras' Attention and AdditiveAttention: each row of the query becomes the average of the value's steps of its sequence,
/// weighted by the softmax of its scores with the key's; (R, S), (U, V), (U, S) -> (R, V).
///
/// A score is scale * q k or, if additive, the sum of scale * tanh(q + k). A head has its own columns of all three.
final class DotAttentionLayer: NetworkLayer {
  private let kind: Layer.DotAttention
  private let scale: Int?
  private let products: AttentionProducts
  /// The place of the key among its sources.
  private let keyPlace: Int
  /// The gradient of the scale by sequence, (B) or (B, S).
  private let scaleGradients = FloatBuffer()
  /// For each thread of the additive form: p (U), its gradient (U), and two rows (S).
  private let scratch = FloatBuffer()

  init(_ kind: Layer.DotAttention, _ context: LayerContext) {
    self.kind = kind
    scale = context.slot("scale")
    products = AttentionProducts(context.kernels)
    keyPlace = context.sources.count > 2 ? 2 : 1
    // A query for each sequence has a row for each, whatever the steps of the value.
    super.init(context, shape: context.sources[context.inputs[0].isPerStep ? 0 : 1].shape)
  }

  /// Rows of a layer, of which each head has a part.
  private func heads(_ rows: UnsafeMutablePointer<Float>, of layer: NetworkLayer) -> AttentionRows {
    AttentionRows(rows, of: layer, width: layer.width / kind.heads)
  }

  private var operands: AttentionProducts.Operands {
    let query = heads(rows(0), of: sources[0])
    let learned = kind.isAdditive ? 1 : scale.map { weights.pointer($0)[0] } ?? 1
    return .init(
      q: query, k: heads(rows(keyPlace), of: sources[keyPlace]), v: heads(rows(1), of: sources[1]),
      heads: kind.heads, scale: kind.isScaled ? learned / Float(query.width).squareRoot() : learned,
      isCausal: kind.isCausal)
  }

  override func forward(_ pass: LayerPass) {
    let out = heads(makeOutput(), of: self)
    if kind.isAdditive { forwardAdditive(out) } else { products.forward(operands, into: out) }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    // Two of the sources may be one layer.
    func rows(_ place: Int) -> AttentionRows? {
      guard let sink = sink(place) else { return nil }
      sink.clear(count: sources[place].rowCount * sources[place].width)
      return heads(sink.rows, of: sources[place])
    }
    let (q, v) = (rows(0), rows(1))
    let k = keyPlace == 1 ? v : rows(keyPlace)
    let slot = scale.flatMap { pass.trainable[$0] ? $0 : nil }
    let (count, size) = (shape.packed.count, kind.isAdditive ? sources[0].width : 1)
    if slot != nil { scaleGradients.zero(count * size) }
    let sinks = AttentionProducts.Sinks(q: q, k: k, v: v, scale: slot == nil ? nil : scaleGradients.pointer)
    let given = heads(gradient, of: self)
    if kind.isAdditive {
      backwardAdditive(given, sinks)
    } else {
      products.backward(operands, outputGradient: given, into: sinks)
    }
    if let slot {
      let to = pass.gradients.pointer(slot)
      // Of products, `scale` is divided as they are.
      let factor = kind.isScaled ? 1 / Float(sources[0].width).squareRoot() : 1
      for b in 0..<count { for j in 0..<size { to[j] += factor * scaleGradients.pointer[b * size + j] } }
    }
  }

  // MARK: - Additive

  private func forwardAdditive(_ out: AttentionRows) {
    let (x, size) = (operands, sources[1].width)
    forEachSequence(x) { b, p, _, t, _ in
      for i in 0..<x.q.count(b) {
        let (seen, y) = (x.seen(i, of: x.k.count(b)), out.row(b, i))
        computeShares(x, b, i, seen, p, t)
        y.update(repeating: 0, count: size)
        for j in 0..<seen { addScaled(x.v.row(b, j), by: p[j], to: y, count: size) }
      }
    }
  }

  private func computeShares(
    _ x: AttentionProducts.Operands, _ b: Int, _ i: Int, _ seen: Int, _ p: UnsafeMutablePointer<Float>,
    _ t: UnsafeMutablePointer<Float>
  ) {
    let factors = scale.map { UnsafePointer(weights.pointer($0)) }
    for j in 0..<seen {
      tangents(x.q.row(b, i), x.k.row(b, j), x.q.width, t)
      p[j] = factors.map { dotProduct($0, t, count: x.q.width) } ?? sum(t, count: x.q.width)
    }
    kernels.softmax(p, rows: 1, size: seen)
  }

  /// t = tanh(q + k)
  private func tangents(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ size: Int, _ t: UnsafeMutablePointer<Float>
  ) {
    for j in 0..<size { t[j] = q[j] + k[j] }
    kernels.apply(.tanh, t, count: size)
  }

  private func backwardAdditive(_ given: AttentionRows, _ sinks: AttentionProducts.Sinks) {
    let (x, valueSize) = (operands, sources[1].width)
    let size = x.q.width
    let factors = scale.map { UnsafePointer(weights.pointer($0)) }
    forEachSequence(x) { b, p, slopes, t, u in
      for i in 0..<x.q.count(b) {
        let (seen, d) = (x.seen(i, of: x.k.count(b)), given.row(b, i))
        computeShares(x, b, i, seen, p, t)
        for j in 0..<seen { slopes[j] = dotProduct(d, x.v.row(b, j), count: valueSize) }
        let mean = dotProduct(p, slopes, count: seen)
        for j in 0..<seen {
          if let sink = sinks.v { addScaled(d, by: p[j], to: sink.row(b, j), count: valueSize) }
          let slope = p[j] * (slopes[j] - mean)
          tangents(x.q.row(b, i), x.k.row(b, j), size, t)
          if let to = sinks.scale { addScaled(t, by: slope, to: to + b * size, count: size) }
          for s in 0..<size { u[s] = slope * (factors?[s] ?? 1) * (1 - t[s] * t[s]) }
          if let sink = sinks.q { addScaled(u, by: 1, to: sink.row(b, i), count: size) }
          if let sink = sinks.k { addScaled(u, by: 1, to: sink.row(b, j), count: size) }
        }
      }
    }
  }

  /// Visits every sequence, on all threads, with scratch memory: two of a value for each step, and two of a query's width.
  private func forEachSequence(
    _ x: AttentionProducts.Operands,
    _ body: (
      _ b: Int, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
      UnsafeMutablePointer<Float>
    ) -> Void
  ) {
    let (count, size, steps) = (shape.packed.count, (x.q.width + 15) & ~15, (sources[1].shape.packed.steps + 15) & ~15)
    let parts = min(count, kernels.parts(count * x.q.count(0) * steps * size, each: 1 << 13))
    let each = 2 * (size + steps)
    scratch.reserve(parts * each)
    let memory = scratch.pointer
    parallel(parts) { part in
      let own = memory + part * each
      for b in share(count, multiple: 1, part: part, of: parts) {
        body(b, own, own + steps, own + 2 * steps, own + 2 * steps + size)
      }
    }
  }
}
