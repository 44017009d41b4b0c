extension HDF5File {
  /// Lists the whole file: groups, datasets and attributes. No dataset's data is read.
  /// - Throws: ``HDF5Error`` naming the object that is damaged, refused or beyond a limit. An unsupported
  ///   datatype is not an error here: the dataset is listed, and reading it throws.
  public func contents() throws(HDF5Error) -> HDF5Group {
    try withOpenFile { open throws(HDF5Error) in
      try Library.locked { () throws(HDF5Error) in
        var walker = try Walker(self, open)
        return try walker.root()
      }
    }
  }
}
