import Foundation
import LSTMCheckpoints

/// A model of which each value is told by its place: what PyTorch computed with is made again.
public func wavyModel(_ configuration: ModelConfiguration) -> StoredModel {
  StoredModel(
    configuration,
    tensors: configuration.parameters.enumerated().map { index, place in
      StoredTensor(
        name: place.name, shape: place.shape,
        values: (0..<place.elementCount).map { value in
          // Variances and scales above zero, all else in -0.5 ... 0.5.
          let wave = sin(Float(1 + value) * 1.7 + Float(index))
          return place.name.hasSuffix("running_var") || place.name.hasSuffix("scale") ? 1 + wave / 2 : wave / 2
        })
    })
}
