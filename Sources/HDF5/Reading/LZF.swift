/// Marc Lehmann's LibLZF, which h5py offers as a filter: runs of bytes as they are, and copies of what came before.
enum LZF {
  /// Three bytes stand for at most 264.
  static let greatestRatio = 88

  /// - Returns: whether the input is whole and fills the output exactly.
  static func expand(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
    var (from, to) = (0, 0)
    while from < input.count {
      let control = Int(input[from])
      from += 1
      if control < 32 {
        let count = control + 1
        guard count <= input.count - from, count <= output.count - to else { return false }
        UnsafeMutableRawBufferPointer(rebasing: output[to..<to + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[from..<from + count]))
        from += count
        to += count
        continue
      }
      var count = control >> 5 + 2
      if control >> 5 == 7 {
        guard from < input.count else { return false }
        count += Int(input[from])
        from += 1
      }
      guard from < input.count else { return false }
      let distance = (control & 0x1F) << 8 + Int(input[from]) + 1
      from += 1
      guard distance <= to, count <= output.count - to else { return false }
      // A copy may overlap itself, and then repeats.
      for index in to..<to + count { output[index] = output[index - distance] }
      to += count
    }
    return to == output.count
  }
}
