/// What a model does to its input and output beside its layers, where the source did it itself.
package struct OwnScalers {
  package private(set) var input: Scaler?
  package private(set) var target: Scaler?

  package init(_ preprocessing: Preprocessing, _ provenance: Provenance?) {
    let parts = Set((provenance?.layers ?? []).compactMap(\.part))
    if parts.contains("scaler") { input = preprocessing.inputScaler }
    if parts.contains("target scaler") { target = preprocessing.targetScaler }
  }
}
