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
      let isAllowed = options.allowedUnexpected.contains {
        matches(candidate.name, glob: $0) || matches(candidate.tensor.name, glob: $0)
      }
      if isAllowed { allowed.append(candidate) } else { rest.append(candidate) }
    }
    let kinds = TensorKinds(candidates)
    // What has Keras' names and another number of gates is no LSTM.
    let foreign = rest.filter { PyTorchName($0.name) == nil && kinds.recurrentKind($0) != nil }
    if !foreign.isEmpty {
      let names = Set(foreign.map(\.name))
      rest.removeAll { names.contains($0.name) }
    }
    let choice = try Choice(rest, file: file, options: options)
    guard let names = choice.names else { return Translation(pytorch: candidates, evidence: choice.evidence) }
    var translation: Translation
    if choice.isPyTorchNamed {
      translation = columnsUnderPyTorchNames(rest, evidence: choice.evidence)
    } else {
      translation = Translation(choice.layout, evidence: choice.evidence)
      let named = try NamedCells(rest, names: names, file: file)
      var recurrent = try layout(names, file: file, options: options)
      if choice.layout == .keras, options.layout == nil, isCuDNN(named.cells) {
        recurrent = .cudnn
        translation = Translation(.kerasCuDNN, evidence: [LayoutNames.cudnn.evidence])
      }
      let stack = try NamedStack(named.cells, names: names, layout: recurrent, file: file, options: options)
      stack.add(to: &translation, recurrent)
      addOthers(named.others, names, to: &translation)
      if translation.layout == .keras, options.configuration == nil {
        translation.notes.append(
          "Keras' recurrent_activation is not in the names: taken for sigmoid; \(.configuration) with \"gates\" says another"
        )
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

  /// The layout of the matrices.
  private static func layout(
    _ names: LayoutNames, file: String, options: LoadOptions
  ) throws(CheckpointError) -> RecurrentLayout {
    if names.asksForgetBias, options.forgetBias == nil {
      throw .ambiguous(
        file: file,
        detail: "TensorFlow 1 adds forget_bias to the forget gate each time it runs; the file does not say it",
        advice: ["say it with \(.forgetBias, "VALUE"); the cells' own default is 1, \(.forgetBias, "1")"])
    }
    if !names.asksForgetBias, let bias = options.forgetBias {
      throw .invalid(
        .forgetBias, "\(bias)", "the file is read in the layout \(names.layout.rawValue), which says it itself",
        advice: ["it goes with \(.layout, "tf1")"])
    }
    return names.recurrent(forgetBias: options.forgetBias)
  }

  private static func isCuDNN(_ cells: [NamedCells.Cell]) -> Bool {
    cells.contains { cell in
      guard let bias = cell.tensors[.init(kind: .inputBias)]?.shape, let kernel = cell.tensors[.init(kind: .recurrent)]
      else { return false }
      return bias.count == 1 && kernel.shape.count == 2 && bias[0] / 2 == kernel.shape[1] && bias[0] % 2 == 0
    }
  }

  // MARK: - What is no cell

  /// Dense layers and embeddings under names that end in `.weight` and `.bias`, as (out, in).
  private static func addOthers(_ others: [Candidate], _ names: LayoutNames, to translation: inout Translation) {
    var taken = Set(others.map(\.name))
    let stems = Set(others.map { withoutVariableNumber($0.name) })
    for candidate in others {
      let name = withoutVariableNumber(candidate.name)
      let dot = name.lastIndex(of: ".")
      let module = dot.map { String(name[..<$0]) + "." } ?? ""
      let leaf = String(name[(dot.map(name.index(after:)) ?? name.startIndex)...])
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

  /// PyTorch's names with Keras' shapes, which only a user can tell: every matrix but an embedding is (in, out).
  private static func columnsUnderPyTorchNames(_ candidates: [Candidate], evidence: [Message]) -> Translation {
    var translation = Translation(
      .keras,
      candidates: candidates.map { candidate in
        let isMatrix = candidate.shape.count == 2
        let isDense = candidate.isLinearWeight && !TensorKinds.saysEmbedding(candidate.name)
        guard isMatrix, isDense || PyTorchName(candidate.name)?.isMatrix == true else { return candidate }
        return Candidate(name: candidate.name, tensor: candidate.tensor.transposed(), how: "transposed")
      }, evidence: evidence)
    for candidate in candidates where candidate.shape.count == 2 && candidate.shape[0] == candidate.shape[1] {
      guard TensorKinds.saysEmbedding(candidate.name) else { continue }
      translation.assumed.append(
        .init(
          what: "\(candidate.tensor.name) \(shapeText(candidate.shape)) has a row for each token, as Keras keeps it",
          change: "\(.order, "column-major") in place of \(.layout, "keras")"))
    }
    return translation
  }
}

/// Which layout a file's names are read in, and why.
private struct Choice {
  var layout: Layout
  /// nil for PyTorch's names.
  var names: LayoutNames?
  var evidence: [Message]
  /// Keras' shapes under PyTorch's names.
  var isPyTorchNamed = false

  init(_ candidates: [Candidate], file: String, options: LoadOptions) throws(CheckpointError) {
    let hasPyTorch = candidates.contains { PyTorchName($0.name).map { $0.kind != .peephole } ?? false }
    if let layout = options.layout {
      try self.init(
        forced: layout, options.layouts[layout], candidates, hasPyTorch: hasPyTorch, file: file)
      return
    }
    var found: [LayoutNames] = []
    for names in options.layouts.named where !(try NamedCells(candidates, names: names, file: file)).cells.isEmpty {
      found.append(names)
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
      let loose = try NamedCells(candidates, names: LayoutNames.haiku.withLooseNames(), file: file).cells
      if let weight = loose.lazy.compactMap({ $0.tensors[.init(kind: .input)] }).first(where: Self.looksFused) {
        throw .ambiguous(
          file: file,
          detail: "\(weight.tensor.name) \(shapeText(weight.shape)) can be the one weight (I + H, 4H) of Haiku, of "
            + "TensorFlow 1 or of swift-apis: the same order of gates, but Haiku adds 1 to the forget gate when it runs, "
            + "TensorFlow 1 its forget_bias, swift-apis nothing",
          advice: ["say which with \(.layout, "haiku"), \(.layout, "tf1") \(.forgetBias, "1"), or \(.layout, "s4tf")"])
      }
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
    if layout == .keras, hasPyTorch {
      isPyTorchNamed = true
      evidence = ["\(said): PyTorch's names, Keras' shapes"]
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

  private static func looksFused(_ candidate: Candidate) -> Bool {
    let shape = candidate.shape
    return shape.count == 2 && shape[1] >= 4 && shape[1] % 4 == 0 && shape[0] > shape[1] / 4
  }
}

extension PyTorchName {
  fileprivate var isMatrix: Bool { kind == .inputWeight || kind == .recurrentWeight || kind == .projection }
}
