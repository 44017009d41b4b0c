/// A tensor of a Keras graph by what gives it here.
struct KerasValue {
  /// What an axis after the batch's runs over.
  enum Axis { case time, feature, height, channel }

  /// What is known of a value that no layer here gives as it is.
  enum Special {
    /// An input of which it is not known yet whether it has tokens; its number.
    case input(Int)
    /// What a recurrent layer gives last: all directions' outputs in one.
    case final(layer: String)
    /// A recurrent layer's state after its last step.
    case state(layer: String, part: State, direction: Int)
    /// Both directions' states of a recurrent layer after their last steps, which a layer of Keras puts side by side.
    case joinedStates(layer: String, part: State, by: KerasLayer)
    /// The products of each query with each key, or their softmax over the keys.
    case scores(query: String, key: String, isSoftmax: Bool)
    /// The softmax over the steps of what a dense layer of one output gives.
    case stepWeights(dense: String)
    /// Each step of a layer's output times such a weight.
    case weighted(name: String, dense: String)
    /// Values with zeros around them, which a convolution takes: numbers before and after, of time, then of height.
    case padded(name: String, axes: [Axis], pad: [Int], layer: KerasLayer)
    /// Which steps are hidden, as Keras 3 computes it: where an input is a number, or something made of such.
    case mask(input: Int?, hidden: Double?)
  }

  enum State { case hidden, cell }

  /// The layer or input here that gives it.
  var name = ""
  /// The axes after the batch's.
  var axes: [Axis] = []
  /// Whether its steps come from the last to the first.
  var isReversed = false
  /// Whether Keras carries a mask along with it.
  var hasMask = false
  var special: Special?

  static let steps: [Axis] = [.time, .feature]
  static let row: [Axis] = [.feature]

  /// A layer's value like this one, under another name.
  func given(by name: String) -> KerasValue {
    var value = self
    (value.name, value.special) = (name, nil)
    return value
  }
}

extension KerasValue.Special {
  /// Whether it is the second direction's state.
  func isState(_ part: KerasValue.State, of layer: String) -> Bool {
    if case .state(layer, part, 1) = self { true } else { false }
  }
}
