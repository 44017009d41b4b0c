import Foundation
import LSTMCheckpoints
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Elements, attributes and text of a page that is well-formed XML.
private final class Outline: NSObject, XMLParserDelegate {
  var elements: [String] = []
  var attributes: [String: Set<String>] = [:]
  var text = ""

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes found: [String: String]
  ) {
    elements.append(name)
    for (name, value) in found { attributes[name, default: []].insert(value) }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}

@discardableResult
private func outline(_ page: String, _ location: SourceLocation = #_sourceLocation) throws -> Outline {
  let outline = Outline()
  let parser = XMLParser(data: Data(page.utf8))
  parser.delegate = outline
  #expect(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "")", sourceLocation: location)
  return outline
}

/// Expects XML, and nothing that runs or is fetched.
func wellFormed(_ page: String, _ location: SourceLocation = #_sourceLocation) throws {
  let outline = try outline(page, location)
  let known: Set = [
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "strong", "figure", "svg", "desc",
    "rect",
    "text", "g", "line", "path", "circle", "div", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "bdi",
    "b",
    "code", "details", "summary", "footer",
  ]
  #expect(Set(outline.elements).subtracting(known).isEmpty, sourceLocation: location)
  for (name, values) in outline.attributes {
    #expect(!name.lowercased().hasPrefix("on") && !["href", "src", "style"].contains(name), sourceLocation: location)
    #expect(
      values.allSatisfy { !$0.contains("://") || $0.hasPrefix("http://www.w3.org/") || name == "aria-label" },
      sourceLocation: location)
  }
  #expect(!page.contains("url(") && !page.contains("@import"), sourceLocation: location)
}

@Suite struct RunPageTests {
  static let configuration = """
    {"model":"model.h5","data":"mine.csv","output":"tuned.h5","folder":"/home/me","epochs":3,"loss":"mse","optimizer":"adam",
    "plan":[{"name":"layer0","parameters":1000,"trainable":0,"fate":"frozen","firstEpoch":1},
    {"name":"head.0","parameters":50,"trainable":50,"fate":"trainable","learningRate":0.001,"firstEpoch":2}],
    "configuration":{"input":{"features":2},"layers":[{"hidden":5}],"readout":"last","head":[{"size":1}]}}
    """

  @Test func showsTheWholeRun() throws {
    let folder = try TemporaryFolder()
    let (run, result) = try sampledRun(folder.path("run")) { place in
      .forecast(.init(column: "temp", truth: [1, 2], forecast: [1, Float(place)]))
    }
    try Data(Self.configuration.utf8).write(to: URL(fileURLWithPath: run.file("config.json")))
    let log = try RunLog(folder: run.path)
    let page = log.page(path: "run")
    try wellFormed(page)
    let text = try outline(page).text
    var expected = [
      "finished: 3 of 3 epochs done", "model.h5: 2 features -> LSTM 5 -> last step -> dense 1", "frozen", "1,000",
      "Loss",
      "MAE", "9 steps.", "The learning rate was", "Loss by step", "Gradient norm by step", "Gradient norm of each part",
      "Gradients through time", "How to read it: ", "Forecast before the first step",
      digits(result.epochs[1].trainingLoss), digits(result.baseline.loss),
    ]
    if result.bestEpoch > 0 { expected.append("pretrained → fine-tuned: ") }
    for part in expected { #expect(text.contains(part), "\(part)") }
    #expect(page.contains("prefers-color-scheme: dark"))
    // The same, as it was written when the run ended, but for the configuration.
    let written = try String(contentsOfFile: run.file("report.html"), encoding: .utf8)
    try wellFormed(written)
    #expect(written.contains("9 steps."))
  }

  @Test func isThereAfterEachEpochAndSaysThatTheRunGoesOn() throws {
    let folder = try TemporaryFolder()
    let guide = RunGuide(
      renewal: "a button", spelling: { setting, _ in "<\(setting.rawValue)>" },
      steps: { _, path in [.init(purpose: "go on", command: "resume \(path)")] })
    let run = try RunFolder(folder.path("run"), guide: guide)
    let (model, data) = (featureModel(), try featureData(10))
    var pages: [String] = []
    _ = try makeTuner(model).fit(model, data, validation: featureData(4, seed: 9)) { event in
      try run.record(event)
      guard case .weights(_, let state, _) = event, !state.epochs.isEmpty else { return }
      pages.append(try String(contentsOfFile: run.file("report.html"), encoding: .utf8))
    }
    #expect(pages.count == 3)
    for (place, page) in pages.enumerated() {
      #expect(page.contains("unfinished: still running, or killed; \(place + 1) epoch"))
      #expect(page.contains("\(3 * (place + 1)) steps.") && page.contains("resume \(run.path)"))
      #expect(page.contains("a button updates this page."))
    }
  }

  static let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title></style><script>1</script>", "]]>",
    "&#0;&amp;",
    "\u{0}\u{1}\u{1b}[2J\u{7f}\u{9b}", "\u{202e}\u{fffe}\u{ffff}\u{feff}", "'; DROP TABLE runs; --", "-o x\n\n</code>",
  ]

  @Test(arguments: hostile)
  func textFromElsewhereIsTextOnThePage(_ text: String) throws {
    let folder = try TemporaryFolder()
    let encoder = JSONEncoder()
    let word = String(decoding: try encoder.encode(text), as: UTF8.self)
    let lines = [
      #"{"event":"cache","bytes":1,"parts":[\#(word)],"place":"file","folder":\#(word)}"#, RunLogTests.start,
      #"{"event":"sample","epoch":0,"prompt":\#(word),"text":\#(word)}"#, RunLogTests.step,
      #"{"epoch":1,"event":"epoch","gradientNorm":0.5,"isBest":true,"learningRate":0.1,"trainingLoss":0.2,"validation":"#
        + #"{"examples":1,"loss":0.1},"gradientNorms":{\#(word):1},"gateGradientNorms":{\#(word):[1,2]}}"#,
      #"{"event":"sample","epoch":1,"column":\#(word),"truth":[1,2],"forecast":["nan",2]}"#,
      #"{"event":"end","ending":"failed","reason":\#(word)}"#,
    ]
    let names = ["model", "data", "output", "folder", "loss", "optimizer", "recipe", "schedule", "start"]
    let configuration =
      "{" + names.map { "\"\($0)\":\(word)" }.joined(separator: ",")
      + #","arguments":[\#(word)],"frozen":[\#(word)],\#(word):1,"#
      + #""plan":[{"name":\#(word),"fate":\#(word),"parameters":-1,"trainable":-9223372036854775808,"firstEpoch":1}]}"#
    let path = try runFolder(folder, log: lines.joined(separator: "\n") + "\n", configuration: configuration)
    for ending in [lines, Array(lines.dropLast())] {
      try Data((ending.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path + "/log.jsonl"))
      let log = try RunLog(folder: path)
      let page = log.page(path: "runs/" + text)
      try wellFormed(page)
      #expect(!page.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
      // Within a picture each text stands alone, and turns nothing else round.
      let words = page.components(separatedBy: "<svg").map { $0.components(separatedBy: "</svg>").last ?? "" }
      #expect(!words.contains { $0.unicodeScalars.contains("\u{202e}") || $0.unicodeScalars.contains("\u{9b}") })
      #expect(page.components(separatedBy: "<script").count == 1 && page.components(separatedBy: "<img").count == 1)
    }
  }

  @Test func aResumedRunHasAllOfItOnItsPage() throws {
    let folder = try TemporaryFolder()
    func fit(_ run: RunFolder, _ point: ResumePoint?, stopAfter limit: Int) throws {
      let model = featureModel()
      var tuner = try makeTuner(model)
      let count = Counter()
      tuner.shouldStop = { count.value >= limit }
      tuner.sampling = { _ in .text(prompt: "", continuation: "said") }
      _ = try tuner.fit(model, featureData(10), validation: featureData(4, seed: 9), resuming: point) { event in
        if case .step = event { count.value += 1 }
        try run.record(event)
      }
    }
    let whole = try RunFolder(folder.path("whole"))
    try fit(whole, nil, stopAfter: .max)
    let first = try RunFolder(folder.path("run"))
    try fit(first, nil, stopAfter: 4)
    #expect(first.history.ending == .ended(.interrupted) && first.history.stepCount == 4)
    #expect(try String(contentsOfFile: first.file("report.html"), encoding: .utf8).contains("stopped by a signal"))
    // Half a line in each, as after a crash.
    for name in ["log.jsonl", "times.jsonl"] {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: first.file(name)))
      try file.seekToEnd()
      try file.write(contentsOf: Data("{\"epoch\":9,\"ev".utf8))
      try file.close()
    }
    let point = try #require(try ResumePoint(run: first.path))
    let second = try RunFolder(resuming: first.path, point.state)
    #expect(second.history.stepCount == 4 && second.history.epochCount == 1 && second.history.ending == nil)
    #expect(second.history.samples.map(\.epoch) == [0, 1] && second.history.gap == nil)
    try fit(second, point, stopAfter: .max)
    for log in [second.history, try RunLog(folder: first.path)] {
      #expect(log.stepCount == 9 && log.losses == whole.history.losses && log.partNorms == whole.history.partNorms)
      #expect(log.epochs.map(\.trainingLoss) == whole.history.epochs.map(\.trainingLoss))
      #expect(log.samples == whole.history.samples && log.ending == .ended(.finished))
      #expect(log.epochs.allSatisfy { $0.seconds != nil })
    }
    let logs = try [whole, second].map { try Data(contentsOf: URL(fileURLWithPath: $0.file("log.jsonl"))) }
    #expect(logs[0] == logs[1])
    #expect(try String(contentsOfFile: second.file("report.html"), encoding: .utf8).contains("9 steps."))
  }

  @Test func aLogThatCannotBeReadStopsNoTraining() throws {
    let folder = try TemporaryFolder()
    let (run, result) = try sampledRun(folder.path("run"))
    var bytes = try Data(contentsOf: URL(fileURLWithPath: run.file("log.jsonl")))
    bytes[1] = UInt8(ascii: "?")
    try bytes.write(to: URL(fileURLWithPath: run.file("log.jsonl")))
    let point = try #require(try ResumePoint(run: run.path))
    let again = try RunFolder(resuming: run.path, point.state)
    #expect(again.history.gap?.contains("log.jsonl: line 1 is not a line of a run's log") == true)
    #expect(again.history.epochCount == 3 && again.history.start == result.baseline)
    #expect(again.history.page(path: "run").contains("The start of the log could not be read: "))
  }
}
