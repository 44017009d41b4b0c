import LSTMCheckpoints
import TestSupport

/// Gives each setting of a layer a value by chance, the usual one as often as not.
struct RandomSettings: LayerDescription {
  var random: SplitMix
  /// Recurrent layers that one may start from.
  var layers: [String] = []

  private mutating func isUsual() -> Bool { Bool.random(using: &random) }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range.lowerBound...min(range.upperBound, range.lowerBound + 6), using: &random)
  }

  mutating func size(_ key: String, _ value: inout Int) { value = number(1...9) }
  mutating func whole(_ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>) {
    value = isUsual() ? usual : number(range)
  }
  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) {
    value = isUsual() ? nil : number(range)
  }
  mutating func wholes(_ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>) {
    if let usual, isUsual() { return value = usual }
    value = []
    for _ in 0..<([1, 1, 2, 4].randomElement(using: &random) ?? 1) { value.append(number(range)) }
  }
  mutating func real(_ key: String, _ value: inout Float, usual: Float) {
    value = isUsual() ? usual : Float.random(in: 0...1, using: &random)
  }
  mutating func real(_ key: String, _ value: inout Float?) {
    value =
      isUsual() ? nil : Float.random(in: 0...1, using: &random) * ([1e-6, 1, 1e6].randomElement(using: &random) ?? 1)
  }
  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) { value = isUsual() ? usual : !usual }
  mutating func choice<Choice: LayerChoice>(_ key: String, _ value: inout Choice, usual: Choice, isBare: Bool) {
    value = isUsual() ? usual : Choice.allCases.randomElement(using: &random) ?? usual
  }
  mutating func layer(_ key: String, _ value: inout String?) {
    value = isUsual() ? nil : layers.randomElement(using: &random)
  }
}

/// Models of layers of all kinds, with settings by chance, that read one another by chance.
enum RandomModels {
  static func model(seed: UInt64, kinds: [any LayerKind]) -> ModelConfiguration? {
    var random = SplitMix(state: seed)
    let inputs = inputs(&random)
    var layers: [Layer] = []
    var model: ModelConfiguration?
    // Most layers do not fit upon most others: whatever does is kept.
    for _ in 0..<30 where layers.count < 9 {
      guard var kind = kinds.randomElement(using: &random) else { return nil }
      var settings = RandomSettings(random: random)
      settings.layers = layers.filter { $0.kind is Layer.Recurrent }.map(\.name)
      let isSound = (try? kind.describe(&settings)) != nil
      random = settings.random
      guard isSound else { continue }
      let known = inputs.map(\.name) + layers.map(\.name)
      var from: [String] = []
      if kind.inputCount.upperBound > 1 || Int.random(in: 0..<5, using: &random) == 0 {
        let most = min(kind.inputCount.upperBound, 3)
        for _ in 0..<Int.random(in: kind.inputCount.lowerBound...most, using: &random) {
          from.append(known.randomElement(using: &random) ?? "input")
        }
      }
      let usual = ModelConfiguration.defaultNames(of: (layers.map(\.kind) + [kind])).last ?? ""
      let names = [
        usual, usual, usual, "odd \(layers.count)", "x->\"\(layers.count)\"\\,;:", "a.\(layers.count)_-/",
        "ß\n\(layers.count)",
      ]
      let layer = Layer(names.randomElement(using: &random) ?? usual, kind, from: from)
      if let longer = try? ModelConfiguration(inputs: inputs, layers: layers + [layer]) {
        layers.append(layer)
        model = longer
      }
    }
    guard let model else { return nil }
    return finished(model, &random)
  }

  private static func inputs(_ random: inout SplitMix) -> [ModelConfiguration.Input] {
    let count = [1, 1, 2, 3].randomElement(using: &random) ?? 1
    return (0..<count).map { index in
      let usual = count == 1 ? "input" : "input\(index + 1)"
      let name = Bool.random(using: &random) ? usual : "in put\(index)"
      if Int.random(in: 0..<3, using: &random) == 0 { return .init(.tokens(vocabulary: 10), name: name) }
      let channels = [nil, 1, 3].randomElement(using: &random) ?? nil
      return .init(
        .features(size: 6), name: name, steps: Bool.random(using: &random) ? 9 : nil, channels: channels,
        isPerSequence: channels == nil && Int.random(in: 0..<4, using: &random) == 0)
    }
  }

  /// With outputs, ties and a mask by chance.
  private static func finished(_ model: ModelConfiguration, _ random: inout SplitMix) -> ModelConfiguration? {
    var outputs: [String] = []
    if Bool.random(using: &random), model.layers.count > 1 { outputs = model.layers.suffix(2).map(\.name) }
    var ties: [[String]] = []
    let places = model.places
    for (index, place) in places.enumerated() where ties.isEmpty {
      let same = places[index...].filter { $0.shape == place.shape }.map(\.name)
      if same.count > 1, Bool.random(using: &random) { ties = [Array(same.prefix(3))] }
    }
    var mask: ModelConfiguration.Mask?
    if Bool.random(using: &random) {
      switch model.input {
      case .features: mask = .value([0, -1, 0.1, 1e-8].randomElement(using: &random) ?? 0)
      case .tokens: mask = .token(3)
      }
    }
    return try? ModelConfiguration(inputs: model.inputs, layers: model.layers, outputs: outputs, ties: ties, mask: mask)
  }
}
