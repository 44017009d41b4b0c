import Foundation

/// xoshiro256** (Blackman and Vigna), seeded through SplitMix64: small, fast and the same everywhere.
public struct RandomNumbers: RandomNumberGenerator, Sendable, Equatable {
  /// The generator's four words.
  public private(set) var state: (UInt64, UInt64, UInt64, UInt64)

  /// Continues from a saved state.
  public init(state: (UInt64, UInt64, UInt64, UInt64)) { self.state = state }

  /// Seeds the four words by SplitMix64.
  public init(seed: UInt64) {
    var seed = seed
    func next() -> UInt64 {
      seed &+= 0x9e37_79b9_7f4a_7c15
      var z = seed
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
    state = (next(), next(), next(), next())
  }

  /// A separate stream for each name, so that what is drawn for one does not depend on what others draw.
  public init(seed: UInt64, name: String) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    self.init(seed: seed ^ hash)
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
    let result = rotate(state.1 &* 5, 7) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = rotate(state.3, 45)
    return result
  }

  public static func == (a: Self, b: Self) -> Bool { a.state == b.state }

  /// Uniform in [0, 1), 24 bits.
  public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Uniform in [-bound, bound).
  public mutating func uniform(_ bound: Float) -> Float { (2 * uniform() - 1) * bound }

  /// Standard normal (Box-Muller, one of the pair).
  public mutating func normal() -> Float {
    let radius = (-2 * log(1 - Double(next() >> 11) * 0x1p-53)).squareRoot()
    return Float(radius * cos(2 * .pi * Double(next() >> 11) * 0x1p-53))
  }
}
