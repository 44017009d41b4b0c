import Testing

@testable import LSTMCheckpoints

@Suite struct HalfTests {
  @Test func everyHalfIsExact() {
    for bits in UInt16.min ... .max {
      let value = float(half: bits)
      let exponent = Int(bits >> 10 & 31)
      let fraction = Double(bits & 1023)
      if exponent == 31 {
        if fraction == 0 ? !value.isInfinite : !value.isNaN { Issue.record("half \(bits) became \(value)") }
        continue
      }
      let magnitude =
        exponent == 0
        ? fraction / 1024 * 0x1p-14
        : (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
      if Double(value.magnitude) != magnitude || (value.sign == .minus) != (bits >> 15 == 1) {
        Issue.record("half \(bits) became \(value)")
      }
    }
  }

  @Test func everyHalfComesBack() {
    for bits in UInt16.min ... .max {
      let value = float(half: bits)
      // A signalling NaN may come back quiet; it stays a NaN.
      let again = halfBits(value)
      if value.isNaN ? !float(half: again).isNaN : again != bits { Issue.record("half \(bits) came back as \(again)") }
    }
  }

  /// Between two neighboring halves the nearer wins, and half-way the even one.
  @Test func roundsToNearestTiesToEven() {
    for bits in UInt16(0)..<0x7bff {
      let (low, high) = (Double(float(half: bits)), Double(float(half: bits + 1)))
      let middle = Float((low + high) / 2)
      let even = bits & 1 == 0 ? bits : bits + 1
      if halfBits(middle) != even { Issue.record("the middle above half \(bits) became \(halfBits(middle))") }
      if halfBits(middle.nextDown) != bits { Issue.record("below the middle above half \(bits)") }
      if halfBits(middle.nextUp) != bits + 1 { Issue.record("above the middle above half \(bits)") }
      if halfBits(-middle) != even | 0x8000 { Issue.record("the middle below half -\(bits)") }
    }
  }

  @Test(
    arguments: [
      (0, 0x0000), (-0.0, 0x8000), (1, 0x3c00), (-2, 0xc000), (65504, 0x7bff), (65519.996, 0x7bff), (65520, 0x7c00),
      (1e30, 0x7c00), (-.infinity, 0xfc00), (0x1p-24, 0x0001), (0x1p-25, 0x0000), (0x1.000002p-25, 0x0001),
      (0.1, 0x2e66), (1 / 3, 0x3555), (1e-30, 0x0000),
    ] as [(Float, UInt16)])
  func knownValues(_ value: Float, _ bits: UInt16) { #expect(halfBits(value) == bits) }

  @Test func nanStaysNaN() {
    #expect(float(half: halfBits(.nan)).isNaN)
    #expect(float(half: halfBits(Float(bitPattern: 0x7f80_0001))).isNaN)
  }
}

@Suite struct BfloatTests {
  private static func float(bfloat bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  @Test func everyBfloatComesBack() {
    for bits in UInt16.min ... .max {
      let value = Self.float(bfloat: bits)
      let again = bfloatBits(value)
      if value.isNaN ? !Self.float(bfloat: again).isNaN : again != bits { Issue.record("bfloat \(bits): \(again)") }
    }
  }

  @Test func roundsToNearestTiesToEven() {
    for bits in UInt16(0)..<0x7f7f {
      let middle = Float(bitPattern: UInt32(bits) << 16 | 0x8000)
      let even = bits & 1 == 0 ? bits : bits + 1
      if bfloatBits(middle) != even { Issue.record("the middle above bfloat \(bits)") }
      if bfloatBits(middle.nextDown) != bits { Issue.record("below the middle above bfloat \(bits)") }
      if bfloatBits(middle.nextUp) != bits + 1 { Issue.record("above the middle above bfloat \(bits)") }
    }
    #expect(bfloatBits(.greatestFiniteMagnitude) == 0x7f80)
    #expect(bfloatBits(-.infinity) == 0xff80)
    #expect(bfloatBits(1) == 0x3f80)
  }

  @Test func aNaNThatWouldRoundToInfinityStaysOne() {
    #expect(Self.float(bfloat: bfloatBits(Float(bitPattern: 0x7f80_0001))).isNaN)
    #expect(Self.float(bfloat: bfloatBits(Float(bitPattern: 0xffff_ffff))).isNaN)
  }
}
