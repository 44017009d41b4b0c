/// The first few names, each once.
func nameList(_ names: [String]) -> String {
  var seen = Set<String>()
  var list: [String] = []
  for name in names where list.count < 5 && seen.insert(name).inserted { list.append(name.isEmpty ? "(root)" : name) }
  return list.prefix(4).joined(separator: ", ") + (list.count > 4 ? ", ..." : "")
}

/// A shape as people write it: `(4, 3)`, `(4,)`, `()`.
package func shapeText(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}

/// TensorFlow's variables end in `:0`.
func withoutVariableNumber(_ name: String) -> String { name.droppingSuffix(":0") ?? name }

extension String {
  /// The module and the last part of a dotted name.
  var moduleAndLeaf: (module: String, leaf: String) {
    guard let dot = utf8.lastIndex(of: UInt8(ascii: ".")) else { return ("", self) }
    return (String(self[..<dot]), String(self[utf8.index(after: dot)...]))
  }

  /// With dots between its parts, as a path of HDF5 has slashes.
  var dotted: String { utf8.contains(UInt8(ascii: "/")) ? replacing("/", with: ".") : self }

  /// What stands before an ending; nil where it ends otherwise.
  func droppingSuffix(_ suffix: String) -> String? { hasSuffix(suffix) ? String(dropLast(suffix.count)) : nil }

  /// A dotted name without the module that it begins with; nil where it begins otherwise.
  func dropping(module: String) -> String? {
    hasPrefix(module + ".") ? String(dropFirst(module.count + 1)) : nil
  }
}
