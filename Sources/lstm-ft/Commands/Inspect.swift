import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMReports

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is in a checkpoint, a model or a file of arrays.",
    usage: "lstm-ft inspect <file> [<options>]",
    discussion: """
        lstm-ft inspect weights.h5
        lstm-ft inspect model.h5 --stats
        lstm-ft inspect model.h5 --verify
        lstm-ft inspect model.h5 --graph model.svg
        lstm-ft inspect model.h5 --json

      The line of the model can be given to import and other commands as --model. Only names, shapes and types are read, which takes no time even for gigabytes; --stats also reads the values.
      """)

  @Argument(help: "A checkpoint of any format, or a .npy file.", completion: .file())
  var file: String

  @OptionGroup(title: "Names and layout")
  var load: LoadArguments

  @OptionGroup(title: "Output")
  var depth: Depth

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct Depth: ParsableArguments {
    @Flag(
      help: "Also read the values: minimum, maximum, mean, standard deviation, and counts of NaN and infinite values.")
    var stats = false

    @Flag(help: "Also read every byte, and compare it with the checksums that the file has.")
    var verify = false

    @Option(
      help: ArgumentHelp("Also draw the model's graph, as SVG.", valueName: "file"),
      completion: .file(extensions: ["svg"]))
    var graph: String?
  }

  private var stats: Bool { depth.stats }

  struct Verified: Encodable {
    let tensors: Int
    let bytes: Int
    let hasChecksums: Bool
    /// A line for each tensor with NaN or infinite values.
    let notes: [String]
  }

  struct Answer: Encodable {
    struct Tensor: Encodable {
      let name: String
      let shape: [Int]
      let dataType: DataType
      let bytes: Int
      let statistics: TensorStatistics?
    }

    let file: String
    let bytes: Int
    let format: String
    /// The layout of the names and shapes, and how it was detected.
    let layout: Layout?
    let evidence: [String]
    let configuration: ModelConfiguration?
    let summary: String?
    /// The configuration as one line, for --model.
    let line: String?
    /// The inputs and layers of the configuration.
    let graph: [ModelConfiguration.Row]?
    /// What the file does not say and is assumed.
    let assumed: [Assumption]
    /// Why the tensors do not make a model; nil when they do.
    let problem: String?
    /// With --verify: whether the file has checksums; a byte that differs is an error.
    let verified: Verified?
    let parameters: Int
    let tensors: [Tensor]
    /// Beside the tensors, when there are any.
    let scalers: [FoundScaler]?
    let preprocessing: Preprocessing?
    let provenance: Provenance?
  }

  func run() throws {
    let console = out.console
    let replaced = try depth.graph.flatMap {
      try requireOutput($0, apartFrom: [file], overwrite: overwriting.overwrite)
    }
    let options = try load.options()
    let checkpoint = try openCheckpoint(
      file, mayBeArray: true, allowsExternalData: load.externalData, reader: load.reader)
    var configuration = checkpoint.configuration
    var problem: String?
    var assumed: [Assumption] = []
    var (layout, evidence) = (checkpoint.format.holdsWholeModel ? Layout.pytorch : nil, [String]())
    if configuration == nil {
      do {
        let plan = try LoadPlan(checkpoint, options: options)
        configuration = plan.configuration
        (layout, evidence) = (plan.report.layout, plan.report.evidence.map(\.spelled))
        if plan.report.isComplete {
          assumed = plan.report.assumed
        } else {
          problem = plan.report.failureSummary.spelled
        }
      } catch {
        if error.category == .inputOutput { throw error }
        problem = error.message.spelled
      }
    }
    if let error = checkpoint.preprocessingError { problem = error.message.spelled }
    let preprocessing = checkpoint.preprocessing.isEmpty ? nil : checkpoint.preprocessing
    if let path = depth.graph { try draw(configuration, problem, path) }
    let tensors = try checkpoint.tensors.map { tensor in
      Answer.Tensor(
        name: tensor.name, shape: tensor.shape, dataType: tensor.dataType, bytes: tensor.byteCount,
        statistics: stats ? try tensorStatistics(tensor) : nil)
    }
    let verified = depth.verify ? try verify(checkpoint) : nil
    let again = Set(checkpoint.sharing.flatMap { $0.dropFirst() })
    let elements = checkpoint.tensors.reduce(0) { $0 + (again.contains($1.name) ? 0 : $1.elementCount) }
    if out.json {
      return try console.result(
        Answer(
          file: file, bytes: checkpoint.byteCount, format: checkpoint.format.rawValue, layout: layout,
          evidence: evidence, configuration: configuration, summary: configuration?.summary,
          line: configuration?.line, graph: configuration?.rows, assumed: assumed, problem: problem,
          verified: verified, parameters: elements, tensors: tensors,
          scalers: checkpoint.foundScalers.isEmpty ? nil : checkpoint.foundScalers,
          preprocessing: preprocessing, provenance: checkpoint.provenance))
    }
    console.answer(
      "\(file): \(checkpoint.format.rawValue), \(plural(tensors.count, "tensor")), \(plural(elements, "value")), \(size(checkpoint.byteCount))"
    )
    if let layout, !evidence.isEmpty {
      console.answer("  layout \(layout.rawValue): \(evidence.joined(separator: "; "))")
    }
    if let configuration { console.answer("  model: \(configuration.line)") }
    if let problem { console.answer("  as a model: \(problem)") }
    for assumption in assumed { console.answer("  assumed: \(assumption.what)") }
    if let configuration {
      console.answer("")
      console.answer(graphTable(configuration))
    }
    console.answer("")
    console.answer(tensorTable(tensors))
    for (key, text) in checkpoint.metadata.sorted(by: { $0.key < $1.key }) {
      console.answer("  \(key): \(printable(text, limit: 200))")
    }
    for group in checkpoint.sharing { console.answer("  \(group.joined(separator: " and ")) are one tensor") }
    for scaler in checkpoint.foundScalers { console.answer("  \(printable(scaler.summary))") }
    for item in checkpoint.skipped { console.answer("  \(item.name): \(item.reason)") }
    if let provenance = checkpoint.provenance {
      console.answer("")
      let digest = provenance.sha256.isEmpty ? "" : ", SHA-256 \(provenance.sha256.prefix(16))..."
      console.answer("  from \(provenance.source) (\(provenance.layout)\(digest))")
      for event in provenance.history {
        let details = event.details.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        console.answer("  \(event.date) \(event.action): \(details)")
      }
    }
    if let preprocessing { console.answer("  " + preprocessing.summary) }
    if let verified {
      let what = "\(plural(verified.tensors, "tensor")) read, \(size(verified.bytes))"
      console.answer(
        verified.hasChecksums
          ? "  verified: \(what), every byte as it was written"
          : "  \(what): the file has no checksums to compare them with")
      for note in verified.notes { console.answer("  note: \(note)") }
    }
    if let path = depth.graph {
      console.say("wrote \(path)")
      console.say(replaced)
    }
  }

  /// Reads everything, what lies beside the model too.
  private func verify(_ checkpoint: Checkpoint) throws -> Verified {
    let all = checkpoint.tensors + checkpoint.extras
    var count = 0
    let watch = NonFiniteWatch()
    for tensor in all { try watch.watching(tensor).forEachPiece { count += $0.count } }
    return Verified(tensors: all.count, bytes: count, hasChecksums: checkpoint.hasChecksums, notes: watch.notes())
  }

  private func draw(_ configuration: ModelConfiguration?, _ problem: String?, _ path: String) throws {
    guard let configuration else {
      throw InputError.stopped("\(file): no graph to draw" + (problem.map { ": \($0)" } ?? ""), advice: [])
    }
    let title = URL(fileURLWithPath: file).lastPathComponent
    try writeFile(path, Data(GraphPicture(configuration, title: title).svg.utf8))
  }

  private func tensorTable(_ tensors: [Answer.Tensor]) -> [String] {
    var header = ["tensor", "shape", "type", "size"]
    if stats { header += ["min", "max", "mean", "std", "NaN", "inf"] }
    let rows = tensors.map { tensor in
      var row = [tensor.name, shapeText(tensor.shape), tensor.dataType.rawValue, size(tensor.bytes)]
      if let s = tensor.statistics {
        row += [
          s.minimum.map(short) ?? "-", s.maximum.map(short) ?? "-", s.mean.map(short) ?? "-",
          s.standardDeviation.map(short) ?? "-", "\(s.nanCount)",
          "\(s.infiniteCount)",
        ]
      }
      return row
    }
    return table(rows, header: header, rightAligned: Set(3..<10))
  }
}
