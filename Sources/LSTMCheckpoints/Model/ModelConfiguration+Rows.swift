extension ModelConfiguration {
  /// An input or a layer, as a table or a picture shows it.
  public struct Row: Hashable, Sendable, Encodable {
    /// `layer0`, `input`
    public let name: String
    /// `lstm`; of an input `input`
    public let kind: String
    /// The kind with its settings, as in a line: `biLSTM 64`; of an input what it reads, `8 features`.
    public let words: String
    /// The inputs and layers that it reads; of an input none.
    public let reads: [String]
    /// The shape of what it gives for one sequence: `T x 64`, `T x 3 x 40` of channels and height, or `64`.
    ///
    /// T is the number of steps of the first input; another number that is not fixed is T', T'' and so on.
    public let output: String
    /// How many values its own parameters have. A tied one counts in its first place.
    public let parameters: Int
    /// Whether the model gives what it gives.
    public let isOutput: Bool
  }

  /// Every input, then every layer, in order.
  public var rows: [Row] {
    var counts: [String: Int] = [:]
    for parameter in parameters { counts[parameter.role.layer, default: 0] += parameter.elementCount }
    let outputs = outputs.isEmpty ? [name(ofValue: values.count - 1)] : outputs
    let shapes = shapeTexts
    let read = inputs.indices.map { index in
      let name = inputs[index].name
      return Row(
        name: name, kind: "input", words: inputText(index, isNamed: false), reads: [], output: shapes[index],
        parameters: 0,
        isOutput: outputs.contains(name))
    }
    return read
      + layers.enumerated().map { index, layer in
        Row(
          name: layer.name, kind: layer.kind.kind, words: layer.words, reads: sources[index].map(name(ofValue:)),
          output: shapes[inputs.count + index], parameters: counts[layer.name] ?? 0,
          isOutput: outputs.contains(layer.name))
      }
  }

  /// The shape of each of `values`.
  private var shapeTexts: [String] {
    var letters: [Int?: String] = [:]
    return values.map { value in
      var sizes: [String] = []
      if value.isPerStep {
        if let steps = value.steps {
          sizes.append(String(steps))
        } else {
          // Long chains of unknown lengths would need long letters.
          let count = letters.count
          let letter = letters[value.clock] ?? (count < 4 ? "T" + String(repeating: "'", count: count) : "T\(count)")
          letters[value.clock] = letter
          sizes.append(letter)
        }
      }
      if let grid = value.grid {
        sizes += [String(grid.channels), String(grid.height)]
      } else if value.vocabulary == nil || !value.isPerStep {
        sizes.append(String(value.width))
      }
      return sizes.joined(separator: " x ")
    }
  }
}
