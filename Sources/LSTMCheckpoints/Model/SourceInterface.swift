extension Provenance {
  /// What a program gives the source's file and takes from it, where it carries the state of recurrent layers from call to
  /// call: kept so that the model, written again, runs in the same program.
  public struct Interface: Sendable, Codable, Equatable {
    /// What an axis of a value is.
    public enum Axis: String, Sendable, Codable {
      /// Of size 1, without a meaning.
      case one
      case batch, time
      /// The features of a step.
      case row
      /// States one after the other.
      case slots
    }

    /// An input or an output with rows.
    public struct Value: Sendable, Codable, Equatable {
      public var name: String
      /// The model's input, or the layer that gives it.
      public var part: String
      public var axes: [Axis]
      /// ONNX's number of its type.
      public var type: Int
    }

    /// Last states that are the next first ones.
    public struct State: Sendable, Codable, Equatable {
      /// The state h, or an LSTM's c, of all directions of a layer.
      public struct Part: Sendable, Codable, Equatable {
        public var layer: String
        public var isCell: Bool
      }

      public var input: String
      public var output: String
      public var inputAxes: [Axis]
      public var outputAxes: [Axis]
      public var parts: [Part]
    }

    /// An input that no layer reads, such as a sampling rate.
    public struct Other: Sendable, Codable, Equatable {
      public var name: String
      /// ONNX's number of its type.
      public var type: Int
      /// nil for a size that is not fixed.
      public var shape: [Int?]
    }

    public var inputs: [Value]
    public var outputs: [Value]
    public var states: [State]
    public var others: [Other]
    /// Names of inputs and of outputs in the source's order.
    public var order: [String]
  }
}

extension Provenance.Interface {
  /// The same with the model's own names replaced.
  func renamed(_ name: (String) -> String) -> Provenance.Interface {
    var copy = self
    for index in inputs.indices { copy.inputs[index].part = name(inputs[index].part) }
    for index in outputs.indices { copy.outputs[index].part = name(outputs[index].part) }
    for index in states.indices {
      for part in states[index].parts.indices {
        copy.states[index].parts[part].layer = name(states[index].parts[part].layer)
      }
    }
    return copy
  }

  /// Whether a model has all that it names.
  func fits(_ configuration: ModelConfiguration) -> Bool {
    let layers = Dictionary(configuration.recurrentLayers.map { ($0.name, $0.kind) }) { first, _ in first }
    let own = configuration.outputs.count
    return inputs.count == configuration.inputs.count && outputs.count == max(own, 1) && !states.isEmpty
      && inputs.allSatisfy { value in
        guard let input = configuration.inputs.first(where: { $0.name == value.part }) ?? configuration.onlyInput else {
          return false
        }
        return value.axes.contains(.time) != input.isPerSequence || !value.axes.contains(.time)
      }
      && outputs.allSatisfy { configuration.value(of: $0.part) != nil || own <= 1 }
      && states.allSatisfy { state in
        let kinds = state.parts.compactMap { layers[$0.layer] }
        return kinds.count == state.parts.count && Set(kinds.map(\.size)).count == 1
          && zip(kinds, state.parts).allSatisfy { kind, part in
            kind.initialFrom == nil && kind.initial == .zero && kind.projectionSize == nil
              && (!part.isCell || kind.cell == .lstm)
          }
          && (kinds.reduce(0) { $0 + $1.directions } == 1
            || state.inputAxes.contains(.slots) && state.outputAxes.contains(.slots))
      }
  }
}

extension ModelConfiguration {
  var onlyInput: Input? { inputs.count == 1 ? inputs[0] : nil }
}
