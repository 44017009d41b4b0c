/// A path without its last part: "" for a name alone, "/" for one in the root. Foundation's `deletingLastPathComponent` of a string
/// crashes on Linux for names of a single letter.
package func folderPart(ofPath path: String) -> String {
  let slash = UInt8(ascii: "/")
  var bytes = Array(path.utf8)[...]
  func dropSlashes() { while bytes.count > 1, bytes.last == slash { bytes.removeLast() } }
  dropSlashes()
  while let last = bytes.last, last != slash { bytes.removeLast() }
  dropSlashes()
  return String(decoding: bytes, as: UTF8.self)
}
