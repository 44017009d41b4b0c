extension Layer {
  /// A convolution over time, (N, T, C) -> (N, T', O), or over time and height where the rows are a grid of channels x
  /// height, (N, T, C x F) -> (N, T', O x F').
  ///
  /// weight is PyTorch's, (O, C / groups, kernel) or, over time and height, (O, C / groups, kernel of time, of height);
  /// bias (O).
  public struct Convolution: LayerKind {
    /// What is assumed around the steps.
    public enum Padding: String, LayerChoice, Codable {
      /// Nothing: only whole windows count.
      case valid
      /// Zeros, so that T' = ceil(T / stride); of an odd number more at the end, as Keras and PyTorch do.
      case same
      /// Zeros before the first step alone, so that no window sees later steps.
      case causal
    }

    /// O
    public var size: Int
    /// Steps of a window and, over a grid, its height: one or two numbers.
    public var kernel: [Int]
    /// Steps from window to window, of each axis.
    public var stride: [Int]
    /// Steps from value to value in a window, of each axis.
    public var dilation: [Int]
    /// Channels are convolved in this many groups.
    public var groups = 1
    /// What is assumed around the values.
    public var padding = Padding.valid
    /// Zeros before and after, of each axis (`[before, after]`, or `[before, after, below, above]`), beside `padding`.
    public var pad: [Int] = []
    /// Whether all that is assumed around the values is their reflection instead of zeros.
    public var reflects = false
    /// Whether it has b, a vector of O.
    public var hasBias = true
    /// Of the sums.
    public var activation = Activation.none

    /// O channels from windows of `kernel`.
    public init(size: Int = 1, kernel: [Int] = [1]) {
      self.size = size
      self.kernel = kernel
      stride = kernel.map { _ in 1 }
      dilation = stride
    }

    public var kind: String { "convolution" }
    public var example: String { "8 features -> conv 32 kernel 5 same relu -> LSTM 64" }
    public var words: String { "conv" }
    public var stem: String { "conv" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.size("size", &size)
      try d.positive("kernel", &kernel, usual: nil)
      guard 1...2 ~= kernel.count else {
        throw LayerError("kernel", "expected one or two numbers, found \(kernel.count)")
      }
      let ones = kernel.map { _ in 1 }
      if stride.count != ones.count { stride = ones }
      if dilation.count != ones.count { dilation = ones }
      try d.positive("stride", &stride, usual: ones)
      try d.positive("dilation", &dilation, usual: ones)
      try d.whole("groups", &groups, usual: 1, in: 1...Layer.sizeLimit)
      try d.choice("padding", &padding, usual: .valid)
      try d.wholes("pad", &pad, usual: [], in: 0...Layer.sizeLimit)
      try d.flag("reflect", &reflects, usual: false)
      try d.flag("bias", &hasBias, usual: true)
      try d.choice("activation", &activation, usual: .none)
      for (key, list) in [("stride", stride), ("dilation", dilation)] where list.count != kernel.count {
        throw LayerError(key, "expected as many numbers as in kernel (\(kernel.count)), found \(list.count)")
      }
      for (taps, dilation) in zip(kernel, dilation) where (taps - 1) * dilation >= Layer.sizeLimit {
        throw LayerError("dilation", "\(taps) values, \(dilation) apart, are too far from each other")
      }
      guard pad.isEmpty || pad.count == 2 * kernel.count else {
        throw LayerError(
          "pad", "expected \(2 * kernel.count) numbers, before and after for each axis, found \(pad.count)")
      }
    }

    /// Channels of what it reads.
    package func channels(_ input: LayerValue) -> Int { kernel.count == 2 ? input.grid?.channels ?? 1 : input.width }

    /// The length of an axis after the convolution; 0 or less when no window fits.
    /// - Parameter axis: 0 is time, 1 height.
    public func length(_ count: Int, axis: Int) -> Int {
      let around = padding(count, axis: axis)
      let reach = (kernel[axis] - 1) * dilation[axis] + 1
      let free = count + around.before + around.after - reach
      return free < 0 ? 0 : free / stride[axis] + 1
    }

    /// Values assumed before and after an axis of a length.
    public func padding(_ count: Int, axis: Int) -> (before: Int, after: Int) {
      var (before, after) = pad.isEmpty ? (0, 0) : (pad[2 * axis], pad[2 * axis + 1])
      let reach = (kernel[axis] - 1) * dilation[axis]
      switch padding {
      case .valid: break
      case .same:
        let wanted = (count + stride[axis] - 1) / stride[axis]
        let total = max((wanted - 1) * stride[axis] + reach + 1 - count, 0)
        before += total / 2
        after += total - total / 2
      case .causal where axis == 0: before += reach
      case .causal: break
      }
      return (before, after)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let input = inputs[0]
      try input.requireSteps()
      guard input.vocabulary == nil else { throw LayerError(nil, "a convolution reads features, not tokens") }
      if kernel.count == 2, input.grid == nil {
        throw LayerError("kernel", "two numbers are for rows that are a grid of channels and height")
      }
      guard channels(input) % groups == 0, size % groups == 0 else {
        throw LayerError("groups", "\(groups) divides not both \(channels(input)) and \(size) channels")
      }
      var value = input.with(width: size)
      if let grid = input.grid, kernel.count == 2 {
        let height = length(grid.height, axis: 1)
        guard height > 0 else { throw LayerError("kernel", "it is higher than the grid of \(grid.height) values") }
        value.grid = .init(channels: size, height: height)
        value.width = size * height
      }
      if let steps = input.steps {
        value.steps = length(steps, axis: 0)
        guard value.steps != 0 else { throw LayerError("kernel", "it is longer than the sequences of \(steps) steps") }
      }
      // The same number of steps for every length of sequence.
      let isSame = stride[0] == 1 && (padding != .valid && pad.prefix(2).allSatisfy { $0 == 0 } || hasSamePad)
      if !isSame { value.clock = nil }
      return value
    }

    private var hasSamePad: Bool {
      padding == .valid && pad.prefix(2).reduce(0, +) == (kernel[0] - 1) * dilation[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let shape = [size, channels(inputs[0]) / groups] + kernel
      let bound = LayerParameter.Start.uniform(1 / Float(shape.dropFirst().reduce(1, *)).squareRoot())
      let weight = LayerParameter("weight", shape, .weight, start: bound)
      return hasBias ? [weight, LayerParameter("bias", [size], .bias, start: bound)] : [weight]
    }
  }
}
