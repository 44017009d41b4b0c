extension CSVTable {
  /// One cell as text.
  func cell(row: Int, column: Int) -> String { cells.text(bytes, row: rows.lowerBound + row, column: column) }

  /// A column's position; nil when there is none of the name.
  func index(of column: String) -> Int? { columnNames.firstIndex(of: column) }
}
