import FileIO
import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A data file as a test describes it.
struct DataArray: Sendable {
  let name: String
  let shape: [Int]
  let type: DataType
  let bytes: [UInt8]

  init(_ name: String, _ shape: [Int], floats: [Float]) {
    (self.name, self.shape, type, bytes) = (name, shape, .float32, littleEndianBytes(floats))
  }

  init(_ name: String, _ shape: [Int], integers: [Int64]) {
    (self.name, self.shape, type) = (name, shape, .int64)
    bytes = integers.flatMap { value in withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }
  }
}

@Suite struct ArrayDataTests {
  enum Format: String, CaseIterable, Sendable { case h5, npz }

  static let features = ModelConfiguration.Input.Content.features(size: 2)
  static let tokens = ModelConfiguration.Input.Content.tokens(vocabulary: 5)
  /// (2, 3, 2)
  static let x = DataArray("x", [2, 3, 2], floats: (0..<12).map(Float.init))
  static let y = DataArray("y", [2, 1], floats: [1, 2])

  /// Writes the arrays to a file and loads that.
  static func load(
    _ arrays: [DataArray], _ input: ModelConfiguration.Input.Content = features, as format: Format = .h5,
    needsTargets: Bool = true, labels: Bool = false
  ) throws -> SequenceData {
    let folder = try TemporaryFolder()
    let path = folder.path("d." + format.rawValue)
    switch format {
    case .h5:
      var document = HDF5Document()
      for array in arrays {
        document.addDataset(array.name, shape: array.shape, type: array.type == .float32 ? .float32 : .int64) {
          array.bytes
        }
      }
      try document.write(to: path)
    case .npz:
      let entries = try arrays.map {
        (name: $0.name + ".npy", content: try NPY.encode(bytes: $0.bytes, dataType: $0.type, shape: $0.shape))
      }
      try Data(ZipWriter.encode(entries)).write(to: URL(fileURLWithPath: path))
    }
    return try ArrayData.load(Checkpoint(path: path), reading: input, needsTargets: needsTargets, labels: labels)
  }

  /// The message without the folder.
  static func refusal(
    _ arrays: [DataArray], _ input: ModelConfiguration.Input.Content = features, as format: Format = .h5
  ) -> String {
    let text = message { _ = try load(arrays, input, as: format) }
    return text.range(of: "/d.").map { String(text[$0.upperBound...]) } ?? text
  }

  // MARK: - What it reads

  @Test(arguments: Format.allCases) func realValuesWithLengths(_ format: Format) throws {
    let lengths = DataArray("lengths", [2], integers: [3, 1])
    let data = try Self.load([Self.x, Self.y, lengths], as: format)
    #expect(data.count == 2 && data.steps == 3 && data.lengths == [3, 1])
    guard case .features(let values, 3, 2) = data.inputs, case .values([1, 2], 1, false) = data.targets else {
      return #expect(Bool(false), "features and values")
    }
    #expect(values == (0..<12).map(Float.init))
  }

  @Test(arguments: Format.allCases) func tokensWithAClassForEachStep(_ format: Format) throws {
    let data = try Self.load(
      [DataArray("x", [2, 2], integers: [0, 4, 1, 2]), DataArray("y", [2, 2], integers: [7, -100, 0, 1])], Self.tokens,
      as: format)
    guard case .tokens([0, 4, 1, 2], 2) = data.inputs, case .classes([7, -100, 0, 1], true) = data.targets else {
      return #expect(Bool(false), "tokens and classes")
    }
  }

  @Test func shapesThatMeanTheSame() throws {
    let one = ModelConfiguration.Input.Content.features(size: 1)
    let flat = try Self.load(
      [DataArray("x", [2, 3], floats: [0, 1, 2, 3, 4, 5]), DataArray("y", [2], floats: [1, 2])], one)
    guard case .features(_, 3, 1) = flat.inputs, case .values(_, 1, false) = flat.targets else {
      return #expect(Bool(false), "one feature, one value")
    }
    let column = try Self.load(
      [DataArray("x", [2, 2, 1], integers: [0, 1, 2, 3]), DataArray("y", [2, 1], integers: [0, 1])], Self.tokens)
    guard case .tokens(_, 2) = column.inputs, case .classes([0, 1], false) = column.targets else {
      return #expect(Bool(false), "tokens, a class a sequence")
    }
    let steps = try Self.load([Self.x, DataArray("y", [2, 3, 4], floats: noise(24, seed: 1))])
    guard case .values(_, 4, true) = steps.targets else { return #expect(Bool(false), "values for each step") }
    let whole = try Self.load([DataArray("x", [1, 1, 2], integers: [3, 4]), DataArray("y", [1], floats: [0])])
    guard case .features([3, 4], 1, 2) = whole.inputs else { return #expect(Bool(false), "integers as features") }
  }

  @Test func paddingMayHoldAnything() throws {
    let nan = Float.nan
    let lengths = DataArray("lengths", [2], integers: [1, 2])
    let data = try Self.load([
      DataArray("x", [2, 2, 2], floats: [1, 2, nan, .infinity, 5, 6, 7, 8]),
      DataArray("y", [2, 2, 1], floats: [1, nan, 2, 3]), lengths,
    ])
    #expect(data.stepCount == 3)
    let classes = try Self.load(
      [
        DataArray("x", [2, 2], integers: [0, -1, 4, 3]), DataArray("y", [2, 2], integers: [1, Int64.max, 2, 3]),
        lengths,
      ], Self.tokens)
    guard case .tokens([0, 0, 4, 3], 2) = classes.inputs,
      case .classes([1, SequenceData.ignored, 2, 3], true) = classes.targets
    else { return #expect(Bool(false), "padding replaced") }
  }

  @Test func withoutNeedForTargetsTheyAreNotRead() throws {
    let data = try Self.load(
      [Self.x, DataArray("y", [7], floats: [Float](repeating: .nan, count: 7))], needsTargets: false)
    guard case .none = data.targets else { return #expect(Bool(false), "none") }
  }

  // MARK: - What it refuses

  @Test(arguments: Format.allCases) func missingX(_ format: Format) {
    #expect(Self.refusal([Self.y], as: format) == "\(format): no dataset \"x\"; it holds y")
  }

  @Test(arguments: Format.allCases) func missingY(_ format: Format) {
    #expect(Self.refusal([Self.x], as: format) == "\(format): no dataset \"y\"; it holds x")
  }

  @Test func anEmptyFile() { #expect(Self.refusal([]) == "h5: no dataset \"x\"; it holds none") }

  @Test func wrongRankOfFeatures() {
    #expect(
      Self.refusal([DataArray("x", [2, 2], floats: [1, 2, 3, 4]), Self.y])
        == "h5: x: expected (N, T, 2), the model's 2 features, found (2, 2) of float32")
  }

  @Test func wrongNumberOfFeatures() {
    #expect(
      Self.refusal([DataArray("x", [2, 1, 3], floats: noise(6, seed: 1)), Self.y])
        == "h5: x: expected (N, T, 2), the model's 2 features, found (2, 1, 3) of float32")
  }

  @Test(arguments: [[0, 3, 2], [2, 0, 2]]) func noExamplesOrSteps(_ shape: [Int]) {
    #expect(
      Self.refusal([DataArray("x", shape, floats: []), Self.y], as: .npz)
        == "npz: x: expected at least one example of one step, found \(shapeText(shape)) of float32")
  }

  @Test(arguments: Format.allCases) func aFeatureThatIsNotANumber(_ format: Format) {
    var values = [Float](repeating: 0, count: 12)
    values[9] = .nan
    #expect(
      Self.refusal([DataArray("x", [2, 3, 2], floats: values), Self.y], as: format)
        == "\(format): x[1, 1, 1]: expected a finite number, found nan")
  }

  @Test func featuresForAModelOfTokens() {
    #expect(
      Self.refusal([Self.x, Self.y], Self.tokens)
        == "h5: x: expected token numbers (N, T), found (2, 3, 2) of float32")
  }

  @Test func tokensThatAreNotWhole() {
    #expect(
      Self.refusal([DataArray("x", [2, 1], floats: [1, 0.5]), Self.y], Self.tokens)
        == "h5: x: expected whole numbers, found 0.5")
  }

  @Test(arguments: [5, -1, Int64.min, Int64.max]) func aTokenBeyondTheVocabulary(_ token: Int64) {
    #expect(
      Self.refusal([DataArray("x", [2, 2], integers: [0, 1, 2, token]), Self.y], Self.tokens)
        == "h5: x[1, 1]: expected a token from 0 to 4, found \(token)")
  }

  @Test func wrongNumberOfTargets() {
    #expect(
      Self.refusal([Self.x, DataArray("y", [3, 1], floats: [1, 2, 3])])
        == "h5: y: expected 2 examples, as many as x has, found 3")
  }

  @Test(arguments: [[2, 4, 1], [2, 3, 0], [2, 0], [2, 3, 1, 1]]) func wrongShapeOfRealTargets(_ shape: [Int]) {
    #expect(
      Self.refusal([Self.x, DataArray("y", shape, floats: noise(shape.reduce(1, *), seed: 1))])
        == "h5: y: expected (2, O) or (2, 3, O), found \(shapeText(shape)) of float32")
  }

  @Test func aTargetThatIsNotFinite() {
    #expect(
      Self.refusal([Self.x, DataArray("y", [2, 2], floats: [1, 2, 3, -.infinity])])
        == "h5: y[1, 1]: expected a finite number, found -inf")
  }

  @Test(arguments: [[2, 2], [2, 3, 1]]) func wrongShapeOfClasses(_ shape: [Int]) {
    #expect(
      Self.refusal([Self.x, DataArray("y", shape, integers: [Int64](repeating: 0, count: shape.reduce(1, *)))])
        == "h5: y: expected class numbers (2,) or (2, 3), found \(shapeText(shape)) of int64")
  }

  @Test(arguments: [-1, -99, 1 << 24, .max]) func aClassNumberThatIsNone(_ number: Int64) {
    #expect(
      Self.refusal([Self.x, DataArray("y", [2], integers: [0, number])])
        == "h5: y[1]: expected a class number from 0, or -100 for what does not count, found \(number)")
  }

  @Test(arguments: [[3], [2, 1], []]) func wrongShapeOfLengths(_ shape: [Int]) {
    let lengths = DataArray("lengths", shape, integers: [Int64](repeating: 1, count: shape.reduce(1, *)))
    #expect(
      Self.refusal([Self.x, Self.y, lengths], as: .npz)
        == "npz: lengths: expected (2,), one number for each sequence of x, found \(shapeText(shape)) of int64")
  }

  @Test(arguments: [0, -1, 4, .min]) func aLengthThatIsNone(_ length: Int64) {
    #expect(
      Self.refusal([Self.x, Self.y, DataArray("lengths", [2], integers: [3, length])])
        == "h5: lengths[1]: expected a number from 1 to 3, the steps of x, found \(length)")
  }

  @Test func aLengthThatIsNotWhole() {
    #expect(
      Self.refusal([Self.x, Self.y, DataArray("lengths", [2], floats: [1, 2.5])])
        == "h5: lengths: expected whole numbers, found 2.5")
  }
}
