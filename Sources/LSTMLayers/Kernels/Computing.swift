import CLSTMKernels

/// A stretch of arithmetic on the calling thread, from its making to `end()`: rounding to nearest, no traps, and denormals
/// (below 1.2e-38) taken as zero, so that speed does not depend on the size of the numbers and results do not depend on
/// the caller's floating-point state. The threads of the pool always compute so.
///
///     let computing = Computing()
///     defer { computing.end() }
///
/// Every public call that computes begins like this. What calls back into a caller's code must not be inside.
package struct Computing {
  private let before: UInt64

  @inline(__always)
  package init() { before = lstmk_begin_computing() }

  /// Gives the thread the floating-point state back that it had.
  @inline(__always)
  package func end() { lstmk_end_computing(before) }
}
