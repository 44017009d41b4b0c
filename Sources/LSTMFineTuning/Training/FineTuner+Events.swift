import FileIO
import LSTMCheckpoints
import LSTMLayers

extension FineTuner {
  /// A run as a sequence of what happens in it: `fit`, for code that awaits.
  ///
  ///     for try await event in tuner.events(model, data, validation: held) {
  ///       switch event {
  ///       case .epoch(let epoch): print(epoch.number, epoch.trainingLoss)
  ///       case .end(let run): try run.best.write(path: "finetuned.h5", as: .pytorchHDF5)
  ///       default: break
  ///       }
  ///     }
  ///
  /// The events and their bits are those that `fit` hands to its closure; what it throws is thrown by the iteration, the
  /// first time already when data or options do not fit. See ``Events`` for their order and for how a run is ended.
  public func events(
    _ model: LSTMModel, _ data: some ExamplesConvertible, validation: (any ExamplesConvertible)? = nil,
    targetScaler: Scaler? = nil, kernels: Kernels = .best, resuming point: ResumePoint? = nil
  ) -> Events {
    events { tuner, receive in
      _ = try tuner.fit(
        model, data, validation: validation, targetScaler: targetScaler, kernels: kernels, resuming: point,
        events: receive)
    }
  }

  func events(
    _ fit: @escaping @Sendable (FineTuner, _ receive: (Event) throws -> Void) throws -> Void
  ) -> Events {
    Events { [self] isOver, receive in
      var tuner = self
      let asked = shouldStop
      tuner.shouldStop = { isOver() || asked() }
      try fit(tuner, receive)
    }
  }

  /// The events of a run, in this order:
  ///
  /// 1. ``Event/cache(_:)``, where something is worth keeping;
  /// 2. ``Event/start(_:)``, ``Event/sample(_:epoch:)`` with `sampling`, and ``Event/weights(_:_:isBest:)`` of the
  ///    pretrained model; not when the run is resumed;
  /// 3. in every epoch its ``Event/step(_:)``s, with `saveInterval` weights
  ///    among them; then ``Event/epoch(_:)``, ``Event/sample(_:epoch:)`` and ``Event/weights(_:_:isBest:)``;
  /// 4. ``Event/end(_:)``, once and last.
  ///
  /// Each iteration is a run of its own. It begins with the first call of `next`, on a thread of its own: not on one of
  /// Swift's, which must not be held for long. The thread waits while an event is ready that was not taken, so that models
  /// do not pile up: a run is at most two events ahead of its consumer.
  ///
  /// - Cancelling the task that iterates interrupts the run like `shouldStop`: its step is finished, the weights and the
  ///   state after it and an end with ``Ending/interrupted`` are still handed over, so that nothing is lost. When it was
  ///   cancelled before the run began, `next` throws `CancellationError`.
  /// - Leaving the loop (`break`, an error) drops the iterator. The run then ends after the step it is in, and what it
  ///   had to report is dropped, too.
  public struct Events: AsyncSequence, Sendable {
    /// What the sequence consists of.
    public typealias Element = Event

    typealias Work =
      @Sendable (
        _ isOver: @escaping @Sendable () -> Bool, _ receive: (Event) throws -> Void
      ) throws -> Void

    private let work: Work

    init(_ work: @escaping Work) { self.work = work }

    /// A run of its own, which begins with the first call of `next`.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(work) }

    /// Goes through the events of one run.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let consumer: Consumer

      fileprivate init(_ work: @escaping Work) { consumer = Consumer(work) }

      /// The next event; nil after the last.
      /// - Throws: what `fit` throws; `CancellationError` when the task was canceled before the run began.
      public mutating func next() async throws -> Event? { try await consumer.next() }
    }
  }

  /// The consumer's end. The thread holds no reference to it, so that it is released with the last iterator.
  private final class Consumer {
    private let handover = EventHandover()
    private var work: Events.Work?

    init(_ work: @escaping Events.Work) { self.work = work }

    deinit { handover.abandon() }

    func next() async throws -> Event? {
      if let work = work.take() { start(work) }
      return try await handover.next()
    }

    private func start(_ work: @escaping Events.Work) {
      if Task.isCancelled { return handover.finish(CancellationError()) }
      let handover = handover
      let thread = WorkerThread {
        do {
          try work({ handover.isOver }, { try handover.send($0) })
          handover.finish(nil)
        } catch {
          handover.finish(error)
        }
      }
      if let thread { thread.detach() } else { handover.finish(FineTuningError.noThread) }
    }
  }
}

/// One place through which events go from a thread that may wait to a task that must not.
private final class EventHandover: Sendable {
  private struct State {
    /// Done, and not taken yet.
    var event: FineTuner.Event?
    /// The consumer that waits for the next event; only while there is none.
    var waiting: CheckedContinuation<FineTuner.Event?, any Error>?
    var isCancelled = false
    var isAbandoned = false
    var isFinished = false
    /// What the run ended with, until it was thrown.
    var failure: (any Error)?
  }

  private struct Abandoned: Error {}

  private let state = Monitor(State())

  // MARK: - The thread's side

  /// Whether the run is to end after its step.
  var isOver: Bool { state.update { $0.isCancelled || $0.isAbandoned } }

  /// Waits until the event before this one was taken.
  /// - Throws: when the consumer is gone.
  func send(_ event: FineTuner.Event) throws {
    let waiting = try state.wait { state -> Result<CheckedContinuation<FineTuner.Event?, any Error>?, any Error>? in
      if state.isAbandoned { return .failure(Abandoned()) }
      if state.event != nil { return nil }
      if let waiting = state.waiting.take() { return .success(waiting) }
      state.event = event
      return .success(nil)
    }.get()
    waiting?.resume(returning: event)
  }

  func finish(_ failure: (any Error)?) {
    let waiting = state.update { state in
      state.isFinished = true
      state.failure = failure
      let waiting = state.waiting.take()
      if waiting != nil { state.failure = nil }
      return waiting
    }
    if let failure { waiting?.resume(throwing: failure) } else { waiting?.resume(returning: nil) }
  }

  // MARK: - The task's side

  func next() async throws -> FineTuner.Event? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let ready = state.update { state -> Result<FineTuner.Event?, any Error>? in
          if let event = state.event.take() { return .success(event) }
          if let failure = state.failure.take() { return .failure(failure) }
          if state.isFinished { return .success(nil) }
          state.waiting = continuation
          return nil
        }
        if let ready { continuation.resume(with: ready) }
      }
    } onCancel: {
      state.update { $0.isCancelled = true }
    }
  }

  func abandon() { state.update { $0.isAbandoned = true } }
}
