import LSTMCheckpoints

/// A linear-chain conditional random field: (R, K) -> (R, K), the scores of tags as they are.
///
/// The scores of neighboring tags come in where whole sequences are looked at: in the loss, which leaves their gradient
/// here, and in the search for the best tags.
final class CRFLayer: NetworkLayer {
  let transitions: Int
  let ends: (start: Int, end: Int)?
  /// What the loss leaves: dL/d transitions (K, K) and, with ends, dL/d start and dL/d end (K each).
  private let chainGradient = FloatBuffer()
  /// Whether it did, for the last pass.
  private var hasChainGradient = false

  init(_ context: LayerContext) {
    guard let transitions = context.slot("transitions") else { fatalError("a CRF without transitions") }
    self.transitions = transitions
    if let start = context.slot("start_transitions"), let end = context.slot("end_transitions") {
      ends = (start, end)
    } else {
      ends = nil
    }
    super.init(context)
  }

  var chain: TagChain {
    TagChain(
      size: width, transitions: weights.pointer(transitions), start: ends.map { .init(weights.pointer($0.start)) },
      end: ends.map { .init(weights.pointer($0.end)) })
  }

  /// Memory for the gradient of the chain, which the next backward pass adds to its parameters'.
  func makeChainGradient() -> TagChain.Gradient {
    chainGradient.reserve(width * (width + 2))
    hasChainGradient = true
    let base = chainGradient.pointer
    return TagChain.Gradient(
      transitions: base, start: ends.map { _ in base + width * width },
      end: ends.map { _ in base + width * (width + 1) })
  }

  override func forward(_ pass: LayerPass) {
    output = rows()
    hasChainGradient = false
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if hasChainGradient {
      add(chainGradient.pointer, count: width * width, to: transitions, pass)
      if let ends {
        add(chainGradient.pointer + width * width, count: width, to: ends.start, pass)
        add(chainGradient.pointer + width * (width + 1), count: width, to: ends.end, pass)
      }
    }
    sources[0].addGradient(gradient)
  }

  private func add(_ gradient: UnsafePointer<Float>, count: Int, to slot: Int, _ pass: GradientPass) {
    guard pass.trainable[slot] else { return }
    let sum = pass.gradients.pointer(slot)
    for at in 0..<count { sum[at] += gradient[at] }
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}
