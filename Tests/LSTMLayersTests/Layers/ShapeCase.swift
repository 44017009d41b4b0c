import LSTMCheckpoints
import Testing

/// A few layers that change shapes, and the shape of a batch for them.
struct ShapeCase: Sendable, CustomTestStringConvertible {
  let name: String
  let layers: [Layer]
  var features = 6
  var channels: Int?
  /// The number of steps, where the layers need a fixed one.
  var steps: Int?
  var lengths = [9, 3, 4, 7]
  /// The shortest sequence that has a window.
  var shortest = 1
  /// Whether steps may come one by one.
  var streams = false
  var testDescription: String { name }

  init(
    _ name: String, _ layers: [Layer], features: Int = 6, channels: Int? = nil, steps: Int? = nil, shortest: Int = 1,
    streams: Bool = false, lengths: [Int]? = nil
  ) {
    (self.name, self.layers, self.features, self.channels) = (name, layers, features, channels)
    (self.steps, self.shortest, self.streams) = (steps, shortest, streams)
    if let lengths { self.lengths = lengths }
    if let steps { self.lengths = [steps, steps, steps] }
  }

  static let all = convolutions + planes + pools + rows

  // MARK: - Kinds

  /// A convolution between dense layers of each step, so that its gradients come from and go to others.
  private static func between(_ kind: any LayerKind, size: Int) -> [Layer] {
    [
      Layer("below", Layer.Dense(size: size)), Layer("middle", kind),
      Layer("above", Layer.Dense(size: 3, activation: .tanh)),
    ]
  }

  static func convolution(_ size: Int, _ kernel: Int..., change: (inout Layer.Convolution) -> Void = { _ in })
    -> Layer.Convolution
  {
    var kind = Layer.Convolution(size: size, kernel: kernel)
    change(&kind)
    return kind
  }

  static let convolutions: [ShapeCase] = {
    var list: [ShapeCase] = []
    for size in [1, 7, 129] {
      list.append(ShapeCase("same \(size)", between(convolution(size, 3) { $0.padding = .same }, size: size)))
    }
    list += [
      ShapeCase("valid", between(convolution(5, 3) { $0.activation = .relu }, size: 4), shortest: 3),
      ShapeCase(
        "causal", between(convolution(5, 4) { ($0.padding, $0.dilation) = (.causal, [2]) }, size: 4), streams: true),
      ShapeCase(
        "causal groups",
        between(convolution(9, 3) { ($0.padding, $0.groups, $0.activation) = (.causal, 3, .swish) }, size: 6),
        streams: true),
      ShapeCase("pointwise", between(convolution(33, 1) { $0.activation = .sigmoid }, size: 17), streams: true),
      ShapeCase("pads alone", between(convolution(3, 1) { $0.pad = [2, 1] }, size: 4)),
      ShapeCase(
        "strided same",
        between(convolution(5, 4) { ($0.padding, $0.stride, $0.hasBias) = (.same, [3], false) }, size: 3)),
      ShapeCase("strided", [Layer("c", convolution(8, 5) { $0.stride = [2] })], shortest: 5, lengths: [11, 5, 6, 7]),
      ShapeCase("stride beyond the kernel", [Layer("c", convolution(3, 2) { ($0.stride, $0.pad) = ([4], [1, 1]) })]),
      ShapeCase("depthwise", between(convolution(7, 5) { ($0.padding, $0.groups) = (.same, 7) }, size: 7)),
      ShapeCase(
        "reflected", between(convolution(4, 5) { ($0.pad, $0.reflects) = ([2, 2], true) }, size: 3), shortest: 3),
      ShapeCase(
        "reflected beyond the kernel",
        between(convolution(4, 2) { ($0.pad, $0.reflects, $0.stride) = ([3, 2], true, [2]) }, size: 3), shortest: 4,
        lengths: [9, 4, 5]),
      ShapeCase(
        "a stack",
        [
          Layer("a", convolution(5, 3)), Layer("b", convolution(4, 2) { $0.stride = [2] }),
          Layer("c", convolution(3, 2)),
        ], shortest: 6, lengths: [13, 6, 8]),
      ShapeCase("softmax", [Layer("c", convolution(5, 2) { ($0.padding, $0.activation) = (.same, .softmax) })]),
    ]
    return list
  }()

  static let planes: [ShapeCase] = {
    let around = [1, 1, 1, 1]
    return [
      ShapeCase("plane", [Layer("c", convolution(4, 3, 3) { $0.pad = around })], features: 12, channels: 2),
      ShapeCase(
        "plane of one channel, high", [Layer("c", convolution(3, 2, 3) { $0.pad = [1, 0, 1, 1] })], features: 40,
        channels: 1, streams: true),
      ShapeCase(
        "plane in groups",
        [
          Layer(
            "c", convolution(6, 2, 2) { ($0.groups, $0.dilation, $0.stride, $0.padding) = (3, [2, 3], [1, 2], .same) })
        ],
        features: 21, channels: 3),
      ShapeCase(
        "plane reflected",
        [Layer("c", convolution(3, 3, 3) { ($0.pad, $0.reflects, $0.activation) = ([1, 1, 2, 2], true, .tanh) })],
        features: 10, channels: 2, shortest: 2),
      ShapeCase(
        "plane causal", [Layer("c", convolution(3, 3, 2) { ($0.padding, $0.stride) = (.causal, [1, 2]) })],
        features: 12,
        channels: 2, streams: true),
      // High enough for products by heights, in one panel of a packed matrix and in several, forward and backward.
      ShapeCase(
        "plane of one channel, by heights",
        [Layer("c", convolution(5, 3, 3) { ($0.padding, $0.activation) = (.same, .swish) })], features: 18, channels: 1,
        lengths: [4, 2, 3]),
      ShapeCase(
        "plane by heights",
        [
          Layer("a", convolution(2, 2, 3) { ($0.pad, $0.dilation, $0.hasBias) = ([1, 0, 2, 2], [1, 2], false) }),
          Layer("b", convolution(3, 3, 2) { ($0.stride, $0.padding, $0.activation) = ([2, 1], .same, .relu) }),
        ], features: 70, channels: 2, lengths: [4, 2]),
      ShapeCase(
        "planes joined by heights",
        [
          Layer("a", convolution(2, 3, 3) { $0.padding = .same }),
          Layer("b", convolution(2, 1, 3) { $0.padding = .same }),
          Layer("c", convolution(2, 3, 1) { $0.padding = .same }, from: ["a"]),
          Layer("d", Layer.Merge(.multiply), from: ["b", "c"]),
        ], features: 36, channels: 2, lengths: [3, 2]),
      ShapeCase("plane of whole height", [Layer("c", convolution(3, 2, 6))], features: 12, channels: 2, shortest: 2),
      ShapeCase(
        "plane softmax", [Layer("c", convolution(3, 1, 2) { $0.activation = .softmax })], features: 8, channels: 2,
        streams: true),
      ShapeCase(
        "planes and a pool",
        [
          Layer("a", convolution(4, 3, 3) { $0.padding = .same }), Layer("p", pool(.max, [1, 2])),
          Layer("b", convolution(2, 3, 3) { $0.padding = .same }), Layer("r", Layer.Reshape(.channelsLast)),
          Layer("d", Layer.Dense(size: 2)),
        ], features: 14, channels: 2),
    ]
  }()

  static func pool(
    _ operation: Layer.Pooling.Operation, _ window: [Int], _ change: (inout Layer.Pooling) -> Void = { _ in }
  ) -> Layer.Pooling {
    var kind = Layer.Pooling(operation, window: window)
    change(&kind)
    return kind
  }

  static let pools: [ShapeCase] = {
    var list: [ShapeCase] = []
    for operation in Layer.Pooling.Operation.allCases {
      list += [
        ShapeCase("\(operation)", [Layer("p", pool(operation, [2]))], shortest: 2),
        ShapeCase("\(operation) same", between(pool(operation, [3]) { ($0.isSame, $0.stride) = (true, [2]) }, size: 7)),
        ShapeCase(
          "\(operation) ceiling",
          between(pool(operation, [3]) { ($0.pad, $0.stride, $0.isCeiling) = ([1, 1], [2], true) }, size: 129)),
        ShapeCase(
          "\(operation) of pads",
          between(pool(operation, [4]) { ($0.pad, $0.countsPad, $0.isCeiling) = ([2, 1], true, true) }, size: 5)),
        ShapeCase(
          "\(operation) over a plane",
          [Layer("p", pool(operation, [2, 3]) { ($0.pad, $0.stride, $0.isCeiling) = ([1, 0, 1, 1], [1, 2], true) })],
          features: 21, channels: 3),
      ]
    }
    return list
  }()

  static let rows: [ShapeCase] = {
    let last = Layer("last", Layer.Readout(.last))
    var list = [
      ShapeCase("repeat", [last, Layer("r", Layer.Repeat(count: 5)), Layer("d", Layer.Dense(size: 3))]),
      ShapeCase("flatten", [Layer("below", Layer.Dense(size: 4)), Layer("f", Layer.Flatten())], steps: 5),
      ShapeCase("flatten features first", [Layer("below", Layer.Dense(size: 4)), Layer("f", flattenFirst)], steps: 5),
      ShapeCase("flatten after a convolution", [Layer("c", convolution(4, 3)), Layer("f", Layer.Flatten())], steps: 6),
      ShapeCase("steps", [last, Layer("r", Layer.Reshape(.steps, steps: 3)), Layer("d", Layer.Dense(size: 3))]),
      ShapeCase("split", [Layer("r", Layer.Reshape(.split, steps: 2)), Layer("d", Layer.Dense(size: 3))]),
      ShapeCase(
        "channels last", [Layer("g", Layer.Reshape(.grid, channels: 2)), Layer("r", Layer.Reshape(.channelsLast))],
        streams: true),
      ShapeCase(
        "grid from channels last",
        [Layer("below", Layer.Dense(size: 12)), Layer("g", Layer.Reshape(.gridChannelsLast, channels: 3))],
        streams: true),
      ShapeCase(
        "slice", [Layer("below", Layer.Dense(size: 9)), Layer("s", Layer.Slice(first: 2, count: 5))], streams: true),
    ]
    for operation in Layer.Merge.Operation.allCases {
      let (a, b) = (Layer("a", Layer.Dense(size: 5)), Layer("b", Layer.Dense(size: 5), from: ["input"]))
      list += [
        ShapeCase("\(operation)", [a, b, Layer("m", Layer.Merge(operation), from: ["a", "b"])], streams: true),
        ShapeCase(
          "\(operation) with itself", [a, Layer("m", Layer.Merge(operation), from: ["a", "a"])], streams: true),
        ShapeCase(
          "\(operation) with a row",
          [a, b, Layer("last", Layer.Readout(.last)), Layer("m", Layer.Merge(operation), from: ["a", "last"])]),
        ShapeCase(
          "\(operation) of rows",
          [
            a, Layer("first", Layer.Readout(.first)), b, Layer("last", Layer.Readout(.last)),
            Layer("m", Layer.Merge(operation), from: ["first", "last"]),
          ]),
      ]
      guard operation != .subtract else { continue }
      list.append(
        ShapeCase(
          "\(operation) of three",
          [
            a, b, Layer("c", Layer.Dense(size: 5), from: ["a"]),
            Layer("m", Layer.Merge(operation), from: ["b", "a", "c"]),
          ],
          streams: true))
    }
    return list
  }()

  private static var flattenFirst: Layer.Flatten {
    var kind = Layer.Flatten()
    kind.isFeatureFirst = true
    return kind
  }
}
