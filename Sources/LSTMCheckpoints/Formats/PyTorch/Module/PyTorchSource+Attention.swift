extension PyTorchSource {
  mutating func write(_ kind: Layer.Attention, _ use: Use) throws(CheckpointError) {
    let rows = try tensorRows(use, kind)
    let x = use.input
    var scores = try linear(use, x, "weight", kind.hasBias ? "bias" : nil, from: use.value.width, to: rows)
    if kind.form == .tanh {
      say("scores = torch.tanh(\(scores))")
      scores = try linear(use, "scores", "score", kind.hasScoreBias ? "score_bias" : nil, from: kind.size, to: 1)
    }
    say("scores = \(kind.scoreActivation.pyTorch(scores))")
    say("\(use.target) = (F.softmax(scores, dim=1) * \(x)).sum(1)")
  }

  private func tensorRows(_ use: Use, _ kind: Layer.Attention) throws(CheckpointError) -> Int {
    switch kind.form {
    case .vector: 1
    case .feature: use.value.width
    case .tanh: kind.size
    }
  }

  /// A product with a layer's matrix, as a module where it lies in one, else with the parameter as it lies in the file.
  private mutating func linear(
    _ use: Use, _ x: String, _ weight: String, _ bias: String?, from inputs: Int, to outputs: Int
  ) throws(CheckpointError) -> String {
    let text = "nn.Linear(\(inputs), \(outputs)\(bias == nil ? ", bias=False" : ""))"
    let found = try tensor(use, weight)
    if found.tensor.shape == [outputs, inputs], found.name.moduleAndLeaf.leaf == "weight" {
      let made =
        if let bias {
          try module(use, text, [weight: "weight", bias: "bias"])
        } else {
          try module(use, text, [weight: "weight"])
        }
      if let made { return "\(made)(\(x))" }
    }
    let offset = if let bias { " + " + (try parameter(use, bias)) } else { "" }
    let own = try parameter(use, weight)
    // A parameter by itself is multiplied from the right, a vector as a column.
    let isRow = found.tensor.shape == [outputs, inputs] && found.name.moduleAndLeaf.leaf == "weight"
    return isRow ? "\(x) @ \(own).T\(offset)" : "\(x) @ \(own).reshape(\(inputs), \(outputs))\(offset)"
  }

  mutating func write(_ kind: Layer.SelfAttention, _ use: Use) throws(CheckpointError) {
    let width = use.value.width
    let text = "nn.MultiheadAttention(\(width), \(kind.heads)\(kind.hasBias ? "" : ", bias=False"), batch_first=True)"
    let withBias: KeyValuePairs = [
      "in_proj_weight": "in_proj_weight", "in_proj_bias": "in_proj_bias", "out_proj.weight": "out_proj.weight",
      "out_proj.bias": "out_proj.bias",
    ]
    let without: KeyValuePairs = ["in_proj_weight": "in_proj_weight", "out_proj.weight": "out_proj.weight"]
    guard let made = try module(use, text, kind.hasBias ? withBias : without) else {
      throw refused(use, "has weights that lie in no module of their own")
    }
    var mask = ""
    if kind.isCausal {
      say(
        "later = torch.ones(\(use.input).shape[1], \(use.input).shape[1], dtype=torch.bool, device=\(use.input).device).triu(1)"
      )
      mask = ", attn_mask=later"
    }
    let x = use.input
    say("\(use.target), _ = \(made)(\(x), \(x), \(x)\(mask), need_weights=False)")
  }

  mutating func write(_ kind: Layer.DotAttention, _ use: Use) throws(CheckpointError) {
    let (query, value) = (use.inputs[0], use.inputs[1])
    let key = use.inputs.count > 2 ? use.inputs[2] : value
    let isRow = !use.value.isPerStep
    say("query = \(query)\(isRow ? ".unsqueeze(1)" : "")")
    func head(_ name: String) -> String {
      kind.heads == 1 ? name : "\(name).unflatten(-1, (\(kind.heads), -1)).transpose(1, 2)"
    }
    if kind.isAdditive {
      let sums = "torch.tanh(query.unsqueeze(2) + \(key).unsqueeze(1))"
      if kind.hasScale, let made = try score(use, kind) {
        say("scores = \(made)(\(sums)).squeeze(-1)")
      } else {
        var scale = ""
        if kind.hasScale {
          let isVector = try tensor(use, "scale").tensor.shape.count == 1
          scale = try parameter(use, "scale") + (isVector ? " * " : ".reshape(-1) * ")
        }
        if kind.hasBias { _ = try parameter(use, "bias") }
        say("scores = (\(scale)\(sums)).sum(-1)")
      }
    } else {
      let scale = kind.hasScale ? " * " + (try parameter(use, "scale")) : ""
      let divisor = kind.isScaled ? " / \(use.value.width / kind.heads) ** 0.5" : ""
      say("scores = \(head("query")) @ \(head(key)).transpose(\(kind.heads == 1 ? "1, 2" : "2, 3"))\(divisor)\(scale)")
    }
    if kind.isCausal {
      say("later = torch.ones_like(scores, dtype=torch.bool).triu(1)")
      say("scores = scores.masked_fill(later, float(\"-inf\"))")
    }
    let merged = kind.heads == 1 ? "" : ".transpose(1, 2).flatten(2)"
    let result = "F.softmax(scores, dim=-1) @ \(head(value))"
    say("\(use.target) = \(kind.heads == 1 ? result : "(\(result))\(merged)")")
    if isRow { say("\(use.target) = \(use.target).squeeze(1)") }
  }

  /// The module of additive scores, where the file has one.
  private mutating func score(_ use: Use, _ kind: Layer.DotAttention) throws(CheckpointError) -> String? {
    let width = use.value.width
    guard try tensor(use, "scale").tensor.shape == [1, width] else { return nil }
    let text = "nn.Linear(\(width), 1\(kind.hasBias ? "" : ", bias=False"))"
    return kind.hasBias
      ? try module(use, text, ["scale": "weight", "bias": "bias"]) : try module(use, text, ["scale": "weight"])
  }
}
