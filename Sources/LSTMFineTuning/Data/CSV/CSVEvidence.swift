/// What the cells of one column tell about how its numbers are written.
struct CSVEvidence: Sendable {
  /// The first row with text: the column is not numeric.
  var textRow: Int?
  /// The first rows with a point, a comma that can only be decimal.
  var sureDecimal: [CSVDecimalMark: Int] = [:]
  /// The first rows with marks that can only be between thousands.
  var sureThousands: [CSVThousands: Int] = [:]
  /// The first rows in which a mark may be either.
  var either: [CSVDecimalMark: Int] = [:]
  /// The first whole number of more than three digits without marks.
  var longRow: Int?

  private var shortSum = 0.0
  private var shortCount = 0
  private var eitherSum = 0.0
  private var eitherCount = 0

  /// Evidence of whole numbers below 1000 beside numbers whose marks may be decimal: if they are, the whole numbers are
  /// oddly large, as where a series passes 1000.
  var looksGrouped: Bool {
    guard shortCount > 0, eitherCount > 0, longRow == nil else { return false }
    return shortSum / Double(shortCount) >= 3 * eitherSum / Double(eitherCount)
  }

  /// The decimal mark that must be, or none; both where the column contradicts itself.
  var decimals: Set<CSVDecimalMark> {
    var found = Set(sureDecimal.keys)
    if sureThousands[.comma] != nil { found.insert(.point) }
    if sureThousands[.point] != nil { found.insert(.comma) }
    return found
  }

  /// The first row that shows that this is the decimal mark.
  func row(for mark: CSVDecimalMark) -> Int? {
    [sureDecimal[mark], sureThousands[mark.other.asThousands]].compactMap { $0 }.min()
  }

  /// Takes the evidence of a cell; false where there is none.
  mutating func add(_ marks: CSVNumberParser.Marks, _ value: Double, row: Int) -> Bool {
    if marks.long {
      if longRow == nil { longRow = row }
    } else if marks.short {
      addShort(value)
    } else if marks.surePoint {
      Self.note(row, &sureDecimal[.point])
    } else if marks.sureComma {
      Self.note(row, &sureDecimal[.comma])
    } else if marks.eitherPoint {
      addEither(.point, value, row)
    } else if marks.eitherComma {
      addEither(.comma, value, row)
    } else {
      return false
    }
    return true
  }

  private mutating func addShort(_ value: Double) {
    shortSum += abs(value)
    shortCount += 1
  }

  private mutating func addEither(_ mark: CSVDecimalMark, _ value: Double, _ row: Int) {
    Self.note(row, &either[mark])
    eitherSum += abs(value)
    eitherCount += 1
  }

  /// Looks at the text of a cell.
  mutating func add(_ shape: CSVNumberShape, _ value: Double, row: Int) {
    if let digits = shape.bareDigits {
      if digits > 3 {
        if longRow == nil { longRow = row }
      } else {
        addShort(value)
      }
      return
    }
    switch (shape.asDecimal, shape.asGrouped) {
    case (let decimal?, nil):
      Self.note(row, &sureDecimal[decimal.mark])
      if let thousands = decimal.thousands { Self.note(row, &sureThousands[thousands]) }
    case (nil, let thousands?): Self.note(row, &sureThousands[thousands])
    case (let decimal?, _?):
      addEither(decimal.mark, value, row)
    case (nil, nil): break
    }
  }

  private static func note(_ row: Int, _ place: inout Int?) { if place == nil { place = row } }
}

/// How a column's numbers are written, and why.
struct CSVConvention: Sendable {
  enum Reason: Sendable {
    /// As the file's separator has it, or as the numbers themselves leave no doubt.
    case plain
    /// As was asked for.
    case asked
    /// As another column writes its numbers.
    case column(Int)
    /// Quoted numbers between commas.
    case quoted
    /// As is usual beside the separator: the file does not tell.
    case guess
  }

  var style: CSVNumberStyle
  var decimal: CSVDecimalMark
  var thousands: CSVThousands?
  var reason: Reason = .plain
  /// A row that shows it, for people.
  var row: Int?

  init(_ decimal: CSVDecimalMark, _ thousands: CSVThousands?, _ reason: Reason = .plain, row: Int? = nil) {
    style = CSVNumberStyle(decimal, thousands)
    (self.decimal, self.thousands, self.reason, self.row) = (decimal, thousands, reason, row)
  }
}

/// What comes of the evidence.
enum CSVDecision: Sendable {
  case convention(CSVConvention)
  /// One column writes both 1.5 and 1,5; the row contradicts those before it.
  case mixed(row: Int)
  /// Nothing tells whether the mark in this row is decimal.
  case doubt(CSVDecimalMark, row: Int)
}

/// Decides how the numbers of columns are written, by all columns of a file and its separator.
struct CSVJudge {
  let evidence: [CSVEvidence]
  let separator: CSVSeparator
  let decimal: CSVDecimalMark?
  let thousands: CSVThousands?
  /// Dates such as 25.03.2024 in the file.
  let hasEuropeanDates: Bool

  func decide(_ column: Int) -> CSVDecision {
    let own = evidence[column]
    if decimal != nil || thousands != nil { return asked(own) }
    let sure = own.decimals
    if sure.count == 2 { return mixed(own) }
    if let mark = sure.first { return settled(mark, own, .plain, row: own.row(for: mark)) }
    let grouped = own.sureThousands.keys.contains { $0 == .apostrophe || $0 == .space }
    switch own.either.count {
    case 0: return settled(.point, own, .plain, row: nil)
    case 1:
      guard let (mark, row) = own.either.first else { break }
      // Thousands have their own mark, so this one is for decimals.
      return grouped ? settled(mark, own, .plain, row: row) : either(column, mark, row)
    default: break
    }
    // Both 1.002 and 1,002: one is decimal, the other is not.
    if grouped { return mixed(own) }
    let first = own.either.min { $0.value < $1.value }
    guard let first else { return settled(.point, own, .plain, row: nil) }
    let (points, commas) = (witness(.point, column), witness(.comma, column))
    if let points, commas == nil { return settled(.point, own, .column(points), row: first.value) }
    if let commas, points == nil { return settled(.comma, own, .column(commas), row: first.value) }
    return .doubt(first.key, row: first.value)
  }

  /// A column in which nothing but 1.002 (or 1,002) and whole numbers stands.
  private func either(_ column: Int, _ mark: CSVDecimalMark, _ row: Int) -> CSVDecision {
    let own = evidence[column]
    let isUsual = (mark == .comma) == (separator == .semicolon)
    let (alike, other) = (witness(mark, column), witness(mark.other, column))
    let asDecimal = CSVConvention(mark, nil, .plain, row: nil)
    if own.looksGrouped, !(separator == .comma && mark == .comma) {
      guard let other, alike == nil else { return .doubt(mark, row: row) }
      return .convention(.init(mark.other, mark.asThousands, .column(other), row: row))
    }
    if let alike, other == nil {
      return .convention(isUsual ? asDecimal : .init(mark, nil, .column(alike), row: row))
    }
    if let other, alike == nil {
      // Whole numbers of four digits would be written with the mark too.
      guard own.longRow == nil else { return .doubt(mark, row: row) }
      return .convention(.init(mark.other, mark.asThousands, .column(other), row: row))
    }
    if isUsual {
      // Beside commas, points are decimal as good as always.
      return .convention(separator == .comma ? asDecimal : .init(mark, nil, .guess, row: row))
    }
    guard separator == .comma, other == nil, own.longRow == nil, !hasEuropeanDates || own.looksGrouped
    else {
      return .doubt(mark, row: row)
    }
    return .convention(.init(mark.other, mark.asThousands, .quoted, row: row))
  }

  /// Another column whose decimals are written so beyond doubt.
  private func witness(_ mark: CSVDecimalMark, _ column: Int) -> Int? {
    evidence.indices.first { index in
      index != column && evidence[index].textRow == nil && evidence[index].decimals == [mark]
    }
  }

  /// The decimal mark is known; what stands between thousands?
  private func settled(
    _ mark: CSVDecimalMark, _ own: CSVEvidence, _ reason: CSVConvention.Reason, row: Int?
  ) -> CSVDecision {
    var marks = own.sureThousands
    if let row = own.either[mark.other], marks[mark.other.asThousands] == nil { marks[mark.other.asThousands] = row }
    marks[mark.asThousands] = nil
    guard marks.count < 2 else { return .mixed(row: marks.values.max() ?? 0) }
    return .convention(.init(mark, marks.first?.key, reason, row: marks.first?.value ?? row))
  }

  private func mixed(_ own: CSVEvidence) -> CSVDecision {
    .mixed(row: CSVDecimalMark.allCases.compactMap { own.row(for: $0) ?? own.either[$0] }.max() ?? 0)
  }

  private func asked(_ own: CSVEvidence) -> CSVDecision {
    let spaced = own.sureThousands.keys.first { $0 == .apostrophe || $0 == .space }
    func convention(_ decimal: CSVDecimalMark, _ thousands: CSVThousands) -> CSVDecision {
      let either = CSVDecimalMark(rawValue: thousands.rawValue).flatMap { own.either[$0] }
      let row = [own.sureThousands[thousands], either].compactMap { $0 }.min()
      return .convention(.init(decimal, thousands, .asked, row: row))
    }
    switch thousands {
    case .never?:
      if decimal == nil, Set(own.sureDecimal.keys).union(own.either.keys).count == 2 { return mixed(own) }
      return convention(decimal ?? evident(own), .never)
    case let mark?: return convention(decimal ?? (CSVDecimalMark(rawValue: mark.rawValue)?.other ?? evident(own)), mark)
    case nil:
      let decimal = decimal ?? evident(own)
      return convention(decimal, spaced ?? decimal.other.asThousands)
    }
  }

  /// The mark that stands where decimals do, where thousands have none of them.
  private func evident(_ own: CSVEvidence) -> CSVDecimalMark {
    own.sureDecimal[.comma] != nil || (own.sureDecimal[.point] == nil && own.either[.comma] != nil) ? .comma : .point
  }
}
