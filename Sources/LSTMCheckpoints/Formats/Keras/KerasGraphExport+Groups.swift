import FileIO

extension KerasGraphExport {
  mutating func addGroupNorm(
    _ layer: Layer, _ kind: Layer.GroupNorm, _ read: Value
  ) throws(CheckpointError) {
    pass(
      layer, "GroupNormalization",
      [
        "groups": .number(Double(kind.groups)), "axis": -1,
        "epsilon": .number(Double("\(kind.epsilon)") ?? Double(kind.epsilon)), "scale": .bool(kind.hasScale),
        "center": .bool(kind.hasOffset),
      ], read)
    try putAll(layer, (kind.hasScale ? [("weight", "gamma")] : []) + (kind.hasOffset ? [("bias", "beta")] : []))
  }
}
