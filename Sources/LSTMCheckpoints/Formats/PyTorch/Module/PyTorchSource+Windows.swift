// Convolutions and poolings. In PyTorch channels come before steps.

extension PyTorchSource {
  mutating func write(_ kind: Layer.Convolution, _ use: Use) throws(CheckpointError) {
    let axes = kind.kernel.count
    var settings = ["\(kind.channels(use.value))", "\(kind.size)", pythonNumbers(kind.kernel)]
    if kind.stride.contains(where: { $0 != 1 }) { settings.append("stride=\(pythonNumbers(kind.stride))") }
    if kind.dilation.contains(where: { $0 != 1 }) { settings.append("dilation=\(pythonNumbers(kind.dilation))") }
    if kind.groups != 1 { settings.append("groups=\(kind.groups)") }
    if !kind.hasBias { settings.append("bias=False") }
    let text = "nn.Conv\(axes)d(\(settings.joined(separator: ", ")))"
    let made =
      kind.hasBias
      ? try module(use, text, ["weight": "weight", "bias": "bias"]) : try module(use, text, ["weight": "weight"])
    say("\(use.target) = \(channelsFirst(use, axes))")
    pad(use, kind, axes)
    let result: String
    if let made {
      result = "\(made)(\(use.target))"
    } else {
      let weight = try parameter(use, "weight")
      let bias = kind.hasBias ? try parameter(use, "bias") : "None"
      result =
        "F.conv\(axes)d(\(use.target), \(weight), \(bias), stride=\(pythonNumbers(kind.stride)), "
        + "dilation=\(pythonNumbers(kind.dilation)), groups=\(kind.groups))"
    }
    say("\(use.target) = \(kind.activation.pyTorch(result + channelsLast(axes)))")
  }

  private func channelsFirst(_ use: Use, _ axes: Int) -> String {
    guard axes == 2, let grid = use.value.grid else { return "\(use.input).transpose(1, 2)" }
    return "\(use.input).unflatten(2, (\(grid.channels), \(grid.height))).transpose(1, 2)"
  }

  private func channelsLast(_ axes: Int) -> String { axes == 2 ? ".transpose(1, 2).flatten(2)" : ".transpose(1, 2)" }

  /// What is assumed around the steps. The height is known, so that only the steps' may depend on their number.
  private mutating func pad(_ use: Use, _ kind: Layer.Convolution, _ axes: Int) {
    let own = kind.pad.isEmpty ? (0, 0) : (kind.pad[0], kind.pad[1])
    let reach = (kind.kernel[0] - 1) * kind.dilation[0]
    var time = ["\(own.0)", "\(own.1)"]
    switch kind.padding {
    case .valid: break
    case .causal: time[0] = "\(own.0 + reach)"
    case .same where kind.stride[0] == 1:
      time = ["\(own.0 + reach / 2)", "\(own.1 + reach - reach / 2)"]
    case .same:
      need("same_padding")
      say("before, after = same_padding(\(use.target).shape[2], \(reach + 1), \(kind.stride[0]))")
      time = own == (0, 0) ? ["before", "after"] : ["before + \(own.0)", "after + \(own.1)"]
    }
    var height: [String] = []
    if axes == 2, let grid = use.value.grid {
      let around = kind.padding(grid.height, axis: 1)
      height = ["\(around.before)", "\(around.after)"]
    }
    // The last axis comes first.
    let all = height + time
    guard all.contains(where: { $0 != "0" }) else { return }
    say("\(use.target) = F.pad(\(use.target), (\(all.joined(separator: ", ")))\(kind.reflects ? ", mode=\"reflect\"" : ""))")
  }

  mutating func write(_ kind: Layer.Pooling, _ use: Use) throws(CheckpointError) {
    let axes = kind.window.count
    let stride = kind.stride.isEmpty ? kind.window : kind.stride
    let target = use.target
    say("\(target) = \(channelsFirst(use, axes))")
    var around: [String] = []
    if kind.isSame {
      need("same_padding")
      say("before, after = same_padding(\(target).shape[2], \(kind.window[0]), \(stride[0]))")
      around = ["before", "after"]
      if axes == 2, let grid = use.value.grid {
        let before = kind.padding(grid.height, axis: 1)
        let total = max((kind.length(grid.height, axis: 1) - 1) * stride[1] + kind.window[1] - grid.height, 0)
        around = ["\(before)", "\(total - before)"] + around
      }
    } else if kind.pad.contains(where: { $0 != 0 }) {
      around = (axes == 2 ? [kind.pad[2], kind.pad[3]] : []).map(String.init) + [kind.pad[0], kind.pad[1]].map(String.init)
    }
    let window = "\(pythonNumbers(kind.window)), \(pythonNumbers(stride))" + (kind.isCeiling ? ", ceil_mode=True" : "")
    let pads = around.isEmpty ? nil : "(\(around.joined(separator: ", ")))"
    let result: String
    switch (kind.operation, pads) {
    case (.max, nil): result = "F.max_pool\(axes)d(\(target), \(window))"
    case (.max, let pads?): result = "F.max_pool\(axes)d(F.pad(\(target), \(pads), value=float(\"-inf\")), \(window))"
    case (.average, nil): result = "F.avg_pool\(axes)d(\(target), \(window))"
    case (.average, let pads?) where kind.countsPad && !kind.isSame:
      result = "F.avg_pool\(axes)d(F.pad(\(target), \(pads)), \(window))"
    case (.average, let pads?):
      // Padding does not count.
      say("inside = F.avg_pool\(axes)d(F.pad(torch.ones_like(\(target)), \(pads)), \(window))")
      result = "(F.avg_pool\(axes)d(F.pad(\(target), \(pads)), \(window)) / inside)"
    }
    say("\(target) = \(result)\(channelsLast(axes))")
  }
}
