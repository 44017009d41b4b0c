import Foundation
import LSTMCheckpoints

/// A checkpoint of `fixtures/named`, .npz or .h5.
public func namedFixture(_ name: String) throws -> Checkpoint {
  let folder = fixtures.appendingPathComponent("named")
  let archive = folder.appendingPathComponent(name + ".npz")
  let isArchive = FileManager.default.fileExists(atPath: archive.path)
  return try Checkpoint(contentsOf: isArchive ? archive : folder.appendingPathComponent(name + ".h5"))
}

/// What a user says when importing it.
public func namedFixtureOptions(_ name: String) -> LoadOptions {
  var options = LoadOptions(readout: .all)
  switch name {
  case "tf1_peepholes": options.forgetBias = 0.5
  case _ where name.hasPrefix("tf1"): options.forgetBias = 1
  case "flax_linen_unnamed_directions":
    options.configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4, isBidirectional: true, bias: .single)])
  default: break
  }
  return options
}
