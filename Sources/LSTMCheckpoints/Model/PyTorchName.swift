/// A tensor name of PyTorch's recurrent modules, taken apart.
///
/// `encoder.lstm.weight_ih_l1_reverse` is `weight_ih` of layer 1 in reverse, in module `encoder.lstm`. `nn.LSTMCell` has
/// no `_l0`; AWD-LSTM's weight drop keeps the true weights as `weight_hh_l0_raw`.
struct PyTorchName {
  let module: String
  let kind: RecurrentPart
  let layer: Int
  /// `nn.LSTMCell`'s names have no layer number.
  let isCell: Bool
  let isReverse: Bool
  let isRaw: Bool

  /// - Parameter name: dotted.
  init?(_ name: String) {
    let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
    var leaf = name[(dot.map(name.utf8.index(after:)) ?? name.startIndex)...]
    guard let kind = RecurrentPart.allCases.first(where: { leaf.hasPrefix($0.rawValue) }) else { return nil }
    leaf = leaf.dropFirst(kind.rawValue.count)
    isRaw = leaf.hasSuffix("_raw")
    if isRaw { leaf = leaf.dropLast(4) }
    isReverse = leaf.hasSuffix("_reverse")
    if isReverse { leaf = leaf.dropLast(8) }
    isCell = leaf.isEmpty
    if isCell {
      layer = 0
    } else {
      // Four digits: a deeper stack is a lie. `_l00` and `_l+1` are no names that PyTorch gives.
      let digits = leaf.dropFirst(2)
      guard leaf.hasPrefix("_l"), digits.count <= 4, let index = Int(digits), String(index) == digits, index >= 0
      else { return nil }
      layer = index
    }
    var module = dot.map { String(name[..<$0]) } ?? ""
    // Weight drop wraps the LSTM once more.
    if module.hasSuffix(".module") { module.removeLast(7) }
    self.module = module
    self.kind = kind
  }

  /// The name that a part of a layer has in a file.
  static func text(module: String, kind: RecurrentPart, layer: Int, isCell: Bool = false, isReverse: Bool = false)
    -> String
  {
    (module.isEmpty ? "" : module + ".") + kind.rawValue + (isCell ? "" : "_l\(layer)") + (isReverse ? "_reverse" : "")
  }

  /// The project's name of a part of a layer: `lstm.weight_ih_l0`.
  static func parameter(_ kind: RecurrentPart, layer: Int, isReverse: Bool = false) -> String {
    text(module: "lstm", kind: kind, layer: layer, isReverse: isReverse)
  }

  /// Whether it names one of the two factors that weight normalization stores instead of a weight: `weight_hh_l0_g`,
  /// `weight_hh_l0_v`, or `parametrizations.weight_hh_l0.original0` and `original1`.
  static func isWeightNormFactor(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    guard let leaf = parts.last else { return false }
    if leaf.hasPrefix("weight"), leaf.hasSuffix("_g") || leaf.hasSuffix("_v") { return true }
    return (leaf == "original0" || leaf == "original1") && parts.contains("parametrizations")
  }
}
