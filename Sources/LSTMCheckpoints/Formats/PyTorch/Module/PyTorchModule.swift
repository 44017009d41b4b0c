import FileIO

extension StoredModel {
  /// The source of an `nn.Module` in plain PyTorch whose `load_state_dict` takes what is written as `.pt`:
  ///
  ///     model = Model()
  ///     model.load_state_dict(torch.load("weights.pt"))
  ///
  /// It reads sequences of one length, features as (N, T, size) and tokens as (N, T).
  /// - Parameters:
  ///   - className: the class; a name that Python takes.
  ///   - options: those that the file is written with.
  /// - Throws: `CheckpointError.refused` naming a layer that cannot be said in PyTorch.
  public func pyTorchModule(
    className: String = "Model", options: WriteOptions = WriteOptions()
  ) throws(CheckpointError) -> String {
    guard isPythonName(className) else {
      throw .refused(file: className, detail: "\"\(className)\" is no name of a class in Python")
    }
    let file = className + ".py"
    var options = options
    options.layout = .pytorch
    let named = try namedTensors(WriteTarget(path: file, options: options, sourceDigest: nil), usual: .pytorch)
    var tensors: [String: NamedTensor] = [:]
    for item in named {
      for place in item.source.components(separatedBy: " + ") where tensors[place] == nil { tensors[place] = item }
    }
    var source = PyTorchSource(configuration, tensors, file: file)
    for index in configuration.layers.indices { try source.write(source.use(index)) }
    for item in named {
      if let other = item.sharedWith { source.alias(item.name, of: other) }
    }
    if let unmade = named.first(where: { !source.tree.names.contains($0.name) }) {
      throw .refused(file: file, detail: "the tensor \(unmade.name) has no place in a module")
    }
    return source.text(className, summary: configuration.summary, mask: configuration.mask)
  }
}

extension PyTorchSource {
  fileprivate func text(_ className: String, summary: String, mask: ModelConfiguration.Mask?) -> String {
    let helpers = PyTorchHelpers.all.filter { self.helpers.contains($0.name) }.map(\.text)
    var notes = ["Sequences of a batch have one length: features are (N, T, size), tokens (N, T)."]
    if let mask { notes.append("The model was trained to pass over \(mask.summary): leave such steps out.") }
    let docstring = ([summary.replacing("\\", with: "\\\\").replacing("\"\"\"", with: "'''"), ""] + notes)
      .map { $0.isEmpty ? "" : "    " + $0 }.joined(separator: "\n")
    let body = tree.lines.map { "        " + $0 }.joined(separator: "\n")
    let steps = forward.map { "        " + $0 }.joined(separator: "\n")
    let arguments = arguments.joined(separator: ", ")
    return """
      import torch
      import torch.nn.functional as F
      from torch import nn


      \(helpers.map { $0 + "\n\n\n" }.joined())class \(className)(nn.Module):
          \"\"\"
      \(docstring)
          \"\"\"

          def __init__(self):
              super().__init__()
      \(body)

          def forward(self, \(arguments)):
      \(steps)
              return \(result)

      """
  }

  /// One function for each kind.
  mutating func write(_ use: Use) throws(CheckpointError) {
    switch use.layer.kind {
    case let kind as Layer.Embedding: try write(kind, use)
    case let kind as Layer.Recurrent: try write(kind, use)
    case let kind as Layer.Convolution: try write(kind, use)
    case let kind as Layer.Pooling: try write(kind, use)
    case let kind as Layer.BatchNorm: try write(kind, use)
    case let kind as Layer.LayerNorm: try write(kind, use)
    case let kind as Layer.GroupNorm: try write(kind, use)
    case let kind as Layer.Rescale: try write(kind, use)
    case let kind as Layer.PReLU: try write(kind, use)
    case let kind as Layer.SelfAttention: try write(kind, use)
    case let kind as Layer.DotAttention: try write(kind, use)
    case let kind as Layer.Attention: try write(kind, use)
    case let kind as Layer.Readout: try write(kind, use)
    case let kind as Layer.Dense: try write(kind, use)
    case let kind as Layer.Repeat: write(kind, use)
    case let kind as Layer.Flatten: write(kind, use)
    case let kind as Layer.Reshape: write(kind, use)
    case let kind as Layer.Slice: write(kind, use)
    case let kind as Layer.ZeroPadding: write(kind, use)
    case let kind as Layer.Merge: write(kind, use)
    case let kind as Layer.L2: write(kind, use)
    case let kind as Layer.Magnitude: write(kind, use)
    case let kind as Layer.Dropout: write(kind, use)
    case let kind as Layer.CRF: try write(kind, use)
    case let kind as Layer.ActivationLayer: write(kind, use)
    default: throw refused(use, "is of the kind \(use.layer.kind.kind), which has no form in PyTorch here")
    }
  }
}
