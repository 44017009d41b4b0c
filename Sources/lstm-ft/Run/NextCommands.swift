import Foundation
import LSTMCheckpoints
import LSTMReports

/// Commands to type after a run, quoted for a shell.
enum NextCommands {
  /// - Parameters:
  ///   - words: the command's name, then what follows the model's.
  ///   - folder: where an output's name must be free; nil for the current directory.
  static func use(_ model: String, _ words: [String], in folder: String? = nil) -> String {
    var words = words
    if let place = words.lastIndex(of: "-o"), words.indices.contains(place + 1) {
      words[place + 1] = freeName(words[place + 1], in: folder)
    }
    let all = ["lstm-ft"] + words.prefix(1) + [shellPath(model)] + words.dropFirst().map(shellWord)
    return all.joined(separator: " ")
  }

  /// - Parameter format: the one that the model was imported from; PyTorch in HDF5 when it is unknown.
  static func export(_ model: String, to format: String?, in folder: String? = nil) -> String {
    let format = format.flatMap(Checkpoint.Format.init(rawValue:)) ?? .pytorchHDF5
    let name = freeName("back" + format.suffix, in: folder)
    return "lstm-ft export \(shellPath(model)) --to \(format.rawValue) -o \(shellPath(name))"
  }

  /// The name, with a number before its extension when the file exists: advice never replaces a file.
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
  /// The next commands, and their purpose.
  /// - Parameter path: the run's folder, as typed.
  func nextSteps(_ path: String) -> [RunGuide.Step] {
    guard start != nil else { return [] }
    var steps: [RunGuide.Step] = []
    func add(_ purpose: String, _ command: String) {
      steps.append(.init(purpose: purpose, command: oneLine(command, limit: 2000)))
    }
    if isUnfinished {
      add(
        "resume the run",
        ResumeCommand.text(path, output: record?.wholeOutput, overwrites: record?.settings?.overwrites ?? false))
    }
    let output = isUnfinished ? nil : record?.output
    // The run's relative paths start where it was started.
    let here = FileManager.default.currentDirectoryPath
    let folder = (record?.folder).flatMap { folder in
      folder != here && FileManager.default.fileExists(atPath: folder) ? folder : nil
    }
    let going = folder.map { "cd \(shellPath($0)) && " } ?? ""
    let run = folder == nil ? path : URL(fileURLWithPath: path).standardizedFileURL.path
    let model = output ?? run + "/best.h5"
    var use = record?.use
    // Runs of version 1 have none.
    if use == nil, let data = record?.data {
      use = record?.unit != nil ? ["generate", "--prompt", "TEXT"] : ["predict", "--data", data]
    }
    if let use {
      add(
        output != nil ? "use the model" : "use the best model so far",
        going + NextCommands.use(model, use, in: folder))
    }
    add(
      "export it to the framework it came from", going + NextCommands.export(model, to: record?.export, in: folder))
    return steps
  }
}

extension RunRecord {
  /// The output's path from here.
  fileprivate var wholeOutput: String? {
    guard let output, let folder, !output.hasPrefix("/"), folder != FileManager.default.currentDirectoryPath else {
      return output
    }
    return folder + "/" + output
  }
}

extension RunGuide {
  /// For the command line.
  static let commandLine = RunGuide(
    renewal: "lstm-ft report", spelling: Spelling.text(_:_:), steps: { log, path in log.nextSteps(path) })
}
