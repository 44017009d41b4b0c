import Foundation
import Testing

@testable import LSTMCheckpoints

/// `docs/models.md` describes the models that there are.
@Suite struct ModelPageTests {
  /// A fenced block of the page: a line of a model or a layer as JSON.
  private struct Block {
    let language: String
    let text: String
  }

  private static func page() throws -> String {
    var folder = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { folder.deleteLastPathComponent() }
    return try String(contentsOf: folder.appendingPathComponent("docs/models.md"), encoding: .utf8)
  }

  private static func blocks(_ page: String) -> [Block] {
    page.components(separatedBy: "\n```").dropFirst().enumerated().compactMap { index, text in
      guard index % 2 == 0, let end = text.firstIndex(of: "\n") else { return nil }
      return Block(language: String(text[..<end]), text: String(text[text.index(after: end)...]))
    }
  }

  @Test func everyLineIsWrittenAsTheToolWritesIt() throws {
    let lines = Self.blocks(try Self.page()).filter { $0.language == "model" }.map(\.text)
    #expect(lines.count > 20)
    for line in lines { #expect(try ModelConfiguration(line: line).line == line) }
  }

  /// A layer in JSON is the one of its name in the line above it.
  @Test func everyLayerInJSONIsThatOfTheLineAboveIt() throws {
    var model: ModelConfiguration?
    var kinds: Set<String> = []
    for block in Self.blocks(try Self.page()) {
      if block.language == "model" {
        model = try ModelConfiguration(line: block.text)
      } else if block.text.contains("\"layers\"") {
        _ = try ModelConfiguration(json: Data(block.text.utf8), file: "models.md")
      } else {
        let layer = try JSONDecoder().decode(Layer.self, from: Data(block.text.utf8))
        #expect(model?.layers.first { $0.name == layer.name } == layer)
        kinds.insert(layer.kind.kind)
      }
    }
    #expect(LayerRegistry.standard.map(\.kind).filter { !kinds.contains($0) } == [])
  }

  /// Every setting of a kind is named in its section.
  @Test func everySettingIsNamed() throws {
    let sections = try Self.page().components(separatedBy: "\n### ").dropFirst()
    for kind in LayerRegistry.standard {
      let section = sections.first { section in
        let title = section.prefix { $0 != "\n" }
        return title.components(separatedBy: ", ").contains(kind.kind)
      }
      let text = try #require(section, "\(kind.kind)")
      for setting in LayerRegistry.grammar(of: kind).settings {
        // The kind activation is its choice.
        if setting.key == kind.kind { continue }
        #expect(text.contains("`\(setting.key)`"), "\(kind.kind): \(setting.key)")
        guard case .choice(let words, _) = setting.form, words.count < 20 else { continue }
        for word in words { #expect(text.contains(word), "\(kind.kind): \(setting.key) \(word)") }
      }
    }
  }

  /// What `lstm-ft layers` shows.
  @Test func everyKindHasAnExampleThatHasOne() throws {
    #expect(Layer.examples.map(\.kind) == LayerRegistry.standard.map(\.kind))
    for (kind, line) in Layer.examples {
      let model = try ModelConfiguration(line: line)
      #expect(model.line == line && model.layers.contains { $0.kind.kind == kind }, "\(kind): \(model.line)")
      // With its kind before it, it fits on a line of a terminal.
      #expect(line.count <= 62, "\(kind)")
    }
  }

  /// The table of what other formats cannot hold is what `lstm-ft layers` shows.
  @Test func everyLimitOfAFormatIsARow() throws {
    let page = try Self.page()
    for limit in FormatLimit.all {
      let row = "| \(limit.what) | \(limit.formats.map(\.rawValue).joined(separator: ", ")) | \(limit.reason) |"
      #expect(page.contains(row), "\(row)")
    }
  }

  @Test func everyActivationIsNamed() throws {
    let page = try Self.page()
    for activation in Activation.allCases { #expect(page.contains(activation.rawValue), "\(activation.rawValue)") }
  }
}
