import FileIO

/// Layouts that are known by the names of their tensors, whatever file these are in.
enum NamedLayout {
  /// In the layout that the user names, else in that of the names.
  /// - Throws: `CheckpointError.ambiguous` when the names are those of several layouts, or of a shape that several have.
  static func translate(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation {
    var allowed: [Candidate] = []
    var rest: [Candidate] = []
    for candidate in candidates {
      if options.globsAllowing(candidate).isEmpty { rest.append(candidate) } else { allowed.append(candidate) }
    }
    let kinds = TensorKinds(candidates)
    try refuseNormalizedCells(rest, kinds, file: file)
    // What has the names of a layout and another number of gates is no LSTM.
    let foreign = rest.filter { PyTorchName($0.name) == nil && kinds.recurrentKind($0) != nil }
    if !foreign.isEmpty {
      let names = Set(foreign.map(\.name))
      rest.removeAll { names.contains($0.name) }
    }
    let choice = try Choice(rest, file: file, options: options)
    guard let names = choice.names else {
      return Translation(.pytorch, candidates: candidates, evidence: choice.evidence)
    }
    var translation: Translation
    if choice.isPyTorchNamed, let read = names.underPyTorchNames {
      translation = read(rest)
    } else {
      translation = Translation(names.layout, evidence: choice.evidence)
      let named = try NamedCells(rest, names: names, file: file)
      if options.layout == nil { try askOrder(of: names, named, file: file, &translation) }
      var recurrent = try layout(names, file: file, options: options)
      if options.layout == nil, let variant = names.variant?(named.cells) {
        recurrent = variant.recurrent
        translation = Translation(variant.layout, evidence: [variant.evidence])
      }
      let stack = try NamedStack(named.cells, names: names, layout: recurrent, file: file, options: options)
      stack.add(to: &translation, recurrent)
      addOthers(named.others, names, to: &translation)
      if translation.layout == names.layout, options.given == nil, let unstated = names.unstated {
        translation.notes.append(unstated)
      }
    }
    for candidate in foreign {
      let kind = kinds.kind(of: candidate)
      translation.leaveOut(candidate, reason: kind.reason, kind: kind)
    }
    for candidate in allowed {
      translation.leaveOut(candidate, reason: "left out as allowed", kind: kinds.kind(of: candidate))
    }
    return translation
  }

  /// A cell that normalizes what it adds up is another cell, whatever else its tensors are called.
  static func refuseNormalizedCells(
    _ candidates: [Candidate], _ kinds: TensorKinds, file: String
  ) throws(CheckpointError) {
    guard kinds.mayNormalizeCells else { return }
    let inside = candidates.filter { kinds.kind(of: $0) == .cellNormalization }
    guard let first = inside.first else { return }
    let modules = Set(inside.map(\.name)).sorted(by: isNaturallyBefore)
    let (module, _) = first.name.moduleAndLeaf
    let advice: Message =
      "a normalization of what a layer gives lies beside that layer: \(.rules, "^\(module)[.]=\(module.moduleAndLeaf.leaf).")"
    throw .unsupported(
      file: file,
      detail:
        "an LSTM or GRU with layer normalization inside its cell, which has no counterpart here: \(nameList(modules))",
      advice: first.name.moduleAndLeaf.leaf == "weight" ? [advice] : [])
  }

  /// Names that two frameworks have, with the gates in another order.
  private static func askOrder(
    of names: LayoutNames, _ named: NamedCells, file: String, _ translation: inout Translation
  ) throws(CheckpointError) {
    guard let twin = names.twin else { return }
    let linear = named.others.first { $0.isLinearWeight }
    if let linear {
      throw .ambiguous(
        file: file,
        detail: "\(names.evidence) beside \(linear.tensor.name), which is PyTorch's: \(twin.reason)",
        advice: ["say which with \(.layout, names.layout.rawValue) or \(.layout, twin.layout.rawValue)"])
    }
    translation.assumed.add(
      "the order of the gates is that of \(names.title)", change: "\(.layout, twin.layout.rawValue)")
  }

  /// The layout of the matrices.
  private static func layout(
    _ names: LayoutNames, file: String, options: LoadOptions
  ) throws(CheckpointError) -> RecurrentLayout {
    if let question = names.forgetBiasQuestion {
      if options.forgetBias == nil { throw .ambiguous(file: file, detail: question.detail, advice: [question.advice]) }
    } else if let bias = options.forgetBias {
      let asking = options.layouts.named.filter { $0.forgetBiasQuestion != nil }.map(\.layout.rawValue)
      throw .invalid(
        .forgetBias, "\(bias)", "the file is read in the layout \(names.layout.rawValue), which says it itself",
        advice: ["it goes with \(.layout, asking.joined(separator: ", "))"])
    }
    return names.recurrent(forgetBias: options.forgetBias)
  }

  // MARK: - What is no cell

  /// Dense layers and embeddings under names that end in `.weight` and `.bias`, as (out, in).
  private static func addOthers(_ others: [Candidate], _ names: LayoutNames, to translation: inout Translation) {
    var taken = Set(others.map(\.name))
    let stems = Set(others.map { withoutVariableNumber($0.name) })
    for candidate in others {
      let name = withoutVariableNumber(candidate.name)
      let (path, leaf) = name.moduleAndLeaf
      let module = path.isEmpty ? "" : path + "."
      if (leaf == "key" || leaf == "count"), module.hasSuffix("rngs.") {
        translation.leaveOut(candidate, reason: "the state of a random number generator", isHarmless: true)
        continue
      }
      let isMatrix = candidate.shape.count == 2
      let isAlone = !stems.contains(module + names.dense.bias)
      // Where one name is that of both, an embedding has no bias and says so.
      let isEmbedding =
        leaf == names.dense.embedding && isMatrix
        && (names.dense.embedding != names.dense.weight || isAlone && TensorKinds.saysEmbedding(name))
      var made = candidate
      if isEmbedding || leaf == names.dense.weight && isMatrix {
        let turned = !isEmbedding && names.dense.isTransposed
        made = Candidate(
          name: module + "weight", tensor: turned ? candidate.tensor.transposed() : candidate.tensor,
          how: turned ? "transposed" : nil)
      } else if leaf == names.dense.bias {
        made = Candidate(name: module + "bias", tensor: candidate.tensor)
      }
      // The cells have PyTorch's names by now; a tensor that came with one must not be taken for a part of them.
      if PyTorchName(made.name) != nil {
        translation.leaveOut(
          candidate, reason: "a name of PyTorch's, but the file is read in the layout \(names.layout.rawValue)")
        continue
      }
      // A name that another tensor has already stays what it was, and is reported.
      if made.name != candidate.name, !taken.insert(made.name).inserted { made = candidate }
      translation.add(made.name, made.tensor, how: made.how)
    }
  }
}

/// Which layout a file's names are read in, and why.
private struct Choice {
  var layout: Layout
  /// nil for PyTorch's names.
  var names: LayoutNames?
  var evidence: [Message]
  /// The layout's shapes under PyTorch's names.
  var isPyTorchNamed = false

  init(_ candidates: [Candidate], file: String, options: LoadOptions) throws(CheckpointError) {
    let hasPyTorch = candidates.contains { PyTorchName($0.name).map { $0.kind != .peephole } ?? false }
    if let layout = options.layout {
      try self.init(forced: layout, options.layouts[layout], candidates, hasPyTorch: hasPyTorch, file: file)
      return
    }
    var found: [LayoutNames] = []
    let endings = NamedCells.endings(candidates)
    for names in options.layouts.named where NamedCells.mayExist(endings, names: names) {
      if try !NamedCells(candidates, names: names, file: file).cells.isEmpty { found.append(names) }
    }
    let evidence = (hasPyTorch ? ["weight_ih and weight_hh: PyTorch's names"] : []) + found.map(\.evidence)
    if evidence.count > 1 {
      throw .ambiguous(
        file: file, detail: "holds LSTMs under the names of several layouts: " + evidence.joined(separator: "; "),
        advice: [
          "choose one with \(.layout), and leave the others out with \(.allowedUnexpected, "GLOB")",
          "or look at one part only with \(.prefix)",
        ])
    }
    if let names = found.first {
      self.init(layout: names.layout, names: names, evidence: evidence)
      return
    }
    if !hasPyTorch {
      try Self.refuseLooseNames(candidates, options.layouts.named, file: file)
    }
    self.init(layout: .pytorch, names: nil, evidence: hasPyTorch ? evidence : ["no other layout's names"])
  }

  private init(layout: Layout, names: LayoutNames?, evidence: [Message]) {
    self.layout = layout
    self.names = names
    self.evidence = evidence
  }

  private init(
    forced layout: Layout, _ table: LayoutNames?, _ candidates: [Candidate], hasPyTorch: Bool, file: String
  ) throws(CheckpointError) {
    let said: Message = "\(.layout, layout.rawValue)"
    self.init(layout: layout, names: table, evidence: [said])
    guard let names else {
      guard layout == .pytorch else {
        throw .invalidOption(
          "\(said): its tensors are known by their place in a file of their framework, not by names",
          advice: ["read that file itself"])
      }
      return
    }
    if try !NamedCells(candidates, names: names, file: file).cells.isEmpty { return }
    if names.recurrent.isFused {
      let loose = names.withLooseNames()
      if try !NamedCells(candidates, names: loose, file: file).cells.isEmpty {
        self.names = loose
        return
      }
    }
    if names.underPyTorchNames != nil, hasPyTorch {
      isPyTorchNamed = true
      return
    }
    let wanted = names.leaves.filter { $0.slot.kind == .input || $0.slot.kind == .recurrent }.prefix(2).map(\.path)
    let module =
      switch names.module {
      case .any: ""
      case .containing(let word): " of a module whose name has \(word)"
      case .ending(let words): " of a module \(words[0])"
      }
    throw .ambiguous(
      file: file,
      detail: "holds no LSTM in the layout \(layout.rawValue): expected \(wanted.joined(separator: " and "))\(module), "
        + "found \(nameList(candidates.map(\.tensor.name)))",
      advice: ["rename tensors with \(.rules, "REGEX=REPLACEMENT"), or leave \(.layout) away to go by the names"])
  }

  /// - Throws: `CheckpointError.ambiguous` when a weight can be the one for input and state of several layouts.
  private static func refuseLooseNames(
    _ candidates: [Candidate], _ named: [LayoutNames], file: String
  ) throws(CheckpointError) {
    let known = named.compactMap { names in names.fused.map { (names, $0) } }
    guard let first = known.first?.0 else { return }
    let cells = try NamedCells(candidates, names: first.withLooseNames(), file: file).cells
    guard let weight = cells.lazy.compactMap({ $0.tensors[.init(kind: .input)] }).first(where: looksFused) else {
      return
    }
    func list(_ texts: [Message], _ or: Message) -> Message {
      texts.dropLast().joined(separator: ", ") + (texts.count > 1 ? or : "") + (texts.last ?? "")
    }
    let owners = list(known.map { "of \($0.1.owner)" }, " or ")
    let additions = known.map { "\($0.1.owner) \($0.1.adds)" }.joined(separator: ", ")
    throw .ambiguous(
      file: file,
      detail:
        "\(weight.tensor.name) \(shapeText(weight.shape)) can be the one weight (I + H, 4H) \(owners): the same order "
        + "of gates, but \(additions)",
      advice: ["say which with \(list(known.map(\.1.choice), ", or "))"])
  }

  private static func looksFused(_ candidate: Candidate) -> Bool {
    let shape = candidate.shape
    return shape.count == 2 && shape[1] >= 4 && shape[1] % 4 == 0 && shape[0] > shape[1] / 4
  }
}
