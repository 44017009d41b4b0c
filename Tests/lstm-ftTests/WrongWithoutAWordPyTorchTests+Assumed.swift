import Testing

extension WrongWithoutAWordPyTorchTests {
  /// What stands where, and what is computed between, that no tensor shows.
  @Test(
    arguments: [
      (
        [("layer_norm.weight", [8]), ("layer_norm.bias", [8])], ["--readout", "mean"],
        "layer_norm normalizes what is read of the steps, not each step before that (otherwise: --model '3 features -> LSTM 8 -> "
          + "layer norm -> mean -> dense 2')"
      ),
      (
        [("bn.weight", [8]), ("bn.bias", [8]), ("bn.running_mean", [8]), ("bn.running_var", [8])],
        ["--readout", "last"],
        "no activation between bn and fc (otherwise: --model '3 features -> LSTM 8 -> last -> batch norm -> relu -> dense 2')"
      ),
      ([("scale", [1])], ["--readout", "last"], "scale, a single number, takes no part in the output"),
      (
        [("attention.weight", [1, 8]), ("attention.bias", [1])], [],
        "attention as the sum of the steps, weighted by the softmax over time of attention times each, with no activation of "
          + "that score (otherwise: --model '3 features -> LSTM 8 -> attention bias score activation tanh -> dense 2')"
      ),
    ] as [([(String, [Int])], [String], String)])
  func whatNoTensorShowsIsSaid(_ between: [(String, [Int])], _ options: [String], _ said: String) async throws {
    let place = try Workplace()
    let head = [("fc.weight", [2, 8]), ("fc.bias", [2])]
    try place.save(Self.lstm("lstm.", 3, 8) + between + head, as: "w.pt", .pt)
    let outcome = try await place.run(["import", "w.pt"] + options)
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(outcome.stdout.contains("assumed: \(said)"), "\(outcome.stdout)")
    // What would change it works when it is typed.
    guard let start = said.range(of: "--model '") else { return }
    let line = String(said[start.upperBound...].dropLast(2))
    #expect(try await place.run("import", "w.pt", "--model", line, "-o", "other.h5").code == 0)
  }
}
