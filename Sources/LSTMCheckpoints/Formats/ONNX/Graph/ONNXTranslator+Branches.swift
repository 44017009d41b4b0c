import FileIO

extension ONNXTranslator {
  /// Takes one branch of `If`: the one that known sizes decide, or one that is tried.
  mutating func branch(_ node: ONNXModel.Node) throws(CheckpointError) {
    let name = node.inputs.first ?? ""
    var condition: Bool?
    var text: String?
    switch values[name] {
    case .numbers(let numbers)? where numbers.known?.count == 1: condition = numbers.known?[0] != 0
    case .constant(let constant)? where constant.tensor.elementCount == 1:
      condition = (try? constant.tensor.integers()).map { $0[0] != 0 }
    case .choice(let choice)?:
      text = choice
      condition = settled[choice]
    default: break
    }
    let decided: Bool
    if let condition {
      decided = condition
    } else {
      decided = choices.indices.contains(taken.count) ? choices[taken.count] : true
      taken.append(decided)
      assume(decided, name, text, node)
    }
    guard case .graph(let branch)? = node.attributes[decided ? "then_branch" : "else_branch"],
      branch.outputs.count == node.outputs.count
    else {
      let reason = reason(node, ONNXRefusal(detail: "its branches cannot be read"))
      for name in node.outputs where !name.isEmpty { values[name] = .deferred(reason) }
      return
    }
    for tensor in branch.constants {
      guard values[tensor.name] == nil else {
        throw unknownFormat("is no valid ONNX model: \"\(tensor.name)\" is given twice")
      }
      if case .external = tensor.elements { continue }
      values[tensor.name] = .constant(
        ONNXConstant(tensor: tensor.stored(in: bytes, file: file), sources: [tensor.name]))
    }
    for inner in branch.nodes { try run(inner) }
    for (name, result) in zip(node.outputs, branch.outputs) where !name.isEmpty {
      values[name] =
        values[result] ?? .deferred(reason(node, ONNXRefusal(detail: "its branch gives no \"\(result)\"")))
      producers[name] = producers[result]
      carried.aliases[name] = result
    }
  }

  /// Remembers what was taken for granted.
  private mutating func assume(_ decided: Bool, _ condition: String, _ text: String?, _ node: ONNXModel.Node) {
    if let text {
      settled[text] = decided
      let what = decided ? text : text.replacing(" is ", with: " is not ", maxReplacements: 1)
      assumed.add("\(what): the branch of \(node.description) that runs then is the model; the other is left out")
      return
    }
    // A size that was asked for is that size from here on.
    if decided, let test = origin(condition), test.operation == "Equal", test.inputs.count == 2,
      let a = numbers(test, 0), let b = numbers(test, 1), a.values.count == 1, b.values.count == 1
    {
      for (one, other) in [(a, b), (b, a)] {
        guard let size = one.values[0], size.factor == 1, size.symbols.count == 1, size.symbols[0] > 0,
          let known = other.values[0]?.known
        else { continue }
        stepSizes[size.symbols[0] - 1] = known
        assumed.add(
          "there \(known == 1 ? "is 1 step" : "are \(known) steps") where \(node.description) asks for it: that branch is the model"
        )
        return
      }
    }
    assumed.add("\(node.description) runs its \(decided ? "first" : "second") branch, whatever it is given")
  }
}
