import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

extension DataSettings {
  /// What data is loaded for.
  enum Purpose: Equatable {
    /// With a new head, classes may be others than the model's.
    case training(newHead: Bool)
    case measuring
    case predicting
  }

  /// What data is loaded with.
  struct Request {
    let model: LSTMModel
    let purpose: Purpose
    /// What was asked for instead of the model's.
    let readout: ModelConfiguration.Readout?
    let paths: [String]
    /// The first of them.
    var path: String { paths[0] }
    /// How the model's own data was read.
    var record: Preprocessing { model.preprocessing }
  }

  /// The first of the files.
  var file: String { files.first ?? "" }

  /// Each is asked in turn whether the data is its own: a text when it is called one, arrays by the file, labeled
  /// sequences by what is said of columns, and a series otherwise.
  private var sources: [(Request) throws -> (any ShownData)?] {
    [loadText, loadArrays, loadLabeled, loadSeries]
  }

  /// - Parameter readout: what was asked for instead of the model's.
  func load(
    for model: LSTMModel, _ purpose: Purpose, readout: ModelConfiguration.Readout? = nil
  ) throws -> any ShownData {
    let paths = try self.paths()
    try checkStreams(purpose)
    let request = Request(model: model, purpose: purpose, readout: readout, paths: paths)
    for source in sources {
      if let data = try source(request) { return data }
    }
    throw FineTuningError.badData(file: paths[0], detail: "it holds no data that is known here", advice: [])
  }

  /// Whether what nothing else is said of is read as the model was fine-tuned: on and on.
  func isStreamed(_ record: Preprocessing) -> Bool {
    record.chunk != nil && window == nil && stride == nil
  }

  private func checkStreams(_ purpose: Purpose) throws {
    for (flag, value) in [("--chunk", chunk), ("--streams", streams)] {
      guard let value else { continue }
      if purpose == .predicting {
        throw InputError.usage("\(flag) has no meaning here: each sequence is read as a whole", advice: [])
      }
      let limit = !isText ? 1 << 24 : TextData.windowLimit
      guard 1...limit ~= value else {
        throw InputError.usage("\(flag) \(value): expected a number from 1 to \(limit)", advice: [])
      }
    }
    guard streams == nil || chunk != nil else {
      throw InputError.usage(
        "--streams needs --chunk", advice: ["for example --text mine.txt --chunk 70 --streams 20"])
    }
    if let chunk, window != nil || stride != nil {
      throw InputError.usage(
        "--chunk \(chunk) says how the data is cut; --window and --stride are for pieces that begin without a state",
        advice: [])
    }
  }

  /// The same options for other files.
  func reading(_ files: [String]) -> DataSettings {
    var other = self
    other.files = files
    return other
  }
}
