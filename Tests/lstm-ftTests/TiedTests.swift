import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// Tied embeddings and padding rows as a person meets them.
@Suite(.serialized) struct TiedTests {
  /// What predict gives against what PyTorch gave.
  static func check(_ place: Workplace, _ output: String, _ expected: String) throws {
    let (found, wanted) = (
      try #require(place.checkpoint(output).tensors.first),
      try #require(Checkpoint(contentsOf: fixtures.appendingPathComponent(expected)).tensors.first)
    )
    #expect(found.shape == wanted.shape)
    #expect(try relativeDifference(found.floats(), wanted.floats()) <= 1e-6)
  }

  @Test(arguments: [
    ("tied/tied.pt", "all"), ("tied/tied.safetensors", "all"), ("tied/tied.onnx", "all"),
    ("tied/once.safetensors", "all"),
    ("padding-row/m.pt", "last"), ("awd-lstm/lm_v2.pth", "all"),
  ])
  func importedItPredictsAsPyTorchDid(_ file: String, _ readout: String) async throws {
    let place = try Workplace()
    let folder = "wild/" + file.split(separator: "/")[0]
    let name = String(file.split(separator: "/")[1])
    try place.copy("wild/" + file, as: name)
    try place.copy(folder + "/x.npz", as: "x.npz")
    let imported = try await place.run("import", name, "--readout", readout)
    #expect(imported.code == 0, "\(imported.stderr)")
    let says = [
      "wild/tied": ["dense 11 tied to the embedding", "(675 parameters"],
      "wild/padding-row": ["20 tokens (0 is padding)", "(659 parameters"],
      "wild/awd-lstm": ["dense 13 tied to the embedding"],
    ]
    for text in says[folder] ?? [] { #expect(imported.stdout.contains(text), "\(imported.stdout)") }
    let predicted = try await place.run("predict", "--data", "x.npz", "-o", "y.npy")
    #expect(predicted.code == 0, "\(predicted.stderr)")
    try Self.check(place, "y.npy", folder + "/expected.npy")
  }

  @Test func whatIsAssumedIsSaidAndCanBeChanged() async throws {
    let place = try Workplace()
    try place.copy("wild/tied/clone.pt", as: "clone.pt")
    try place.copy("wild/padding-row/m.pt", as: "m.pt")
    let equal = try await place.run("import", "clone.pt")
    #expect(
      equal.stdout.contains(
        "assumed: embedding.weight and decoder.weight have equal values: they are tied, one parameter (otherwise: --untie"
      ))
    let apart = try await place.run("import", "clone.pt", "--untie", "-o", "apart.h5")
    #expect(apart.code == 0 && !apart.stdout.contains("assumed: embedding"))
    #expect(try place.checkpoint("apart.h5").configuration?.ties == [])
    let padded = try await place.run("import", "m.pt", "--json")
    #expect(
      padded.stdout.contains(#""change":"--padding-index none""#) || padded.stdout.contains("--padding-index none"))
    let none = try await place.run("import", "m.pt", "--padding-index", "none", "-o", "none.h5")
    #expect(none.code == 0 && !none.stdout.contains("all zero"))
    #expect(try place.checkpoint("none.h5").configuration?.plain.paddingToken == nil)
    let beyond = try await place.run("import", "m.pt", "--padding-index", "20")
    #expect(beyond.code == 64)
    #expect(beyond.stderr == "error: --padding-index 20: expected a row of the embedding, 0 to 19, or none\n")
  }

  @Test func fineTunedItComesBackTied() async throws {
    let place = try Workplace()
    try place.copy("wild/tied/tied.pt", as: "tied.pt")
    try place.copy("wild/tied/data.npz", as: "data.npz")
    try await place.run("import", "tied.pt", "--readout", "all")
    let tuned = try await place.run("finetune", "--data", "data.npz", "--epochs", "2")
    #expect(tuned.code == 0, "\(tuned.stderr)")
    #expect(tuned.stdout.contains("675 parameters: 675 trainable"))
    #expect(
      tuned.stdout.contains("note   embedding.weight and head.0.weight are one parameter (tied), trained as one"))
    for (format, name) in [("pt", "back.pt"), ("safetensors", "back.safetensors")] {
      #expect(try await place.run("export", "finetuned.h5", "--to", format, "-o", name).code == 0)
      let back = try place.checkpoint(name)
      #expect(back.sharing.count == 1 && back["decoder.weight"] != nil)
      #expect(try back["decoder.weight"]?.bytes() == place.checkpoint("finetuned.h5")["embedding.weight"]?.bytes())
    }
    #expect(
      try place.checkpoint("model.h5")["embedding.weight"]?.bytes()
        != place.checkpoint("finetuned.h5")["embedding.weight"]?.bytes())
    let frozen = try await place.run(
      "finetune", "--data", "data.npz", "--epochs", "1", "--freeze", "head", "-o", "frozen.h5", "--run", "other")
    #expect(frozen.stdout.contains("675 parameters: 576 trainable, 99 frozen"), "\(frozen.stdout)\(frozen.stderr)")
    #expect(frozen.stdout.contains("frozen as one, by --freeze head"))
    #expect(
      try place.checkpoint("model.h5")["embedding.weight"]?.bytes()
        == place.checkpoint("frozen.h5")["embedding.weight"]?.bytes())
    let new = try await place.run(
      "finetune", "--data", "data.npz", "--epochs", "1", "--head", "new", "-o", "new.h5", "--run", "third")
    #expect(new.stdout.contains("it was tied, and the new one is not"), "\(new.stdout)\(new.stderr)")
  }

  @Test func aPaddingRowStaysZero() async throws {
    let place = try Workplace()
    try place.copy("wild/padding-row/m.pt", as: "m.pt")
    try place.copy("wild/padding-row/pre.npz", as: "pre.npz")
    try await place.run("import", "m.pt", "--readout", "last")
    let tuned = try await place.run("finetune", "--data", "pre.npz", "--epochs", "2", "--weight-decay", "0.1")
    #expect(tuned.code == 0, "\(tuned.stderr)")
    let values = try #require(place.checkpoint("finetuned.h5")["embedding.weight"]).floats()
    #expect(values.prefix(6).allSatisfy { $0 == 0 } && values.dropFirst(6).allSatisfy { $0 != 0 })
    #expect(try place.checkpoint("model.h5")["embedding.weight"]?.floats() != values)
  }
}
