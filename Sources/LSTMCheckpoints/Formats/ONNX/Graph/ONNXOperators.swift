/// The operators that are understood: each family is a file, and a line here.
enum ONNXOperators {
  /// - Returns: nil where the node is not understood; a refusal says why.
  typealias Translate = @Sendable (inout ONNXTranslator, ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]?

  struct Family: Sendable {
    /// Empty for ONNX's own.
    var domains: Set<String> = [""]
    let operators: Set<String>
    let translate: Translate

    init(_ operators: Set<String>, domains: Set<String> = [""], _ translate: @escaping Translate) {
      self.operators = operators
      self.domains = domains
      self.translate = translate
    }
  }

  static let families: [Family] = [
    constants, sizes, movers, picks, joins, repeats,
    activations, sums, products, scalers, dense, convolution, pads, pooling, reductions,
    batchNorm, layerNorm, groupNorm, rmsNorm, recurrent, reversals, roots, softmax, quantized,
  ]

  static func translation(of node: ONNXModel.Node) -> Translate? {
    families.first { $0.operators.contains(node.operation) && $0.domains.contains(node.domain) }?.translate
  }
}
