extension Layer {
  /// The maximum or the average of windows of steps, and of height where rows are a grid: (N, T, C) -> (N, T', C).
  public struct Pooling: LayerKind {
    /// Of a window's values.
    public enum Operation: String, LayerChoice, Codable { case max, average }

    /// Of a window's values.
    public var operation: Operation
    /// Steps of a window and, over a grid, its height: one or two numbers.
    public var window: [Int]
    /// Steps from window to window, of each axis; the window when empty.
    public var stride: [Int]
    /// `same` keeps windows that reach over the edges, valid drops them; padding itself never counts, as in Keras.
    public var isSame = false
    /// Steps before and after, of each axis, as in PyTorch; empty for none.
    public var pad: [Int] = []
    /// Of an average: whether `pad` counts as zeros (PyTorch's `count_include_pad`).
    public var countsPad = false
    /// Whether a last window that is not whole counts (PyTorch's `ceil_mode`).
    public var isCeiling = false

    /// Of windows that stand side by side.
    public init(_ operation: Operation, window: [Int] = [2]) {
      self.operation = operation
      self.window = window
      stride = window
    }

    public var kind: String { operation == .max ? "max_pooling" : "average_pooling" }
    public var example: String { "8 features -> conv 32 kernel 5 -> \(words) 2 -> LSTM 64" }
    public var words: String { operation == .max ? "max pool" : "average pool" }
    public var stem: String { "pool" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.positive("window", &window, usual: nil)
      guard 1...2 ~= window.count else {
        throw LayerError("window", "expected one or two numbers, found \(window.count)")
      }
      if stride.count != window.count { stride = window }
      try d.positive("stride", &stride, usual: window)
      try d.flag("same", &isSame, usual: false)
      try d.wholes("pad", &pad, usual: [], in: 0...Layer.sizeLimit)
      try d.flag("count_pad", &countsPad, usual: false)
      try d.flag("ceiling", &isCeiling, usual: false)
      guard stride.count == window.count else {
        throw LayerError("stride", "expected as many numbers as in window (\(window.count)), found \(stride.count)")
      }
      guard pad.isEmpty || pad.count == 2 * window.count else {
        throw LayerError(
          "pad", "expected \(2 * window.count) numbers, before and after for each axis, found \(pad.count)")
      }
      if isSame, pad.contains(where: { $0 > 0 }) {
        throw LayerError("pad", "with same, what is around the values follows from their number")
      }
      // A window that lies in the padding alone has no value.
      for (at, count) in pad.enumerated() where count >= window[at / 2] {
        throw LayerError("pad", "\(count) steps of padding hold a whole window of \(window[at / 2])")
      }
    }

    /// The length of an axis after pooling; 0 or less when no window fits.
    public func length(_ count: Int, axis: Int) -> Int {
      let step = stride.isEmpty ? window[axis] : stride[axis]
      if isSame { return (count + step - 1) / step }
      let (before, after) = pad.isEmpty ? (0, 0) : (pad[2 * axis], pad[2 * axis + 1])
      let free = count + before + after - window[axis]
      if free < 0 { return 0 }
      if !isCeiling { return free / step + 1 }
      let most = (free + step - 1) / step + 1
      // The last window must start inside of the values or the padding before them.
      return (most - 1) * step >= count + before ? most - 1 : most
    }

    /// Where an axis' first window starts: steps before the first value.
    public func padding(_ count: Int, axis: Int) -> Int {
      if !isSame { return pad.isEmpty ? 0 : pad[2 * axis] }
      let step = stride.isEmpty ? window[axis] : stride[axis]
      return max((length(count, axis: axis) - 1) * step + window[axis] - count, 0) / 2
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      let input = inputs[0]
      try input.requireSteps()
      guard input.vocabulary == nil else { throw LayerError(nil, "pooling reads features, not tokens") }
      var value = input
      if window.count == 2 {
        guard let grid = input.grid else {
          throw LayerError("window", "two numbers are for rows that are a grid of channels and height")
        }
        let height = length(grid.height, axis: 1)
        guard height > 0 else { throw LayerError("window", "it is higher than the grid of \(grid.height) values") }
        value.grid = .init(channels: grid.channels, height: height)
        value.width = grid.channels * height
      }
      if let steps = input.steps {
        value.steps = length(steps, axis: 0)
        guard value.steps != 0 else { throw LayerError("window", "it is longer than the sequences of \(steps) steps") }
      }
      let isUnchanged = window[0] == 1 && (stride.first ?? 1) == 1 && pad.prefix(2).allSatisfy { $0 == 0 }
      if !isUnchanged { value.clock = nil }
      return value
    }
  }
}
