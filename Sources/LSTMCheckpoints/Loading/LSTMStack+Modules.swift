import FileIO

// Several modules with an LSTM each: one stack, parts that stand side by side, or copies of one model.

extension LSTMStack {
  /// In the order of the file's names.
  private var modules: [String] { layers.reduce(into: []) { if $0.last != $1.module { $0.append($1.module) } } }

  /// The order that a user gives.
  mutating func order(_ options: LoadOptions, prefix: String) throws(CheckpointError) {
    guard let given = options.stack else { return }
    let names = given.map { name -> String in
      let dotted = name.dotted
      return prefix.isEmpty ? dotted : dotted.dropping(module: prefix) ?? dotted
    }
    let known = modules
    guard Set(names).count == names.count, !names.isEmpty else {
      throw .invalid(.stack, "\(given.joined(separator: ","))", "names a module twice")
    }
    if let stranger = names.first(where: { !known.contains($0) }) {
      throw .invalid(
        .stack, "\(given.joined(separator: ","))", "no LSTM of \(file) is \(stranger)",
        advice: ["it has \(nameList(known))"])
    }
    for layer in layers where !names.contains(layer.module) {
      for candidate in layer.tensors.values.flatMap(\.values) {
        leftOver.append(.init(candidate: candidate, reason: "an LSTM that \(.stack) does not name", kind: .lstm))
      }
    }
    let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    layers = layers.filter { places[$0.module] != nil }.sorted {
      (places[$0.module] ?? 0, $0.index) < (places[$1.module] ?? 0, $1.index)
    }
    for (below, above) in zip(layers, layers.dropFirst()) {
      guard let width = above.inputSize, width != below.configuration.outputSize else { continue }
      throw ambiguous(
        "\(.stack, given.joined(separator: ",")): \(above.module) reads \(width) values, but "
          + "\(below.module) gives \(below.configuration.outputSize)")
    }
    if names.count > 1 { notes.append("one stack in the order of \(.stack): \(nameList(names))") }
  }

  /// Modules that differ in a number alone are one stack, when each reads what the one before gives and could not as
  /// well read the same input.
  /// - Parameter isDescribed: a configuration says that there are as many layers.
  mutating func checkOneStack(prefix: String, isDescribed: Bool, others: [Candidate]) throws(CheckpointError) {
    let modules = modules
    guard modules.count > 1 else { return }
    func full(_ module: String) -> String { prefix.isEmpty ? module : prefix + "." + module }
    let list = nameList(modules)
    let isNumbered = Set(modules.map { $0.filter { !$0.isNumber } }).count == 1
    let broken = zip(layers, layers.dropFirst()).first { below, above in
      above.inputSize.map { $0 != below.configuration.outputSize } ?? false
    }
    if isNumbered, broken == nil {
      let width = layers[0].inputSize
      let twin = layers.first { $0.module != modules[0] && width != nil && $0.inputSize == width }
      guard let twin, !isDescribed, !Self.isList(modules) else {
        notes.append("one stack of \(layers.count) layers from the modules \(list)")
        assumed.append(.oneStack(list))
        return
      }
      throw ambiguous(
        "\(modules[0]) and \(twin.module) both read \(width ?? 0) values and give "
          + "\(layers[0].configuration.outputSize): they may stand one above the other, or side by side; the tensors do "
          + "not tell",
        "if each reads what the one before gives, and nothing else: \(.stack, modules.map(full).joined(separator: ","))",
        "LSTMs side by side are described with \(.model, "LINE"); one alone is \(.prefix, full(modules[0]))")
    }
    if let error = copies(modules, others, full: full) { throw error }
    var detail: Message = "holds \(modules.count) LSTMs that do not make one stack: \(list)"
    if isNumbered, let (below, above) = broken, let width = above.inputSize {
      detail +=
        "; \(above.module) reads \(width) values, but \(below.module.isEmpty ? "(root)" : below.module) gives"
        + " \(below.configuration.outputSize)"
    }
    var advice: [Message] = []
    if let order = onlyOrder(modules) {
      advice.append("if each reads what the one before gives: \(.stack, order.map(full).joined(separator: ","))")
    }
    let named = modules.filter { !$0.isEmpty }
    let (chosen, other) = (named[0], named[named.count > 1 ? 1 : 0])
    if advice.isEmpty {
      advice.append("one of them alone, whose output is then not the model's, is \(.prefix, full(chosen))")
    }
    advice.append(
      "if they work apart, each for an output of its own, leave the others out, for example "
        + "\(.allowedUnexpected, "\(full(other)).*")")
    throw .ambiguous(file: file, detail: detail, advice: advice)
  }

  /// Whether the number is that of a place in a list (`rnns.0`, `layers_1`), not that of an attribute (`lstm1`).
  static func isList(_ modules: [String]) -> Bool {
    let paths = modules.map { $0.split(separator: ".") }
    guard let first = paths.first, let other = paths.last, first.count == other.count,
      let place = first.indices.first(where: { first[$0] != other[$0] })
    else { return false }
    let word = first[place].filter { $0.isLetter }.lowercased()
    return word.isEmpty
      || ["layer", "layers", "cell", "cells", "rnns", "lstms", "block", "blocks", "stack"].contains(word)
  }

  /// The order of modules in which each reads what the one before gives, when there is one alone.
  private func onlyOrder(_ modules: [String]) -> [String]? {
    guard modules.count <= 6 else { return nil }
    var ends: [(reads: Int, gives: Int)] = []
    for module in modules {
      let own = layers.filter { $0.module == module }
      guard let reads = own.first?.inputSize, let top = own.last else { return nil }
      ends.append((reads, top.configuration.outputSize))
    }
    return LSTMCheckpoints.onlyOrder(ends)?.map { modules[$0] }
  }

  /// The same names and shapes below two modules: a model and its average, or two parts that look alike.
  private func copies(_ modules: [String], _ others: [Candidate], full: (String) -> String) -> CheckpointError? {
    guard modules.count == 2 else { return nil }
    func shapes(_ module: String) -> [String: [Int]] {
      var shapes: [String: [Int]] = [:]
      for layer in layers where layer.module == module {
        for candidate in layer.tensors.values.flatMap(\.values) {
          shapes[String(candidate.name.dropFirst(module.count))] = candidate.shape
        }
      }
      return shapes
    }
    guard shapes(modules[0]) == shapes(modules[1]) else { return nil }
    var (a, b) = (modules[0].split(separator: "."), modules[1].split(separator: "."))
    while let x = a.last, let y = b.last, x == y {
      a.removeLast()
      b.removeLast()
    }
    let roots = [a.joined(separator: "."), b.joined(separator: ".")]
    // Only what has more than its LSTM twice is a model twice.
    func rest(_ root: String) -> Set<String> {
      Set(others.lazy.map(\.name).compactMap { root.isEmpty ? $0 : $0.dropping(module: root) })
    }
    guard let outer = roots.first(where: { !$0.isEmpty }), !rest(roots[0]).isDisjoint(with: rest(roots[1])) else {
      return nil
    }
    let names = roots.map { $0.isEmpty ? "the root" : full($0) }
    let advice: Message =
      roots.contains("")
      ? "if they are a model and its average: \(.prefix, full(outer)) takes the one, \(.allowedUnexpected, "\(full(outer)).*") the other"
      : "if they are a model and its average, choose one with its head: \(.prefix, names[0]) or \(.prefix, names[1])"
    return ambiguous(
      "tensors of the same names and shapes lie below \(names[0]) and below \(names[1]): two copies of one model, "
        + "or two parts that work together", advice, "parts that work together are described with \(.model, "LINE")")
  }
}
