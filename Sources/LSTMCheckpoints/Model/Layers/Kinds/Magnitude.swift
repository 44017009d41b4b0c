extension Layer {
  /// The magnitudes of complex numbers whose real parts are the first half of a row and imaginary parts the second, as a
  /// spectrum has them: y = sqrt(a^2 + b^2), (., 2S) -> (., S). Of a grid the halves are halves of its channels.
  public struct Magnitude: LayerKind {
    public init() {}
    public var kind: String { "magnitude" }
    public var example: String { "8 features -> conv 32 kernel 5 -> magnitude -> LSTM 16" }
    public var stem: String { "magnitude" }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let input = inputs[0]
      guard input.width % 2 == 0 else {
        throw LayerError(nil, "it reads real and imaginary parts, but a row has \(input.width) values")
      }
      var value = input.with(width: input.width / 2)
      if let grid = input.grid, grid.channels % 2 == 0 {
        value.grid = .init(channels: grid.channels / 2, height: grid.height)
      }
      return value
    }
  }
}
