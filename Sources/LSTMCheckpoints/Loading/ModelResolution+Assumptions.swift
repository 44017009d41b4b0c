import FileIO

// What tensors alone do not tell: activations, the readout, the gates.

extension ModelResolution {
  /// The activations that a user says of a model that nothing else describes.
  mutating func setActivations(_ options: LoadOptions) throws(CheckpointError) {
    for (setting, activation) in [
      (Setting.readoutActivation, options.readoutActivation), (.outputActivation, options.outputActivation),
    ] where activation != nil && configuration.head.isEmpty {
      throw .invalid(setting, nil, "the model has no dense layer behind its LSTM")
    }
    if let given = options.readoutActivation {
      guard let activation = PlainStack.Activation(given), PlainStack.Activation.elementwise.contains(activation) else {
        let known = PlainStack.Activation.elementwise.map(\.rawValue).joined(separator: ", ")
        throw .invalid(.readoutActivation, "\(given.rawValue)", "expected \(known)")
      }
      configuration.readoutActivation = activation
    }
    if let activation = options.outputActivation.flatMap(PlainStack.Activation.init),
      let last = configuration.head.indices.last
    {
      configuration.head[last].activation = activation
    }
  }

  /// Lists what was taken for granted where nothing but the tensors describes the model.
  mutating func assume(_ options: LoadOptions, tellsGates: Bool) {
    let last = configuration.head.count - 1
    if !tellsGates, options.gates == nil, configuration.layers.allSatisfy({ $0.gateActivation == .sigmoid }) {
      assumed.add(
        "the LSTM's gates are squashed by sigmoid and its cell by tanh",
        change: "\(.gates, "hard_sigmoid"), or another activation in \(.model, "LINE")")
    }
    guard last >= 0 else {
      if options.readout == nil {
        assumed.add("nothing behind the LSTM: its output at every step is the model's")
      }
      return
    }
    if configuration.readout == nil {
      assumed.add(
        "what of the LSTM's output the head reads is left open: finetune and evaluate settle it from the data",
        change: "\(.readout, "last"), final, all, mean or max")
    }
    if configuration.layers[0].outputSize == configuration.input.size {
      assumed.add(
        "what the first LSTM gives is not added to what it reads, which is as wide",
        change: "add after it in \(.model, "LINE")")
    }
    if options.readoutActivation == nil {
      assumed.add("nothing between the LSTM and head.0", change: "\(.readoutActivation) relu, tanh or sigmoid")
    }
    if last > 0 {
      let names = (0...last).compactMap { mapping["head.\($0).weight"]?.tensor.name }
      assumed.add(
        "the head's layers follow each other: \(names.joined(separator: ", then "))",
        change: "\(.configuration, "FILE")")
    }
    if case .features(configuration.head[last].size) = configuration.input,
      configuration.readout == nil || configuration.readout == .all
    {
      assumed.add(
        "the input is not added to what head.\(last) gives, which is as wide",
        change: "-> add from head.\(last), input at the end of \(.model, "LINE")")
    }
    if options.outputActivation == nil {
      assumed.add(
        "no activation after head.\(last)", change: Assumption.outputActivations(width: configuration.head[last].size))
    }
  }
}
