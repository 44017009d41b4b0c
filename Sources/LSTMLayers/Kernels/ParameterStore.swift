import LSTMCheckpoints

/// A model's parameters, their gradients or an optimizer's moments in one block of memory, each starting on a cache line.
///
/// Padding between parameters is always zero, so updates and norms are flat loops.
public final class ParameterStore: @unchecked Sendable {  // Shared only while nobody writes: see LSTMModel.
  /// One parameter in the store.
  public struct Slot: Sendable {
    /// Its name, shape and role.
    public let specification: ParameterSpecification
    /// The offset of its elements in the block, in floats.
    package let offset: Int
    /// The number of elements.
    public var count: Int { specification.elementCount }
    /// The project's name for it, which is PyTorch's.
    public var name: String { specification.name }
    /// Its elements in the block.
    package var range: Range<Int> { offset..<offset + count }
  }

  /// One for each parameter, in the model's order.
  public let slots: [Slot]
  /// Floats in the block, padding included.
  package let count: Int
  private let buffer: FloatBuffer
  private let places: [String: Int]

  /// Parameters with all values zero.
  public init(_ specifications: [ParameterSpecification]) {
    var offset = 0
    var slots: [Slot] = []
    var places: [String: Int] = [:]
    for specification in specifications {
      for place in specification.places { places[place.name] = slots.count }
      slots.append(Slot(specification: specification, offset: offset))
      offset += (specification.elementCount + 15) & ~15
    }
    self.slots = slots
    self.places = places
    count = offset
    buffer = FloatBuffer(offset)
    buffer.zero(offset)
  }

  /// The block (count).
  package var pointer: UnsafeMutablePointer<Float> { buffer.pointer }

  /// The index of a parameter's slot, by any of its names; a tied parameter has several. nil if there is none.
  public func index(of name: String) -> Int? { places[name] }

  func pointer(_ index: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + slots[index].offset }

  /// A copy of a parameter's values, in C order.
  public func values(_ index: Int) -> [Float] {
    [Float](UnsafeBufferPointer(start: pointer(index), count: slots[index].count))
  }

  /// Replaces a parameter's values, in C order.
  /// - Precondition: `values` has as many elements as the slot.
  public func set(_ index: Int, _ values: [Float]) {
    precondition(values.count == slots[index].count)
    values.withUnsafeBufferPointer { from in
      guard let base = from.baseAddress else { return }
      pointer(index).update(from: base, count: values.count)
    }
  }

  /// Reads a stored tensor of the slot's shape into the slot.
  func load(_ index: Int, _ tensor: StoredTensor) throws {
    try tensor.readFloats(into: UnsafeMutableBufferPointer(start: pointer(index), count: slots[index].count))
  }

  /// Sets all values to zero.
  public func zero() { buffer.zero(count) }

  /// A separate store with the same values.
  public func copy() -> ParameterStore {
    let copy = ParameterStore(slots.map(\.specification))
    copy.pointer.update(from: pointer, count: count)
    return copy
  }
}
