extension HDF5File {
  /// Lists all groups, datasets and attributes of the file; the datasets' data is not read.
  ///
  /// A damaged, foreign or refused object is listed in ``HDF5Group/unreadable`` of its group, with its reason, and all
  /// others are read. An unsupported datatype or filter is no error here: the dataset is listed, and reading it throws.
  /// - Throws: ``HDF5Error`` when the root cannot be read, or the file is beyond a limit as a whole.
  public func contents() throws(HDF5Error) -> HDF5Group {
    var root = try withOpenFile { open throws(HDF5Error) in try Walker(self, open).contents() }
    root.unreadable += leftOut
    root.refuseOverlaps()
    return root
  }
}
