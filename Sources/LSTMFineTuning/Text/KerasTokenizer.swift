import FileIO
import Foundation
import LSTMCheckpoints

extension Vocabulary {
  /// Reads `Tokenizer.to_json()`; nil for another JSON.
  ///
  /// Numbers begin at 1, 0 is padding; words from `num_words` on are the unknown token, or nothing where there is none.
  init?(kerasTokenizer text: String, file: String) throws {
    struct Outer: Decodable {
      struct Configuration: Decodable {
        var num_words: Int?
        var filters: String?
        var lower: Bool?
        var split: String?
        var char_level: Bool?
        var oov_token: String?
        var word_index: String
      }
      var class_name: String
      var config: Configuration
    }
    guard text.contains("\"Tokenizer\""), let outer = try? JSONDecoder().decode(Outer.self, from: Data(text.utf8)),
      outer.class_name == "Tokenizer"
    else { return nil }
    func bad(_ detail: String) -> FineTuningError {
      .badData(file: file, detail: "Keras' Tokenizer: \(detail)", advice: [])
    }
    let config = outer.config
    let pairs: [(token: String, number: Int)]
    do throws(TokenJSON.Problem) {
      guard case .object(let found) = try TokenJSON(config.word_index).read() else { throw .init(detail: "no object") }
      pairs = found
    } catch {
      throw bad("its word_index: \(error.detail)")
    }
    let split = config.split ?? " "
    guard !split.isEmpty else { throw bad("its split is empty") }
    let end = min(config.num_words ?? .max, (pairs.map(\.number).max() ?? 0) + 1)
    guard end >= 2, end <= Self.limit else { throw bad("it knows no word") }
    var tokens = [String?](repeating: nil, count: end)
    for (token, number) in pairs where number < end {
      guard number > 0, tokens[number] == nil else { throw bad("the number \(number) is there twice, or is 0") }
      tokens[number] = token
    }
    let unknown = config.oov_token.flatMap { oov in pairs.first { $0.token == oov }?.number }
    if let unknown, unknown >= end { throw bad("its oov_token is beyond num_words") }
    try self.init(
      config.char_level == true ? .characters : .words, tokens: tokens, padding: 0, unknown: unknown,
      rules: KerasTextRules(lower: config.lower ?? true, filters: config.filters ?? "", split: split))
  }
}
