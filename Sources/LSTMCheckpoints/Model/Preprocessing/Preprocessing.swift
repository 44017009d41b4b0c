/// What was done to the data before the model saw it: stored in the model file, applied again and undone.
public struct Preprocessing: Sendable, Codable, Equatable {
  /// CSV columns the model reads, in order.
  public var features: [String]?
  /// CSV columns it predicts, in order.
  public var targets: [String]?
  /// Rows or tokens the model looks at, and rows it predicts.
  public var window: Int?
  /// Rows that it predicts.
  public var horizon: Int?
  /// Rows or tokens of a chunk, for a model that reads on from one to the next with its state carried.
  public var chunk: Int?
  /// One entry per feature; nil where inputs are read as they are.
  public var inputScaler: Scaler?
  /// One entry per target; a horizon repeats it.
  public var targetScaler: Scaler?
  /// Those of the model's further inputs and outputs, by name.
  public var scalers: [String: Scaler]?
  /// Of a decoder that is fed its own output, how it is run.
  public var decoder: DecoderSettings?
  /// Rows after which a series repeats itself: what the seasonal naive forecast looks back.
  public var season: Int?
  /// The line that stands between a text's documents.
  public var separator: String?
  /// Which number stands for which character or word.
  public var vocabulary: Vocabulary?
  /// The name of each class, by its number.
  public var classes: [String]?
  /// Whether its targets are its own input, as those of an autoencoder; nil for no.
  public var reconstructs: Bool?
  /// The error above which an example is an anomaly, in the units that the model computes in.
  public var anomalyThreshold: Double?
  /// Of a model that gives sequences of labels (CTC), the class that stands for none.
  public var blank: Int?
  /// CSV columns of a classification: the text, the label, and what tells one sequence's rows from another's.
  public var textColumn: String?
  /// The column of labels.
  public var labelColumn: String?
  /// The column that holds a sequence's rows together.
  public var sequenceColumn: String?
  /// CSV columns that tell a row's time, together.
  public var timeColumns: [String]?
  /// How the numbers of its dates follow each other, where that is not plain: `DateOrder`.
  public var dateOrder: String?
  /// CSV columns that tell whose row it is, together; empty where none is to be looked for.
  public var idColumns: [String]?
  /// By id, where each has scalers of its own; `inputScaler` and `targetScaler` are then those of all rows.
  public var entityScalers: [String: ScalerPair]?

  /// What is not given is not kept.
  public init(
    features: [String]? = nil, targets: [String]? = nil, window: Int? = nil, horizon: Int? = nil,
    inputScaler: Scaler? = nil, targetScaler: Scaler? = nil, vocabulary: Vocabulary? = nil, classes: [String]? = nil
  ) {
    self.features = features
    self.targets = targets
    self.window = window
    self.horizon = horizon
    self.inputScaler = inputScaler
    self.targetScaler = targetScaler
    self.vocabulary = vocabulary
    self.classes = classes
  }

  /// Whether it says nothing, so that there is nothing to keep.
  public var isEmpty: Bool { self == Preprocessing() }
}
