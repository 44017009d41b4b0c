import Foundation

/// The random number generator xoshiro256** (Blackman and Vigna 2018), seeded by SplitMix64. It gives the same numbers on
/// every machine.
public struct RandomNumbers: RandomNumberGenerator, Sendable, Equatable {
  /// The generator's state.
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

  /// A separate stream for each name, so that the numbers for one name do not depend on those drawn for others.
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

  /// Whether both give the same numbers from here on.
  public static func == (a: Self, b: Self) -> Bool { a.state == b.state }

  /// A uniform number in [0, 1), with 24 random bits.
  public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// A uniform number in [-bound, bound).
  public mutating func uniform(_ bound: Float) -> Float { (2 * uniform() - 1) * bound }

  /// A standard normal number (Box and Muller 1958; the second of each pair is not used).
  public mutating func normal() -> Float {
    let radius = (-2 * log(1 - Double(next() >> 11) * 0x1p-53)).squareRoot()
    return Float(radius * cos(2 * .pi * Double(next() >> 11) * 0x1p-53))
  }
}
