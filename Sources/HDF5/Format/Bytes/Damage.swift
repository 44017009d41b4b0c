/// Why a part of a file is not used. Whoever knows the object makes an ``HDF5Error`` of it.
struct Damage: Error {
  var kind = HDF5Error.Kind.corrupt
  let text: String
  /// Whether it concerns the file as a whole, so that nothing after it is read.
  var endsWalk = false

  init(_ text: String) { self.text = text }

  init(_ kind: HDF5Error.Kind, _ text: String, endsWalk: Bool = false) {
    self.kind = kind
    self.text = text
    self.endsWalk = endsWalk
  }
}
