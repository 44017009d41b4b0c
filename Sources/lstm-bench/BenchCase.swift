import LSTMCheckpoints
import LSTMFineTuning

/// A model, the shape of its data, and the figures that are timed. The table of cases is in `BenchCase+All.swift`; rivals
/// get them as JSON (`Exchange.swift`).
struct BenchCase: Sendable {
  /// Something that is timed.
  struct Figure: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable, Codable {
      /// One time step of one sequence, the state carried from call to call.
      case step
      /// The forward pass of a batch, from a zero state.
      case inference
      /// Forward, loss, backward and Adam on a batch.
      case training
    }

    let name: String
    let kind: Kind
    /// Selectors of `FreezePlan`. With frozen layers, epochs from the second on are timed, when their outputs are cached.
    var freezing: [String] = []

    static let step = Figure(name: "step", kind: .step)
    static let inference = Figure(name: "inference", kind: .inference)
    static let training = Figure(name: "training", kind: .training)
    static func training(_ name: String, freezing: [String]) -> Figure {
      Figure(name: "training-" + name, kind: .training, freezing: freezing)
    }
  }

  let name: String
  var model: PlainStack
  /// B
  let batch: Int
  /// T, the length of the longest sequence
  let steps: Int
  /// The length of the shortest sequence; `steps` if all are equal.
  var shortest: Int
  let loss: Loss
  let figures: [Figure]
  var numbers = Numbers.usual
  /// Of every recurrent layer.
  var cell = Layer.Recurrent.Cell.lstm

  init(
    _ name: String, _ model: PlainStack, batch: Int, steps: Int, shortest: Int? = nil,
    loss: Loss = .meanSquaredError, _ figures: [Figure]
  ) {
    self.name = name
    self.model = model
    self.batch = batch
    self.steps = steps
    self.shortest = shortest ?? steps
    self.loss = loss
    self.figures = figures
  }

  /// The model's graph, with its cell.
  var configuration: ModelConfiguration {
    let plain = ModelConfiguration(model)
    guard cell != .lstm else { return plain }
    let layers = plain.layers.map { layer in
      guard let kind = layer.kind as? Layer.Recurrent else { return layer }
      var other = Layer.Recurrent(cell, size: kind.size)
      other.isBidirectional = kind.isBidirectional
      return Layer(layer.name, other, from: layer.from)
    }
    do {
      return try ModelConfiguration(inputs: plain.inputs, layers: layers, outputs: plain.outputs)
    } catch {
      preconditionFailure("\(name): \(error)")
    }
  }

  /// The same case with another cell.
  func with(_ cell: Layer.Recurrent.Cell) -> BenchCase {
    var other = self
    other.cell = cell
    return other
  }

  /// The sizes on one line, dense layers in brackets: `100-128-128-(100), B 64, T 50`.
  var shape: String {
    var parts = ["\(model.input.size)"]
    for layer in model.layers { parts.append((layer.isBidirectional ? "2x" : "") + "\(layer.hiddenSize)") }
    parts += model.head.map { "(\($0.size))" }
    return parts.joined(separator: "-") + ", B \(batch), T "
      + (shortest < steps ? "\(shortest)...\(steps)" : "\(steps)")
  }
}

// MARK: - Arithmetic

extension BenchCase {
  /// The floating-point operations of a figure, without those of frozen layers with cached outputs.
  ///
  /// Per step and sequence, an LSTM layer's forward pass takes 8H(I + H), dL/dx 8HI, dL/dh 8HH and its weights' gradients
  /// 8H(I + H), a GRU's three quarters of that; a dense layer takes 2SO for each of the three.
  func operations(_ figure: Figure, stepCount: Int) throws -> Double {
    let trains = figure.kind == .training
    let trainable = trains ? try FreezePlan(configuration, freezing: figure.freezing).trainableRoles : []
    let lowest = model.layers.indices.first { layer in
      trainable.contains { $0 == "layer\(layer)" }
    }
    let steps = Double(figure.kind == .step ? 1 : stepCount)
    var total = 0.0
    for (index, layer) in model.layers.enumerated() {
      let (i, h) = (Double(model.inputSize(ofLayer: index)), Double(layer.hiddenSize))
      let gates = Double(2 * cell.gateCount) * h
      let forward = gates * (i + h)
      var sum = forward
      if trains {
        guard let lowest, index >= lowest else { continue }
        let passesOn = index > lowest || trainable.contains("embedding")
        sum += forward + gates * h + (passesOn ? gates * i : 0)
      }
      total += sum * steps * Double(layer.directions)
    }
    var width = model.readoutSize
    for (index, dense) in model.head.enumerated() {
      let rows = model.readout == .all ? steps : Double(figure.kind == .step ? 1 : batch)
      let passesOn = index > 0 || lowest != nil
      total += 2 * Double(width * dense.size) * rows * (trains ? (passesOn ? 3 : 2) : 1)
      width = dense.size
    }
    return total
  }
}

extension FreezePlan {
  fileprivate var trainableRoles: Set<String> {
    Set(zip(parameters, trainable).filter(\.1).map(\.0.role.layer))
  }
}
