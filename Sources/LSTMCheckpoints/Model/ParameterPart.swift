/// What of its layer a parameter is.
public enum ParameterPart: Hashable, Sendable {
  /// Of one direction of a recurrent layer.
  case cell(RecurrentPart)
  /// A matrix, of a dense layer (O, I).
  case weight
  /// A vector, of a dense layer (O).
  case bias
}

/// A part of a recurrent cell, by the name that PyTorch gives it.
public enum RecurrentPart: String, Hashable, Sendable, CaseIterable {
  /// W_ih (4H, I)
  case inputWeight = "weight_ih"
  /// W_hh (4H, P or H)
  case recurrentWeight = "weight_hh"
  /// b_ih (4H)
  case inputBias = "bias_ih"
  /// b_hh (4H)
  case recurrentBias = "bias_hh"
  /// W_hr (P, H)
  case projection = "weight_hr"
  /// p_i, p_f and p_o (3H)
  case peephole

  /// The gate of each block of its rows, from the first; none where rows belong to no gate.
  public var gates: [Gate] {
    switch self {
    case .inputWeight, .recurrentWeight, .inputBias, .recurrentBias: Gate.allCases
    case .peephole: [.input, .forget, .output]
    case .projection: []
    }
  }
}

/// A gate of an LSTM cell. The rows of the gates lie one block after another, in the order i, f, g, o. `cell` is the
/// candidate, which papers call g and Keras c.
public enum Gate: Int, CaseIterable, Sendable {
  case input, forget, cell, output

  /// `i`, `f`, `g` or `o`
  public var letter: Character { ["i", "f", "g", "o"][rawValue] }
  /// `input`, `forget`, `cell` or `output`
  public var name: String { "\(self)" }
}
