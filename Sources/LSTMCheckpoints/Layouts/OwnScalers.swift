/// What a model does to its input and output beside its layers, where the source did it itself.
struct OwnScalers {
  private(set) var input: Scaler?
  private(set) var target: Scaler?

  init(_ preprocessing: Preprocessing, _ provenance: Provenance?) {
    let parts = Set((provenance?.layers ?? []).compactMap(\.part))
    if parts.contains("scaler") { input = preprocessing.inputScaler }
    if parts.contains("target scaler") { target = preprocessing.targetScaler }
  }
}
