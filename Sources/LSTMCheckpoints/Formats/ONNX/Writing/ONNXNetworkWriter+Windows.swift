import FileIO

extension ONNXNetworkWriter {
  /// Does something to rows with channels on the second axis: (B, W, T), (B, C, T, F), or (B, W) as it is.
  mutating func channelsFirst(
    _ value: String, _ read: LayerValue, _ body: (inout ONNXNetworkWriter, String) -> String
  ) -> String {
    if let grid = read.grid, read.isPerStep {
      let apart = reshaped(value, [0, 0, grid.channels, grid.height])
      let made = transposed(body(&self, transposed(apart, [0, 2, 1, 3])), [0, 2, 1, 3])
      return reshaped(made, [0, 0, read.width])
    }
    if let grid = read.grid {
      return reshaped(body(&self, reshaped(value, [0, grid.channels, grid.height])), [0, read.width])
    }
    if !read.isPerStep { return body(&self, value) }
    return transposed(body(&self, transposed(value, [0, 2, 1])), [0, 2, 1])
  }

  mutating func convolution(_ kind: Layer.Convolution, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let axes = kind.kernel.count
    var pads = pads(kind.pad, axes)
    if kind.padding == .causal { pads[0] += (kind.kernel[0] - 1) * kind.dilation[0] }
    if kind.padding == .same, pads.contains(where: { $0 != 0 }) {
      throw refused(place, "padding beside that which keeps the number of steps")
    }
    // Zeros alone can be asked for without their number, and not by ONNX Runtime where windows have gaps.
    let isNumbered = kind.padding == .same && (kind.reflects || kind.dilation.contains { $0 != 1 })
    if isNumbered {
      guard
        let steps = kind.stride[0] == 1
          ? place.values[0].steps ?? kind.kernel[0] * kind.dilation[0] : place.values[0].steps
      else {
        throw refused(
          place, "\(kind.reflects ? "reflected" : "padded") steps whose number depends on that of the sequence's")
      }
      for axis in 0..<axes {
        let around = kind.padding(axis == 0 ? steps : place.values[0].grid?.height ?? 1, axis: axis)
        (pads[axis], pads[axes + axis]) = (around.before, around.after)
      }
    }
    var inputs = [try weight("weight", place)]
    if kind.hasBias { inputs.append(try weight("bias", place)) }
    var attributes: [(String, ONNXGraphBuilder.Attribute)] = [
      ("kernel_shape", .integers(kind.kernel)), ("strides", .integers(kind.stride)),
      ("dilations", .integers(kind.dilation)), ("group", .integer(kind.groups)),
    ]
    let value = windowed(place, axes) { writer, value in
      var value = value
      if kind.padding == .same, !isNumbered {
        attributes.append(("auto_pad", .text("SAME_UPPER")))
      } else if kind.reflects, pads.contains(where: { $0 != 0 }) {
        let all = [0, 0] + pads[..<axes] + [0, 0] + pads[axes...]
        value = writer.builder.node("Pad", [value, writer.builder.integers(Array(all))], ["mode": .text("reflect")])
      } else {
        attributes.append(("pads", .integers(pads)))
      }
      return writer.builder.node("Conv", [value] + inputs, outputs: nil, attributes)
    }
    return activated(value, kind.activation, nil)
  }

  mutating func pooling(_ kind: Layer.Pooling, _ place: ONNXPlace) -> String {
    let axes = kind.window.count
    var attributes: [(String, ONNXGraphBuilder.Attribute)] = [
      ("kernel_shape", .integers(kind.window)), ("strides", .integers(kind.stride.isEmpty ? kind.window : kind.stride)),
    ]
    if kind.isSame {
      attributes.append(("auto_pad", .text("SAME_UPPER")))
    } else {
      attributes.append(("pads", .integers(pads(kind.pad, axes))))
      if kind.isCeiling { attributes.append(("ceil_mode", .integer(1))) }
    }
    if kind.operation == .average, kind.countsPad { attributes.append(("count_include_pad", .integer(1))) }
    return windowed(place, axes) { writer, value in
      writer.builder.node(kind.operation == .max ? "MaxPool" : "AveragePool", [value], outputs: nil, attributes)
    }
  }

  /// Before each axis, then after each, as ONNX has it.
  private func pads(_ pad: [Int], _ axes: Int) -> [Int] {
    pad.isEmpty
      ? [Int](repeating: 0, count: 2 * axes) : (0..<axes).map { pad[2 * $0] } + (0..<axes).map { pad[2 * $0 + 1] }
  }

  /// Over time alone, whatever a row is divided into, or over time and height.
  private mutating func windowed(
    _ place: ONNXPlace, _ axes: Int, _ body: (inout ONNXNetworkWriter, String) -> String
  ) -> String {
    let read = place.values[0]
    guard axes == 2, let grid = read.grid else {
      return transposed(body(&self, transposed(place.input, [0, 2, 1])), [0, 2, 1])
    }
    let apart = reshaped(place.input, [0, 0, grid.channels, grid.height])
    let made = transposed(body(&self, transposed(apart, [0, 2, 1, 3])), [0, 2, 1, 3])
    return reshaped(made, [0, 0, place.value.width])
  }
}
