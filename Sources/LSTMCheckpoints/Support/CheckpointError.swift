import FileIO

/// Why a checkpoint cannot be read, loaded or written.
public enum CheckpointError: DescribedFailure {
  /// The container itself cannot be read or written: HDF5, a ZIP archive or the file system says no.
  case container(any DescribedFailure)
  /// The file is in no known format.
  case unrecognized(file: String, detail: Message)
  /// The file is no checkpoint, or one of a kind that is not read; the advice says what to do.
  case unknownFormat(file: String, detail: Message, advice: [Message] = [])
  /// A tensor's bytes are not what its shape and type say.
  case corrupt(tensor: String, detail: Message)
  /// The file is not what was written: a disk or a transfer damaged it, or another program changed it.
  case damaged(file: String, detail: Message)
  /// A tensor that must hold integers does not.
  case notIntegers(tensor: String, found: String)
  /// A tensor of a layout other than PyTorch's does not go with its neighbors.
  case misshapen(tensor: String, expected: String, found: String, advice: [Message] = [])
  /// The file says something that the model cannot express: another activation, a clip. Reading it would change numbers.
  case unsupported(file: String, detail: Message, advice: [Message] = [])
  /// The tensors do not make one model; the advice names the setting that decides.
  case ambiguous(file: String, detail: Message, advice: [Message] = [])
  /// The load report has entries that are not allowed.
  case incomplete(_ summary: Message, advice: [Message])
  /// JSON that describes no model.
  case invalidConfiguration(file: String, detail: Message)
  /// A native file's preprocessing attribute is invalid.
  case badPreprocessing(file: String, detail: Message)
  /// A setting has a value that makes no sense here; nil for one that has no value of its own.
  case invalid(Setting, _ value: String?, _ reason: Message, advice: [Message] = [])
  /// Settings that contradict each other or the file.
  case invalidOption(Message, advice: [Message] = [])
  /// The file cannot be written as asked.
  case cannotWrite(file: String, detail: Message)
  /// The target cannot hold what the model has; the advice names the setting that decides what is lost.
  case refused(file: String, detail: Message, advice: [Message] = [])
  /// The file itself cannot be opened or read.
  case unreadable(file: String, reason: UnreadableReason)

  /// What `body` reads of a file.
  static func reading<Value>(_ file: String, _ body: () throws(UnreadableReason) -> Value) throws(Self) -> Value {
    do throws(UnreadableReason) {
      return try body()
    } catch {
      throw .unreadable(file: file, reason: error)
    }
  }

  /// Who has to act; decides the exit code.
  public var category: FailureCategory {
    switch self {
    case .container(let failure): failure.category
    case .invalid, .invalidOption, .refused: .usage
    case .cannotWrite: .cannotCreate
    case .unreadable(_, let reason): reason.category
    default: .badInput
    }
  }

  /// What is wrong and where, in one line.
  public var message: Message { text.printable }

  private var text: Message {
    switch self {
    case .container(let failure): failure.message
    case .unrecognized(let file, let detail), .unknownFormat(let file, let detail, _),
      .unsupported(let file, let detail, _), .ambiguous(let file, let detail, _), .damaged(let file, let detail):
      "\(file): \(detail)"
    case .corrupt(let tensor, let detail): "tensor \"\(tensor)\": \(detail)"
    case .notIntegers(let tensor, let found): "tensor \"\(tensor)\": expected whole numbers, found \(found)"
    case .misshapen(let tensor, let expected, let found, _):
      "tensor \"\(tensor)\": expected \(expected), found \(found)"
    case .incomplete(let summary, _): summary
    case .invalidConfiguration(let file, let detail): "\(file): not a model configuration: \(detail)"
    case .badPreprocessing(let file, let detail):
      "\(file): its preprocessing attribute is not what lstm-ft writes: \(detail)"
    case .invalid(let setting, let value?, let reason, _): "\(setting, value): \(reason)"
    case .invalid(let setting, nil, let reason, _): "\(setting): \(reason)"
    case .invalidOption(let detail, _): detail
    case .refused(let file, let detail, _), .cannotWrite(let file, let detail): "cannot write \(file): \(detail)"
    case .unreadable(let file, let reason): "\(file): \(reason.message)"
    }
  }

  /// What to do about it, at most two lines.
  public var advice: [Message] {
    let lines =
      switch self {
      case .unknownFormat(_, _, let advice), .ambiguous(_, _, let advice), .invalidOption(_, let advice),
        .invalid(_, _, _, let advice),
        .misshapen(_, _, _, let advice), .unsupported(_, _, let advice), .refused(_, _, let advice),
        .incomplete(_, let advice):
        advice
      case .damaged(let file, _):
        [
          "restore the file from a copy",
          "if another program changed it on purpose, in Python: del h5py.File(\(quoted(file)), \"r+\").attrs[\"checksums\"]",
        ] as [Message]
      default: [Message]()
      }
    return lines.map(\.printable)
  }
}

/// What is read of a file, which its errors name.
protocol FileReading {
  var file: String { get }
}

extension FileReading {
  func unsupported(_ detail: Message, _ advice: Message...) -> CheckpointError {
    .unsupported(file: file, detail: detail, advice: advice)
  }

  func ambiguous(_ detail: Message, _ advice: Message...) -> CheckpointError {
    .ambiguous(file: file, detail: detail, advice: advice)
  }

  func unknownFormat(_ detail: Message) -> CheckpointError { .unknownFormat(file: file, detail: detail) }
}
