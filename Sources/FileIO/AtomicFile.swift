import Foundation

/// Writes a file atomically: at any moment its path names either the complete old file or the complete new one.
///
/// `body` writes a temporary file in the same directory, which is synchronized with the device (`fsync`,
/// `F_FULLFSYNC` on Apple platforms), checked by `verify` and renamed over the target; then the directory is
/// synchronized. On any failure the temporary file is removed and the target is left alone; what a killed process left
/// behind is removed by the next write to the same path. An existing file's mode is kept. Symbolic links are not
/// followed, and a file without the permission to write is not replaced: both are errors.
/// - Parameters:
///   - verify: called with the temporary file's path before the rename; if it throws, the old file is kept.
///   - body: called with a descriptor open for reading and writing, at offset 0.
/// - Throws: ``FileError`` (`cannotCreate`, `writingFailed`), or what the closures throw.
package func atomicallyWriteFile(
  to path: String, verify: (String) throws -> Void = { _ in }, _ body: (Int32) throws -> Void
) throws {
  let file = try AtomicFile(path)
  try file.replace { descriptor, _ in
    do {
      try body(descriptor)
    } catch let error as FileError where error.file.isEmpty {
      // From writeAll, which does not know the path.
      throw FileError.writingFailed(file: path, detail: error.detail)
    }
  } verify: { temporary in
    try verify(temporary)
  }
}

/// Writes all of the bytes at the descriptor's current position (`write`), for the body of
/// ``atomicallyWriteFile(to:verify:_:)``.
/// - Throws: ``FileError`` `writingFailed` without a path, which ``atomicallyWriteFile(to:verify:_:)`` adds.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(FileError) {
  do throws(System.Errno) {
    try System.write(descriptor, bytes)
  } catch {
    throw .writingFailed(file: "", detail: "writing failed: \(error.text)")
  }
}

/// Writes a small file atomically.
/// - Throws: `FileError` when it cannot be created or written.
public func writeFile(_ path: String, _ data: Data) throws {
  try atomicallyWriteFile(to: path) { descriptor in
    try data.withUnsafeBytes { bytes in try writeAll(bytes, to: descriptor) }
  }
}

/// One replacement of one file.
package struct AtomicFile {
  private let path: String
  private let faults: Faults
  private let directory: String
  /// What the names of temporary files of this path begin with.
  private let stem: String
  private let existing: stat?
  private static let ending = ".tmp"

  /// Resolves where the file goes and checks that it can be created there; creates nothing yet.
  /// - Throws: ``FileError`` `cannotCreate`.
  package init(_ path: String, faults: Faults = .none) throws(FileError) {
    self.faults = faults
    self.path = path
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw .cannotCreate(file: path, detail: "the path is not usable")
    }
    do throws(System.Errno) {
      existing = try System.linkStatus(path)
    } catch {
      throw .cannotCreate(file: path, detail: error.text)
    }
    if let existing {
      switch existing.st_mode & S_IFMT {
      case S_IFREG:
        guard existing.st_mode & 0o222 != 0 else {
          throw .cannotCreate(
            file: path, detail: "it is read-only and will not be replaced; make it writable, or choose another name")
        }
      case S_IFLNK:
        throw .cannotCreate(
          file: path,
          detail: "it is a symbolic link, and files are not written through links; give the path of the file itself")
      case S_IFDIR: throw .cannotCreate(file: path, detail: "it is a directory; a file is to be written here")
      default: throw .cannotCreate(file: path, detail: "it is not a regular file and will not be replaced")
      }
    }
    let name: String
    (directory, name) = Self.split(path)
    guard !name.isEmpty, name != ".", name != ".." else {
      throw .cannotCreate(file: path, detail: "the path does not end in a file name")
    }
    var status = stat()
    guard stat(directory, &status) == 0 else {
      let reason = System.Errno(code: errno)
      throw .cannotCreate(
        file: path,
        detail: reason.code == ENOENT
          ? "the directory \(directory) does not exist" : "the directory \(directory): \(reason.text)")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw .cannotCreate(file: path, detail: "\(directory) is not a directory")
    }
    // Scalars, not characters: a single character can be longer than the longest file name.
    stem = "." + String(String.UnicodeScalarView(name.unicodeScalars.prefix(40))) + "."
  }

  private func place(_ name: String) -> String { (directory == "/" ? "" : directory) + "/" + name }

  /// Runs `body` on the temporary file and its path, then `verify`, then renames the file over the target.
  package func replace(
    _ body: (_ descriptor: Int32, _ temporary: String) throws -> Void,
    verify: (_ temporary: String) throws -> Void
  ) throws {
    removeRemains()
    let (descriptor, temporary) = try create()
    var isOpen = true
    do {
      try body(descriptor, temporary)
      try keepMode(descriptor)
      try attempt("it cannot be synchronized with the device") { () throws(System.Errno) in
        try System.synchronize(descriptor, faults)
      }
      isOpen = false
      try attempt("writing failed") { () throws(System.Errno) in try System.close(descriptor) }
      try verify(temporary)
      try attempt("the new file cannot be put in place") { () throws(System.Errno) in
        try System.rename(temporary, to: path, faults)
      }
    } catch {
      if isOpen { try? System.close(descriptor) }
      unlink(temporary)
      throw error
    }
    try synchronizeDirectory()
  }

  private func attempt(_ message: String, _ body: () throws(System.Errno) -> Void) throws(FileError) {
    do {
      try body()
    } catch {
      throw .writingFailed(file: path, detail: "\(message): \(error.text)")
    }
  }

  /// A new file gets the usual mode. One that will replace another stays private until it has that file's mode.
  ///
  /// It is locked as long as it is open, which tells it from one that a killed process left behind.
  private func create() throws(FileError) -> (descriptor: Int32, path: String) {
    do {
      while true {
        // Nobody can prepare a name that nobody can guess.
        let temporary = place(stem + String(UInt64.random(in: .min ... .max), radix: 36) + Self.ending)
        let descriptor = try System.open(
          temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: existing == nil ? 0o644 : 0o600)
        // Shared, as it is read back while it is open.
        flock(descriptor, LOCK_SH)
        // Another process may have taken it for a remain before it was locked.
        if try System.status(descriptor).st_nlink > 0 { return (descriptor, temporary) }
        try System.close(descriptor)
      }
    } catch {
      let reason = error.code == EACCES ? "the directory \(directory) may not be written" : error.text
      throw .cannotCreate(file: path, detail: "no file can be created: \(reason)")
    }
  }

  private func keepMode(_ descriptor: Int32) throws(FileError) {
    guard let existing else { return }
    // Only root may change the owner; for other users the new file is theirs, as with any program.
    if existing.st_uid != geteuid() || existing.st_gid != getegid() {
      _ = fchown(descriptor, existing.st_uid, existing.st_gid)
    }
    guard fchmod(descriptor, existing.st_mode & 0o7777) == 0 else {
      throw .writingFailed(file: path, detail: "the file's mode cannot be kept: \(System.Errno(code: errno).text)")
    }
  }

  /// Without this, a power failure could undo the rename.
  private func synchronizeDirectory() throws(FileError) {
    try attempt("its directory cannot be synchronized with the device") { () throws(System.Errno) in
      try System.synchronize(folder: directory, faults)
    }
  }

  /// Removes temporary files of this path whose process was killed: nobody holds their locks.
  private func removeRemains() {
    var remains: [String] = []
    for name in (try? System.names(in: directory)) ?? [] where name.hasPrefix(stem) && name.hasSuffix(Self.ending) {
      let unique = name.dropFirst(stem.count).dropLast(Self.ending.count)
      if UInt64(unique, radix: 36) != nil { remains.append(place(name)) }
    }
    for remain in remains {
      guard let descriptor = try? System.open(remain, O_RDONLY | O_NOFOLLOW) else { continue }
      if let status = try? System.status(descriptor), status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
        flock(descriptor, LOCK_EX | LOCK_NB) == 0
      {
        unlink(remain)
      }
      try? System.close(descriptor)
    }
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let directory = path[..<slash]
    return (directory.isEmpty ? "/" : String(directory), String(path[path.index(after: slash)...]))
  }
}
