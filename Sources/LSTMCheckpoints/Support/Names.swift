/// The first few names, each once.
func nameList(_ names: [String]) -> String {
  var seen = Set<String>()
  var list: [String] = []
  for name in names where list.count < 5 && seen.insert(name).inserted { list.append(name.isEmpty ? "(root)" : name) }
  return list.prefix(4).joined(separator: ", ") + (list.count > 4 ? ", ..." : "")
}

/// A shape as people write it: `(4, 3)`, `(4,)`, `()`.
public func shapeText(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}

/// TensorFlow's variables end in `:0`.
func withoutVariableNumber(_ name: String) -> String { name.hasSuffix(":0") ? String(name.dropLast(2)) : name }
