extension PyTorchSource {
  mutating func write(_ kind: Layer.Embedding, _ use: Use) throws(CheckpointError) {
    let padding = kind.paddingToken.map { ", padding_idx=\($0)" } ?? ""
    let text = "nn.Embedding(\(use.value.vocabulary ?? 1), \(kind.size)\(padding))"
    if let module = try module(use, text, ["weight": "weight"]) {
      say("\(use.target) = \(module)(\(use.input))")
    } else {
      say("\(use.target) = F.embedding(\(use.input), \(try parameter(use, "weight")))")
    }
  }

  mutating func write(_ kind: Layer.Dense, _ use: Use) throws(CheckpointError) {
    let text = "nn.Linear(\(use.value.width), \(kind.size)\(kind.hasBias ? "" : ", bias=False"))"
    let made =
      kind.hasBias
      ? try module(use, text, ["weight": "weight", "bias": "bias"]) : try module(use, text, ["weight": "weight"])
    let product: String
    if let made {
      product = "\(made)(\(use.input))"
    } else {
      let weight = try parameter(use, "weight")
      let bias = kind.hasBias ? ", " + (try parameter(use, "bias")) : ""
      product = "F.linear(\(use.input), \(weight)\(bias))"
    }
    say("\(use.target) = \(kind.activation.pyTorch(product))")
  }

  // MARK: - Normalizations

  mutating func write(_ kind: Layer.BatchNorm, _ use: Use) throws(CheckpointError) {
    let isGrid = use.value.grid != nil && use.value.isPerStep
    let isAffine = kind.hasScale && kind.hasOffset
    let text =
      "nn.BatchNorm\(isGrid ? 2 : 1)d(\(kind.count(use.value)), eps=\(kind.epsilon), momentum=\(kind.momentum)"
      + (isAffine ? ")" : ", affine=False)")
    let statistics: KeyValuePairs = ["running_mean": "running_mean", "running_var": "running_var"]
    let all: KeyValuePairs = [
      "weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var",
    ]
    guard let norm = try module(use, text, isAffine ? all : statistics, beside: ["num_batches_tracked"]) else {
      throw refused(use, "has statistics that lie in no module of their own")
    }
    // What PyTorch's layer has only both of.
    if !isAffine {
      if kind.hasScale { _ = try parameter(use, "weight") }
      if kind.hasOffset { _ = try parameter(use, "bias") }
    }
    if let grid = use.value.grid, isGrid {
      say("\(use.target) = \(use.input).unflatten(2, (\(grid.channels), \(grid.height))).transpose(1, 2)")
      say("\(use.target) = \(norm)(\(use.target)).transpose(1, 2).flatten(2)")
    } else if use.value.isPerStep {
      say("\(use.target) = \(norm)(\(use.input).transpose(1, 2)).transpose(1, 2)")
    } else {
      say("\(use.target) = \(norm)(\(use.input))")
    }
  }

  mutating func write(_ kind: Layer.LayerNorm, _ use: Use) throws(CheckpointError) {
    let width = use.value.width
    var made: String?
    if kind.hasScale, kind.hasOffset {
      made = try module(use, "nn.LayerNorm(\(width), eps=\(kind.epsilon))", ["weight": "weight", "bias": "bias"])
    }
    if let made {
      say("\(use.target) = \(made)(\(use.input))")
      return
    }
    let weight = kind.hasScale ? try parameter(use, "weight") : "None"
    let bias = kind.hasOffset ? try parameter(use, "bias") : "None"
    say("\(use.target) = F.layer_norm(\(use.input), (\(width),), \(weight), \(bias), \(kind.epsilon))")
  }

  mutating func write(_ kind: Layer.GroupNorm, _ use: Use) throws(CheckpointError) {
    let count = kind.count(use.value)
    var made: String?
    if kind.hasScale, kind.hasOffset {
      made = try module(
        use, "nn.GroupNorm(\(kind.groups), \(count), eps=\(kind.epsilon))", ["weight": "weight", "bias": "bias"])
    }
    let weight = made == nil && kind.hasScale ? try parameter(use, "weight") : "None"
    let bias = made == nil && kind.hasOffset ? try parameter(use, "bias") : "None"
    func normalized(_ value: String) -> String {
      made.map { "\($0)(\(value))" } ?? "F.group_norm(\(value), \(kind.groups), \(weight), \(bias), \(kind.epsilon))"
    }
    if let grid = use.value.grid {
      let shape = "(\(grid.channels), \(grid.height))"
      if use.value.isPerStep {
        say("\(use.target) = \(use.input).unflatten(2, \(shape)).transpose(1, 2)")
        say("\(use.target) = \(normalized(use.target)).transpose(1, 2).flatten(2)")
      } else {
        say("\(use.target) = \(normalized("\(use.input).unflatten(1, \(shape))")).flatten(1)")
      }
    } else if use.value.isPerStep {
      say("\(use.target) = \(normalized("\(use.input).transpose(1, 2)")).transpose(1, 2)")
    } else {
      say("\(use.target) = \(normalized(use.input))")
    }
  }

  /// PyTorch has the features of steps on the second axis.
  mutating func write(_ kind: Layer.PReLU, _ use: Use) throws(CheckpointError) {
    let count = kind.isShared ? 1 : use.value.width
    guard let made = try module(use, "nn.PReLU(\(count))", ["weight": "weight"]) else {
      throw refused(use, "has slopes that lie in no module of their own")
    }
    let isTurned = use.value.isPerStep && !kind.isShared
    say("\(use.target) = \(made)(\(use.input)\(isTurned ? ".transpose(1, 2)).transpose(1, 2)" : ")")")
  }

  /// Scores pass through; transitions are for decoding and the loss.
  mutating func write(_ kind: Layer.CRF, _ use: Use) throws(CheckpointError) {
    if kind.hasEnds {
      _ = try parameter(use, "start_transitions")
      _ = try parameter(use, "end_transitions")
    }
    _ = try parameter(use, "transitions")
    say("# The scores of tags; decode them with the transitions, from row to column.")
    if use.target != use.input { say("\(use.target) = \(use.input)") }
  }
}
