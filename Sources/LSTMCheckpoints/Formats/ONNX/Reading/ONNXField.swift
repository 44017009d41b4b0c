/// The numbers that `onnx.proto` gives to the fields of each message.
enum ONNXField {
  enum Model {
    static let irVersion: UInt64 = 1, producerName: UInt64 = 2, graph: UInt64 = 7, opsetImport: UInt64 = 8
    static let metadataProps: UInt64 = 14, functions: UInt64 = 25
  }
  enum OperatorSet { static let domain: UInt64 = 1, version: UInt64 = 2 }
  enum Function {
    static let name: UInt64 = 1, input: UInt64 = 4, output: UInt64 = 5, node: UInt64 = 7, opsetImport: UInt64 = 9
    static let domain: UInt64 = 10, defaults: UInt64 = 11
  }
  enum Entry { static let key: UInt64 = 1, value: UInt64 = 2 }
  enum Graph {
    static let node: UInt64 = 1, name: UInt64 = 2, initializer: UInt64 = 5, input: UInt64 = 11, output: UInt64 = 12
  }
  enum Node {
    static let input: UInt64 = 1, output: UInt64 = 2, name: UInt64 = 3, operation: UInt64 = 4, attribute: UInt64 = 5
    static let domain: UInt64 = 7
  }
  enum Attribute {
    static let name: UInt64 = 1, float: UInt64 = 2, integer: UInt64 = 3, text: UInt64 = 4, tensor: UInt64 = 5
    static let graph: UInt64 = 6, floats: UInt64 = 7, integers: UInt64 = 8, texts: UInt64 = 9, kind: UInt64 = 20
    static let reference: UInt64 = 21
  }
  enum Tensor {
    static let dimensions: UInt64 = 1, dataType: UInt64 = 2, floats: UInt64 = 4, int32s: UInt64 = 5
    static let int64s: UInt64 = 7, name: UInt64 = 8, rawData: UInt64 = 9, doubles: UInt64 = 10, uint64s: UInt64 = 11
    static let externalData: UInt64 = 13, dataLocation: UInt64 = 14
  }
  enum ValueInfo { static let name: UInt64 = 1, type: UInt64 = 2 }
  enum ValueType { static let tensor: UInt64 = 1 }
  enum TensorType { static let elementType: UInt64 = 1, shape: UInt64 = 2 }
  enum Shape { static let dimension: UInt64 = 1 }
  enum Dimension { static let value: UInt64 = 1, symbol: UInt64 = 2 }
}

/// The numbers of `AttributeProto.type`.
enum ONNXAttributeKind {
  static let unknown: UInt64 = 0, float: UInt64 = 1, integer: UInt64 = 2, text: UInt64 = 3, floats: UInt64 = 6
  static let integers: UInt64 = 7, texts: UInt64 = 8
}

/// The numbers of `TensorProto.DataType`, of those that are read.
enum ONNXTypeCode {
  static let types: [(code: UInt64, type: DataType)] = [
    (1, .float32), (2, .uint8), (3, .int8), (4, .uint16), (5, .int16), (6, .int32), (7, .int64), (9, .bool),
    (10, .float16), (11, .float64), (12, .uint32), (13, .uint64), (16, .bfloat16),
  ]

  /// nil for texts, complex numbers and types of 8 bits and less.
  static func type(_ code: UInt64) -> DataType? { types.first { $0.code == code }?.type }

  /// Whether a model that is written here can read it: float32 and the integers of tokens.
  static func isUsual(_ code: Int) -> Bool { [1, 6, 7].contains(code) }

  static func code(_ type: DataType) -> UInt64 { types.first { $0.type == type }?.code ?? 0 }
}
