import Foundation
import FileIO

/// Why a checkpoint cannot be read, loaded or written.
public enum CheckpointError: DescribedFailure {
  /// The container itself cannot be read or written: HDF5, a ZIP archive or the file system says no.
  case container(any DescribedFailure)
  /// Nothing in it tells of a format that is known here.
  case unrecognized(file: String, detail: String)
  /// Something else than a checkpoint, or one of a kind that is not read; the advice says what to do.
  case unknownFormat(file: String, detail: String, advice: [String])
  case corrupt(tensor: String, detail: String)
  case notIntegers(tensor: String, found: String)
  /// A tensor of a layout other than PyTorch's does not go with its neighbors.
  case misshapen(tensor: String, expected: String, found: String, advice: [String])
  /// The file says something that the model cannot express: another activation, a clip. Reading it would change numbers.
  case unsupported(file: String, detail: String, advice: [String])
  /// The tensors do not make one model; the message names the flag that decides.
  case ambiguous(file: String, detail: String, advice: [String])
  /// The load report has entries that are not allowed.
  case incomplete(LoadReport)
  case invalidConfiguration(file: String, detail: String)
  case invalidOption(String, advice: [String])
  case cannotWrite(file: String, detail: String)
  /// The target cannot hold what the model has; the advice names the flag that decides what is lost.
  case refused(file: String, detail: String, advice: [String])
  /// The file itself cannot be opened or read.
  case unreadable(file: String, reason: UnreadableReason)

  public var category: FailureCategory {
    switch self {
    case .container(let failure): failure.category
    case .invalidOption, .refused: .usage
    case .cannotWrite: .cannotCreate
    case .unreadable(_, let reason): reason.category
    default: .badInput
    }
  }

  public var message: String { printable(text) }

  private var text: String {
    switch self {
    case .container(let failure): failure.message
    case .unrecognized(let file, let detail), .unknownFormat(let file, let detail, _): "\(file): \(detail)"
    case .corrupt(let tensor, let detail): "tensor \"\(tensor)\": \(detail)"
    case .notIntegers(let tensor, let found): "tensor \"\(tensor)\": expected whole numbers, found \(found)"
    case .misshapen(let tensor, let expected, let found, _):
      "tensor \"\(tensor)\": expected \(expected), found \(found)"
    case .unsupported(let file, let detail, _): "\(file): \(detail)"
    case .ambiguous(let file, let detail, _): "\(file): \(detail)"
    case .incomplete(let report): report.failureSummary
    case .invalidConfiguration(let file, let detail): "\(file): not a model configuration: \(detail)"
    case .invalidOption(let detail, _): detail
    case .refused(let file, let detail, _): "cannot write \(file): \(detail)"
    case .cannotWrite(let file, let detail): "cannot write \(file): \(detail)"
    case .unreadable(let file, let reason): "\(file): \(reason.message)"
    }
  }

  public var advice: [String] {
    let lines =
      switch self {
      case .unknownFormat(_, _, let advice), .ambiguous(_, _, let advice), .invalidOption(_, let advice),
        .misshapen(_, _, _, let advice), .unsupported(_, _, let advice), .refused(_, _, let advice):
        advice
      case .incomplete(let report): report.advice
      default: [String]()
      }
    return lines.map { printable($0) }
  }
}
