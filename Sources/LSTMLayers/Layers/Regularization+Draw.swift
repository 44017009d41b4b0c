extension Regularization {
  /// The regularization of one training pass with its random numbers, which depend only on the seed and the step: a
  /// resumed run uses the same masks. Threads, kernels and the lengths of other sequences do not affect a mask.
  public struct Draw: Sendable {
    /// The probabilities and penalties.
    public let regularization: Regularization
    /// The run's seed.
    public let seed: UInt64
    /// The step, unique within the run.
    public let step: UInt64

    /// - Parameters:
    ///   - seed: the run's seed.
    ///   - step: the step, unique within the run.
    public init(_ regularization: Regularization, seed: UInt64, step: Int) {
      self.regularization = regularization
      self.seed = seed
      self.step = UInt64(bitPattern: Int64(step))
    }

    /// The use of a mask.
    enum Purpose: UInt64 {
      /// (N, width) at a place in the network: one stream per sequence.
      case locked = 1
      /// (N, T, width) at a place in the network: one stream per sequence.
      case elements
      /// (V)
      case embedding
      /// (G, S) of a direction: one stream per row.
      case weight
      /// (N, T, width) or (N, width) of a dropout layer: one stream per sequence.
      case layer
    }

    /// The random numbers for one row of a mask, which any thread may draw.
    func stream(_ purpose: Purpose, _ place: Int, _ row: Int) -> MaskStream {
      var hash = seed
      hash = Self.mix(hash, step)
      hash = Self.mix(hash, purpose.rawValue << 32 | UInt64(place))
      hash = Self.mix(hash, UInt64(row))
      return MaskStream(random: RandomNumbers(seed: hash))
    }

    /// A step of SplitMix64.
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
      var z = hash &+ word &+ 0x9e37_79b9_7f4a_7c15
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }
}

/// Generates a mask's factors in order: 0 with probability p, and 1 / (1 - p) otherwise.
struct MaskStream {
  var random: RandomNumbers

  /// Each random number gives two factors, the first from its high half.
  mutating func fill(_ factors: UnsafeMutablePointer<Float>, count: Int, dropping probability: Float) {
    let threshold = UInt64(Double(probability) * 0x1p32)
    let kept = Float(1 / (1 - Double(probability)))
    for j in stride(from: 0, to: count, by: 2) {
      let bits = random.next()
      factors[j] = bits >> 32 < threshold ? 0 : kept
      if j + 1 < count { factors[j + 1] = bits & 0xffff_ffff < threshold ? 0 : kept }
    }
  }
}
