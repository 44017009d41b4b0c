import Foundation

/// A thread that runs one closure (`pthread_create`).
package struct WorkerThread {
  private let thread: pthread_t

  /// Starts the thread; nil when the system cannot create one.
  package init?(_ body: @escaping @Sendable () -> Void) {
    final class Box {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body))
    #if canImport(Darwin)
      var started: pthread_t?
      let result = pthread_create(
        &started, nil,
        {
          Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body(); return nil
        }, box.toOpaque())
    #else
      var started = pthread_t()
      let result = pthread_create(
        &started, nil,
        {
          if let context = $0 { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
          return nil
        }, box.toOpaque())
    #endif
    guard result == 0 else {
      box.release()
      return nil
    }
    #if canImport(Darwin)
      guard let started else { return nil }
    #endif
    thread = started
  }

  /// Waits until the thread has finished; call it once (`pthread_join`).
  package func join() { pthread_join(thread, nil) }

  /// Lets the thread finish on its own (`pthread_detach`).
  package func detach() { pthread_detach(thread) }
}

/// A value guarded by a mutex, with a condition to wait for.
package final class Monitor<Value>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value

  package init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    condition = .allocate(capacity: 1)
    condition.initialize(to: pthread_cond_t())
    guard pthread_mutex_init(mutex, nil) == 0, pthread_cond_init(condition, nil) == 0 else {
      fatalError("a mutex could not be created")
    }
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Calls `body` with the locked value, then wakes all waiting threads.
  package func update<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
    return body(&value)
  }

  /// Waits until `body`, called with the locked value, returns something other than nil.
  package func wait<Result>(for body: (inout Value) -> Result?) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value) { return result }
      pthread_cond_wait(condition, mutex)
    }
  }
}

/// Work on its own thread. Where the system cannot create a thread, it is done at once by the caller.
package final class BackgroundTask<Value: Sendable>: Sendable {
  private let result = Monitor<Value?>(nil)

  package init(_ body: @escaping @Sendable () -> Value) {
    let result = result
    let work: @Sendable () -> Void = {
      let value = body()
      result.update { $0 = value }
    }
    if let thread = WorkerThread(work) { thread.detach() } else { work() }
  }

  /// Waits for the result.
  package func value() -> Value { result.wait { $0 } }
}

/// The number of processors online.
package let processorCount = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
