import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers

extension Preprocessing {
  /// From what a model file keeps; empty when it keeps nothing.
  /// - Parameter file: its name, for errors.
  /// - Throws: `FineTuningError.badPreprocessing`.
  public init(json: String?, file: String) throws {
    guard let json else {
      self.init()
      return
    }
    do {
      self = try JSONDecoder().decode(Preprocessing.self, from: Data(json.utf8))
    } catch {
      throw FineTuningError.badPreprocessing(file: file, detail: Message(describe(error)))
    }
  }

  /// As a model file keeps it.
  public var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// Takes back what says how data is read, for data that is read in another way.
  mutating func forgetReading() {
    (classes, chunk) = (nil, nil)
    (textColumn, labelColumn, sequenceColumn) = (nil, nil, nil)
  }

  /// Checks that the scalers go with some data.
  /// - Parameters:
  ///   - features: numbers a step, nil for tokens.
  ///   - targets: numbers a row of targets, nil for classes.
  /// - Throws: `FineTuningError.badData`.
  package func checkScalers(features: Int?, targets: Int?, file: String) throws(FineTuningError) {
    if let features, let inputScaler, inputScaler.columns != features {
      throw .badData(
        file: file, detail: "the model's scaler is for \(inputScaler.columns) features, the data has \(features)",
        advice: ["fit a new one with \(.scaler, "refit")"])
    }
    if let targets, let targetScaler, targetScaler.columns == 0 || targets % targetScaler.columns != 0 {
      throw .badData(
        file: file, detail: "the model's scaler is for \(targetScaler.columns) targets, the data has \(targets)",
        advice: ["fit a new one with \(.scaler, "refit")"])
    }
  }
}

extension Checkpoint {
  /// The stored preprocessing, typed; empty when there is none.
  /// - Parameter file: its name, for errors.
  /// - Throws: `FineTuningError.badPreprocessing`.
  public func typedPreprocessing(file: String) throws -> Preprocessing {
    try Preprocessing(json: preprocessing, file: file)
  }
}

extension LSTMModel {
  /// The stored preprocessing, typed; empty when there is none.
  /// - Parameter file: its name, for errors.
  /// - Throws: `FineTuningError.badPreprocessing`.
  public func typedPreprocessing(file: String = "the model") throws -> Preprocessing {
    try Preprocessing(json: preprocessing, file: file)
  }

  /// Keeps what has to be done to data before this model reads it; the model's file then has it.
  public mutating func store(_ preprocessing: Preprocessing) throws { self.preprocessing = try preprocessing.json }
}
