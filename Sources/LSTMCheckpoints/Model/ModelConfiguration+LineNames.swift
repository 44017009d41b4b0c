/// What layers are called in a line that does not name them.
extension ModelConfiguration {
  /// The names of layers that nobody names, by their kinds alone, in order. They are those of a plain stack:
  ///
  /// - recurrent layers are `layer0`, `layer1`, ...;
  /// - dense layers above the last recurrent layer are `head.0`, `head.1`, ..., others `dense1`, `dense2`, ...;
  /// - an activation between a readout and the head is the `readout_activation`;
  /// - kinds of which a model usually has one (`embedding`, `readout`, `attention`, `normalize`, `crf`, `flatten`, `repeat`,
  ///   `rescale`) have no number unless there are several;
  /// - all others are counted from 1: `conv1`, `conv2`, `norm1`.
  public static func defaultNames(of kinds: [any LayerKind]) -> [String] {
    let lastRecurrent = kinds.lastIndex { $0 is Layer.Recurrent } ?? -1
    var total: [String: Int] = [:]
    for kind in kinds { total[kind.stem, default: 0] += 1 }
    var counts: [String: Int] = [:]
    func count(_ stem: String) -> Int {
      counts[stem, default: 0] += 1
      return counts[stem, default: 1]
    }
    var hasReadoutActivation = false
    return kinds.enumerated().map { index, kind in
      switch kind {
      case is Layer.Recurrent: return "layer\(count("layer") - 1)"
      case is Layer.Dense where index > lastRecurrent: return "head.\(count("head") - 1)"
      case is Layer.ActivationLayer where !hasReadoutActivation && isBelowHead(kinds, index, lastRecurrent):
        hasReadoutActivation = true
        return "readout_activation"
      default:
        let isAlone = usuallyAlone.contains(kind.stem) && total[kind.stem] == 1
        return isAlone ? kind.stem : "\(kind.stem)\(count(kind.stem))"
      }
    }
  }

  private static let usuallyAlone: Set = [
    "embedding", "readout", "attention", "normalize", "crf", "flatten", "repeat", "rescale",
  ]

  /// Whether a layer stands between a readout and a dense layer of the head.
  private static func isBelowHead(_ kinds: [any LayerKind], _ index: Int, _ lastRecurrent: Int) -> Bool {
    index > 0 && index > lastRecurrent && index + 1 < kinds.count && kinds[index + 1] is Layer.Dense
      && (kinds[index - 1] is Layer.Readout || kinds[index - 1] is Layer.Attention)
  }

  /// The name of an input that nobody names, one of `count`.
  static func defaultInputName(_ index: Int, of count: Int) -> String { count == 1 ? "input" : "input\(index + 1)" }
}
