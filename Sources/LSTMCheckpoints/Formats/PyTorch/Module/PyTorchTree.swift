/// The modules and parameters that an `__init__` makes, by their names in the state_dict.
struct PyTorchTree {
  private enum Content {
    /// Python's text of a module.
    case module(String)
    case parameter([Int], isBuffer: Bool)
    case alias(String)
  }

  private var items: [(path: String, content: Content)] = []
  private var known = Set<String>()
  /// Every name of the state_dict that is made.
  private(set) var names = Set<String>()

  mutating func add(module path: String, _ text: String, names: [String]) {
    for name in names { self.names.insert(path + "." + name) }
    if known.insert(path).inserted { items.append((path, .module(text))) }
  }

  mutating func add(parameter name: String, shape: [Int], isBuffer: Bool) {
    names.insert(name)
    if known.insert(name).inserted { items.append((name, .parameter(shape, isBuffer: isBuffer))) }
  }

  /// Another name of a parameter.
  mutating func add(alias name: String, of other: String) {
    names.insert(name)
    items.append((name, .alias(other)))
  }

  /// `self.head["0"].weight`
  func expression(_ path: String) -> String {
    var text = "self"
    for part in path.split(separator: ".") {
      // What is no name in Python lies in a dictionary, but for the outermost.
      text += isPythonName(String(part)) ? ".\(part)" : text == "self" ? ".get_submodule(\"\(part)\")" : "[\"\(part)\"]"
    }
    return text
  }

  /// The same of a parameter, which lies in no dictionary.
  func expression(parameter path: String) -> String {
    let (owner, leaf) = path.moduleAndLeaf
    let module = owner.isEmpty ? "self" : expression(owner)
    return isPythonName(leaf) ? "\(module).\(leaf)" : "getattr(\(module), \"\(leaf)\")"
  }

  /// The statements of `__init__`.
  var lines: [String] {
    var lines: [String] = []
    var made = Set(items.compactMap { item -> String? in if case .module = item.content { item.path } else { nil } })
    /// What contains others must be made before them.
    func containers(of path: String) {
      let parts = path.split(separator: ".").map(String.init)
      for count in 1..<max(parts.count, 1) {
        let container = parts.prefix(count).joined(separator: ".")
        guard made.insert(container).inserted else { continue }
        let hasNumbers = items.contains { item in
          item.path.dropping(module: container).map { !isPythonName(String($0.prefix { $0 != "." })) } ?? false
        }
        lines.append(assignment(container, hasNumbers ? "nn.ModuleDict()" : "nn.Module()"))
      }
    }
    // The outer before the inner.
    let modules = items.filter { if case .module = $0.content { true } else { false } }
    for (path, content) in modules.enumerated().sorted(by: { a, b in
      let (x, y) = (a.element.path, b.element.path)
      return y.hasPrefix(x + ".") || !x.hasPrefix(y + ".") && a.offset < b.offset
    }).map(\.element) {
      guard case .module(let text) = content else { continue }
      containers(of: path)
      lines.append(assignment(path, text))
    }
    for (path, content) in items {
      switch content {
      case .module: continue
      case .parameter(let shape, let isBuffer):
        containers(of: path)
        let (owner, leaf) = path.moduleAndLeaf
        let zeros = "torch.zeros(\(shape.isEmpty ? "()" : shape.map(String.init).joined(separator: ", ")))"
        let target = owner.isEmpty ? "self" : expression(owner)
        if isBuffer {
          lines.append("\(target).register_buffer(\"\(leaf)\", \(zeros))")
        } else if isPythonName(leaf) {
          lines.append("\(target).\(leaf) = nn.Parameter(\(zeros))")
        } else {
          lines.append("\(target).register_parameter(\"\(leaf)\", nn.Parameter(\(zeros)))")
        }
      case .alias(let other):
        containers(of: path)
        lines.append("\(expression(parameter: path)) = \(expression(parameter: other))")
      }
    }
    return lines
  }

  private func assignment(_ path: String, _ text: String) -> String {
    let (owner, leaf) = path.moduleAndLeaf
    if owner.isEmpty, !isPythonName(leaf) { return "self.add_module(\"\(leaf)\", \(text))" }
    return "\(expression(path)) = \(text)"
  }
}
