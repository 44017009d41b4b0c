import LSTMFineTuning

extension DataSettings {
  /// The options that another command needs to read the data in the same way: those that a fine-tuned model's file does
  /// not keep.
  var words: [String] {
    var words = files.flatMap { [isText ? "--text" : "--data", $0] }
    func add(_ name: String, _ value: String?) { if let value { words += [name, value] } }
    func list(_ columns: [String]?) -> String? {
      columns.map { $0.isEmpty ? "none" : $0.joined(separator: ",") }
    }
    add("--time", list(time))
    add("--id", list(id))
    add("--date-order", dateOrder?.rawValue)
    if missing != .error { add("--missing", missing.rawValue) }
    if let header = csv.header { words.append(header ? "--header" : "--no-header") }
    add("--decimal", csv.decimal?.rawValue)
    add("--thousands", csv.thousands?.rawValue)
    // A value may begin with a dash.
    words += (csv.missingValues + (csv.acceptsSentinelValues ? ["none"] : [])).map { "--missing-value=\($0)" }
    if csv.skippedLines != 0 { add("--skip-lines", "\(csv.skippedLines)") }
    add("--comment", csv.comment)
    add("--encoding", csv.encoding?.rawValue)
    return words
  }
}
