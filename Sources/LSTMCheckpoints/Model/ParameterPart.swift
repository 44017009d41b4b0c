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
}
