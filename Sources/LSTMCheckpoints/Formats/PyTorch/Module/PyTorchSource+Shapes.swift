extension PyTorchSource {
  mutating func write(_ kind: Layer.Readout, _ use: Use) throws(CheckpointError) {
    let x = use.input
    let value: String
    switch kind.take {
    case .undecided:
      throw .refused(
        file: file, detail: "what of the steps layer \(use.layer.name) reads is not known yet",
        advice: ["import the model with \(.readout, "last"), final, all, mean or max"])
    case .all: value = x
    case .last: value = "\(x)[:, -1]"
    case .first: value = "\(x)[:, 0]"
    case .mean: value = "\(x).mean(1)"
    case .sum: value = "\(x).sum(1)"
    case .max: value = "\(x).amax(1)"
    case .final: value = try final(use)
    }
    say("\(use.target) = \(value)")
  }

  /// The end of what runs from the end is the first step.
  private func final(_ use: Use) throws(CheckpointError) -> String {
    let place = configuration.sources[use.index][0] - configuration.inputs.count
    if place >= 0, let kind = configuration.layers[place].kind as? Layer.Recurrent, kind.isBidirectional,
      kind.merge != .concatenate
    {
      throw refused(
        use, "reads the final state of two directions that are \(kind.merge.rawValue)d, which PyTorch has not")
    }
    let width = use.value.width
    let parts = configuration.finalParts(ofLayer: use.index).map { part in
      let (first, end) = (part.columns.lowerBound, part.columns.upperBound)
      let columns =
        first == 0 && end == width ? "" : ", \(first == 0 ? "" : "\(first)"):\(end == width ? "" : "\(end)")"
      return "\(use.input)[:, \(part.isFirstStep ? "0" : "-1")\(columns)]"
    }
    return parts.count == 1 ? parts[0] : "torch.cat([\(parts.joined(separator: ", "))], dim=-1)"
  }

  mutating func write(_ kind: Layer.Repeat, _ use: Use) {
    say("\(use.target) = \(use.input).unsqueeze(1).expand(-1, \(kind.count), -1)")
  }

  mutating func write(_ kind: Layer.Flatten, _ use: Use) {
    guard use.value.isPerStep else {
      if use.target != use.input { say("\(use.target) = \(use.input)") }
      return
    }
    say("\(use.target) = \(use.input)\(kind.isFeatureFirst ? ".transpose(1, 2)" : "").flatten(1)")
  }

  mutating func write(_ kind: Layer.Reshape, _ use: Use) {
    let x = use.input
    let height = use.value.width / max(kind.channels, 1)
    var value = x
    switch kind.form {
    case .steps: value = "\(x).unflatten(1, (\(kind.steps), -1))"
    case .split: value = "\(x).reshape(\(x).shape[0], -1, \(use.output.width))"
    case .grid, .row: break
    case .channelsLast:
      if let grid = use.value.grid {
        value = "\(x).unflatten(-1, (\(grid.channels), \(grid.height))).transpose(-1, -2).flatten(-2)"
      }
    case .gridChannelsLast: value = "\(x).unflatten(-1, (\(height), \(kind.channels))).transpose(-1, -2).flatten(-2)"
    }
    if value != use.target { say("\(use.target) = \(value)") }
  }

  mutating func write(_ kind: Layer.Slice, _ use: Use) {
    say("\(use.target) = \(use.input)[..., \(kind.first):\(kind.first + kind.count)]")
  }

  mutating func write(_ kind: Layer.ZeroPadding, _ use: Use) {
    say("\(use.target) = F.pad(\(use.input), (0, 0, \(kind.before), \(kind.after)))")
  }

  /// What has one row a sequence goes with each step.
  mutating func write(_ kind: Layer.Merge, _ use: Use) {
    let perStep = zip(use.inputs, use.values).first { $0.1.isPerStep }?.0
    let parts = zip(use.inputs, use.values).map { name, value -> String in
      guard let perStep, !value.isPerStep else { return name }
      let row = "\(name).unsqueeze(1)"
      return kind.operation == .concatenate ? "\(row).expand(-1, \(perStep).shape[1], -1)" : row
    }
    let value: String
    switch kind.operation {
    case .concatenate: value = "torch.cat([\(parts.joined(separator: ", "))], dim=-1)"
    case .add: value = parts.joined(separator: " + ")
    case .multiply: value = parts.joined(separator: " * ")
    case .subtract: value = parts.joined(separator: " - ")
    case .average: value = "(\(parts.joined(separator: " + "))) / \(parts.count)"
    case .maximum: value = parts.dropFirst().reduce(parts[0]) { "torch.maximum(\($0), \($1))" }
    }
    say("\(use.target) = \(value)")
  }
}
