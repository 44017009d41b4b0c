import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// Models with several outputs, and decoders that read their own output: every output is written under its name.
extension Predict {
  private struct AllAnswer: Encodable {
    let output: String?
    let shapes: [String: [Int]]
    let notes: [String]?
    /// The numbers by output, when no file is written.
    let outputs: [String: NestedArray]?
  }

  /// - Parameter data: as the model reads it.
  func writeAll(
    _ model: LSTMModel, _ data: SequenceData, _ notes: [String], replaced: ReplacedFile?, _ console: Console,
    _ kernels: Kernels
  ) throws {
    let record = model.preprocessing
    let evaluator = try Evaluator(
      Network(model, kernels: kernels), objective: Objective(.meanSquaredError), targetScaler: record.targetScaler,
      scalers: record.scalers ?? [:])
    let names = model.configuration.outputNames
    let found = data.isDecoded ? try decoded(evaluator, data, record) : try evaluator.predictAll(data)
    let output = target.output
    /// The output that is tokens, not numbers.
    let tokens = data.isDecoded ? model.configuration.decoder.flatMap { $0.isOfTokens ? $0.output : nil } : nil
    let text = output.map { URL(fileURLWithPath: $0).pathExtension.lowercased() } ?? "csv"
    switch text {
    case "h5", "hdf5":
      let tensors = zip(names, found).enumerated().map { place, named in
        let (name, y) = (names.count == 1 ? "y" : "y_\(named.0)", named.1)
        guard place == tokens else { return StoredTensor(name: name, shape: y.shape, values: y.values) }
        return StoredTensor(name: name, shape: y.shape, dataType: .int32) { Self.tokenBytes(y) }
      }
      try StoredTensor.write(tensors, path: output ?? "", as: .pytorchHDF5)
    case "npy":
      guard found.count == 1 else {
        throw InputError.usage(
          "-o \(output ?? ""): .npy holds one array, and the model has \(found.count) outputs",
          advice: ["choose a name that ends in .h5 or .csv"])
      }
      let (y, type) = (found[0], tokens == nil ? DataType.float32 : .int32)
      let bytes = tokens == nil ? littleEndianBytes(y.values) : Self.tokenBytes(y)
      try writeFile(output ?? "", Data(try NPY.encode(bytes: bytes, dataType: type, shape: y.shape)))
    default:
      let text = try csv(names, found, tokens: tokens)
      if let output { try writeFile(output, Data(text.utf8)) } else { console.stream(text) }
    }
    if let output {
      let shapes = zip(names, found).map { "\($0) \(shapeText($1.shape))" }.joined(separator: ", ")
      console.say("wrote \(output): \(shapes)")
    }
    console.say(replaced)
    var numbers: [String: NestedArray] = [:]
    for (name, y) in zip(names, found) { numbers[name] = NestedArray(values: y.values[...], shape: y.shape[...]) }
    try console.result(
      AllAnswer(
        output: output, shapes: Dictionary(uniqueKeysWithValues: zip(names, found.map(\.shape))),
        notes: notes.isEmpty ? nil : notes, outputs: output == nil ? numbers : nil))
  }

  private func decoded(_ evaluator: Evaluator, _ data: SequenceData, _ record: Preprocessing) throws -> [Tensor] {
    guard let steps = target.steps ?? record.decoder?.steps else {
      throw InputError.usage(
        "the model's decoder reads its own output, and how many steps it is to predict is not known",
        advice: ["set them with --steps, for example --steps 20"])
    }
    guard 1...100_000 ~= steps else { throw InputError.usage("--steps \(steps): expected a number from 1 to 100000") }
    return try evaluator.decode(data, steps: steps, end: self.data.decoderEnd ?? record.decoder?.end)
  }

  /// A row for each sequence, or for each of its steps.
  /// - Parameter tokens: the output that is tokens, (N, steps).
  private func csv(_ names: [String], _ found: [Tensor], tokens: Int?) throws -> String {
    let isPerStep = found.enumerated().map { $1.shape.count == 3 || $0 == tokens }
    let rows = zip(found, isPerStep).map { $1 ? $0.shape[0] * $0.shape[1] : $0.shape[0] }
    guard Set(rows).count == 1, Set(isPerStep).count == 1 else {
      throw InputError.usage(
        "the model's outputs have different numbers of rows: \(zip(names, rows).map { "\($0) \($1)" }.joined(separator: ", "))",
        advice: ["write them with -o predictions.h5"])
    }
    let widths = found.map { $0.values.count / max(rows[0], 1) }
    let columns = zip(names, widths).flatMap { name, width in
      width == 1 ? [name] : (0..<width).map { "\(name)_\($0)" }
    }
    var writer = CSVWriter(columnNames: (isPerStep[0] ? ["sequence", "step"] : []) + columns)
    let steps = found[0].shape.count > 1 ? found[0].shape[1] : 1
    for row in 0..<rows[0] {
      let cells = found.indices.flatMap { place in
        found[place].values[row * widths[place]..<(row + 1) * widths[place]].map {
          place == tokens ? "\(Int32($0))" : $0.description
        }
      }
      try writer.append([], labels: (isPerStep[0] ? ["\(row / steps)", "\(row % steps)"] : []) + cells)
    }
    return writer.text
  }

  private static func tokenBytes(_ tokens: Tensor) -> [UInt8] {
    tokens.values.flatMap { value in withUnsafeBytes(of: Int32(value).littleEndian) { [UInt8]($0) } }
  }
}
