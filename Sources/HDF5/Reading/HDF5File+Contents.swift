extension HDF5File {
  /// Lists all groups, datasets and attributes of the file; the datasets' data is not read.
  /// - Throws: ``HDF5Error`` with the object that is damaged, refused or beyond a limit. An unsupported
  ///   datatype is no error here: the dataset is listed, and reading it throws.
  public func contents() throws(HDF5Error) -> HDF5Group {
    try withOpenFile { open throws(HDF5Error) in
      try Library.locked { () throws(HDF5Error) in
        var walker = try Walker(self, open)
        return try walker.root()
      }
    }
  }
}
