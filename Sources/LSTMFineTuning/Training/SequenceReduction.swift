/// How the losses of sequences become one number.
public enum SequenceReduction: String, Sendable, Codable, CaseIterable {
  /// The mean over sequences, each of which counts the same: `mean` of torchcrf, the mean of Keras' `ctc_batch_cost`.
  case mean
  /// The sum, divided by all labels: `token_mean` of torchcrf.
  case tokenMean = "token-mean"
  /// The mean over sequences of each one's loss divided by its labels: `mean` of torch.nn.CTCLoss, the CRF of keras-contrib.
  case lengthMean = "length-mean"
  /// The gradient is that of the sum; what is reported is the mean over sequences. `sum` of torchcrf and torch.nn.CTCLoss.
  case sum
}
