/// What of its layer a parameter is.
public enum ParameterPart: Hashable, Sendable {
  /// Of one direction of a recurrent layer.
  case cell(RecurrentPart)
  case weight
  case bias
}

/// A part of a recurrent cell, by the name that PyTorch gives it.
public enum RecurrentPart: String, Hashable, Sendable, CaseIterable {
  case inputWeight = "weight_ih"
  case recurrentWeight = "weight_hh"
  case inputBias = "bias_ih"
  case recurrentBias = "bias_hh"
  case projection = "weight_hr"
  case peephole
}
