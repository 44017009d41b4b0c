import CLSTMKernels
import Foundation
import LSTMCheckpoints

/// The hot loops, compiled for one instruction set.
///
/// `Kernels.best` is the fastest that this machine can run. The environment variable `LSTM_FT_KERNELS` (`avx512`,
/// `avx2`, `neon`, `portable`, `scalar`) overrides it, so that all of them can be tested on one machine.
public struct Kernels: @unchecked Sendable {  // The tables are constants in the binary.
  let table: UnsafePointer<lstmk_table>
  /// The number of threads to use; results are bit-identical for any number.
  public var threads: Int = ProcessInfo.processInfo.activeProcessorCount

  init(table: UnsafePointer<lstmk_table>) { self.table = table }

  /// `avx512`, `avx2`, `neon`, `portable` or `scalar`.
  public var name: String { String(cString: table.pointee.name) }

  /// All instruction sets that this machine can run, fastest first; the plain scalar reference is last.
  public static let available: [Kernels] = {
    var tables = [UnsafePointer<lstmk_table>?](repeating: nil, count: 8)
    let count = lstmk_available(&tables, tables.count)
    return tables.prefix(count).compactMap { $0.map(Kernels.init(table:)) }
  }()

  /// The fastest on this machine, or the one that `LSTM_FT_KERNELS` names.
  public static let best: Kernels = {
    let wanted = ProcessInfo.processInfo.environment["LSTM_FT_KERNELS"]
    return available.first { $0.name == wanted } ?? available[0]
  }()

  /// Floats of a packed (K, N) matrix.
  func packedCount(_ k: Int, _ n: Int) -> Int { table.pointee.packed_count(k, n) }

  /// Packs the (K, N) matrix whose element (k, n) is at `b[k * rowStride + n * columnStride]` into `packed`.
  func pack(_ k: Int, _ n: Int, _ b: UnsafePointer<Float>, rowStride: Int, columnStride: Int, into packed: FloatBuffer)
  {
    packed.reserve(packedCount(k, n))
    let parts = min(columnParts(n), self.parts(k * n, each: 1 << 14))
    let to = packed.pointer
    parallel(parts) { part in
      let columns = columnRange(n, part: part, of: parts)
      table.pointee.pack(
        k, 0, k, columns.lowerBound, columns.count, b + columns.lowerBound * columnStride, rowStride, columnStride, to)
    }
  }

  /// The initial value of a product's sums.
  enum Start {
    case zero
    /// The previous values of the output.
    case output
    /// The same row (N) for all rows.
    case row(UnsafePointer<Float>)

    func pointer(_ c: UnsafeMutablePointer<Float>) -> UnsafePointer<Float>? {
      switch self {
      case .zero: nil
      case .output: UnsafePointer(c)
      case .row(let row): row
      }
    }

    func advanced(_ columns: Int) -> Start {
      if case .row(let row) = self { .row(row + columns) } else { self }
    }
  }

  /// C (M, N) = start + A (M, K) B, on this thread.
  func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, rowStride: Int, columnStride: Int = 1, _ packed: FloatBuffer,
    _ c: UnsafeMutablePointer<Float>, outputStride: Int, start: Start
  ) {
    table.pointee.multiply(
      m, n, k, a, rowStride, columnStride, packed.pointer, c, outputStride, start.pointer(c))
  }

  /// The same product on all threads. Each element is summed by one thread in a fixed order, so results do not depend on
  /// the split.
  func multiplyOnAllThreads(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, rowStride: Int, columnStride: Int = 1, _ packed: FloatBuffer,
    _ c: UnsafeMutablePointer<Float>, outputStride: Int, start: Start
  ) {
    let from = packed.pointer
    func part(_ rows: Range<Int>, _ columns: Range<Int>) {
      guard !rows.isEmpty, !columns.isEmpty else { return }
      let to = c + rows.lowerBound * outputStride + columns.lowerBound
      table.pointee.multiply(
        rows.count, columns.count, k, a + rows.lowerBound * rowStride, rowStride, columnStride,
        from + columns.lowerBound * k, to, outputStride, start.advanced(columns.lowerBound).pointer(to))
    }
    let parts = self.parts(m * n * k, each: 1 << 17)
    if m >= 16 * parts || columnParts(n) == 1 {
      parallel(parts) { part(share(m, multiple: 8, part: $0, of: parts), 0..<n) }
    } else {
      let parts = min(columnParts(n), parts)
      parallel(parts) { part(0..<m, columnRange(n, part: $0, of: parts)) }
    }
  }

  /// The number of threads for some work if each should get at least `each` of it: distributing work takes microseconds.
  func parts(_ work: Int, each: Int) -> Int { max(1, min(threads, work / each)) }

  /// The number of panels of a packed matrix with N columns.
  private func columnParts(_ n: Int) -> Int { (n + table.pointee.panel_width - 1) / table.pointee.panel_width }

  func columnRange(_ n: Int, part: Int, of parts: Int) -> Range<Int> {
    share(n, multiple: table.pointee.panel_width, part: part, of: parts)
  }

  /// The element-wise functions, numbered as in CLSTMKernels.h.
  package enum Function: Int32, Sendable, CaseIterable {
    case sigmoid = 0
    case tanh, exp, relu, linear
    case hardSigmoid, hardSigmoidKeras3, hardTanh
    case leakyReLU, elu, selu, gelu, geluTanh
    case softplus, softsign, swish, mish, relu6, hardSwish

    var usualAlpha: Float { self == .leakyReLU ? 0.01 : 1 }

    /// An activation with its usual alpha; nil for one over a row.
    package init?(_ activation: Activation) {
      switch activation {
      case .none: self = .linear
      case .relu: self = .relu
      case .tanh: self = .tanh
      case .sigmoid: self = .sigmoid
      case .softmax, .logSoftmax: return nil
      case .hardSigmoid: self = .hardSigmoid
      case .hardSigmoidKeras3: self = .hardSigmoidKeras3
      case .hardTanh: self = .hardTanh
      case .leakyReLU: self = .leakyReLU
      case .elu: self = .elu
      case .selu: self = .selu
      case .gelu: self = .gelu
      case .geluTanh: self = .geluTanh
      case .softplus: self = .softplus
      case .softsign: self = .softsign
      case .swish: self = .swish
      case .mish: self = .mish
      case .relu6: self = .relu6
      case .hardSwish: self = .hardSwish
      case .exponential: self = .exp
      }
    }
  }

  /// Applies a function to `count` values in place, on this thread.
  package func apply(_ function: Function, _ x: UnsafeMutablePointer<Float>, count: Int) {
    table.pointee.apply(function.rawValue, function.usualAlpha, count, x, x)
  }

  /// Turns dL/dy into dL/dx in place, where y = function(x), on this thread. Some functions need only one of x and y, but
  /// both must be there.
  package func multiplyBySlope(
    _ function: Function, _ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>, at x: UnsafePointer<Float>,
    count: Int
  ) {
    table.pointee.apply_slope(function.rawValue, function.usualAlpha, count, x, y, d)
  }

  func addColumnSums(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, rowStride: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    let parts = self.parts(rows * columns, each: 1 << 14)
    parallel(parts) { part in
      let some = share(columns, multiple: 16, part: part, of: parts)
      table.pointee.add_column_sums(rows, some.count, x + some.lowerBound, rowStride, sums + some.lowerBound)
    }
  }

  /// Adds the sum over rows of x y to `sums`.
  func addColumnProducts(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, rowStride: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    let parts = self.parts(rows * columns, each: 1 << 14)
    parallel(parts) { part in
      let some = share(columns, multiple: 16, part: part, of: parts)
      let first = some.lowerBound
      table.pointee.add_column_products(rows, some.count, x + first, y + first, rowStride, sums + first)
    }
  }
}

extension Kernels {
  /// Peak floating-point operations per second of one core: fused multiply-adds in registers.
  package func measurePeak(seconds: Double = 0.2) -> Double {
    let clock = ContinuousClock()
    var (operations, elapsed, best) = (0.0, 0.0, 0.0)
    while elapsed < seconds {
      let began = clock.now
      operations = table.pointee.peak(2_000_000)
      let part = (clock.now - began) / .seconds(1)
      best = max(best, operations / part)
      elapsed += part
    }
    return best
  }
}

/// Copies `count` values. Rows of a few features are many, and a call for each would take most of the time.
@inline(__always)
func copyRow(_ from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int) {
  guard count < 8 else { return to.update(from: from, count: count) }
  var at = 0
  while at < count {
    to[at] = from[at]
    at &+= 1
  }
}

/// (rows, columns) -> (columns, rows). It moves values alone, the same with every instruction set.
func transpose(_ from: UnsafePointer<Float>, rows: Int, columns: Int, to: UnsafeMutablePointer<Float>) {
  guard rows > 1, columns > 1 else { return to.update(from: from, count: rows * columns) }
  Kernels.best.table.pointee.transpose(rows, columns, from, to)
}

/// The range of one part when `count` items are split evenly, in multiples of `multiple`.
func share(_ count: Int, multiple: Int, part: Int, of parts: Int) -> Range<Int> {
  let units = (count + multiple - 1) / multiple
  let start = min(units * part / parts * multiple, count)
  return start..<min(units * (part + 1) / parts * multiple, count)
}

/// Runs `body` for each part on the thread pool. Parts must not wait for each other.
func parallel(_ parts: Int, _ body: (Int) -> Void) {
  guard parts > 1 else {
    let computing = Computing()
    defer { computing.end() }
    return body(0)
  }
  runParts(parts, body)
}

/// `lstmk_run_closure` in C, which takes a non-escaping closure as a function and a context. Passing the closure to an
/// ordinary C function would need `withoutActuallyEscaping`, which allocates in every call.
@_silgen_name("lstmk_run_closure")
private func runParts(_ parts: Int, _ body: (Int) -> Void)
