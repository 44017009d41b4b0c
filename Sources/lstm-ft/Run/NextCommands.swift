import Foundation
import LSTMCheckpoints
import LSTMReports

/// Command lines that a person may type when a run has ended, quoted for a shell.
enum NextCommands {
  /// - Parameters:
  ///   - words: the command's name, then what follows the model's.
  ///   - folder: where an output's name must be free; nil for here.
  static func use(_ model: String, _ words: [String], in folder: String? = nil) -> String {
    var words = words
    if let place = words.lastIndex(of: "-o"), words.indices.contains(place + 1) {
      words[place + 1] = freeName(words[place + 1], in: folder)
    }
    let all = ["lstm-ft"] + words.prefix(1) + [shellPath(model)] + words.dropFirst().map(shellWord)
    return all.joined(separator: " ")
  }

  /// - Parameter format: of what the model was imported from; what is no format of ours becomes PyTorch's in HDF5.
  static func export(_ model: String, to format: String?, in folder: String? = nil) -> String {
    let format = format.flatMap(Checkpoint.Format.init(rawValue:)) ?? .pytorchHDF5
    let name = freeName("back" + format.suffix, in: folder)
    return "lstm-ft export \(shellPath(model)) --to \(format.rawValue) -o \(shellPath(name))"
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

extension RunLog {
  /// What a person may type next, and what for.
  /// - Parameter path: the run's folder, as it is to be typed.
  func nextSteps(_ path: String) -> [RunGuide.Step] {
    var commands: [(String, String)] = []
    if isUnfinished, start != nil {
      commands.append(("go on as if nothing had happened", "lstm-ft finetune --resume \(shellPath(path))"))
    }
    let isDone = !isUnfinished && record?.output != nil
    guard start != nil else { return commands.map { .init(purpose: $0.0, command: $0.1) } }
    // The run's paths begin where it was begun.
    let here = FileManager.default.currentDirectoryPath
    let folder = (record?.folder).flatMap { folder in
      folder != here && FileManager.default.fileExists(atPath: folder) ? folder : nil
    }
    let going = folder.map { "cd \(shellPath($0)) && " } ?? ""
    let best = folder == nil ? path + "/best.h5" : URL(fileURLWithPath: path).standardizedFileURL.path + "/best.h5"
    let model = isDone ? record?.output ?? "" : best
    var use = record?.use
    // Runs of before had none.
    if use == nil, let data = record?.data {
      use = record?.unit != nil ? ["generate", "--prompt", "TEXT"] : ["predict", "--data", data]
    }
    if let use {
      commands.append(
        (isDone ? "use the model" : "use the best so far", going + NextCommands.use(model, use, in: folder)))
    }
    commands.append(
      (
        "hand it back to the framework it came from",
        going + NextCommands.export(model, to: record?.export, in: folder)
      ))
    return commands.map { .init(purpose: $0.0, command: oneLine($0.1, limit: 2000)) }
  }
}

extension RunGuide {
  /// For people at a command line.
  static let commandLine = RunGuide(
    renewal: "lstm-ft report", spelling: Spelling.text(_:_:), steps: { log, path in log.nextSteps(path) })
}
