import LSTMCheckpoints

/// How cells of a table hold labels in order, not one for each step: for CTC.
public struct UnalignedLabels: Sendable, Equatable {
  /// The number of the class that stands for no label; negative ones count from the end.
  public var blank: Int
  /// Whether each character of a cell is a label, or what stands between spaces; nil to see: as the known classes are
  /// written, or characters where no cell has a space in it.
  public var unit: Vocabulary.Unit?

  /// What the blank is called among the classes.
  public static let blankName = "<blank>"

  /// Labels in cells.
  public init(blank: Int = 0, unit: Vocabulary.Unit? = nil) {
    self.blank = blank
    self.unit = unit
  }

  /// Between the labels of a sequence: nothing where each of these classes is a character.
  public static func separator(_ classes: [String]) -> String { isOfCharacters(classes) ? "" : " " }

  /// Whether each class is one character.
  public static func isOfCharacters(_ classes: [String]) -> Bool {
    classes.allSatisfy { $0 == blankName || $0.unicodeScalars.count == 1 }
  }
}
