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
    guard let arrays = try paths.first(where: Self.isArrays) else { return nil }
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
      guard configuration.inputs.count == 1, configuration.outputNames.count == 1 else {
        throw InputError.usage("--reconstruct is for models with one input and one output: \(configuration.summary)")
      }
      let inputs = try ArrayData.load(checkpoint, for: configuration, needsTargets: false)
      return ArraySequences(try inputs.reconstructing(), file: path, reconstructs: true)
    }
    let start = decoderStart ?? request.record.decoder?.start
    if decoderStart != nil || decoderEnd != nil, configuration.decoder == nil {
      throw InputError.usage(
        "--decoder-\(decoderStart != nil ? "start" : "end"): the model has no decoder that reads its own output: \(configuration.summary)"
      )
    }
    if let decoderEnd, let decoder = configuration.decoder {
      guard let tokens = configuration.inputs[decoder.input].vocabulary else {
        throw InputError.usage("--decoder-end is for a decoder of tokens; this one reads values")
      }
      guard 0..<tokens ~= decoderEnd else {
        throw InputError.usage("--decoder-end \(decoderEnd): expected a token from 0 to \(tokens - 1)")
      }
    }
    let data = try ArrayData.load(
      checkpoint, for: configuration, needsTargets: purpose != .predicting, labels: request.blank != nil, start: start)
    var decoder = request.record.decoder ?? DecoderSettings()
    (decoder.start, decoder.end) = (start, decoderEnd ?? decoder.end)
    return ArraySequences(data, file: path, decoder: decoder.settled(data, for: configuration))
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
  /// - Throws: what the system says when it fails to read it.
  static func isArrays(_ path: String) throws -> Bool {
    let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
    if ["h5", "hdf5", "npz", "npy", "pt", "pth", "safetensors"].contains(suffix) { return true }
    do {
      _ = try Checkpoint(path: path)
      return true
    } catch let error as any DescribedFailure where error.category == .inputOutput {
      throw error
    } catch {
      return false
    }
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

  /// Anomalies are lines to read.
  var use: DataUse { DataUse(command: "predict", writesArrays: !reconstructs) }

  var readingLines: [String] {
    guard let name = data.nameOfShiftedTargets else { return [] }
    return ["\(name): the decoder reads its targets, one step later; predict feeds it its own output"]
  }

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
