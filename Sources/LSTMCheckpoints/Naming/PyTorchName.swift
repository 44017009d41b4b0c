/// A tensor name of PyTorch's recurrent modules, taken apart.
///
/// `encoder.lstm.weight_ih_l1_reverse` is `weight_ih` of layer 1 in reverse, in module `encoder.lstm`. `nn.LSTMCell` has
/// no `_l0`; AWD-LSTM's weight drop keeps the true weights as `weight_hh_l0_raw`.
struct PyTorchName {
  enum Kind: String, CaseIterable {
    case inputWeight = "weight_ih"
    case recurrentWeight = "weight_hh"
    case inputBias = "bias_ih"
    case recurrentBias = "bias_hh"
    case projection = "weight_hr"
    case peephole = "peephole"
  }

  let module: String
  let kind: Kind
  let layer: Int
  let isReverse: Bool
  let isRaw: Bool

  /// - Parameter name: dotted.
  init?(_ name: String) {
    let dot = name.lastIndex(of: ".")
    var leaf = name[(dot.map(name.index(after:)) ?? name.startIndex)...]
    guard let kind = Kind.allCases.first(where: { leaf.hasPrefix($0.rawValue) }) else { return nil }
    leaf = leaf.dropFirst(kind.rawValue.count)
    var isRaw = false
    if leaf.hasSuffix("_raw") {
      isRaw = true
      leaf = leaf.dropLast(4)
    }
    var isReverse = false
    if leaf.hasSuffix("_reverse") {
      isReverse = true
      leaf = leaf.dropLast(8)
    }
    if leaf.isEmpty {
      layer = 0
    } else {
      // Four digits: a deeper stack is a lie, and its layers would be counted up to.
      guard leaf.hasPrefix("_l"), leaf.count <= 6, let index = Int(leaf.dropFirst(2)), index >= 0,
        leaf.dropFirst(2).first != "+"
      else { return nil }
      layer = index
    }
    var module = dot.map { String(name[..<$0]) } ?? ""
    // Weight drop wraps the LSTM once more.
    if module.hasSuffix(".module") { module.removeLast(7) }
    self.module = module
    self.kind = kind
    self.isReverse = isReverse
    self.isRaw = isRaw
  }
}
