/// A group and everything in it.
///
/// Members are in the order of their creation where the file records it, and sorted by name otherwise.
public struct HDF5Group: Sendable {
  /// The last part of the path; empty for the root.
  public let name: String
  /// "/" for the root, otherwise such as "/lstm/layer0".
  public let path: String
  /// The groups in this one.
  public internal(set) var groups: [HDF5Group] = []
  /// The datasets in this group.
  public internal(set) var datasets: [HDF5Dataset] = []
  /// This group's attributes.
  public internal(set) var attributes: [HDF5Attribute] = []
  /// Why attributes of it are missing in ``attributes``: damaged ones, and those beyond a limit.
  public internal(set) var unreadableAttributes: [HDF5Error] = []
  /// The path under which this group is already listed, if this is a second link to it; the contents
  /// are not repeated here.
  public let aliasOf: String?
  /// Names of committed datatypes, which have no data.
  public internal(set) var namedTypes: [String] = []
  /// Members that cannot be read, each with its path and the reason: damaged ones, links out of the file or to nothing,
  /// virtual datasets, unusable names.
  public internal(set) var unreadable: [HDF5Error] = []

  init(name: String, path: String, aliasOf: String? = nil) {
    self.name = name
    self.path = path
    self.aliasOf = aliasOf
  }

  /// This group's datasets, then those of each group below it, depth first.
  public func allDatasets() -> [HDF5Dataset] {
    var result: [HDF5Dataset] = []
    collect(into: &result)
    return result
  }

  /// What cannot be read in this group and those below it.
  public func allUnreadable() -> [HDF5Error] { groups.reduce(unreadable) { $0 + $1.allUnreadable() } }

  /// What cannot be read of the attributes of this group, its datasets and the groups below it.
  public func allUnreadableAttributes() -> [HDF5Error] {
    let own = datasets.reduce(unreadableAttributes) { $0 + $1.unreadableAttributes }
    return groups.reduce(own) { $0 + $1.allUnreadableAttributes() }
  }

  /// Why there is nothing at a path such as "/a/b": it, or a group above it, cannot be read.
  package func reason(toMiss path: String) -> HDF5Error? {
    allUnreadable().first { error in error.object.map { path == $0 || path.hasPrefix($0 + "/") } ?? false }
  }

  private func collect(into result: inout [HDF5Dataset]) {
    result += datasets
    for group in groups { group.collect(into: &result) }
  }

  /// The attribute with that name; nil when there is none.
  public func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }
  }

  /// The group at a path relative to this one, such as "a/b"; this group itself for "" and "/".
  public func group(at path: String) -> HDF5Group? {
    path.split(separator: "/").reduce(self as HDF5Group?) { group, part in
      group?.groups.first { $0.name == part }
    }
  }

  /// The dataset at a path relative to this group, such as "a/b/kernel".
  public func dataset(at path: String) -> HDF5Dataset? {
    let parts = path.split(separator: "/")
    guard let name = parts.last else { return nil }
    return group(at: parts.dropLast().joined(separator: "/"))?.datasets.first { $0.name == name }
  }
}
