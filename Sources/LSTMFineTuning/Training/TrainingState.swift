import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Everything between two steps of a run beside the weights, so that it goes on as if it had never stopped.
///
/// It lies beside the model in a run's `last.h5`, in the group `training`.
public struct TrainingState: Sendable {
  struct Progress: Sendable, Codable, Equatable {
    /// The epoch that goes on, from 1.
    var epoch: Int
    /// Steps of it that are done.
    var step: Int
    /// Of the generator that orders the examples.
    var random: [UInt64]
    /// Of this epoch so far.
    var lossSum = 0.0
    var lossWeight = 0.0
    var normSum = 0.0
    var squareSums: [Double]
    var stepsTaken = 0
    /// Of the last step.
    var learningRate = 0.0
    /// Of the epoch's last step.
    var gateNorms: [String: [Double]] = [:]
    var bestEpoch = 0
    var baseline: Metrics
    var epochs: [Epoch] = []
    /// How much the outputs differ from row to row, of the pretrained model and after each epoch.
    var spreads: [Double]
    var plateau = Schedule.Plateau()
    /// For each trainable parameter.
    var optimizerSteps: [Int]
    var seconds = 0.0
    /// How long the run's log is, in bytes.
    var logLength = 0

    /// As they are in files that exist.
    private enum CodingKeys: String, CodingKey {
      case epoch, step, random, lossSum, lossWeight, normSum, squareSums, stepsTaken, learningRate, gateNorms, bestEpoch
      case baseline, epochs, spreads, plateau, seconds, logLength
      case optimizerSteps = "optimiserSteps"
    }
  }

  var progress: Progress
  /// The examples in the order of this epoch.
  var order: [Int]
  /// With everything else that the optimizers keep.
  var moments: [StoredTensor]

  /// The epoch that goes on, from 1.
  public var epoch: Int { progress.epoch }
  /// Steps of it that are done.
  public var step: Int { progress.step }
  /// How long the run's log was when this was saved, in bytes.
  package var logLength: Int { progress.logLength }
  /// Those that are done.
  public var epochs: [Epoch] { progress.epochs }
  /// Of the model before the first step.
  public var baseline: Metrics { progress.baseline }

  init(progress: Progress, order: [Int], moments: [StoredTensor], carried: CarriedState? = nil) {
    self.progress = progress
    self.order = order
    self.moments = moments + (carried.map(Self.tensors) ?? [])
  }

  /// h and c of each layer for all streams.
  private static func tensors(_ carried: CarriedState) -> [StoredTensor] {
    let state = carried.state
    return [("h", state.hidden), ("c", state.cell)].flatMap { name, layers in
      layers.enumerated().map { layer, tensor in
        StoredTensor(name: "training/carried/\(name)_l\(layer)", shape: tensor.shape, values: tensor.values)
      }
    }
  }

  /// Takes up the streams' states as they were.
  /// - Throws: `CheckpointError.corrupt` when they are missing or of other streams.
  func restore(_ carried: CarriedState) throws {
    func layers(_ name: String) throws -> [Tensor] {
      try carried.state.hidden.indices.map { layer in
        let name = "training/carried/\(name)_l\(layer)"
        guard let tensor = moments.first(where: { $0.name == name }) else {
          throw CheckpointError.corrupt(tensor: name, detail: "the stream's state is missing")
        }
        return Tensor(shape: tensor.shape, values: try tensor.floats())
      }
    }
    do {
      try carried.set(LSTMState(hidden: layers("h"), cell: layers("c")))
    } catch let error as ShapeError {
      throw CheckpointError.corrupt(tensor: "training/carried", detail: "\(error)")
    }
  }

  private static let stateName = "training/state"
  private static let orderName = "training/order"

  /// As tensors, for `StoredModel.extras`.
  package func tensors(logLength: Int) throws -> [StoredTensor] {
    var progress = progress
    progress.logLength = logLength
    let json = [UInt8](try Self.encoder.encode(progress))
    let order = order.flatMap { place in withUnsafeBytes(of: Int64(place).littleEndian) { [UInt8]($0) } }
    return [
      StoredTensor(name: Self.stateName, shape: [json.count], dataType: .uint8) { json },
      StoredTensor(name: Self.orderName, shape: [self.order.count], dataType: .int64) { order },
    ] + moments
  }

  /// - Throws: `CheckpointError.corrupt` when the tensors are not what `tensors` returned.
  init(_ tensors: [StoredTensor]) throws {
    func bytes(_ name: String, _ type: DataType) throws -> [UInt8] {
      guard let tensor = tensors.first(where: { $0.name == name }), tensor.dataType == type else {
        throw CheckpointError.corrupt(tensor: name, detail: "the training state is not there")
      }
      return try tensor.bytes()
    }
    do {
      progress = try Self.decoder.decode(Progress.self, from: Data(bytes(Self.stateName, .uint8)))
    } catch let error as DecodingError {
      throw CheckpointError.corrupt(tensor: Self.stateName, detail: "not a training state: \(error)")
    }
    let raw = try bytes(Self.orderName, .int64)
    order = raw.withUnsafeBytes { raw in
      (0..<raw.count / 8).map { Int(Int64(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))) }
    }
    guard progress.random.count == 4, progress.epoch >= 1, progress.step >= 0, Set(order) == Set(0..<order.count) else {
      throw CheckpointError.corrupt(tensor: Self.stateName, detail: "not a training state: its parts do not agree")
    }
    moments = tensors.filter { $0.name != Self.stateName && $0.name != Self.orderName }
  }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }
}

/// Where a run left off: its state, and the weights then and at its best epoch.
public struct ResumePoint: Sendable {
  /// Where in the run it is.
  public let state: TrainingState
  let last: Checkpoint
  let best: Checkpoint

  /// Reads `last.h5` and `best.h5` of a run's folder.
  /// - Returns: nil when the run was stopped before it had saved anything.
  /// - Throws: `CheckpointError`.
  public init?(run folder: String) throws {
    guard FileManager.default.fileExists(atPath: folder + "/last.h5") else { return nil }
    last = try Checkpoint(path: folder + "/last.h5")
    best = try Checkpoint(path: folder + "/best.h5")
    state = try TrainingState(last.extras)
  }

  /// The weights of a checkpoint of this run.
  static func load(_ checkpoint: Checkpoint, into weights: ParameterStore) throws {
    try weights.restore(orThrow: "the run's model has it, its last.h5 has not") { checkpoint[$0] }
  }
}
