import FileIO

/// Convolutions over images before a recurrent layer, as readers of text and of sound have them: what one step holds is
/// counted back from what the recurrent layer reads.
struct GraphImages {
  private(set) var proposals: [ModelConfiguration] = []
  private(set) var others: [ModelConfiguration] = []
  let detail: Message

  /// nil where there are none, or widths do not go together.
  init?(_ parts: GraphParts, _ kinds: TensorKinds, _ options: LoadOptions, _ take: Layer.Readout.Take) {
    guard let top = parts.sequence.firstIndex(where: { $0.recurrent != nil }), top > 0,
      case .recurrent(_, let width) = parts.sequence[top].content
    else { return nil }
    let front = Array(parts.sequence[..<top])
    let images = front.filter(\.isImage)
    guard let last = images.last, !images.isEmpty, front.allSatisfy({ $0.isImage || $0.isNormalization }),
      case .convolution(let channels, _, _) = last.content, case .convolution(_, let first, _) = images[0].content,
      width % channels == 0, images.count <= 12,
      zip(images, images.dropFirst()).allSatisfy({ $0.gives == $1.reads })
    else { return nil }
    let (activation, count) = (options.activation ?? .relu, images.count)
    /// - Parameter pool: the window behind each convolution; nil for none.
    func model(pool: [Int]?) -> ModelConfiguration? {
      guard count < 10 || pool == nil else { return nil }
      let height = width / channels * (pool == nil ? 1 : 1 << count)
      var chain = GraphChain(kinds, options)
      chain.begin(width: height * first)
      guard
        chain.arrange({ draft, _ in
          draft.steps.append(.init(Layer.Reshape(.grid, channels: first)))
          for (index, module) in front.enumerated() {
            guard let step = Self.step(module) else { return false }
            draft.steps.append(step)
            if index + 1 < front.count, front[index + 1].isNormalization { continue }
            draft.steps.append(.init(Layer.ActivationLayer(activation)))
            if let pool { draft.steps.append(.init(Layer.Pooling(.max, window: pool))) }
          }
          return draft.value != nil
        })
      else { return nil }
      let rest = parts.sequence[top...]
      let above = rest.lastIndex { $0.recurrent != nil } ?? top
      for index in rest.indices {
        if index == above + 1, !chain.readOut(parts, hasHead: rest[index...].contains(where: \.isLinear), steps: 1) {
          return nil
        }
        guard chain.add(rest[index].asDense, next: rest.dropFirst(index - top + 1).first) else { return nil }
      }
      guard chain.finish(parts), chain.isPlain else { return nil }
      // Who reads images tells what each step shows.
      let steps = options.readout == nil ? Layer.Readout.Take.all : take
      let active = chain.draft.activated(GraphQuestions.inner(chain.draft), by: activation)
      return try? active.taking(steps).configuration()
    }
    proposals = [[1, 2], [2, 2]].compactMap { model(pool: $0) }
    others = [model(pool: nil)].compactMap { $0 }
    if proposals.isEmpty { return nil }
    let names = nameList(images.map(\.name))
    detail =
      "\(names) \(count == 1 ? "is a convolution" : "are convolutions") over images, whose steps run along their width: "
      + "tensors tell neither the padding (same, or pad 1x1x1x1, or nothing), nor the strides, nor which poolings (max pool "
      + "1x2 halves the height alone) and activations follow; \(parts.sequence[top].name) reads \(channels) channels x "
      + "\(width / channels)"
  }

  /// Kernels are height by width in the file, time by height here.
  private static func step(_ module: TensorModule) -> GraphDraft.Step? {
    guard case .convolution(let outputs, _, let kernel) = module.content else { return GraphChain.step(module) }
    var convolution = Layer.Convolution(size: outputs, kernel: kernel.reversed())
    convolution.hasBias = module.hasBias
    convolution.padding = .same
    return .init(convolution, module)
  }
}

extension TensorModule {
  /// A convolution over two axes.
  fileprivate var isImage: Bool {
    if case .convolution(_, _, let kernel) = content { kernel.count == 2 } else { false }
  }
}
