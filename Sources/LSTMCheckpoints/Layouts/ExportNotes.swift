import FileIO
import Foundation

/// What a model does to its input and output beside its layers, where the source did it itself.
struct OwnScalers {
  struct Scaler: Decodable {
    let mean: [Double]
    let deviation: [Double]
  }

  var input: Scaler?
  var target: Scaler?

  /// - Parameter preprocessing: JSON as a native file keeps it.
  init(_ preprocessing: String?, _ provenance: Provenance?) {
    struct Record: Decodable {
      var inputScaler: Scaler?
      var targetScaler: Scaler?
    }
    let parts = Set((provenance?.layers ?? []).compactMap(\.part))
    guard !parts.isDisjoint(with: ["scaler", "target scaler"]), let preprocessing,
      let record = try? JSONDecoder().decode(Record.self, from: Data(preprocessing.utf8))
    else { return }
    if parts.contains("scaler") { input = record.inputScaler }
    if parts.contains("target scaler") { target = record.targetScaler }
  }
}

extension Checkpoint {
  /// Whether a file of a format scales input and output itself, as the model's source did, so that nobody else must.
  public func scalesItself(as format: Format) -> Bool {
    let scales = provenance?.layers?.contains { $0.part == "scaler" || $0.part == "target scaler" } ?? false
    return scales && [.kerasH5, .kerasArchive, .onnx].contains(format)
  }

  /// What of the model a format cannot hold, so that whoever runs the file has to do it: lines for people.
  public func exportNotes(as format: Format) -> [Message] {
    guard let configuration, format != .native else { return [] }
    var notes: [Message] = []
    let isWholeKeras = format == .kerasH5 || format == .kerasArchive
    if let mask = configuration.mask, !isWholeKeras {
      notes.append("the mask is not in this format: whoever runs it has to leave out \(mask.summary)")
    }
    let layers = provenance?.layers ?? []
    let scaling = layers.filter { $0.part == "scaler" || $0.part == "target scaler" }
    if !scaling.isEmpty, !isWholeKeras, format != .onnx {
      notes.append(
        "what scales the input or the output (\(nameList(scaling.map { "\($0.name): \($0.kind)" }))) is not in this format"
      )
    }
    let idle = layers.filter { layer in
      layer.part == nil && !["InputLayer", "NotEqual", "Any", "Flatten"].contains(layer.kind)
        || layer.values?["dropout"] != nil || layer.values?["recurrent_dropout"] != nil
    }
    if !idle.isEmpty, !isWholeKeras {
      notes.append(
        "layers for training alone are not in this format: \(nameList(idle.map { "\($0.name) (\($0.kind))" }))")
    }
    return notes
  }
}
