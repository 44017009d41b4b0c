import FileIO
import Foundation

extension ModelConfiguration {
  /// From JSON; see `ModelConfiguration+Codable.swift` for the keys.
  /// - Parameter file: for the error.
  /// - Throws: `CheckpointError.invalidConfiguration` with the key at fault.
  public init(json: Data, file: String) throws(CheckpointError) {
    do {
      self = try JSONDecoder().decode(ModelConfiguration.self, from: json)
    } catch {
      throw .invalidConfiguration(file: file, detail: Message(syntaxError(in: json) ?? describe(error)))
    }
  }

  /// As the native file keeps it: one line, keys sorted.
  public var json: String {
    get throws { try LSTMCheckpoints.json(self) }
  }
}

/// What is wrong with a text that is no JSON at all, and where: the decoder itself does not say.
private func syntaxError(in json: Data) -> String? {
  do {
    _ = try JSONSerialization.jsonObject(with: json)
    return nil
  } catch {
    let detail = (error as NSError).userInfo["NSDebugDescription"] as? String
    return "not valid JSON" + (detail.map { ": \($0)" } ?? "")
  }
}
