/// The rows of one series.
public struct SeriesPart: Sendable {
  /// The file that the rows stand in.
  public let file: String
  /// The cells of the id columns; empty where there are none.
  public let id: [String]
  /// Which of the series' rows are its own.
  public let rows: Range<Int>
  /// Each row's time; nil without a time column.
  let times: [Int64]?
  /// The line of the file on which each row stood.
  let lines: [Int]
  let time: TimeColumn?
  /// For each row, where in the file's rows it stood.
  let places: [Int]

  /// For people, and as the name of its scalers: `A`, or `A, 3`; the file's name without one.
  public var name: String {
    id.isEmpty ? Self.stem(file) : id.joined(separator: ", ")
  }

  /// A file's name without its folder and its ending.
  static func stem(_ file: String) -> String {
    let name = file.split(separator: "/").last.map { String($0) } ?? file
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }
}

/// Cells of a column that held no number.
public struct FilledCells: Sendable, Equatable {
  /// The column's name.
  public let column: String
  /// How many cells were filled in.
  public let count: Int
}
