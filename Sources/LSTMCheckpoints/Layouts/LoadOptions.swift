import FileIO
import Foundation

/// What a user may say about how names in a file become the project's, and what may be missing or left over.
public struct LoadOptions: Sendable {
  /// Which index of a matrix runs fastest in the file.
  public enum Order: String, Sendable, CaseIterable {
    /// C order: the last index.
    case rowMajor = "row-major"
    /// As Julia, MATLAB and R write: every shape is the other way round.
    case columnMajor = "column-major"
  }

  /// Only tensors below this module are looked at, `encoder.lstm` or `encoder/lstm`; it is taken off their names.
  /// The report says how many others there are. To keep a head that lies outside, leave the other parts out with
  /// `allowedUnexpected` instead.
  public var prefix: String?
  /// Rewrites names, in order.
  public var rules: [RenamingRule]
  /// Globs of the project's names that may be missing; they start from random values.
  public var allowedMissing: [String]
  /// Globs of names in the file that may be left out.
  public var allowedUnexpected: [String]
  /// What the model is, when the tensors alone do not tell.
  public var configuration: ModelConfiguration?
  /// A file with Keras' description of the model (`model.to_json()`), for a file of weights; nil for the one that lies
  /// beside it, if any.
  public var architecture: String?
  /// How the LSTM's outputs over time are reduced to what the head reads.
  public var readout: PlainStack.Readout?
  /// The activation between the dense layers of a head.
  public var activation: Activation?
  /// The activation between the readout and the head.
  public var readoutActivation: Activation?
  /// The activation after the last dense layer.
  public var outputActivation: Activation?
  /// The number of heads of attention, where the file does not say it.
  public var heads: Int?
  /// The modules with an LSTM that stand one above the other, from the input up.
  public var stack: [String]?
  /// How matrices lie in the file; nil to go by what it says.
  public var order: Order?
  /// Whose names, order of gates and shapes the file has; nil to go by what it holds.
  public var layout: Layout?
  /// The layouts that are looked for.
  var layouts = LayoutRegistry.standard
  /// The gates' activation function, where the file does not say it.
  public var gates: PlainStack.GateActivation?
  /// What a TensorFlow 1 cell adds to its forget gate at run time; its files do not say.
  public var forgetBias: Float?
  /// Keeps parameters apart that the file, or their equal values, would have be one.
  public var untie = false
  /// The embedding's row that stands for padding, where the file does not say.
  public var padding: Padding?

  /// The activations given that a plain stack has not.
  var activationsBeyondStack: [(Setting, Activation)] {
    let given: [(Setting, Activation?)] = [
      (.activation, activation), (.readoutActivation, readoutActivation), (.outputActivation, outputActivation),
    ]
    return given.compactMap { setting, activation in
      guard let activation, PlainStack.Activation(activation) == nil else { return nil }
      return (setting, activation)
    }
  }

  /// What the model is, where that is a plain stack.
  var given: PlainStack? {
    get { configuration?.stack }
    set { configuration = newValue.map { ModelConfiguration($0) } }
  }

  /// A row of the embedding, or none.
  public enum Padding: Sendable, Equatable {
    /// There is none.
    case absent
    /// This row, from 0.
    case row(Int)
  }

  /// What is not said is found in the file, or asked for by an error.
  public init(
    prefix: String? = nil, rules: [RenamingRule] = [], allowedMissing: [String] = [], allowedUnexpected: [String] = [],
    configuration: ModelConfiguration? = nil, readout: PlainStack.Readout? = nil,
    activation: Activation? = nil, layout: Layout? = nil, forgetBias: Float? = nil,
    gates: PlainStack.GateActivation? = nil
  ) {
    self.prefix = prefix
    self.rules = rules
    self.allowedMissing = allowedMissing
    self.allowedUnexpected = allowedUnexpected
    self.configuration = configuration
    self.readout = readout
    self.activation = activation
    self.layout = layout
    self.forgetBias = forgetBias
    self.gates = gates
  }
}

/// `REGEX=REPLACEMENT`: every match in a name is replaced; `$1` stands for the first group. Names are dotted, without
/// the prefix that ``LoadOptions/prefix`` takes off.
public struct RenamingRule: Sendable, Equatable {
  /// A regular expression.
  public let pattern: String
  /// What stands in place of each match.
  public let replacement: String

  /// - Parameter text: what follows the last `=` is the replacement.
  /// - Throws: `CheckpointError.invalidOption` when there is no `=`, the expression does not compile, or the
  ///   replacement names a group that it does not have.
  public init(_ text: String) throws(CheckpointError) {
    guard let equals = text.lastIndex(of: "=") else {
      throw .invalid(
        .rules, "\(text)", "expected REGEX=REPLACEMENT, found no =", advice: ["for example \(.rules, "^rnn\\.=lstm.")"])
    }
    pattern = String(text[..<equals])
    replacement = String(text[text.index(after: equals)...])
    guard !pattern.isEmpty, let expression = try? NSRegularExpression(pattern: pattern) else {
      throw .invalid(.rules, "\(text)", "\"\(pattern)\" is not a regular expression")
    }
    let groups = expression.numberOfCaptureGroups
    if let group = Self.groups(in: replacement).first(where: { $0 > groups }) {
      throw .invalid(
        .rules, "\(text)", "$\(group) stands for a group that the expression does not have (it has \(groups))")
    }
  }

  /// The numbers after `$`, as `NSRegularExpression` reads them.
  private static func groups(in template: String) -> [Int] {
    var numbers: [Int] = []
    var previous: Character?
    for (index, character) in zip(template.indices, template) {
      if character == "$", previous != "\\" {
        let digits = template[template.index(after: index)...].prefix { $0.isASCII && $0.isNumber }
        if let number = Int(digits) { numbers.append(number) }
      }
      previous = character
    }
    return numbers
  }

  /// The rule ready for many names.
  var compiled: Compiled { Compiled(expression: try? NSRegularExpression(pattern: pattern), replacement: replacement) }

  struct Compiled {
    let expression: NSRegularExpression?
    let replacement: String

    func apply(to name: String) -> String {
      guard let expression else { return name }
      let range = NSRange(name.startIndex..., in: name)
      return expression.stringByReplacingMatches(in: name, range: range, withTemplate: replacement)
    }
  }
}
