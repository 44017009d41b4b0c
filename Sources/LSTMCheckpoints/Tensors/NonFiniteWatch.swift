import Foundation

/// Counts NaN and infinite values of tensors on their way from one file to another: nothing is read for it.
///
///     let watch = NonFiniteWatch()
///     checkpoint.tensors = checkpoint.tensors.map(watch.watching)
///     try checkpoint.write(path: path)
///     for finding in watch.findings { print(finding) }
package final class NonFiniteWatch: @unchecked Sendable {
  /// A tensor that has such values.
  package struct Finding: Sendable, Equatable {
    /// The tensor's name.
    package let tensor: String
    /// The tensor's shape.
    package let shape: [Int]
    /// How many values are NaN.
    package internal(set) var nanCount = 0
    /// How many values are infinite, of either sign.
    package internal(set) var infiniteCount = 0
    /// The place of the first of them, in C order.
    package internal(set) var first = 0

    /// Its place along each axis.
    package var index: [Int] { unravelled(first, shape) }
  }

  /// Guards `progress`.
  private let lock = NSLock()
  /// What each tensor has shown so far, and of how many of its elements.
  private var progress: [String: (finding: Finding, seen: Int)] = [:]
  private var names: [String] = []

  package init() {}

  /// The same tensor, which is counted when it is read next.
  package func watching(_ tensor: StoredTensor) -> StoredTensor {
    guard tensor.dataType.isFloatingPoint else { return tensor }
    let (name, shape, type) = (tensor.name, tensor.shape, tensor.dataType)
    lock.withLock { names.append(name) }
    return tensor.observed { [self] piece, isFirst in
      let count = piece.count / type.byteCount
      let places = Self.count(piece, type) == 0 ? [] : Self.places(piece, type)
      lock.withLock {
        var now = (isFirst ? nil : progress[name]) ?? (finding: Finding(tensor: name, shape: shape), seen: 0)
        for (place, isNaN) in places {
          if now.finding.nanCount + now.finding.infiniteCount == 0 { now.finding.first = now.seen + place }
          if isNaN { now.finding.nanCount += 1 } else { now.finding.infiniteCount += 1 }
        }
        now.seen += count
        progress[name] = now
      }
    }
  }

  /// Tensors with such values, in the order in which they were given.
  package var findings: [Finding] {
    lock.withLock {
      names.compactMap { progress[$0]?.finding }.filter { $0.nanCount + $0.infiniteCount > 0 }
    }
  }

  /// A line for each, for a report.
  /// - Parameter sources: the names that tensors have in the file that they come from, where those are others.
  package func notes(sources: [String: String] = [:]) -> [String] {
    findings.map { finding in
      var counts: [String] = []
      if finding.nanCount > 0 { counts.append("\(finding.nanCount) NaN") }
      if finding.infiniteCount > 0 { counts.append("\(finding.infiniteCount) infinite") }
      let values = finding.nanCount + finding.infiniteCount == 1 ? "value" : "values"
      return "\(sources[finding.tensor] ?? finding.tensor) has \(counts.joined(separator: " and ")) \(values), "
        + "the first at \(shapeText(finding.index)) of \(shapeText(finding.shape)): what reads them computes NaN"
    }
  }

  // MARK: - Elements

  /// How many have an exponent of ones: a loop that compilers make wide.
  private static func count(_ bytes: UnsafeRawBufferPointer, _ type: DataType) -> Int {
    func count<Bits: FixedWidthInteger & UnsignedInteger>(_: Bits.Type, _ mask: Bits) -> Int {
      var found = 0
      for offset in stride(from: 0, to: bytes.count - MemoryLayout<Bits>.size + 1, by: MemoryLayout<Bits>.size) {
        let word = Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Bits.self))
        found &+= word & mask == mask ? 1 : 0
      }
      return found
    }
    switch type {
    case .float16: return count(UInt16.self, 0x7c00)
    case .bfloat16: return count(UInt16.self, 0x7f80)
    case .float32: return count(UInt32.self, 0x7f80_0000)
    case .float64: return count(UInt64.self, 0x7ff0_0000_0000_0000)
    default: return 0
    }
  }

  private static func places(_ bytes: UnsafeRawBufferPointer, _ type: DataType) -> [(Int, isNaN: Bool)] {
    (0..<bytes.count / type.byteCount).compactMap { index in
      let value = ElementConversion.double(bytes, type, at: index)
      return value.isFinite ? nil : (index, value.isNaN)
    }
  }
}
