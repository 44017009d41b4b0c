import LSTMCheckpoints

/// A model's parameters, or their gradients or moments, in one flat block; each parameter starts on a cache line.
///
/// Padding between parameters is zero and stays zero, so that updates and norms are flat loops.
public final class ParameterStore: @unchecked Sendable {  // Shared only while nobody writes: see LSTMModel.
  /// Where one parameter is stored.
  public struct Slot: Sendable {
    /// Its name, shape and role.
    public let specification: ParameterSpecification
    /// Offset in the flat block, in floats.
    public let offset: Int
    /// Number of elements.
    public var count: Int { specification.elementCount }
    /// The project's name, which is PyTorch's.
    public var name: String { specification.name }
    /// Its elements in the flat block.
    public var range: Range<Int> { offset..<offset + count }
  }

  /// One for each parameter, in the model's order.
  public let slots: [Slot]
  /// Floats of the flat block, padding included.
  public let count: Int
  private let buffer: FloatBuffer
  private let places: [String: Int]

  /// Zeros for each of the given parameters.
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

  /// The flat block (count).
  package var pointer: UnsafeMutablePointer<Float> { buffer.pointer }

  /// The slot of a parameter, by any name it has; a tied parameter has several.
  public func index(of name: String) -> Int? { places[name] }

  func pointer(_ index: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + slots[index].offset }

  /// A copy of a parameter's values, in C order.
  public func values(_ index: Int) -> [Float] {
    [Float](UnsafeBufferPointer(start: pointer(index), count: slots[index].count))
  }

  /// Replaces a parameter's values.
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

  /// A store of its own with the same values.
  public func copy() -> ParameterStore {
    let copy = ParameterStore(slots.map(\.specification))
    copy.pointer.update(from: pointer, count: count)
    return copy
  }
}
