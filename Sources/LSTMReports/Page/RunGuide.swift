import FileIO

/// What a page says of a run that only the program knows which ran it: what to do next, and how settings are entered
/// there. The library alone says neither.
public struct RunGuide: Sendable {
  /// Something to do next.
  public struct Step: Sendable, Equatable {
    /// `use the model`
    public let purpose: String
    /// What to type.
    public let command: String

    public init(purpose: String, command: String) {
      self.purpose = purpose
      self.command = command
    }
  }

  /// - Parameter path: the run's folder.
  let steps: @Sendable (_ log: RunLog, _ path: String) -> [Step]
  let spelling: @Sendable (Setting, String?) -> String
  /// How the page is written anew, for its last line.
  let renewal: String?

  public init(
    renewal: String? = nil, spelling: @escaping @Sendable (Setting, String?) -> String,
    steps: @escaping @Sendable (_ log: RunLog, _ path: String) -> [Step]
  ) {
    self.renewal = renewal
    self.spelling = spelling
    self.steps = steps
  }

  /// No steps, and settings by the names of the library.
  public static let none = RunGuide(
    spelling: { setting, value in setting.rawValue + (value.map { " " + $0 } ?? "") }, steps: { _, _ in [] })
}
