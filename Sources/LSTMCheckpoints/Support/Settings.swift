import FileIO

/// What may be chosen when a checkpoint is read or written: parameters of ``LoadOptions`` and ``WriteOptions``.
extension Setting {
  package static let prefix = Setting(rawValue: "prefix")
  package static let rules = Setting(rawValue: "rules")
  package static let allowedMissing = Setting(rawValue: "allowedMissing")
  package static let allowedUnexpected = Setting(rawValue: "allowedUnexpected")
  package static let configuration = Setting(rawValue: "configuration")
  package static let readout = Setting(rawValue: "readout")
  package static let activation = Setting(rawValue: "activation")
  package static let readoutActivation = Setting(rawValue: "readoutActivation")
  package static let outputActivation = Setting(rawValue: "outputActivation")
  package static let stack = Setting(rawValue: "stack")
  package static let order = Setting(rawValue: "order")
  package static let layout = Setting(rawValue: "layout")
  package static let gates = Setting(rawValue: "gates")
  package static let forgetBias = Setting(rawValue: "forgetBias")
  package static let untie = Setting(rawValue: "untie")
  package static let padding = Setting(rawValue: "padding")
  package static let allowsExternalData = Setting(rawValue: "allowsExternalData")
  package static let vocabulary = Setting(rawValue: "vocabulary")
  package static let format = Setting(rawValue: "format")
  package static let dataType = Setting(rawValue: "dataType")
  package static let bias = Setting(rawValue: "bias")
}
