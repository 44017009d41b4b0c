import Foundation

/// A folder for temporary files, which nobody else can read and whose name nobody can guess.
package struct PrivateFolder {
  package let path: String

  /// - Throws: ``FileError`` `cannotCreate`, with the reason.
  package init() throws(FileError) {
    let base = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array((base + "/lstm-ft-XXXXXX").utf8CString)
    do throws(System.Errno) {
      try SystemFaults.check(.makeFolder)
      guard mkdtemp(&template) != nil else { throw System.Errno(code: errno) }
    } catch {
      throw .cannotCreate(file: base, detail: "no temporary folder can be made there: \(error.text)")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Removes the folder and the files in it.
  package func remove() { try? FileManager.default.removeItem(atPath: path) }
}
