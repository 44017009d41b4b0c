// Convolutions and poolings. In PyTorch channels come before steps.

extension PyTorchSource {
  mutating func write(_ kind: Layer.Convolution, _ use: Use) throws(CheckpointError) {
    let count = kind.kernel.count
    var settings = ["\(kind.channels(use.value))", "\(kind.size)", axes(kind.kernel)]
    if kind.stride.contains(where: { $0 != 1 }) { settings.append("stride=\(axes(kind.stride))") }
    if kind.dilation.contains(where: { $0 != 1 }) { settings.append("dilation=\(axes(kind.dilation))") }
    if kind.groups != 1 { settings.append("groups=\(kind.groups)") }
    if !kind.hasBias { settings.append("bias=False") }
    let text = "nn.Conv\(count)d(\(settings.joined(separator: ", ")))"
    let made =
      kind.hasBias
      ? try module(use, text, ["weight": "weight", "bias": "bias"]) : try module(use, text, ["weight": "weight"])
    say("\(use.target) = \(channelsFirst(use, count))")
    pad(use, kind, count)
    let result: String
    if let made {
      result = "\(made)(\(use.target))"
    } else {
      let weight = try parameter(use, "weight")
      let bias = kind.hasBias ? try parameter(use, "bias") : "None"
      result =
        "F.conv\(count)d(\(use.target), \(weight), \(bias), stride=\(axes(kind.stride)), "
        + "dilation=\(axes(kind.dilation)), groups=\(kind.groups))"
    }
    say("\(use.target) = \(kind.activation.pyTorch(result + channelsLast(count)))")
  }

  private func channelsFirst(_ use: Use, _ count: Int) -> String {
    guard count == 2, let grid = use.value.grid else { return "\(use.input).transpose(1, 2)" }
    return "\(use.input).unflatten(2, (\(grid.channels), \(grid.height))).permute(0, 2, 3, 1)"
  }

  private func channelsLast(_ count: Int) -> String {
    count == 2 ? ".permute(0, 3, 1, 2).flatten(2)" : ".transpose(1, 2)"
  }

  /// Of steps and height, as PyTorch has them: the height first.
  private func axes(_ values: [Int]) -> String { pythonNumbers(values.reversed()) }

  /// What is assumed around the steps. The height is known, so that only the steps' may depend on their number.
  private mutating func pad(_ use: Use, _ kind: Layer.Convolution, _ count: Int) {
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
      say("before, after = same_padding(\(use.target).shape[-1], \(reach + 1), \(kind.stride[0]))")
      time = own == (0, 0) ? ["before", "after"] : ["before + \(own.0)", "after + \(own.1)"]
    }
    var height: [String] = []
    if count == 2, let grid = use.value.grid {
      let around = kind.padding(grid.height, axis: 1)
      height = ["\(around.before)", "\(around.after)"]
    }
    // The last axis comes first.
    let all = time + height
    guard all.contains(where: { $0 != "0" }) else { return }
    say(
      "\(use.target) = F.pad(\(use.target), (\(all.joined(separator: ", ")))\(kind.reflects ? ", mode=\"reflect\"" : ""))"
    )
  }

  mutating func write(_ kind: Layer.Pooling, _ use: Use) throws(CheckpointError) {
    let count = kind.window.count
    let stride = kind.stride.isEmpty ? kind.window : kind.stride
    let target = use.target
    say("\(target) = \(channelsFirst(use, count))")
    var around: [String] = []
    if kind.isSame {
      need("same_padding")
      say("before, after = same_padding(\(target).shape[-1], \(kind.window[0]), \(stride[0]))")
      around = ["before", "after"]
      if count == 2, let grid = use.value.grid {
        let before = kind.padding(grid.height, axis: 1)
        let total = max((kind.length(grid.height, axis: 1) - 1) * stride[1] + kind.window[1] - grid.height, 0)
        around += ["\(before)", "\(total - before)"]
      }
    } else if kind.pad.contains(where: { $0 != 0 }) {
      let isEven = kind.window.indices.allSatisfy { axis in
        kind.pad[2 * axis] == kind.pad[2 * axis + 1] && 2 * kind.pad[2 * axis] <= kind.window[axis]
      }
      if isEven {
        let own = axes(kind.window.indices.map { kind.pad[2 * $0] })
        let ceiling = kind.isCeiling ? ", ceil_mode=True" : ""
        let counting = kind.operation == .average && !kind.countsPad ? ", count_include_pad=False" : ""
        let name = kind.operation == .max ? "max_pool" : "avg_pool"
        say(
          "\(target) = F.\(name)\(count)d(\(target), \(axes(kind.window)), \(axes(stride)), \(own)\(ceiling)\(counting))"
            + channelsLast(count))
        return
      }
      // A last window in the padding alone is none, which only PyTorch's own padding knows.
      guard !kind.isCeiling else {
        throw refused(use, "pads one side more than the other and has a last window that is not whole")
      }
      around = kind.pad.map(String.init)
    }
    let window = "\(axes(kind.window)), \(axes(stride))" + (kind.isCeiling ? ", ceil_mode=True" : "")
    let pads = around.isEmpty ? nil : "(\(around.joined(separator: ", ")))"
    let result: String
    switch (kind.operation, pads) {
    case (.max, nil): result = "F.max_pool\(count)d(\(target), \(window))"
    case (.max, let pads?): result = "F.max_pool\(count)d(F.pad(\(target), \(pads), value=float(\"-inf\")), \(window))"
    case (.average, nil): result = "F.avg_pool\(count)d(\(target), \(window))"
    case (.average, let pads?) where kind.countsPad && !kind.isSame:
      result = "F.avg_pool\(count)d(F.pad(\(target), \(pads)), \(window))"
    case (.average, let pads?):
      // Padding does not count.
      say("inside = F.avg_pool\(count)d(F.pad(torch.ones_like(\(target)), \(pads)), \(window))")
      result = "(F.avg_pool\(count)d(F.pad(\(target), \(pads)), \(window)) / inside)"
    }
    say("\(target) = \(result)\(channelsLast(count))")
  }
}
