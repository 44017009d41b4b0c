/// Makes errors that name an object of a file.
struct Call {
  let file: String
  let object: String?

  func error(_ kind: HDF5Error.Kind, _ message: String, stack: [String] = []) -> HDF5Error {
    HDF5Error(kind, file: file, object: object, message: message, libraryStack: stack)
  }

  func error(_ damage: Damage) -> HDF5Error { error(damage.kind, damage.text) }

  /// Gives the damage that `body` finds this object's name.
  func naming<Result>(_ body: () throws(Damage) -> Result) throws(HDF5Error) -> Result {
    do throws(Damage) {
      return try body()
    } catch {
      throw self.error(error)
    }
  }
}
