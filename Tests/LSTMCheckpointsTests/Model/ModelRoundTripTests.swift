import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Models by chance, of all kinds of layers, as lines and as JSON, and what becomes of damaged lines.
@Suite struct ModelRoundTripTests {
  private static func models(_ seeds: Range<UInt64>) -> [ModelConfiguration] {
    seeds.compactMap { RandomModels.model(seed: $0, kinds: LayerRegistry.standard) }
  }

  @Test(arguments: 0..<8) func linesAndJSONGoThereAndBack(_ part: Int) throws {
    var kinds: [String: Int] = [:]
    for model in Self.models(UInt64(part) * 1000..<UInt64(part) * 1000 + 320) {
      let line = model.line
      let again = try ModelConfiguration(line: line)
      #expect(again == model, "\(line)")
      #expect(again.line == line)
      #expect(!line.contains("\n"))
      let json = try model.json
      let decoded = try ModelConfiguration(json: Data(json.utf8), file: "model.json")
      #expect(decoded == model, "\(json)")
      #expect(try decoded.json == json)
      for layer in model.layers { kinds[layer.kind.kind, default: 0] += 1 }
    }
    // Of every kind there was at least one.
    #expect(LayerRegistry.standard.map(\.kind).filter { kinds[$0] == nil } == [])
  }

  /// A line that was changed is another model or an error, never a crash, and what is read can be written.
  @Test(arguments: 0..<4) func damagedLinesAreModelsOrErrors(_ part: Int) throws {
    var random = SplitMix(state: UInt64(part) + 77)
    let models = Self.models(UInt64(part) * 40..<UInt64(part) * 40 + 40)
    let words = [
      "->", ",", ":", ";", "\"", "\\", "from", "is", "outputs", "without", "masked", "3x", "x", "-1", "1e9",
      "99999999999999999999",
      "nan", "0", "16777216", "kernel", "LSTM", "bi", "max", "reshape", "→", "é", "\u{0}", "readout", "initial from",
      "16777216x2",
    ]
    var (read, failed) = (0, 0)
    for model in models {
      let pieces = model.line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      for _ in 0..<25 {
        var pieces = pieces
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let place = Int.random(in: 0..<pieces.count, using: &random)
          switch Int.random(in: 0..<5, using: &random) {
          case 0 where pieces.count > 1: pieces.remove(at: place)
          case 1: pieces.insert(words.randomElement(using: &random) ?? "", at: place)
          case 2: pieces[place] = words.randomElement(using: &random) ?? ""
          case 3: pieces.swapAt(place, Int.random(in: 0..<pieces.count, using: &random))
          default: pieces[place] = String(pieces[place].dropLast())
          }
        }
        do throws(ModelConfiguration.LineError) {
          let other = try ModelConfiguration(line: pieces.joined(separator: " "))
          let again = try ModelConfiguration(line: other.line)
          #expect(again == other, "\(other.line)")
          read += 1
        } catch {
          #expect(!error.description.isEmpty)
          failed += 1
        }
      }
    }
    #expect(read > 10)
    #expect(failed > 300)
  }

  @Test func longLinesTakeNoTime() throws {
    let line = "8 features" + String(repeating: " -> dense 8 relu", count: 3999)
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try ModelConfiguration(line: line).line == line)
    #expect(clock.now - start < .seconds(20))
    #expect(throws: ModelConfiguration.LineError.self) { try ModelConfiguration(line: line + " -> relu -> relu") }
    #expect(throws: ModelConfiguration.LineError.self) {
      try ModelConfiguration(line: String(repeating: "\"", count: 100_001))
    }
    #expect(throws: ModelConfiguration.LineError.self) {
      try ModelConfiguration(line: String(repeating: "a", count: 1 << 20))
    }
  }
}
