import CLSTMKernels

/// Sets the calling thread's floating-point mode until `end()`: round to nearest, no traps, denormals (below 1.2e-38)
/// flushed to zero, so that speed does not depend on the magnitude of the numbers and results do not depend on the
/// caller's mode. The pool's threads always run in this mode.
///
///     let computing = Computing()
///     defer { computing.end() }
///
/// Every public call that computes starts like this. Callbacks into a caller's code must run outside of it.
package struct Computing {
  private let before: UInt64

  /// Saves the thread's mode and sets this one. May be nested, at almost no cost.
  @inline(__always)
  package init() { before = lstmk_begin_computing() }

  /// Restores the thread's floating-point mode.
  @inline(__always)
  package func end() { lstmk_end_computing(before) }
}
