import CHDF5

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A recursive mutex: reading a dataset inside a walk takes the library's lock a second time.
final class RecursiveMutex: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    guard pthread_mutex_init(mutex, &attributes) == 0 else { fatalError("a mutex could not be made") }
    pthread_mutexattr_destroy(&attributes)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func locked<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}

/// A value behind a lock.
final class Locked<Value: Sendable>: @unchecked Sendable {
  private let mutex = RecursiveMutex()
  private var stored: Value

  init(_ value: Value) { stored = value }

  var value: Value { mutex.locked { stored } }

  func exchange(_ new: Value) -> Value {
    mutex.locked {
      let old = stored
      stored = new
      return old
    }
  }
}

/// The process's one libhdf5. It keeps global state and is often built without thread safety, so that every
/// call into it is made under one lock; byte work (reading, inflating) is done outside.
enum Library {
  private static let mutex = RecursiveMutex()

  /// The first calls: `H5dont_atexit` (an exit handler that closes files would race with threads that still
  /// read), `H5open`, and `H5PLset_loading_state(0)` (a file must not make us load a filter's plugin).
  private static let started: Bool = {
    _ = H5dont_atexit()
    let opened = H5open() >= 0
    _ = H5PLset_loading_state(0)
    return opened
  }()

  static func locked<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mutex.locked { () throws(Failure) -> Result in
      guard started else { fatalError("the HDF5 library could not start") }
      // Errors are thrown, never printed; the setting belongs to the thread.
      _ = chdf5_silence()
      return try body()
    }
  }

  /// `H5Eget_current_stack` and `H5Ewalk2`: the frames of the last failure, innermost first.
  static func takeErrorStack() -> [String] {
    let stack = H5Eget_current_stack()
    guard stack >= 0 else { return [] }
    defer { H5Eclose_stack(stack) }
    var frames: [String] = []
    withUnsafeMutablePointer(to: &frames) { pointer in
      _ = H5Ewalk2(
        stack, H5E_WALK_UPWARD,
        { _, frame, context in
          guard let frame, let context else { return 0 }
          let function = frame.pointee.func_name.map { String(cString: $0) } ?? "?"
          let text = frame.pointee.desc.map { String(cString: $0) } ?? "?"
          context.assumingMemoryBound(to: [String].self).pointee.append("\(function): \(text)")
          return 0
        }, pointer)
    }
    return frames
  }
}

/// How the ids of one kind are closed.
protocol HandleKind {
  static func close(_ id: hid_t) -> herr_t
}

enum ObjectKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Oclose(id) } }
enum FileKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Fclose(id) } }
enum DataspaceKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Sclose(id) } }
enum DatatypeKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Tclose(id) } }
enum AttributeKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Aclose(id) } }
enum PropertyListKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Pclose(id) } }

/// Owns a valid id and closes it, once. An id that was never valid is never closed.
struct Handle<Kind: HandleKind>: ~Copyable {
  let id: hid_t

  fileprivate init(owning id: hid_t) { self.id = id }

  /// Gives the id up to a caller who closes it and looks at the result.
  consuming func release() -> hid_t {
    let id = id
    discard self
    return id
  }

  deinit {
    let id = id
    Library.locked { _ = Kind.close(id) }
  }
}

/// The funnel: every C result passes here, and a negative one becomes an ``HDF5Error`` that names the object.
struct Call {
  let file: String
  let object: String?

  func error(_ kind: HDF5Error.Kind, _ message: String, stack: [String] = []) -> HDF5Error {
    HDF5Error(kind, file: file, object: object, message: message, libraryStack: stack)
  }

  /// The form for reading, where a failure means a damaged file.
  @discardableResult
  func check<Result: SignedInteger>(
    _ result: Result, _ message: @autoclosure () -> String
  ) throws(HDF5Error) -> Result {
    try check(result, .corrupt, message())
  }

  @discardableResult
  func check<Result: SignedInteger>(
    _ result: Result, _ kind: HDF5Error.Kind, _ message: @autoclosure () -> String
  ) throws(HDF5Error) -> Result {
    if result >= 0 { return result }
    let stack = Library.takeErrorStack()
    throw error(kind, message() + (stack.first.map { " (HDF5: \($0))" } ?? ""), stack: stack)
  }

  func handle<Kind: HandleKind>(
    _ type: Kind.Type, _ id: hid_t, _ message: @autoclosure () -> String
  ) throws(HDF5Error) -> Handle<Kind> {
    Handle(owning: try check(id, .corrupt, message()))
  }

  func handle<Kind: HandleKind>(
    _ type: Kind.Type, _ id: hid_t, _ kind: HDF5Error.Kind, _ message: @autoclosure () -> String
  ) throws(HDF5Error) -> Handle<Kind> {
    Handle(owning: try check(id, kind, message()))
  }
}
