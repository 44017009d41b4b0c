/// Sign, exponent and mantissa of a floating-point type.
struct FloatFields: Equatable {
  var sign = 0
  var exponent = 0
  var exponentSize = 0
  var mantissa = 0
  var mantissaSize = 0
  var bias = 0

  static let known: [(HDF5ScalarType, size: Int, FloatFields)] = [
    (.float8e4m3, 1, .init(sign: 7, exponent: 3, exponentSize: 4, mantissaSize: 3, bias: 7)),
    (.float8e5m2, 1, .init(sign: 7, exponent: 2, exponentSize: 5, mantissaSize: 2, bias: 15)),
    (.float16, 2, .init(sign: 15, exponent: 10, exponentSize: 5, mantissaSize: 10, bias: 15)),
    (.bfloat16, 2, .init(sign: 15, exponent: 7, exponentSize: 8, mantissaSize: 7, bias: 127)),
    (.float32, 4, .init(sign: 31, exponent: 23, exponentSize: 8, mantissaSize: 23, bias: 127)),
    (.float64, 8, .init(sign: 63, exponent: 52, exponentSize: 11, mantissaSize: 52, bias: 1023)),
  ]

  static func type(of fields: FloatFields, size: Int) -> HDF5ScalarType? {
    known.first { $0.size == size && $0.2 == fields }?.0
  }
}
