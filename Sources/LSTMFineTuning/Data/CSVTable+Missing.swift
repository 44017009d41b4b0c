extension CSVTable {
  /// Which rows of a column hold no number; `rowCount` marks.
  ///
  /// - Throws: `CSVError` as `floats(column:missing:)` with a policy that fills.
  public func missing(column: String) throws(CSVError) -> [Bool] {
    do throws(CSVError) {
      _ = try floats(column: column, missing: .error)
      return [Bool](repeating: false, count: rowCount)
    } catch {
      guard case .missingValue = error.kind else { throw error }
    }
    _ = try floats(column: column, missing: .zero)
    return try strings(column: column).map { cell in
      let text = CSVCells.trimmed(cell).lowercased()
      return text.isEmpty || ["na", "n/a", "nan", "null", "none", "-", "?"].contains(text)
    }
  }
}
