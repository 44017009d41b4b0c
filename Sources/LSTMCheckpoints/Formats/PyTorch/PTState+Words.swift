import FileIO

/// How a report describes objects and modules.
extension PTState {
  /// Objects that are passed over, by class; the values of Python's own library among them are no news.
  /// - Parameter scalers: the keys of those that are offered.
  func passedOver(apartFrom scalers: [FoundScaler]) -> [Checkpoint.Skipped] {
    let offered = Set(scalers.map(\.key))
    let objects = closed.filter { !$0.type.isPlainValue && !offered.contains($0.path) }
    return objects.grouped(by: \.type.text).map { type, members in
      let count = members.count
      return .init(
        name: nameList(members.map(\.path)),
        reason: (count == 1 ? "it is a Python object" : "\(count) Python objects") + ", \(type), passed over")
    }
  }

  var notes: [Message] {
    var notes: [Message] = opened.prefix(4).map { object in
      let name = object.path.isEmpty ? "the file's object" : object.path
      return "looked into \(name), a Python object (\(object.type.text)), as no model lies beside it"
    }
    for (index, whole) in modules.enumerated() where whole.isWhole {
      let parts = modules[(index + 1)...].prefix { !$0.isWhole }.map { "\($0.path) is a \($0.type.text)" }
      let what = whole.path.isEmpty ? "a whole module was saved" : "\(whole.path) is a whole module"
      let list =
        parts.isEmpty ? "" : ": " + parts.prefix(12).joined(separator: ", ") + (parts.count > 12 ? ", ..." : "")
      notes.append("\(what), \(whole.type.text); its code is not in the file\(list)")
    }
    return notes
  }

  /// What the modules without tensors would compute, wherever the class's code calls them.
  var assumed: [Assumption] {
    var assumed: [Assumption] = []
    for (index, module) in modules.enumerated() where !module.hasContent && !module.type.isHarmlessModule {
      let before = modules[..<index].last { $0.hasContent && !$0.isWhole }
      let after = modules[(index + 1)...].first { $0.hasContent }
      let places = [before.map { "after \($0.path)" }, after.map { "before \($0.path)" }].compactMap { $0 }
      let name = module.path.isEmpty ? "the module" : module.path
      let made = places.isEmpty ? "" : " (it was made \(places.joined(separator: " and ")))"
      let change: Message =
        "an activation of a dense layer is set in \(.configuration); between the LSTM and the head there can be none"
      assumed.add(
        "\(name), a \(module.type.text), is not applied\(made): where the model calls it is code, which the "
          + "file does not hold",
        change: module.type.isActivation ? change : nil)
    }
    return assumed
  }
}

extension Pickle.Name {
  private var isTorchModule: Bool { module.hasPrefix("torch.nn.") }

  var isLoss: Bool { module == "torch.nn.modules.loss" }

  fileprivate var isActivation: Bool { module == "torch.nn.modules.activation" }

  /// Whether a module without tensors changes nothing when a model is used: dropout, a container, a loss.
  fileprivate var isHarmlessModule: Bool {
    if isLoss || module.hasPrefix("torchmetrics.") { return true }
    guard isTorchModule else { return false }
    return name.contains("Dropout")
      || ["Identity", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"].contains(name)
  }

  /// Whether an object is a value of Python's or PyTorch's own, which is of no use here: a date, a path.
  fileprivate var isPlainValue: Bool {
    let first = String(module.split(separator: ".").first ?? "")
    return ["datetime", "pathlib", "decimal", "fractions", "uuid", "builtins"].contains(first)
      || ["torch", "torch._C", "torch.torch_version", "numpy", "functools", "operator"].contains(module)
  }
}
