import FileIO
import LSTMLayers

/// Where a series is split in time.
public enum SeriesSplit: Sendable, Equatable {
  /// The part of each series' rows, at its end, that is for validation; at least one horizon.
  case fraction(Double)
  /// By dates such as "2024-03-25": the last time to train on, and the first one to validate on. The rows between
  /// them, if there are any, are only looked back to.
  case dated(trainUntil: String?, validateFrom: String?)
}

/// A series split into training and validation windows.
public struct SplitSeries: Sendable {
  /// Windows that lie in the training rows with their whole horizon.
  public let training: SequenceData
  /// Windows that predict later rows; nil when nothing is held back.
  public let validation: SequenceData?
  /// The rows of each part that training reads or predicts.
  public let trainingRows: [Range<Int>]
  /// The first row of each part that validation predicts.
  public let firstRows: [Int]
  /// What was decided, as messages.
  public let notes: [Message]
}

extension SeriesData {
  /// The rows of each part to train on, and the first one to validate on; the part's end where nothing is held back.
  func cuts(_ split: SeriesSplit) throws -> [(train: Range<Int>, validate: Int)] {
    switch split {
    case .fraction(let fraction):
      try Setting.requireFraction(fraction)
      return parts.map { part in
        guard fraction > 0 else { return (part.rows, part.rows.upperBound) }
        let held = max(Int((Double(part.rows.count) * fraction).rounded()), reconstructs ? window : horizon)
        let cut = max(part.rows.upperBound - held, part.rows.lowerBound)
        return (part.rows.lowerBound..<cut, cut)
      }
    case .dated(let until, let from):
      guard parts.allSatisfy({ $0.times != nil }) else {
        throw TableError.badDate(
          until ?? from ?? "", detail: "the table has no column of dates or times to split it by")
      }
      return try parts.map { part in
        let (time, times) = (part.time, part.times ?? [])
        let end = try until.map { try Self.instants($0, time).end }
        let begin = try from.map { try Self.instants($0, time).begin }
        if let end, let begin, begin < end {
          throw TableError.badDate(
            "\(until ?? "") and \(from ?? "")", detail: "validation would begin before training has ended")
        }
        let first = part.rows.lowerBound
        let trainEnd = first + (times.firstIndex { $0 >= (end ?? begin ?? .max) } ?? times.count)
        let validate = first + (times.firstIndex { $0 >= (begin ?? end ?? .max) } ?? times.count)
        return (first..<trainEnd, validate)
      }
    }
  }

  /// When a date as it is given begins, and the first instant after it.
  private static func instants(_ text: String, _ time: TimeColumn?) throws -> (begin: Int64, end: Int64) {
    func wrong(_ detail: String) -> TableError { TableError.badDate(text, detail: detail) }
    guard let time, time.isCalendar else {
      guard let number = TimeCells.Number(text), let found = TimeCells.counts([number])?.instants.first else {
        throw wrong("expected a number, as the table's column of times has them")
      }
      return (found, found + 1)
    }
    if let year = TimeCells.Number(text), year.digits == 4, year.decimals == 0,
      let date = CivilDate(year: Int(year.whole), month: 1, day: 1)
    {
      return (date.microseconds, TimeText.Precision.year.end(of: date.microseconds))
    }
    if let number = TimeCells.Number(text), let found = TimeCells.calendar([number]), let begin = found.instants.first {
      return (begin, found.format.precision.end(of: begin))
    }
    guard let found = TimeText(text), found.shape != .clock else {
      throw wrong("expected a date such as 2024-03-25 or \"2024-03-25 14:00\"")
    }
    let order = found.orders.count == 1 ? found.orders[0] : time.order ?? .yearFirst
    guard found.orders.contains(order) else { throw wrong("expected a date such as 2024-03-25, with the year first") }
    guard let begin = found.instant(order) else { throw wrong("there is no such day") }
    return (begin, found.precision.end(of: begin))
  }

  /// Splits every part in time: no training window reaches into the validation rows, whose windows may look back.
  /// - Throws: `FineTuningError` or `TableError` when a side would have no window, or a date is not understood.
  public func split(_ split: SeriesSplit) throws -> SplitSeries {
    let cuts = try cuts(split)
    var notes: [Message] = []
    if split == .fraction(0) {
      return SplitSeries(
        training: try examples(), validation: nil, trainingRows: parts.map(\.rows),
        firstRows: parts.map(\.rows.upperBound), notes: [])
    }
    let rows = cuts.map(\.train)
    let trainingStarts = starts(reading: rows)
    guard !trainingStarts.isEmpty else {
      if let longest = rows.map(\.count).max(), longest >= window, longest - window >= horizon {
        throw noWindows(unscoredWindows)
      }
      throw tooFewToTrain(split, rows)
    }
    let validationStarts = starts(saying: cuts.map(\.validate))
    guard !validationStarts.isEmpty else {
      throw FineTuningError.badData(
        file: file, detail: "\(split.words) leaves no window to validate on",
        advice: ["choose another place to split, or give more data"])
    }
    let without = zip(parts, rows).filter { $0.0.rows.count - window < horizon || $0.1.count - window < horizon }
    if parts.count > 1, !without.isEmpty {
      let names = without.prefix(5).map(\.0.name).joined(separator: ", ") + (without.count > 5 ? ", ..." : "")
      notes.append(
        "\(without.count) of \(parts.count) series \(without.count == 1 ? "is" : "are") too short to train on: \(names)"
      )
    }
    var training = try examples(starts: trainingStarts)
    var validation = try examples(starts: validationStarts)
    training.seasonalScale = seasonalScale(rows)
    validation.seasonalScale = training.seasonalScale
    return SplitSeries(
      training: training, validation: validation, trainingRows: rows, firstRows: cuts.map(\.validate), notes: notes)
  }

  private func tooFewToTrain(_ split: SeriesSplit, _ rows: [Range<Int>]) -> FineTuningError {
    let longest = rows.map(\.count).max() ?? 0
    let needed = reconstructs ? "a window of \(window)" : "a window of \(window) and a horizon of \(horizon)"
    let advice: [Message] = ["give more data, a smaller \(.window) or a smaller \(.validationSplit)"]
    if case .fraction(let fraction) = split {
      let all = parts.count == 1 ? "\(rowCount) rows" : "\(parts.count) series of \(rowCount) rows"
      return .badData(
        file: file,
        detail:
          "\(all) with \(.validationSplit, fraction) leave \(longest) to train on\(parts.count == 1 ? "" : " at most"), fewer than \(needed)",
        advice: advice)
    }
    return .badData(
      file: file,
      detail:
        "\(split.words) leaves \(longest) rows to train on, fewer than \(needed)",
      advice: ["choose a later date, or give a smaller \(.window)"])
  }
}

extension SeriesSplit {
  /// For people.
  var words: String {
    switch self {
    case .fraction(let fraction): "a validation part of \(fraction)"
    case .dated(let until?, let from?): "training until \(until) and validating from \(from)"
    case .dated(let until?, nil): "training until \(until)"
    case .dated(nil, let from): "validating from \(from ?? "?")"
    }
  }
}
