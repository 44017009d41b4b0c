import CLSTMKernels
import Foundation

/// One instruction-set path of the hot loops.
///
/// `Kernels.best` is the fastest that this machine can run. The environment variable `LSTM_FT_KERNELS` (`avx512`,
/// `avx2`, `neon`, `portable`, `scalar`) overrides it, so that every path can be tested on one machine.
public struct Kernels: @unchecked Sendable {  // The tables are constants in the binary.
  let table: UnsafePointer<lstmk_table>

  public var name: String { String(cString: table.pointee.name) }

  /// Every path this machine can run, the fastest first; the plain scalar reference is last.
  public static let available: [Kernels] = {
    var tables = [UnsafePointer<lstmk_table>?](repeating: nil, count: 8)
    let count = lstmk_available(&tables, tables.count)
    return tables.prefix(count).compactMap { $0.map(Kernels.init) }
  }()

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
    table.pointee.pack(k, n, b, rowStride, columnStride, packed.pointer)
  }

  /// C (M, N) = A (M, K) B, or += with `accumulate`.
  func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, rowStride: Int, columnStride: Int = 1, _ packed: FloatBuffer,
    _ c: UnsafeMutablePointer<Float>, outputStride: Int, accumulate: Bool
  ) {
    table.pointee.multiply(
      m, n, k, a, rowStride, columnStride, packed.pointer, c, outputStride, accumulate ? 1 : 0)
  }

  enum Function: Int32 {
    case sigmoid = 0
    case tanh, exp, relu
  }

  func apply(_ function: Function, _ x: UnsafeMutablePointer<Float>, count: Int) {
    table.pointee.apply(function.rawValue, count, x, x)
  }

  func addColumnSums(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, rowStride: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    table.pointee.add_column_sums(rows, columns, x, rowStride, sums)
  }
}
