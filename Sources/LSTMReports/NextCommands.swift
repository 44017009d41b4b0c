import Foundation
import LSTMCheckpoints

/// Command lines that a person may type when a run has ended, quoted for a shell.
package enum NextCommands {
  /// - Parameters:
  ///   - words: the command's name, then what follows the model's.
  ///   - folder: where an output's name must be free; nil for here.
  package static func use(_ model: String, _ words: [String], in folder: String? = nil) -> String {
    var words = words
    if let place = words.lastIndex(of: "-o"), words.indices.contains(place + 1) {
      words[place + 1] = freeName(words[place + 1], in: folder)
    }
    let all = ["lstm-ft"] + words.prefix(1) + [shellPath(model)] + words.dropFirst().map(shellWord)
    return all.joined(separator: " ")
  }

  /// - Parameter format: of what the model was imported from; what is no format of ours becomes PyTorch's in HDF5.
  package static func export(_ model: String, to format: String?, in folder: String? = nil) -> String {
    let format = format.flatMap(Checkpoint.Format.init(rawValue:)) ?? .pytorchHDF5
    let name = freeName("back" + suffix(format), in: folder)
    return "lstm-ft export \(shellPath(model)) --to \(format.rawValue) -o \(shellPath(name))"
  }

  private static func suffix(_ format: Checkpoint.Format) -> String {
    switch format {
    case .native, .pytorchHDF5, .kerasH5: ".h5"
    case .pt: ".pt"
    case .safetensors, .mlx: ".safetensors"
    case .npz: ".npz"
    case .npy: ".npy"
    case .kerasWeights: ".weights.h5"
    case .kerasArchive: ".keras"
    case .onnx: ".onnx"
    case .rtneural: ".json"
    }
  }

  /// The name, with a number before its ending when there is such a file: what is there is never proposed to be replaced.
  private static func freeName(_ name: String, in folder: String?) -> String {
    func isTaken(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.map { "\($0)/\(name)" } ?? name)
    }
    guard isTaken(name), let dot = name.firstIndex(of: ".") else { return name }
    var number = 2
    while isTaken("\(name[..<dot])-\(number)\(name[dot...])") { number += 1 }
    return "\(name[..<dot])-\(number)\(name[dot...])"
  }
}
