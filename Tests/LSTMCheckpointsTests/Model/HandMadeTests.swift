import Testing

@testable import LSTMCheckpoints

/// Configurations that were put together in code, with values that no file could have.
@Suite struct HandMadeTests {
  private func error(
    _ input: ModelConfiguration.Input.Content = .features(size: 2), steps: Int? = nil, layers: Layer...
  ) -> String? {
    do {
      _ = try ModelConfiguration(inputs: [.init(input, steps: steps)], layers: layers)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [-1, 0, 1 << 40, Int.min, Int.max]) func sizesOutOfRange(_ size: Int) {
    let lstm = Layer("layer0", Layer.Recurrent(.lstm, size: 4))
    #expect(error(layers: lstm) == nil)
    #expect(error(.features(size: size), layers: lstm)?.contains("found \(size)") == true)
    #expect(
      error(.tokens(vocabulary: size), layers: Layer("embedding", Layer.Embedding(size: 2)))?.contains("found") == true)
    #expect(error(steps: size, layers: lstm)?.contains("found \(size)") == true)
    #expect(error(layers: Layer("layer0", Layer.Recurrent(.lstm, size: size)))?.contains("found \(size)") == true)
    #expect(error(layers: lstm, Layer("head.0", Layer.Dense(size: size)))?.contains("found \(size)") == true)
    #expect(
      error(layers: Layer("conv1", Layer.Convolution(size: 2, kernel: [size])))?.contains("found \(size)") == true)
    var projected = Layer.Recurrent(.lstm, size: 4)
    projected.projectionSize = size
    #expect(error(layers: Layer("layer0", projected))?.contains("found \(size)") == true)
  }

  @Test func numbersThatAreNone() {
    var clipped = Layer.Recurrent(.lstm, size: 4)
    clipped.cellClip = .nan
    #expect(error(layers: Layer("layer0", clipped))?.contains("finite") == true)
    var offset = Layer.Recurrent(.lstm, size: 4)
    offset.forgetOffset = .infinity
    #expect(error(layers: Layer("layer0", offset))?.contains("finite") == true)
  }
}
