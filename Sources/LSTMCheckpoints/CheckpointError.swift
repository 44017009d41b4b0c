import Foundation
import HDF5

/// Why a checkpoint cannot be read, loaded or written.
public enum CheckpointError: DescribedFailure {
  /// The container itself: HDF5 says no.
  case hdf5(HDF5Error)
  /// Not a format that is known here.
  case unknownFormat(file: String, detail: String, advice: [String])
  case corrupt(tensor: String, detail: String)
  case notIntegers(tensor: String, found: String)
  /// A tensor of a layout other than PyTorch's does not go with its neighbours.
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
    case .hdf5(let error): error.category
    case .invalidOption, .refused: .usage
    case .cannotWrite: .cannotCreate
    case .unreadable(_, let reason): reason.category
    default: .badInput
    }
  }

  public var message: String { printable(text) }

  private var text: String {
    switch self {
    case .hdf5(let error): error.message(withFile: true)
    case .unknownFormat(let file, let detail, _): "\(file): \(detail)"
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

/// Why a file cannot be opened or read, whatever its format.
public enum UnreadableReason: Error, Sendable, Equatable {
  case notFound
  case directory
  /// A pipe, a socket or a device.
  case notRegular
  /// A system call failed; `code` is its `errno`.
  case system(operation: String, code: Int32)
  /// The file ended before the bytes asked for.
  case truncated

  var category: FailureCategory {
    switch self {
    case .notFound: .notFound
    case .system: .inputOutput
    case .directory, .notRegular, .truncated: .badInput
    }
  }

  var message: String {
    switch self {
    case .notFound: "there is no such file"
    case .directory: "it is a directory, not a file"
    case .notRegular: "it is not a regular file"
    case .system(let operation, let code): "\(operation) failed: \(String(cString: strerror(code)))"
    case .truncated: "it ended while it was being read"
    }
  }
}

extension HDF5Error {
  var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .cannotCreate: .cannotCreate
    case .io, .permissionDenied: .inputOutput
    default: .badInput
    }
  }

  func message(withFile: Bool) -> String {
    let place = object.map { "\(file): \($0)" } ?? file
    return withFile ? "\(place): \(message)" : message
  }
}
