import FileIO

/// What the page of a run shows that only the program that ran it knows: the next commands, and how settings are
/// entered.
public struct RunGuide: Sendable {
  /// A next step.
  public struct Step: Sendable, Equatable {
    /// `use the model`
    public let purpose: String
    /// The command to type.
    public let command: String

    /// A command and its purpose.
    public init(purpose: String, command: String) {
      self.purpose = purpose
      self.command = command
    }
  }

  /// - Parameter path: the run's folder.
  let steps: @Sendable (_ log: RunLog, _ path: String) -> [Step]
  let spelling: @Sendable (Setting, String?) -> String
  /// The command that updates the page, for its last line.
  let renewal: String?

  /// - Parameters:
  ///   - renewal: the command that updates the page; nil for none.
  ///   - spelling: how a setting is entered, alone or with a value.
  ///   - steps: the next steps of a run, by its log and its folder.
  public init(
    renewal: String? = nil, spelling: @escaping @Sendable (Setting, String?) -> String,
    steps: @escaping @Sendable (_ log: RunLog, _ path: String) -> [Step]
  ) {
    self.renewal = renewal
    self.spelling = spelling
    self.steps = steps
  }

  /// No next steps, and settings under their names in the library.
  public static let none = RunGuide(
    spelling: { setting, value in setting.rawValue + (value.map { " " + $0 } ?? "") }, steps: { _, _ in [] })
}
