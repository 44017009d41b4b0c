extension PlainStack {
  /// Steps that a model passes over, wherever they lie in a sequence: Keras' `mask_zero` and `Masking`.
  ///
  /// In JSON `{ "token": 0 }` or `{ "value": 0.0 }`.
  public enum Mask: Hashable, Sendable {
    /// A step that holds this token.
    case token(Int)
    /// A step all of whose features have this value.
    case value(Float)

    /// The token; nil for a value.
    package var tokenNumber: Int? { if case .token(let token) = self { token } else { nil } }

    /// For people: `token 0`, `steps of 0.0`.
    public var summary: String {
      switch self {
      case .token(let token): "token \(token)"
      case .value(let value): "steps of \(value)"
      }
    }
  }
}

extension PlainStack.Mask: Codable {
  private enum Key: String, CodingKey, CaseIterable { case token, value }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    if values.contains(.token), values.contains(.value) {
      throw values.wrong(.value, "token and value exclude each other")
    }
    if values.contains(.value) {
      let value = try values.decode(Float.self, forKey: .value)
      guard value.isFinite else { throw values.wrong(.value, "expected a finite number") }
      self = .value(value)
    } else {
      let token = try values.decode(Int.self, forKey: .token)
      guard 0..<PlainStack.sizeLimit ~= token else {
        throw values.wrong(.token, "expected a token from 0 to \(PlainStack.sizeLimit - 1), found \(token)")
      }
      self = .token(token)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch self {
    case .token(let token): try values.encode(token, forKey: .token)
    case .value(let value): try values.encode(value, forKey: .value)
    }
  }
}
