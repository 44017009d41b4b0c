import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// A model of `fixtures/kinds/models.txt`, with numbers that scripts/kinds.py makes, too.
struct KindCase: Sendable, CustomTestStringConvertible {
  let name: String
  let line: String
  /// Formats that cannot hold it.
  let refusing: Set<String>
  /// Formats that hold it but are not read back.
  let unread: Set<String>
  var testDescription: String { name }

  static let all: [KindCase] = {
    let text = (try? String(contentsOf: fixtures.appendingPathComponent("kinds/models.txt"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      let parts = line.components(separatedBy: " ! ")
      guard let colon = parts[0].range(of: ": ") else { return nil }
      let said = Set(parts.dropFirst().joined().split(separator: " ").map(String.init))
      return KindCase(
        name: String(parts[0][..<colon.lowerBound]), line: String(parts[0][colon.upperBound...]),
        refusing: said.filter { !$0.hasPrefix("~") },
        unread: Set(said.filter { $0.hasPrefix("~") }.map { String($0.dropFirst()) }))
    }
  }()

  static let count = 3
  static let steps = 5

  func configuration() throws -> ModelConfiguration { try ModelConfiguration(line: line) }

  /// Values of a name from -1 to 1.
  func numbers(_ part: String, _ count: Int) -> [Double] {
    // FNV-1a, then SplitMix64.
    var seed: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(name)/\(part)".utf8 { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return (0..<count).map { index in
      var z = seed &+ UInt64(index + 1) &* 0x9e37_79b9_7f4a_7c15
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return Double((z ^ (z >> 31)) >> 11) / Double(1 << 52) - 1
    }
  }

  func model() throws -> LSTMModel {
    var model = LSTMModel(try configuration())
    for slot in model.parameters.slots {
      let values = numbers(slot.name, slot.count).map { value -> Float in
        slot.name.hasSuffix("running_var")
          ? Float(0.5 + abs(value)) : Float(value / Double(slot.shape.last ?? 1).squareRoot())
      }
      try model.set(slot.name, to: Tensor(shape: slot.shape, values: values))
    }
    return model
  }

  func batches(_ configuration: ModelConfiguration) throws -> [SequenceBatch] {
    try configuration.inputs.map { input in
      let steps = input.isPerSequence ? 1 : input.steps ?? Self.steps
      if let vocabulary = input.vocabulary {
        // Token 0 may be padding, or masked.
        let tokens = numbers(input.name, Self.count * steps).map { 1 + Int32(($0 + 1) / 2 * Double(vocabulary - 1)) }
        return try SequenceBatch(tokens: tokens, count: Self.count, steps: steps)
      }
      let values = numbers(input.name, Self.count * steps * input.width).map { Float($0) }
      return try SequenceBatch(Tensor(shape: [Self.count, steps, input.width], values: values))
    }
  }

  /// What every output gives, one after the other. A model that was read back may call its inputs otherwise.
  func outputs(_ model: LSTMModel) throws -> [Tensor] {
    let batches = try batches(configuration())
    return try model(batches[0], others: Array(batches.dropFirst())).outputs
  }
}
