extension PlainStack {
  /// Makes one parameter of several places.
  /// - Throws: `TieError` when there is no such place, or their shapes differ.
  mutating func tie(_ names: [String]) throws(TieError) {
    ties.append(try TieError.group(names, among: places, tied: ties))
  }

  /// The groups that tie something, each in order.
  public var validTies: [[String]] { ties.isEmpty ? [] : places.valid(ties) }

  var tiedParameters: [ParameterSpecification] { places.tied(by: validTies) }

  /// The name that the parameter in a place goes by.
  public func parameterName(of place: String) -> String {
    ties.isEmpty ? place : validTies.first { $0.contains(place) }?.first ?? place
  }

  func isTiedToEmbedding(head index: Int) -> Bool {
    validTies.contains { $0[0] == "embedding.weight" && $0.contains("head.\(index).weight") }
  }

  /// What the summary has no place for.
  var otherTies: [String] {
    let heads = Set(places.filter(\.role.isHead).map(\.name))
    return validTies.flatMap { group in
      group.dropFirst().filter { group[0] != "embedding.weight" || !heads.contains($0) }.map { "\($0) is \(group[0])" }
    }
  }
}
