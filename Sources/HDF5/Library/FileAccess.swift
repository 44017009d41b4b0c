#if HDF5Writing
  import CHDF5

  /// File access property lists with an explicit driver, and a close that fails while objects are open.
  enum FileAccess {
    static func make(_ call: Call) throws(HDF5Error) -> Handle<PropertyListKind> {
      let failed = "the HDF5 library does not accept its settings"
      let access = try call.handle(PropertyListKind.self, H5Pcreate(chdf5_class_file_access()), failed, .io)
      try call.check(H5Pset_fapl_sec2(access.id), failed, .io)
      try call.check(H5Pset_fclose_degree(access.id, H5F_CLOSE_SEMI), failed, .io)
      return access
    }
  }
#endif
