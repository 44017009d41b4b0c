import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints

struct OverwriteArguments: ParsableArguments {
  @Flag(help: "Replace an existing file, even one that lstm-ft did not write.")
  var overwrite = false
}

/// A file that an output replaces.
struct ReplacedFile {
  let path: String
  /// `the model of weights.h5, fine-tuned on 2026-01-31`; nil for a file that this tool did not write, as far as it shows.
  let description: String?

  /// Printed when it is replaced.
  var line: String { "replaced \(path)" + (description.map { " (was \($0))" } ?? "") }

  /// nil where nothing is lost: no file, an empty one, or not a regular file.
  /// - Throws: `FileError` or `CheckpointError` when the system fails to read it, as nothing is known of it then.
  init?(_ path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return nil }
    self.path = path
    description = try Self.ownWork(path)
  }

  /// What lstm-ft wrote there, by the contents of the file; nil for other files.
  private static func ownWork(_ path: String) throws -> String? {
    guard let head = try head(path) else { return nil }
    let text = String(decoding: head, as: UTF8.self)
    if head.starts(with: [0x89, 0x48, 0x44, 0x46]) {
      do {
        let checkpoint = try Checkpoint(path: path)
        return checkpoint.format.holdsWholeModel ? model(checkpoint) : nil
      } catch let error as any DescribedFailure where error.category == .inputOutput {
        throw error
      } catch {
        return nil
      }
    }
    // The fonts that its charts ask for, in their order.
    if text.hasPrefix("<svg "), text.contains("Arial, &#39;Liberation Sans&#39;, sans-serif") {
      return "a chart of lstm-ft's"
    }
    if text.hasPrefix("<!DOCTYPE html>"), text.contains(": a fine-tuning run</title>") { return "a page of lstm-ft's" }
    // ONNX: the producer's name comes first.
    if head.prefix(32).range(of: Data("lstm-ft".utf8)) != nil { return "an ONNX model of lstm-ft's" }
    return nil
  }

  /// Its first bytes; nil for a file that may not be read.
  private static func head(_ path: String) throws(FileError) -> Data? {
    do throws(UnreadableReason) {
      let source = ByteSource.file(try RegularFile(path: path))
      return Data(try source.bytes(at: 0, count: min(4096, source.byteCount)))
    } catch {
      if error.isFailingSystem { throw .unreadable(file: path, reason: error) }
      return nil
    }
  }

  private static func model(_ checkpoint: Checkpoint) -> String {
    guard let provenance = checkpoint.provenance else { return "a model of lstm-ft's" }
    guard let last = provenance.history.last else { return "the model of \(provenance.source)" }
    let done =
      switch last.action {
      case "import": "imported"
      case "finetune": "fine-tuned"
      default: last.action
      }
    return "the model of \(provenance.source), \(done) on \(last.date.prefix(10))"
  }
}

extension Console {
  /// To be called after the line about the file written.
  func say(_ replaced: ReplacedFile?) { if let replaced { say(replaced.line) } }
}
