/// The layouts that are known.
struct LayoutRegistry: Sendable {
  /// A layout, with its table where it is one of named tensors other than PyTorch's.
  struct Entry: Sendable {
    let layout: Layout
    var names: LayoutNames?
    /// The format that has it, of a layout that is known by its tensors' places there.
    var format: String?

    init(_ layout: Layout, format: String? = nil) { (self.layout, self.format) = (layout, format) }

    init(_ names: LayoutNames) { (layout, self.names) = (names.layout, names) }
  }

  var entries: [Entry]

  static let standard = LayoutRegistry(entries: [
    Entry(.pytorch),
    Entry(LayoutNames.keras),
    Entry(LayoutNames.cudnn),
    Entry(LayoutNames.haste),
    Entry(.keras1, format: "keras-h5 for Keras"),
    Entry(.onnx, format: "onnx for ONNX"),
    Entry(LayoutNames.mlx),
    Entry(LayoutNames.flax),
    Entry(LayoutNames.flaxOptimized),
    Entry(LayoutNames.haiku),
    Entry(LayoutNames.tf1),
    Entry(LayoutNames.s4tf),
    Entry(LayoutNames.burn),
    Entry(.gates, format: nil),
    Entry(.gatesInputFirst, format: nil),
  ])

  /// The table of a layout that is known by names; nil for PyTorch's, which has its own, and for those of graphs.
  subscript(layout: Layout) -> LayoutNames? { entries.first { $0.layout == layout }?.names }

  /// Those that a file's names tell.
  var named: [LayoutNames] { entries.compactMap(\.names).filter(\.isNamed) }
}

extension Layout: RawRepresentable, Codable, CaseIterable {
  /// nil for what is no layout.
  public init?(rawValue: String) {
    self.init(rawValue)
    if !Self.allCases.contains(self) { return nil }
  }

  public static var allCases: [Layout] { LayoutRegistry.standard.entries.map(\.layout) }
}

extension Provenance {
  /// The layout that the names in `mapping` belong to.
  public var knownLayout: Layout { Layout(rawValue: layout) ?? .pytorch }
}
