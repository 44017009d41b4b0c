import ArgumentParser
import FileIO
import LSTMCheckpoints
import LSTMReports

/// What fine-tuning does with a model's vocabulary.
struct VocabularyArguments: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Text: add the data's tokens that the model's vocabulary lacks; their weights start at the mean of the others'."))
  var extendVocabulary = false
}

/// A model may have more rows than its vocabulary has tokens, but not fewer.
func checkVocabulary(_ vocabulary: Vocabulary, embedding count: Int) throws {
  guard vocabulary.count > count else { return }
  throw InputError.usage(
    "the vocabulary has \(grouped(vocabulary.count)) entries, the model's embedding \(grouped(count)) rows",
    advice: ["use the vocabulary that this model was trained with"])
}

/// A share in percent, or the count where the share is below 0.1 %.
func rate(of part: Int, in whole: Int) -> String {
  let rate = Double(part) / Double(max(whole, 1))
  return rate < 0.001 ? grouped(part) : percent(rate)
}
