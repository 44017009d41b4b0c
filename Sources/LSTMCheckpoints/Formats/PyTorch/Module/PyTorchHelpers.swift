/// Functions in Python that a module may need, for what PyTorch has no layer for.
struct PyTorchHelpers {
  let name: String
  let text: String

  static let all = [samePadding, lstm, gru, rnn]

  static let samePadding = PyTorchHelpers(
    name: "same_padding",
    text: """
      def same_padding(steps, reach, stride):
          \"\"\"Zeros before and after, so that ceil(steps / stride) windows fit.\"\"\"
          total = max((-(-steps // stride) - 1) * stride + reach - steps, 0)
          return total // 2, total - total // 2
      """)

  /// Everything that an LSTM's cell may have: PyTorch's own has no other activations, peepholes or clips.
  static let lstm = PyTorchHelpers(
    name: "run_lstm",
    text: """
      def run_lstm(x, weight_ih, weight_hh, bias, h, c, reverse=False, weight_hr=None, peephole=None,
                   gate=torch.sigmoid, cell=torch.tanh, out=torch.tanh, cell_clip=None, output_clip=None, clip=None):
          steps = []
          for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
              i, f, g, o = (x[:, t] @ weight_ih.T + h @ weight_hh.T + bias).chunk(4, dim=1)
              if peephole is not None:
                  p_i, p_f, p_o = peephole.chunk(3)
                  i, f = i + p_i * c, f + p_f * c
              if clip is not None:
                  i, f, g = (v.clamp(-clip, clip) for v in (i, f, g))
              c = gate(f) * c + gate(i) * cell(g)
              if cell_clip is not None:
                  c = c.clamp(-cell_clip, cell_clip)
              if peephole is not None:
                  o = o + p_o * c
              if clip is not None:
                  o = o.clamp(-clip, clip)
              h = gate(o) * out(c)
              if weight_hr is not None:
                  h = h @ weight_hr.T
              if output_clip is not None:
                  h = h.clamp(-output_clip, output_clip)
              steps.append(h)
          return torch.stack(steps[::-1] if reverse else steps, dim=1), h, c
      """)

  static let gru = PyTorchHelpers(
    name: "run_gru",
    text: """
      def run_gru(x, weight_ih, weight_hh, bias_ih, bias_hh, h, reverse=False, reset_after=True,
                  gate=torch.sigmoid, cell=torch.tanh, clip=None):
          steps = []
          limit = (lambda v: v) if clip is None else (lambda v: v.clamp(-clip, clip))
          w_r, w_z, w_n = weight_hh.chunk(3)
          b_r, b_z, b_n = bias_hh.chunk(3)
          for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
              r, z, n = (x[:, t] @ weight_ih.T + bias_ih).chunk(3, dim=1)
              r = gate(limit(r + h @ w_r.T + b_r))
              z = gate(limit(z + h @ w_z.T + b_z))
              n = cell(limit(n + (r * (h @ w_n.T + b_n) if reset_after else (r * h) @ w_n.T + b_n)))
              h = (1 - z) * n + z * h
              steps.append(h)
          return torch.stack(steps[::-1] if reverse else steps, dim=1), h
      """)

  static let rnn = PyTorchHelpers(
    name: "run_rnn",
    text: """
      def run_rnn(x, weight_ih, weight_hh, bias, h, reverse=False, cell=torch.tanh, clip=None):
          steps = []
          for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
              h = x[:, t] @ weight_ih.T + h @ weight_hh.T + bias
              h = cell(h if clip is None else h.clamp(-clip, clip))
              steps.append(h)
          return torch.stack(steps[::-1] if reverse else steps, dim=1), h
      """)
}
