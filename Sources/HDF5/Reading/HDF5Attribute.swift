/// An attribute's value: its elements in C order.
public enum HDF5Value: Sendable, Equatable {
  /// Text of fixed or variable length.
  case strings([String])
  /// Signed integers of any width, and unsigned ones below 64 bits.
  case integers([Int64])
  /// Unsigned integers of 64 bits.
  case unsigned([UInt64])
  /// Floating point of any width; conversion to Double is exact.
  case floats([Double])
  /// h5py's booleans.
  case bools([Bool])
  /// A type that cannot be read, with its name.
  case unsupported(String)

  /// Number of elements; 0 for unsupported types.
  public var count: Int {
    switch self {
    case .strings(let values): values.count
    case .integers(let values): values.count
    case .unsigned(let values): values.count
    case .floats(let values): values.count
    case .bools(let values): values.count
    case .unsupported: 0
    }
  }
}

/// A named value of a group or a dataset, already read.
public struct HDF5Attribute: Sendable, Equatable {
  /// Its name.
  public let name: String
  /// Empty for a scalar; `[0]` for the null dataspace (h5py's `Empty`).
  public let shape: [Int]
  /// The type of an element in the file.
  public let type: HDF5ScalarType
  /// Its value.
  public let value: HDF5Value

  /// The text, if there is exactly one.
  public var string: String? {
    if case .strings(let values) = value, values.count == 1 { values[0] } else { nil }
  }

  /// The texts, if its type is text.
  public var strings: [String]? {
    if case .strings(let values) = value { values } else { nil }
  }

  /// The integer, if there is exactly one and it fits.
  public var integer: Int? {
    switch value {
    case .integers(let values) where values.count == 1: Int(exactly: values[0])
    case .unsigned(let values) where values.count == 1: Int(exactly: values[0])
    default: nil
    }
  }

  /// The number, if there is exactly one and Double represents it exactly.
  public var double: Double? {
    switch value {
    case .floats(let values) where values.count == 1: values[0]
    case .integers(let values) where values.count == 1: Double(exactly: values[0])
    case .unsigned(let values) where values.count == 1: Double(exactly: values[0])
    default: nil
    }
  }

  /// The boolean, if there is exactly one.
  public var bool: Bool? {
    if case .bools(let values) = value, values.count == 1 { values[0] } else { nil }
  }
}
