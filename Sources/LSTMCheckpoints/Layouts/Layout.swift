/// How a framework names, orders and shapes the tensors of an LSTM, whatever file they are in.
public enum Layout: String, Sendable, Codable, CaseIterable {
  /// `weight_ih_l0` (4H, I), `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`; also candle's and the native file's.
  case pytorch
  /// Keras 2 and 3 `LSTM`: kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H).
  case keras
  /// Keras' `CuDNNLSTM`: the same shapes with blocks stored the other way round, bias (8H).
  case kerasCuDNN = "keras-cudnn"
  /// Keras 1: W, U and b for each of the gates i, c, f, o.
  case keras1
  /// The operator `LSTM` of ONNX: W (D, 4H, I), R (D, 4H, H), B (D, 8H), gates i, o, f, c.
  case onnx
  /// MLX `nn.LSTM`: Wx (4H, I), Wh (4H, H), bias (4H).
  case mlx
  /// Flax linen and NNX `LSTMCell`: ii, if, ig, io and hi, hf, hg, ho.
  case flax
  /// Flax' `OptimizedLSTMCell` in NNX: dense_i and dense_h.
  case flaxOptimized = "flax-optimized"
  /// Haiku `LSTM`: w (I + H, 4H), b; gates i, g, f, o; 1 is added to f at run time.
  case haiku
  /// TensorFlow 1 cells: kernel (I + H, 4H), bias; gates i, c, f, o; forget_bias is added at run time.
  case tf1
  /// swift-apis (Swift for TensorFlow): fusedWeight (I + H, 4H), fusedBias; gates i, c, f, o.
  case s4tf
  /// burn: input_gate.input_transform.weight, ...
  case burn
}
