import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DataSettings {
  /// Arrays x, y and so on, when a file holds arrays.
  func loadArrays(_ request: Request) throws -> (any ShownData)? {
    let (paths, path, model, purpose) = (request.paths, request.path, request.model, request.purpose)
    guard let arrays = paths.first(where: Self.isArrays) else { return nil }
    guard paths.count == 1 else {
      throw InputError.usage("\(arrays) holds arrays: several files, or a folder, are for CSV series")
    }
    for (flag, given) in [
      ("--target", !targets.isEmpty), ("--features", features != nil), ("--window", window != nil),
      ("--horizon", horizon != nil), ("--season", season != nil), ("--missing", missing != .error),
      ("--time", time != nil), ("--id", id != nil),
      ("--date-order", dateOrder != nil), ("--label-unit", labelUnit != nil),
    ] + csv.given
    where given {
      throw InputError.usage("\(flag) is for CSV series; \(path) holds arrays")
    }
    let checkpoint = try openArrays(path)
    try checkMarks(checkpoint, path, purpose)
    if streams != nil {
      throw InputError.usage("--streams is for a text or a CSV series; \(path) has one stream for each sequence in x")
    }
    let configuration = model.configuration
    if chunk != nil, configuration.inputs.count > 1 || configuration.outputNames.count > 1 {
      throw InputError.usage("--chunk is for models with one input and one output: \(configuration.summary)")
    }
    if let chunk {
      do {
        return ArrayStreams(
          try StreamData.load(checkpoint, reading: model.configuration.input, chunkSteps: chunk), file: path)
      } catch let error as ShapeError {
        throw FineTuningError.badData(
          file: path, detail: "\(error)",
          advice: ["--chunk needs x (N, T, I) or (N, T) with a target in y at each step"])
      }
    }
    if try isReconstruction(request.record) {
      let inputs = try ArrayData.load(checkpoint, for: configuration, needsTargets: false)
      return ArraySequences(try inputs.reconstructing(), file: path, reconstructs: true)
    }
    let start = decoderStart ?? request.record.decoder?.start
    if decoderStart != nil || decoderEnd != nil, configuration.decoder == nil {
      throw InputError.usage(
        "--decoder-\(decoderStart != nil ? "start" : "end"): the model has no decoder that reads its own output: \(configuration.summary)"
      )
    }
    let data = try ArrayData.load(
      checkpoint, for: configuration, needsTargets: purpose != .predicting, labels: request.blank != nil, start: start)
    return ArraySequences(data, file: path, decoder: decoderSettings(data, configuration, start, request.record))
  }

  /// How the model's decoder is run; nil where it is given what it reads.
  private func decoderSettings(
    _ data: SequenceData, _ configuration: ModelConfiguration, _ start: DecoderStart?, _ record: Preprocessing
  ) -> DecoderSettings? {
    guard let decoder = configuration.decoder, let steps = data.stepsOfShiftedTargets else { return nil }
    var settings = record.decoder ?? DecoderSettings()
    settings.start = start ?? (decoder.isOfTokens ? nil : .zero)
    settings.end = decoderEnd ?? settings.end
    settings.steps = steps
    return settings
  }

  /// Refuses reset marks that would be ignored.
  private func checkMarks(_ checkpoint: Checkpoint, _ path: String, _ purpose: Purpose) throws {
    guard chunk == nil, checkpoint["reset"] != nil else { return }
    throw FineTuningError.badData(
      file: path, detail: "its reset marks would be ignored: no state is carried from chunk to chunk",
      advice: [
        purpose == .predicting
          ? "save the parts between marks as separate sequences, with lengths"
          : "set the steps of a chunk with --chunk, or remove reset from the file"
      ])
  }

  /// Any other file goes to the CSV reader, which explains what is wrong with it.
  static func isArrays(_ path: String) -> Bool {
    let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
    return ["h5", "hdf5", "npz", "npy", "pt", "pth", "safetensors"].contains(suffix)
      || (try? Checkpoint(path: path)) != nil
  }

  private func openArrays(_ path: String) throws -> Checkpoint {
    do {
      return try Checkpoint(path: path)
    } catch CheckpointError.unrecognized(_, let detail) {
      throw CheckpointError.unknownFormat(
        file: path, detail: detail,
        advice: ["arrays are HDF5, .npz or .npy files; a series is a text file named .csv"])
    }
  }
}

extension ArraySequences: ShownData {
  func summary(_ portions: Portions) -> [String] { portions.lines(data, file: file) }

  var use: DataUse { DataUse(command: "predict", more: ["-o", "predictions.npy"]) }

  var chartRefusal: String? { "--chart draws a CSV series; \(file) holds arrays" }
}

extension ArrayStreams: ShownData {
  func summary(_ portions: Portions) -> [String] {
    ["\(file): \(plural(data.streamCount, "stream")) of \(plural(data.sequences.steps, "step"))"] + portions.streams
  }

  /// predict reads whole sequences, but these may reset in the middle. Models do not store the chunk length of arrays.
  var use: DataUse { DataUse(command: "evaluate", more: ["--chunk", "\(data.chunkSteps)"]) }

  var chartRefusal: String? { "--chart draws a CSV series; \(file) holds arrays" }
}
