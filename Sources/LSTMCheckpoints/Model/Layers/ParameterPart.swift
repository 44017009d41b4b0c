/// What of its layer a parameter is.
public enum ParameterPart: Hashable, Sendable {
  /// Of one direction of a recurrent layer.
  case cell(RecurrentPart)
  /// A matrix, of a dense layer (O, I), or a convolution's kernels.
  case weight
  /// A vector, of a dense layer (O).
  case bias
  /// What multiplies each feature after a normalization, or below zero.
  case gain
  /// A running statistic: training moves it, but by no gradient, and only where its layer trains.
  case statistic
  /// A constant of the model, which training never moves.
  case fixed

  /// Whether a gradient can move it.
  public var isTrainable: Bool { self != .statistic && self != .fixed }
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
  /// h_0 (P or H)
  case initialHidden = "initial_h"
  /// c_0 (H)
  case initialCell = "initial_c"

  /// The gate of each block of its rows, from the first; none where rows belong to no gate.
  public func gates(of cell: Layer.Recurrent.Cell) -> [Gate] {
    switch self {
    case .inputWeight, .recurrentWeight, .inputBias, .recurrentBias: Gate.of(cell)
    case .peephole: [.input, .forget, .output]
    case .projection, .initialHidden, .initialCell: []
    }
  }
}

/// A gate of a recurrent cell. The rows of the gates lie one block after another: i, f, g, o of an LSTM and r, z, n of a
/// GRU. `cell` is the LSTM's candidate, which papers call g and Keras c, `candidate` the GRU's.
public enum Gate: Int, CaseIterable, Sendable {
  case input, forget, cell, output
  case reset, update, candidate

  /// In the order of their rows; a plain recurrent layer has none.
  public static func of(_ cell: Layer.Recurrent.Cell) -> [Gate] {
    switch cell {
    case .lstm: [.input, .forget, .cell, .output]
    case .gru: [.reset, .update, .candidate]
    case .rnn: []
    }
  }

  /// `i`, `f`, `g` or `o`; `r`, `z` or `n`
  public var letter: Character { ["i", "f", "g", "o", "r", "z", "n"][rawValue] }
  /// `input`, `forget`, `cell` or `output`
  public var name: String { "\(self)" }
}
