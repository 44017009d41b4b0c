import FileIO

/// A tensor of the file under its dotted name, after prefix and rules.
struct Candidate {
  /// Dotted, rewritten.
  let name: String
  let tensor: StoredTensor
  /// What its layout did to it: `transposed`, `gates i o f c put in order`.
  var how: String?
  var shape: [Int] { tensor.shape }
}

/// A tensor that has no place in the model.
struct LeftOver {
  let candidate: Candidate
  let reason: Message
  /// Nothing is lost by it: it need not be allowed.
  var isHarmless = false
  var kind = TensorKind.unknown

  /// What leaving it out does to the output.
  var effect: OmissionEffect { isHarmless ? .none : kind.effect }
}

extension LoadOptions {
  /// The globs that allow a tensor to be left out.
  func globsAllowing(_ candidate: Candidate) -> [String] {
    allowedUnexpected.filter { matches(candidate.name, glob: $0) || matches(candidate.tensor.name, glob: $0) }
  }
}

extension Candidate {
  /// Whether it can be the weight of a dense layer or an embedding, of a size that a model may have.
  var isLinearWeight: Bool {
    shape.count == 2 && shape.allSatisfy { 1...PlainStack.sizeLimit ~= $0 }
      && (name == "weight" || name.hasSuffix(".weight"))
  }

  /// Whether it is one value under a name that no layer's parameter has: a counter, or what a loss has learned.
  var isLoneNumber: Bool {
    (shape.isEmpty || shape == [1]) && !["weight", "bias"].contains(name.split(separator: ".").last)
      && PyTorchName(name) == nil
  }

  /// The name of the bias that goes with a weight.
  var siblingBias: String { name.dropLast(6) + "bias" }
}
