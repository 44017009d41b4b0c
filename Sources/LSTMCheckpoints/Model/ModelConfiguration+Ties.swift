/// Ties: parameters that are one, such as an embedding whose matrix is the last dense layer's, too.
///
/// A group names the places of one parameter, in the order of `places`. The parameter goes by its first place's name; it
/// is stored, trained, counted and frozen once. A group that no longer fits, because a layer was replaced by one of
/// another size, ties nothing.
extension ModelConfiguration {
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

  /// The configuration in which the parameters of some layers are tied to nothing: `untying(\.isHead)`.
  public func untying(_ isApart: (ParameterRole) -> Bool) -> ModelConfiguration {
    let apart = Set(places.filter { isApart($0.role) }.map(\.name))
    var copy = self
    copy.ties = validTies.map { $0.filter { !apart.contains($0) } }.filter { $0.count > 1 }
    return copy
  }
}

/// Why names cannot be tied.
struct TieError: Error {
  let detail: String

  /// A group of names, in the order of the places.
  static func group(
    _ names: [String], among places: [ParameterSpecification], tied: [[String]]
  ) throws(TieError) -> [String] {
    var found: [ParameterSpecification] = []
    for name in names {
      guard let place = places.first(where: { $0.name == name }) else {
        let near = nearestNames(to: name, among: places.map(\.name), limit: 1).first
        throw TieError(detail: "the model has no parameter \(name)" + (near.map { "; did you mean \($0)?" } ?? ""))
      }
      if tied.joined().contains(name) || found.contains(place) {
        throw TieError(detail: "\(name) is named twice; one group names all that are one")
      }
      found.append(place)
    }
    guard found.count > 1 else {
      throw TieError(detail: "expected at least two parameters that are one, found \(found.count)")
    }
    if let other = found.first(where: { $0.shape != found[0].shape }) {
      throw TieError(
        detail: "\(found[0].name) \(shapeText(found[0].shape)) and \(other.name) \(shapeText(other.shape)) differ in"
          + " shape and cannot be one")
    }
    return places.map(\.name).filter(names.contains)
  }
}

extension [ParameterSpecification] {
  /// The groups that tie something, each in the order of these places.
  func valid(_ ties: [[String]]) -> [[String]] {
    let shapes = Dictionary(map { ($0.name, $0.shape) }) { first, _ in first }
    var taken = Set<String>()
    return ties.compactMap { group in
      let known = map(\.name).filter { group.contains($0) && !taken.contains($0) }
      let fitting = known.filter { shapes[$0] == shapes[known[0]] }
      taken.formUnion(fitting)
      return fitting.count > 1 ? fitting : nil
    }
  }

  /// These places with each group made one parameter.
  func tied(by groups: [[String]]) -> [ParameterSpecification] {
    let byName = Dictionary(map { ($0.name, $0) }) { first, _ in first }
    var others: [String: [ParameterSpecification.Place]] = [:]
    var dropped = Set<String>()
    for group in groups {
      others[group[0]] = group.dropFirst().compactMap { name in byName[name].map { .init(name: name, role: $0.role) } }
      dropped.formUnion(group.dropFirst())
    }
    return compactMap { place in
      if dropped.contains(place.name) { return nil }
      guard let tied = others[place.name] else { return place }
      return ParameterSpecification(
        name: place.name, shape: place.shape, role: place.role, part: place.part, start: place.start, tied: tied)
    }
  }
}
