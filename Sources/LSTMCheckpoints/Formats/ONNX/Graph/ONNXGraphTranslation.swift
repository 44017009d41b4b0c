import FileIO
import Foundation

/// Translates any graph: tries what its inputs' axes may stand for, and its undecided branches, until all of it is
/// understood.
struct ONNXGraphTranslation: FileReading {
  let file: String
  let model: ONNXModel
  let bytes: ByteSource
  let constants: [StoredTensor]

  /// Nodes gone through in all attempts together.
  private static let workLimit = 400_000

  /// - Parameter candidates: all tensors of the file.
  /// - Throws: `CheckpointError.unsupported` naming the node that stands in the way.
  func translation(_ candidates: [Candidate]) throws(CheckpointError) -> Translation {
    var best: ONNXTranslator.Failure?
    var work = 0
    for hypothesis in ONNXHypothesis.all(model) {
      var choices: [Bool]? = []
      var tries = 0
      while let tried = choices, work < Self.workLimit || best == nil, tries < 16 {
        tries += 1
        var translator = try ONNXTranslator(
          model, bytes: bytes, constants: constants, file: file, hypothesis: hypothesis, choices: tried)
        work += translator.position + 100
        do throws(ONNXTranslator.Failure) {
          return translation(try translator.result(), translator, candidates)
        } catch {
          if best.map({ error.isBetter(than: $0) }) ?? true { best = error }
        }
        // The last branch that was tried the first way is tried the other way.
        choices = translator.taken.lastIndex(of: true).map { translator.taken[..<$0] + [false] }
      }
    }
    guard let best else { throw unsupported("has no input that a model here reads") }
    throw .unsupported(file: file, detail: best.text, advice: best.advice)
  }

  private func translation(
    _ found: ONNXTranslator.Result, _ translator: ONNXTranslator, _ candidates: [Candidate]
  ) -> Translation {
    let kinds = found.configuration.recurrentLayers.map { $0.kind.cell.rawValue.uppercased() }
    var seen: [String] = []
    for kind in kinds where !seen.contains(kind) { seen.append(kind) }
    var translation = Translation(
      .onnx,
      evidence: [
        "its graph has \(kinds.count) recurrent layer\(kinds.count == 1 ? "" : "s") (\(seen.joined(separator: ", ")))"
      ])
    translation.notes = translator.notes
    translation.assumed = translator.assumed
    if let axes = translator.outputAxes, let text = Self.note(axes, isPerStep: found.configuration.givesSteps) {
      translation.notes.append(text)
    }
    var found = found
    reconcile(&found, &translation)
    translation.interface = found.interface
    if var stack = found.configuration.stack {
      // Those of a plain stack are looked for when all of it is known.
      stack.ties = []
      translation.configuration = stack
    } else {
      translation.graph = found.configuration
    }
    for candidate in found.candidates { translation.add(candidate.name, candidate.tensor, how: candidate.how) }
    leaveOut(candidates, found.used, translator, &translation)
    return translation
  }

  /// How the file's own output lies, where that is another way.
  private static func note(_ axes: [ONNXRows.Axis], isPerStep: Bool) -> Message? {
    let known = axes.filter { $0 == .batch || $0 == .time || $0.isRow }
    if known.first == .time, known.dropFirst().first == .batch {
      return "the graph's output is (time, batch, ...); here it is (batch, time, ...)"
    }
    if known.last == .time, known.contains(where: \.isRow) {
      return "the graph's output has time last; here it is (batch, time, features)"
    }
    if axes.contains(where: { if case .merged = $0 { true } else { false } }) {
      return "the graph's output has batch and time as one axis; here it is (batch, time, features)"
    }
    return nil
  }

  private func leaveOut(
    _ candidates: [Candidate], _ used: Set<String>, _ translator: ONNXTranslator, _ translation: inout Translation
  ) {
    var readers: [String: ONNXModel.Node] = [:]
    for node in model.nodes { for name in node.inputs { readers[name] = node } }
    for candidate in candidates where !used.contains(candidate.tensor.name) {
      let name = candidate.tensor.name
      let reason: Message =
        if let reader = readers[name] {
          "read by \(reader.description), which no output of the model needs it for"
        } else if translator.values[name] != nil, readers.isEmpty || !model.isReadInBranches(name) {
          "no node reads it"
        } else {
          "read in a branch that does not run"
        }
      translation.leaveOut(candidate, reason: reason, isHarmless: true)
    }
  }
}

extension ONNXModel {
  /// Whether a node of a branch reads a value.
  func isReadInBranches(_ name: String) -> Bool {
    func reads(_ nodes: [Node]) -> Bool {
      nodes.contains { node in
        node.inputs.contains(name)
          || node.attributes.values.contains { if case .graph(let branch) = $0 { reads(branch.nodes) } else { false } }
      }
    }
    return nodes.contains { node in
      node.attributes.values.contains { if case .graph(let branch) = $0 { reads(branch.nodes) } else { false } }
    }
  }
}
