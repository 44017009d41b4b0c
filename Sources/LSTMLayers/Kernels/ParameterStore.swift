import LSTMCheckpoints

/// A model's parameters, or as many gradients or moments, in one flat block; each starts on a cache line.
///
/// The gaps between parameters are zero and stay zero, so that updates and norms are flat loops.
public final class ParameterStore: @unchecked Sendable {  // Shared only while nobody writes: see LSTMModel.
  public struct Slot: Sendable {
    public let specification: ParameterSpecification
    /// Place in the flat block, in floats.
    public let offset: Int
    public var count: Int { specification.elementCount }
    public var name: String { specification.name }
    public var range: Range<Int> { offset..<offset + count }
  }

  public let slots: [Slot]
  public let count: Int
  private let buffer: FloatBuffer
  private let places: [String: Int]

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

  public var pointer: UnsafeMutablePointer<Float> { buffer.pointer }

  /// By the name of any of its places.
  public func index(of name: String) -> Int? { places[name] }

  func pointer(_ index: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + slots[index].offset }

  public func values(_ index: Int) -> [Float] {
    [Float](UnsafeBufferPointer(start: pointer(index), count: slots[index].count))
  }

  public func set(_ index: Int, _ values: [Float]) {
    precondition(values.count == slots[index].count)
    values.withUnsafeBufferPointer { from in
      guard let base = from.baseAddress else { return }
      pointer(index).update(from: base, count: values.count)
    }
  }

  /// Reads a stored tensor of the slot's shape to where its values belong.
  func load(_ index: Int, _ tensor: StoredTensor) throws {
    try tensor.readFloats(into: UnsafeMutableBufferPointer(start: pointer(index), count: slots[index].count))
  }

  public func zero() { buffer.zero(count) }

  public func copy() -> ParameterStore {
    let copy = ParameterStore(slots.map(\.specification))
    copy.pointer.update(from: pointer, count: count)
    return copy
  }
}
