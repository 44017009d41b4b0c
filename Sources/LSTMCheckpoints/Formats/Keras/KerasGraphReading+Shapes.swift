import FileIO

/// Layers that put rows in another order or division.
extension KerasGraphReading {
  private static let grid: [KerasValue.Axis] = [.time, .height, .channel]

  mutating func flatten(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    guard (layer.config["data_format"]?.string ?? "channels_last") == "channels_last" else {
      throw unsupported(layer, "lays channels out first, which has no counterpart here")
    }
    let input = try settled(value, layer)
    if input.axes == KerasValue.row {
      remember(layer)
      return input
    }
    try refuseReversed(input, layer)
    mixesSteps(input, layer)
    var kind = Layer.Flatten()
    var from = input.name
    switch input.axes {
    case KerasValue.steps: break
    case [.feature, .time]: kind.isFeatureFirst = true
    case Self.grid, [.time, .channel, .height]: from = try row(ofGrid: input, layer).name
    default: throw unsupported(layer, "has no counterpart here: it reads \(Self.text(input.axes))")
    }
    let name = try add(kind, layer.name, of: layer, reading: [from], key: "")
    remember(layer, name)
    return KerasValue(name: name, axes: KerasValue.row)
  }

  func refuseReversed(_ value: KerasValue, _ layer: KerasLayer) throws(CheckpointError) {
    if value.isReversed {
      throw unsupported(layer, "has no counterpart here: it reads steps that come from the last to the first")
    }
  }

  /// A grid's values as features of each step, in the order that Keras has them.
  private mutating func row(ofGrid value: KerasValue, _ layer: KerasLayer) throws(CheckpointError) -> KerasValue {
    let isLast = value.axes == Self.grid
    let name = try add(
      Layer.Reshape(isLast ? .channelsLast : .row), "\(layer.name)_row", of: layer, reading: [value.name], key: "")
    return KerasValue(name: name, axes: KerasValue.steps, isReversed: value.isReversed)
  }

  mutating func permute(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    var input = try settled(value, layer)
    let order = layer.config["dims"]?.array?.compactMap(\.integer) ?? []
    guard order.sorted() == Array(1...max(input.axes.count, 1)), order.count == input.axes.count else {
      throw unsupported(layer, "puts \(order.count) axes in another order, and is given \(input.axes.count)")
    }
    input.axes = order.map { input.axes[$0 - 1] }
    input.hasMask = false
    remember(layer)
    if input.axes == [.time, .channel, .height], let grid = try channelsFirst(layer, input) { return grid }
    return input
  }

  /// Rows that were divided into channels of several values each, and then had the channels put last.
  private mutating func channelsFirst(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue? {
    guard let made = layers.first(where: { $0.name == value.name }), let source = made.from.first,
      (made.kind as? Layer.Reshape)?.form == .gridChannelsLast, let height = values[made.name]?.grid?.height
    else { return nil }
    // What lay first was taken for the height.
    let name = try add(
      Layer.Reshape(.grid, channels: height), layer.name, of: layer, reading: [source], key: "")
    return KerasValue(name: name, axes: Self.grid, isReversed: value.isReversed)
  }

  mutating func repeated(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let row = try rows(value, layer)
    guard let count = layer.config["n"]?.integer, 1...ModelConfiguration.sizeLimit ~= count else {
      throw unsupported(layer, "does not say how often")
    }
    let name = try add(Layer.Repeat(count: count), layer.name, of: layer, reading: [row.name], key: "")
    remember(layer, name)
    return KerasValue(name: name, axes: KerasValue.steps)
  }

  // MARK: - Reshape

  mutating func reshape(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    var input = try settled(value, layer)
    let target = layer.config["target_shape"]?.array?.map(\.integer) ?? []
    guard 1...3 ~= target.count,
      target.allSatisfy({ $0.map { $0 == -1 || 1...ModelConfiguration.sizeLimit ~= $0 } ?? true }),
      target.count(where: { ($0 ?? -1) < 1 }) <= 1
    else { throw unsupported(layer, "has no target shape that is known here") }
    input.hasMask = false
    if target.count < 3, input.axes == Self.grid || input.axes == [.time, .channel, .height] {
      input = try row(ofGrid: input, layer)
    }
    let wanted = target.map { $0.flatMap { $0 > 0 ? $0 : nil } }
    let result: KerasValue
    switch input.axes {
    case KerasValue.row: result = try divided(row: input, wanted, layer)
    case KerasValue.steps: result = try divided(steps: input, wanted, layer)
    case [.feature, .time]: result = try divided(steps: try steps(input, layer), wanted, layer)
    default: throw unsupported(layer, "has no counterpart here: it reads \(Self.text(input.axes))")
    }
    remember(layer, result.name == input.name ? nil : result.name)
    return result
  }

  /// All sizes of a shape whose product is known.
  private func filled(_ wanted: [Int?], _ total: Int, _ layer: KerasLayer) throws(CheckpointError) -> [Int] {
    var known = 1
    for size in wanted.compactMap(\.self) {
      let (product, overflows) = known.multipliedReportingOverflow(by: size)
      guard !overflows else { throw unsupported(layer, "has a target shape beyond any size") }
      known = product
    }
    let sizes = wanted.map { $0 ?? total / known }
    guard total % known == 0, sizes.reduce(1, *) == total, sizes.allSatisfy({ $0 > 0 }) else {
      throw unsupported(layer, "divides \(total) values into a shape that they do not fill")
    }
    return sizes
  }

  private mutating func divided(
    row value: KerasValue, _ wanted: [Int?], _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    let sizes = try filled(wanted, values[value.name]?.width ?? 0, layer)
    if sizes.count == 1 { return value }
    var name = try add(Layer.Reshape(.steps, steps: sizes[0]), layer.name, of: layer, reading: [value.name], key: "")
    if sizes.count == 2 { return KerasValue(name: name, axes: KerasValue.steps) }
    name = try add(
      Layer.Reshape(.gridChannelsLast, channels: sizes[2]), "\(layer.name)_grid", of: layer, reading: [name], key: "")
    return KerasValue(name: name, axes: Self.grid)
  }

  private mutating func divided(
    steps value: KerasValue, _ wanted: [Int?], _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    guard let read = values[value.name] else { throw unsupported(layer, "reads nothing") }
    // Each step by itself.
    let isEach = wanted.count > 1 && (wanted[0] == read.steps || wanted[0] == nil)
    if isEach, wanted.count == 2, wanted[1] == read.width || wanted[1] == nil { return value }
    if isEach, wanted.count == 3, let sizes = try? filled(Array(wanted[1...]), read.width, layer) {
      let name = try add(
        Layer.Reshape(.gridChannelsLast, channels: sizes[1]), layer.name, of: layer, reading: [value.name], key: "")
      return KerasValue(name: name, axes: Self.grid, isReversed: value.isReversed)
    }
    try refuseReversed(value, layer)
    mixesSteps(value, layer)
    // Each step into several.
    if wanted.count == 2, let width = wanted[1], read.width % width == 0, wanted[0] == nil {
      let name = try add(
        Layer.Reshape(.split, steps: read.width / width), layer.name, of: layer, reading: [value.name], key: "")
      return KerasValue(name: name, axes: KerasValue.steps)
    }
    guard read.steps != nil else {
      throw unsupported(layer, "has no counterpart here: it divides a number of steps that is not fixed")
    }
    let name = try add(Layer.Flatten(), "\(layer.name)_flat", of: layer, reading: [value.name], key: "")
    return try divided(row: KerasValue(name: name, axes: KerasValue.row), wanted, layer)
  }

  // MARK: - Merging

  static let merges: [String: Layer.Merge.Operation] = [
    "Concatenate": .concatenate, "Add": .add, "Multiply": .multiply, "Average": .average, "Maximum": .maximum,
    "Subtract": .subtract,
  ]

  private static let oldModes: [String: Layer.Merge.Operation] = [
    "concat": .concatenate, "sum": .add, "mul": .multiply, "ave": .average, "max": .maximum,
  ]

  mutating func merge(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    let known = Self.merges[layer.className] ?? layer.config["mode"]?.string.flatMap { Self.oldModes[$0] }
    guard let operation = known else { throw refusal(of: layer) }
    let axis = layer.config["axis"]?.integer ?? layer.config["concat_axis"]?.integer ?? -1
    if operation == .concatenate, use.read.count == 2, axis == -1 || axis == 1,
      case .state(let one, let part, 0)? = use.read[0].special, use.read[1].special?.isState(part, of: one) == true
    {
      return KerasValue(special: .joinedStates(layer: one, part: part, by: layer))
    }
    return try merged(use.read, operation, axis: axis, layer)
  }

  mutating func merged(
    _ read: [KerasValue], _ operation: Layer.Merge.Operation, axis: Int, _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    if [.multiply, .maximum].contains(operation), version.major >= 3, read.contains(where: \.hasMask),
      !layer.isOperation
    {
      mergedWithMasks = layer
    }
    if operation == .multiply, let product = try weighted(read, layer) { return product }
    var list: [KerasValue] = []
    for value in read { list.append(try settled(value, layer)) }
    let isGrid = list.contains { $0.axes.count == 3 }
    if !isGrid { for index in list.indices { list[index] = try rows(list[index], layer) } }
    func isRepeated(_ value: KerasValue) -> Bool {
      layers.first { $0.name == value.name }.map { $0.kind is Layer.Repeat } ?? false
    }
    guard
      let first = list.first(where: { $0.axes.contains(.time) && !isRepeated($0) })
        ?? list.first(where: { $0.axes.contains(.time) }) ?? list.first
    else { throw unsupported(layer, "reads nothing") }
    // One row at each step is the same from the last to the first.
    for index in list.indices where isRepeated(list[index]) { list[index].isReversed = first.isReversed }
    // One step goes with each of the others.
    if operation != .concatenate, !isGrid,
      list.contains(where: { (values[$0.name]?.steps ?? 2) > 1 && $0.axes == KerasValue.steps })
    {
      for (index, value) in list.enumerated() where value.axes == KerasValue.steps && values[value.name]?.steps == 1 {
        let name = try add(
          Layer.Readout(.last), "\(layer.name)_step", of: layer, reading: [value.name], key: "")
        list[index] = KerasValue(name: name, axes: KerasValue.row)
      }
    }
    let perStep = list.filter { $0.axes.contains(.time) }
    guard perStep.allSatisfy({ $0.axes == first.axes && $0.isReversed == first.isReversed }),
      !isGrid || perStep.count == list.count
    else {
      throw unsupported(layer, "has no counterpart here: it merges values of other axes or another order of steps")
    }
    if operation == .concatenate {
      guard axis == -1 || axis == first.axes.count else {
        throw unsupported(
          layer,
          "has no counterpart here: it puts "
            + (axis == 1 ? "the steps of one after those of another" : "values along axis \(axis)"))
      }
      guard !isGrid || first.axes.last == .channel else { throw unsupported(layer, "joins other axes than channels") }
    }
    let clocks = Set(perStep.map { values[$0.name]?.clock })
    if clocks.count > 1 { for value in perStep { mixesSteps(value, layer) } }
    let grids = list.compactMap { values[$0.name]?.grid }
    guard !isGrid || Set(grids.map(\.height)).count == 1 && (operation == .concatenate || Set(grids).count == 1) else {
      throw unsupported(layer, "merges grids of different sizes")
    }
    var name = try add(Layer.Merge(operation), layer.name, of: layer, reading: list.map(\.name), key: "")
    remember(layer, name)
    if isGrid, operation == .concatenate {
      let channels = grids.reduce(0) { $0 + $1.channels }
      name = try add(
        Layer.Reshape(.grid, channels: channels), "\(layer.name)_grid", of: layer, reading: [name], key: "")
    }
    var result = first.given(by: name)
    // Since Keras 3 a step that one of them does not hide is not hidden.
    result.hasMask = version.major >= 3 ? perStep.allSatisfy(\.hasMask) : perStep.contains(where: \.hasMask)
    return result
  }

  // MARK: - Operations

  private static let operations: [String: Layer.Merge.Operation] = [
    "Add": .add, "Multiply": .multiply, "Subtract": .subtract, "Maximum": .maximum, "Concatenate": .concatenate,
    "__operators__.add": .add, "math.add": .add, "math.multiply": .multiply, "math.subtract": .subtract,
    "math.maximum": .maximum,
  ]

  private static let functions: [String: Activation] = [
    "Relu": .relu, "Tanh": .tanh, "Sigmoid": .sigmoid, "Softplus": .softplus, "Softsign": .softsign, "Silu": .swish,
    "nn.relu": .relu, "math.tanh": .tanh, "math.sigmoid": .sigmoid,
  ]

  mutating func applyOperation(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    let name = layer.className == "TFOpLambda" ? layer.config["function"]?.string ?? "" : layer.className
    let read = use.read + (use.keywords["y"] ?? [])
    if ["GetItem", "SlicingOpLambda"].contains(name), let value = read.first { return try readPart(use, value) }
    if let operation = Self.operations[name], read.count > 1 {
      let axis = layer.config["axis"]?.integer ?? use.call.keywords["axis"]?.constant?.integer ?? -1
      var result = try merged(read, operation, axis: axis, layer)
      result.hasMask = false
      return result
    }
    if let function = Self.functions[name], read.count == 1 {
      var result = try activate(layer, read[0], KerasActivation(function), layer.name)
      result.hasMask = false
      return result
    }
    let readouts: [String: Layer.Readout.Take] = [
      "Mean": .mean, "Max": .max, "Sum": .sum, "math.reduce_mean": .mean, "math.reduce_max": .max,
      "math.reduce_sum": .sum,
    ]
    func said(_ key: String) -> KerasJSON? { layer.config[key] ?? use.call.keywords[key]?.constant }
    if let take = readouts[name], read.count == 1, said("axis")?.integer == 1 || said("axis")?.integer == -2,
      said("keepdims")?.bool != true
    {
      if take == .sum, case .weighted(let rows, let dense)? = read[0].special {
        return KerasValue(name: try attention(over: rows, dense: dense, layer), axes: KerasValue.row)
      }
      let value = try steps(read[0], layer)
      mixesSteps(value, layer)
      let made = try add(Layer.Readout(take), layer.name, of: layer, reading: [value.name], key: "")
      remember(layer, made)
      return KerasValue(name: made, axes: KerasValue.row)
    }
    if name == "Softmax" || name == "nn.softmax", read.count == 1, said("axis")?.integer == 1 {
      if let weights = stepWeights(try rows(read[0], layer), layer) { return weights }
    }
    if name == "Sqrt" || name == "math.sqrt", read.count == 1, let made = try magnitude(read[0], layer) { return made }
    if name == "Flip" || name == "reverse", read.count == 1 {
      var value = try steps(read[0], layer)
      let axis = layer.config["axis"] ?? use.call.keywords["axis"]?.constant
      guard axis?.integer == 1 || axis?.array?.map(\.integer) == [1] else { throw refusal(of: layer) }
      value.isReversed.toggle()
      value.hasMask = false
      return value
    }
    throw refusal(of: layer)
  }

  /// The root of the sum of two squares: of the first half of the features and of the second.
  private mutating func magnitude(_ value: KerasValue, _ layer: KerasLayer) throws(CheckpointError) -> KerasValue? {
    func reads(_ name: String, _ operation: Layer.Merge.Operation) -> [String]? {
      layers.first { $0.name == name && ($0.kind as? Layer.Merge)?.operation == operation }?.from
    }
    guard let squares = reads(value.name, .add), squares.count == 2 else { return nil }
    var halves: [(source: String, part: Layer.Slice)] = []
    for square in squares {
      guard let both = reads(square, .multiply), both.count == 2, both[0] == both[1],
        let slice = layers.first(where: { $0.name == both[0] }), let part = slice.kind as? Layer.Slice,
        let source = slice.from.first
      else { return nil }
      halves.append((source, part))
    }
    halves.sort { $0.part.first < $1.part.first }
    let half = halves[0].part.count
    guard halves[0].source == halves[1].source, halves[0].part.first == 0, halves[1].part.first == half,
      halves[1].part.count == half, values[halves[0].source]?.width == 2 * half
    else { return nil }
    let name = try add(Layer.Magnitude(), layer.name, of: layer, reading: [halves[0].source], key: "")
    remember(layer, name)
    var made = value.given(by: name)
    made.hasMask = false
    return made
  }

  /// `x[:, -1]`, `x[:, 0, :]`, `x[..., 2:5]`
  private mutating func readPart(_ use: KerasUse, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    let input = try rows(value, layer)
    let refusal = unsupported(
      layer, "has no counterpart here: it takes other values than one end of the steps or some features")
    let said = use.call.keywords["slice_spec"]?.constant ?? use.call.arguments.dropFirst().first?.constant
    guard var list = said?.array ?? said.map({ [$0] }) else { throw refusal }
    if let place = list.firstIndex(where: { $0["class_name"]?.string == "__ellipsis__" || $0.string == "..." }) {
      let count = input.axes.count + 1 - (list.count - 1)
      guard count >= 0 else { throw refusal }
      list.replaceSubrange(place...place, with: [KerasJSON](repeating: .object([:]), count: count))
    }
    func bounds(_ json: KerasJSON) -> (start: KerasJSON?, stop: KerasJSON?, step: KerasJSON?)? {
      guard case .object = json else { return nil }
      let inner = json["config"] ?? json
      return (inner["start"], inner["stop"], inner["step"])
    }
    func isWhole(_ json: KerasJSON) -> Bool {
      guard let (start, stop, step) = bounds(json) else { return false }
      return (start == nil || start == .number(0)) && stop == nil && (step == nil || step == .number(1))
    }
    guard let batch = list.first, isWhole(batch), list.count <= input.axes.count + 1 else { throw refusal }
    var result = input
    result.hasMask = false
    let isSequence = input.axes == KerasValue.steps
    if isSequence, list.count > 1, !isWhole(list[1]) {
      guard let index = list[1].integer, index == 0 || index == -1 else { throw refusal }
      mixesSteps(input, layer)
      let take: Layer.Readout.Take = (index == -1) != input.isReversed ? .last : .first
      result = KerasValue(
        name: try add(Layer.Readout(take), layer.name, of: layer, reading: [input.name], key: ""), axes: KerasValue.row)
      remember(layer, result.name)
    }
    if let part = list.dropFirst(isSequence ? 2 : 1).first, !isWhole(part) {
      guard let (start, stop, step) = bounds(part), step == nil || step == .number(1),
        let width = values[result.name]?.width
      else { throw refusal }
      func place(_ json: KerasJSON?, _ usual: Int) -> Int? {
        guard let json else { return usual }
        guard let number = json.integer, number.magnitude <= UInt(width) else { return nil }
        return number < 0 ? width + number : number
      }
      guard let first = place(start, 0), let end = place(stop, width), first < end else { throw refusal }
      result.name = try add(
        Layer.Slice(first: first, count: end - first), layer.name, of: layer, reading: [result.name], key: "")
      remember(layer, result.name)
    }
    return result
  }
}
