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

  /// The parameters of a loader.
  struct Request {
    let model: LSTMModel
    let purpose: Purpose
    /// The requested readout; nil for the model's.
    let readout: PlainStack.Readout?
    let paths: [String]
    /// The requested one; nil for the usual one.
    let loss: Loss?
    /// The first of them.
    var path: String { paths[0] }
    /// How the model's own data was read.
    var record: Preprocessing { model.preprocessing }
    /// The blank, where targets are labels in order; nil where they are not.
    var blank: Int? {
      switch loss {
      case .ctc(let blank, _, _): blank ?? record.blank ?? 0
      case nil: record.blank
      default: nil
      }
    }
  }

  /// The first of the files.
  var file: String { files.first ?? "" }

  /// Whether the model is to give back what it reads.
  func isReconstruction(_ record: Preprocessing) throws -> Bool {
    if reconstructs == true {
      for (flag, isGiven) in [
        ("--target", !targets.isEmpty), ("--horizon", horizon != nil), ("--season", season != nil),
        ("--chunk", chunk != nil), ("--text", isText), ("--label-column", labelColumn != nil),
        ("--text-column", textColumn != nil), ("--sequence-id", sequenceColumn != nil),
      ] where isGiven {
        throw InputError.usage("--reconstruct cannot be combined with \(flag): the targets are the inputs")
      }
      return true
    }
    return record.reconstructs == true && targets.isEmpty && chunk == nil && !isText && labelColumn == nil
      && textColumn == nil && sequenceColumn == nil
  }

  /// Tried in order: a text by its option, arrays by the file, labeled sequences by the options for columns, and a series
  /// otherwise.
  private var sources: [(Request) throws -> (any ShownData)?] {
    [loadText, loadArrays, loadLabeled, loadSeries]
  }

  /// - Parameters:
  ///   - readout: the requested one; nil for the model's.
  ///   - loss: the requested one; nil for the one that goes with the model and its targets.
  func load(
    for model: LSTMModel, _ purpose: Purpose, readout: PlainStack.Readout? = nil, loss: Loss? = nil
  ) throws -> any ShownData {
    let paths = try self.paths()
    try checkStreams(purpose)
    let inputs = model.configuration.inputs.map(\.name)
    if inputs.count > 1, try isText || !paths.contains(where: Self.isArrays) {
      throw InputError.usage(
        "\(paths[0]): the model reads \(inputs.joined(separator: ", ")), and a text or a table is one input",
        advice: ["give arrays of these names in HDF5 or .npz"])
    }
    let request = Request(model: model, purpose: purpose, readout: readout, paths: paths, loss: loss)
    for source in sources {
      if let data = try source(request) { return data }
    }
    throw FineTuningError.badData(file: paths[0], detail: "it holds no data that lstm-ft can read", advice: [])
  }

  /// Whether the data is read in chunks with carried state, as when the model was fine-tuned, because no option says otherwise.
  func isStreamed(_ record: Preprocessing) -> Bool {
    record.chunk != nil && window == nil && stride == nil
  }

  private func checkStreams(_ purpose: Purpose) throws {
    for (flag, value) in [("--chunk", chunk), ("--streams", streams)] {
      guard let value else { continue }
      if purpose == .predicting {
        throw InputError.usage("\(flag) does not apply here: each sequence is read as a whole")
      }
      let limit = !isText ? 1 << 24 : TextData.windowLimit
      guard 1...limit ~= value else { throw InputError.usage("\(flag) \(value): expected a number from 1 to \(limit)") }
    }
    guard streams == nil || chunk != nil else {
      throw InputError.usage("--streams needs --chunk", advice: ["for example --text mine.txt --chunk 70 --streams 20"])
    }
    if let chunk, window != nil || stride != nil {
      throw InputError.usage(
        "--chunk \(chunk) cannot be combined with --window or --stride, which are for sequences that start from a zero state"
      )
    }
  }

  /// The same options for other files.
  func reading(_ files: [String]) -> DataSettings {
    var other = self
    other.files = files
    return other
  }
}
