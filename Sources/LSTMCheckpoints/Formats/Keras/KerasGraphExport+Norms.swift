import FileIO

extension KerasGraphExport {
  mutating func addLayerNorm(_ layer: Layer, _ kind: Layer.LayerNorm, _ read: Value) throws(CheckpointError) {
    try addNorm(layer, "LayerNormalization", [:], kind.epsilon, (kind.hasScale, kind.hasOffset), read)
  }

  mutating func addGroupNorm(_ layer: Layer, _ kind: Layer.GroupNorm, _ read: Value) throws(CheckpointError) {
    let groups = KerasJSON.number(Double(kind.groups))
    try addNorm(layer, "GroupNormalization", ["groups": groups], kind.epsilon, (kind.hasScale, kind.hasOffset), read)
  }

  private mutating func addNorm(
    _ layer: Layer, _ className: String, _ settings: [String: KerasJSON], _ epsilon: Float,
    _ has: (scale: Bool, offset: Bool), _ read: Value
  ) throws(CheckpointError) {
    var config = settings
    config["axis"] = -1
    config["epsilon"] = .number(Double("\(epsilon)") ?? Double(epsilon))
    (config["scale"], config["center"]) = (.bool(has.scale), .bool(has.offset))
    pass(layer, className, config, read)
    try putAll(layer, (has.scale ? [("weight", "gamma")] : []) + (has.offset ? [("bias", "beta")] : []))
  }
}
