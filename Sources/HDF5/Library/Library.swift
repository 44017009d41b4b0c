#if HDF5Writing
  import CHDF5
  import Foundation

  /// A recursive mutex: closing a handle while the library's lock is held takes the lock again.
  final class RecursiveMutex: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
      mutex = .allocate(capacity: 1)
      mutex.initialize(to: pthread_mutex_t())
      var attributes = pthread_mutexattr_t()
      pthread_mutexattr_init(&attributes)
      pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
      guard pthread_mutex_init(mutex, &attributes) == 0 else { fatalError("a mutex could not be created") }
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

  /// libhdf5, which only writes. It has global state and is often built without thread safety, so every call into it is
  /// made under one lock.
  enum Library {
    private static let mutex = RecursiveMutex()

    /// The first calls: `H5dont_atexit` (an exit handler that closes files would race with threads that are still
    /// reading), `H5open`, and `H5PLset_loading_state(0)` (a file must not cause a filter plugin to be loaded).
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
        // Errors are thrown, never printed. The setting is per thread.
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

  /// A kind of HDF5 id, and how it is closed.
  protocol HandleKind {
    static func close(_ id: hid_t) -> herr_t
  }

  enum ObjectKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Oclose(id) } }
  enum FileKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Fclose(id) } }
  enum DataspaceKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Sclose(id) } }
  enum DatatypeKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Tclose(id) } }
  enum AttributeKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Aclose(id) } }
  enum PropertyListKind: HandleKind { static func close(_ id: hid_t) -> herr_t { H5Pclose(id) } }

  /// Owns a valid id and closes it once.
  struct Handle<Kind: HandleKind>: ~Copyable {
    let id: hid_t

    fileprivate init(owning id: hid_t) { self.id = id }

    /// Hands the id over to a caller that closes it and checks the result.
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

  extension Call {
    /// Checks the result of a C call: a negative one becomes an ``HDF5Error`` that names the object.
    @discardableResult
    func check<Result: SignedInteger>(
      _ result: Result, _ message: @autoclosure () -> String, _ kind: HDF5Error.Kind
    ) throws(HDF5Error) -> Result {
      if result >= 0 { return result }
      let stack = Library.takeErrorStack()
      throw error(kind, message() + (stack.first.map { " (HDF5: \($0))" } ?? ""), stack: stack)
    }

    func handle<Kind: HandleKind>(
      _ type: Kind.Type, _ id: hid_t, _ message: @autoclosure () -> String, _ kind: HDF5Error.Kind
    ) throws(HDF5Error) -> Handle<Kind> {
      Handle(owning: try check(id, message(), kind))
    }
  }
#endif
