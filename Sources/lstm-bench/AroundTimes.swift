/// A process's times of one case, from us and from PyTorch. Ours are without the copy of a batch into the network's
/// order, which a network makes once; PyTorch is given the values in the order that its layer wants.
struct AroundTimes: Codable {
  let name: String
  /// Of a forward pass without gradients, and of one with the gradients of parameters and input, which decoders do not have.
  let forward: Double
  var training: Double?
  /// The largest difference of outputs and gradients from ours, relative to the largest value.
  var difference: Double?
}
