import LSTMCheckpoints

/// One layer of a network at run time: its buffers, forward beside backward. A kind of layer is a subclass in a file of
/// its own, and a line in `LayerContext.makeLayer`.
///
/// Legend: R rows, one for each step of each sequence, or one for each sequence (B); W values in a row.
///
/// A forward pass calls `forward` once, in the order of the layers. A backward pass then calls `backward` in reverse, for
/// the layers whose value depends on something that trains. Passes do not allocate for a batch no larger than an
/// earlier one.
class NetworkLayer {
  final let name: String
  /// What it reads, in order.
  final let sources: [NetworkLayer]
  /// What it gives.
  final let value: LayerValue
  /// Which steps its rows stand for.
  final let shape: RowShape
  final let weights: ParameterStore
  final let kernels: Kernels
  /// Its parameters' slots in `weights`.
  final let parameters: [Int]

  /// What the layer gives, (R, W), valid until the next pass.
  final var output: UnsafeMutablePointer<Float>
  /// The usual memory of `output`.
  final let buffer = FloatBuffer()
  /// Dropout of the output, the same for everything that reads it.
  final let mask = DropoutMask()
  /// Whether this pass keeps what `backward` needs.
  final var keepsActivations = true
  /// Whether nothing that trains stands below it, so that its output is the same in every epoch: no dropout acts on what
  /// it reads.
  final var isSettled = false
  /// Whether to give what goes into the last activation, for a loss that includes it.
  final var givesLogits = false

  // Backward only.
  /// Whether the value depends on something that trains, or its gradient was asked for.
  final var wantsGradient = false
  /// Whether `gradient` holds the sum of what the layers above gave so far.
  final var hasGradient = false
  /// dL/d output (R, W).
  final var gradient: UnsafeMutablePointer<Float>
  final let gradientBuffer = FloatBuffer()

  /// - Parameter shape: the steps of its rows; those of what it reads when nil.
  init(_ context: LayerContext, shape: RowShape? = nil) {
    name = context.layer.name
    sources = context.sources
    value = context.value
    self.shape = shape ?? (context.sources.first { $0.value.isPerStep } ?? context.sources[0]).shape
    weights = context.weights
    kernels = context.kernels
    parameters = context.slots
    output = buffer.pointer
    gradient = gradientBuffer.pointer
  }

  /// A layer that reads no other.
  init(input name: String, value: LayerValue, shape: RowShape, weights: ParameterStore, kernels: Kernels) {
    (self.name, self.value, self.shape) = (name, value, shape)
    (self.weights, self.kernels) = (weights, kernels)
    (sources, parameters) = ([], [])
    output = buffer.pointer
    gradient = gradientBuffer.pointer
  }

  /// W
  final var width: Int { value.width }
  /// R
  final var rowCount: Int { value.isPerStep ? shape.packed.rows : shape.packed.count }
  /// The output after dropout.
  final var outputRead: UnsafeMutablePointer<Float> { mask.isOn ? mask.rows.pointer : output }

  // MARK: - For subclasses

  /// What it reads: the rows of its `index`-th source, after dropout.
  final func rows(_ index: Int = 0) -> UnsafeMutablePointer<Float> {
    isSettled ? sources[index].output : sources[index].outputRead
  }

  /// Memory for the output, whose pointer is set.
  @discardableResult
  final func makeOutput() -> UnsafeMutablePointer<Float> {
    buffer.reserve(rowCount * width)
    output = buffer.pointer
    return output
  }

  /// Where the gradient of a source belongs; nil where none is wanted. May be asked for once a pass and source.
  final func sink(_ index: Int = 0) -> GradientSink? {
    let source = sources[index]
    return source.wantsGradient ? source.takeSink() : nil
  }

  final func takeSink() -> GradientSink {
    let accumulates = hasGradient
    if !accumulates {
      gradientBuffer.reserve(rowCount * width)
      gradient = gradientBuffer.pointer
      hasGradient = true
    }
    return GradientSink(rows: gradient, accumulates: accumulates)
  }

  /// Whether the shapes of a batch fit; the shapes are set.
  func checkShape() throws(ShapeError) {}
  /// Computes `output` from what it reads.
  func forward(_ pass: LayerPass) { fatalError("\(type(of: self)) has no forward pass") }
  /// Adds the gradients of its parameters and of what it reads.
  /// - Parameter gradient: dL/d output (R, W), which may be overwritten.
  func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    fatalError("\(type(of: self)) has no backward pass")
  }
  /// Some of its parameters have changed.
  func weightsChanged() {}

  // MARK: - Single steps

  /// Why it cannot run step by step; nil when it can.
  var streamObstacle: String? { "\(name), which needs the whole sequence" }
  /// Floats that it carries from step to step, zero at the start unless `startState` says otherwise.
  var stateCount: Int { 0 }
  /// Floats that a step needs besides.
  var scratchCount: Int { 0 }
  /// Packs the weights for single steps.
  func prepareToStep() {}
  /// Writes the state before the first step, of zeros.
  func startState(_ state: UnsafeMutablePointer<Float>) {}
  /// Computes one row of output. The layer itself does not change.
  func step(_ step: LayerStep) { fatalError("\(type(of: self)) cannot run step by step") }
}

/// What a forward pass asks of every layer.
struct LayerPass {
  /// Whether layers behave as in training: batch statistics, where the layer's own are trained, and dropout.
  var isTraining = false
  /// For each parameter whether training moves it; nil outside of training.
  var trainable: [Bool]?
  /// The random numbers of dropout; nil for none.
  var draw: Regularization.Draw?
}

/// What a backward pass computes for.
struct GradientPass {
  /// The gradients of the trainable parameters are added to these.
  let gradients: ParameterStore
  /// For each parameter.
  let trainable: [Bool]
  /// Whether gradients of initial states are wanted.
  let wantsState: Bool
}

/// Where a layer's gradient belongs.
struct GradientSink {
  /// (R, W)
  let rows: UnsafeMutablePointer<Float>
  /// Whether the rows already hold the gradient of other uses, to be added to.
  let accumulates: Bool

  /// Adds rows, or writes them where they are the first.
  func add(_ x: UnsafePointer<Float>, count: Int) {
    if accumulates { for at in 0..<count { rows[at] += x[at] } } else { rows.update(from: x, count: count) }
  }

  /// Sets rows to zero where they are the first, for a layer that adds to some of them.
  func clear(count: Int) { if !accumulates { rows.update(repeating: 0, count: count) } }
}

/// Memory for one step of one layer.
struct LayerStep {
  /// The row of each source.
  let inputs: UnsafePointer<UnsafePointer<Float>>
  /// Receives the layer's row (W).
  let output: UnsafeMutablePointer<Float>
  /// What it carries from step to step (`stateCount`).
  let state: UnsafeMutablePointer<Float>
  /// (`scratchCount`)
  let scratch: UnsafeMutablePointer<Float>
  /// The token of the step, for an embedding; -1 for features.
  let token: Int
}

/// The steps that rows stand for, shared by all values of one clock.
final class RowShape {
  fileprivate(set) var packed = PackedShape()
  private let source: RowShape?
  /// Of a shape that is made of another: the number of steps for the other's.
  private let length: (Int) -> Int
  /// Steps of every sequence, of a further input that has a number of its own; nil for what `length` gives.
  var ownSteps: Int?
  /// Whether it has every step, those that a mask hides included.
  private(set) var isOfEveryStep = false
  /// Of the first input: the shape of every step, those that a mask hides included, where a layer gives it.
  private(set) var everyStep: RowShape?
  /// (N, T): the visible steps of each sequence in order, then -1; of the shape of every step.
  let visible = AlignedBuffer<Int32>()

  /// The shape of an input.
  init() { (source, length) = (nil, { $0 }) }

  /// The shape behind a layer that changes the number of steps.
  /// - Parameter length: must not give more steps for fewer.
  init(after source: RowShape, length: @escaping (Int) -> Int) {
    self.source = source
    self.length = length
  }

  /// Whether it is made of another.
  var isDerived: Bool { source != nil }

  /// The shape of every step of this one's sequences.
  func makeEveryStep() -> RowShape {
    if let everyStep { return everyStep }
    let made = RowShape(after: self) { $0 }
    made.isOfEveryStep = true
    everyStep = made
    return made
  }

  /// The shape without the steps that a mask hides.
  var visibleOnly: RowShape { source ?? self }

  /// Visits the rows of steps that no mask hides, of the shape of every step.
  func forEachVisibleRow(_ body: (Int) -> Void) {
    for b in 0..<packed.count {
      let places = visible.pointer + packed.order[b] * packed.steps
      for place in 0..<packed.steps where places[place] >= 0 { body(packed.offsets[Int(places[place])] + b) }
    }
  }

  /// Of the shape of every step, what a batch's mask hides; a step beyond a sequence's end is hidden, too.
  func setHidden(_ batch: SequenceRows) {
    ownSteps = batch.steps
    visible.reserve(batch.count * batch.steps)
    for sequence in 0..<batch.count {
      let places = visible.pointer + sequence * batch.steps
      if let hidden = batch.hidden {
        hidden.copyPlaces(batch.hiddenPlaces?[sequence] ?? sequence, to: places)
      } else {
        let length = batch.lengths?[sequence] ?? batch.steps
        for step in 0..<batch.steps { places[step] = step < length ? Int32(step) : -1 }
      }
    }
  }

  func update(count: Int, steps: Int, lengths: UnsafePointer<Int>?) {
    packed.update(count: count, steps: steps, lengths: lengths)
  }

  /// After its source was updated.
  /// - Returns: false when a sequence has no steps left.
  func update() -> Bool {
    guard let source else { return true }
    if let ownSteps { return packed.update(like: source.packed) { _ in ownSteps } }
    return packed.update(like: source.packed, length: length)
  }

  /// Steps here of a sequence of so many steps of the input.
  func steps(_ inputSteps: Int) -> Int { ownSteps ?? source.map { length($0.steps(inputSteps)) } ?? inputSteps }
}

/// A layer about to be made.
struct LayerContext {
  let layer: Layer
  /// What it reads and gives.
  let inputs: [LayerValue]
  let value: LayerValue
  let sources: [NetworkLayer]
  /// The layers before it, by name.
  let earlier: [String: NetworkLayer]
  let weights: ParameterStore
  let kernels: Kernels
  /// The columns of its first source whose final step is the first.
  let reversedColumns: [Range<Int>]
  /// The token that the model's mask hides; nil for none.
  var maskedToken: Int?

  /// The slot of a parameter; nil when the layer has none of that name.
  func slot(_ name: String, isReverse: Bool = false) -> Int? {
    weights.index(of: layer.parameterName(name, isReverse: isReverse))
  }

  /// All of its parameters.
  var slots: [Int] {
    layer.kind.parameters(inputs).compactMap { slot($0.name, isReverse: $0.isReverse) }
  }
}
