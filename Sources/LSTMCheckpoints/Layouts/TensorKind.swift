import FileIO

/// What a tensor is by its shape, its name and what lies beside it, for those that have no place in a model here.
enum TensorKind: Hashable {
  case batchNormalization
  case normalization
  /// By its name.
  case groupNormalization
  /// Of what a recurrent cell adds up at each step.
  case cellNormalization
  /// A 1-D weight without a bias: a normalization without one, or an activation with learned slopes.
  case scaling
  /// By the number of axes that it slides over.
  case convolution(Int)
  case attention
  /// With its hidden size.
  case gru(Int)
  case rnn(Int)
  case crf
  case initialState
  case positions
  /// Means, deviations and bounds by their names, which may scale what the model reads or gives.
  case scales
  case embedding
  case dense
  case lstm
  // What takes no part in an output.
  case optimizer
  case loss
  case counter
  case average
  case unknown

  var effect: OmissionEffect {
    switch self {
    case .optimizer, .loss, .counter, .average: .none
    case .unknown: .unknown
    default: .changesOutput
    }
  }

  /// With its article: `a batch normalization`.
  var noun: String {
    switch self {
    case .batchNormalization: "a batch normalization"
    case .normalization: "a layer normalization or its like"
    case .groupNormalization: "a group or instance normalization"
    case .cellNormalization: "a layer normalization inside a recurrent cell"
    case .scaling: "a normalization, or an activation with learned slopes"
    case .convolution(let axes): "a \(axes)-D convolution"
    case .attention: "an attention"
    case .gru: "a GRU"
    case .rnn: "a plain RNN"
    case .crf: "a conditional random field (CRF)"
    case .initialState: "a learned initial state"
    case .positions: "an encoding of positions"
    case .scales: "a mean, deviation or bound by its name"
    case .embedding: "an embedding"
    case .dense: "a dense layer"
    case .lstm: "an LSTM"
    case .optimizer: "the state of an optimizer"
    case .loss: "a weight of the loss, or a metric"
    case .counter: "a counter"
    case .average: "an average of the weights, which training keeps beside them"
    case .unknown: "no part of this model"
    }
  }

  /// Why it was not taken.
  var reason: Message {
    switch self {
    case .gru(let hidden): "3H = \(3 * hidden): a GRU; it changes the output"
    case .groupNormalization:
      "\(noun): it changes the output; say where it stands, and its groups, by describing the model with \(.model, "LINE")"
    case .cellNormalization: "\(noun): it changes the output, and such cells have no counterpart here"
    case .scales: "\(noun), which may scale what the model reads or gives: it then changes the output"
    case .rnn(let hidden): "(H, H) = \(hidden): a plain RNN; it changes the output"
    default:
      effect == .changesOutput
        ? "\(noun): it changes the output; say where it stands by describing the model with \(.model, "LINE")"
        : "\(noun)"
    }
  }
}

/// What leaving a tensor out does to a model's output.
public enum OmissionEffect: String, Sendable, Codable {
  /// It takes no part in an output.
  case none
  /// It is computed with, and the model without it is another.
  case changesOutput = "changes the output"
  /// Nobody knows.
  case unknown
}
