extension Pickle {
  /// A class or function that a pickle names.
  enum Global: Sendable, Equatable {
    /// `collections.OrderedDict` and the other dictionaries that are nothing more.
    case dictionary(Name)
    case list, tuple, set, bytes
    case rebuildTensor, rebuildTensorV2, rebuildTensorV3, rebuildParameter, rebuildFromType
    case rebuildFromCPU, loadFromBytes
    /// What builds a tensor that is not read, and what kind of tensor that is.
    case rebuildUnread(String)
    /// `torch.Tensor`, `torch.nn.parameter.Parameter`: completed from a state, as PyTorch before 0.4 wrote them.
    case tensorClass(Name)
    case size, device
    case storage(ElementType?)
    case dataType(ElementType)
    case encode
    case reconstructArray, arrayFromBuffer, numberScalar, numberType
    /// A name that stands for a numpy type: `ml_dtypes.bfloat16`.
    case namedNumberType(NumberType)
    case reconstructObject, attribute
    /// Everything else: it stays a name.
    case other(Name)
  }
}

extension Pickle.Global {
  /// - Parameters:
  ///   - module: as the pickle has it; Python 2's names are brought to Python 3's.
  init(module: String, name: String) {
    let module = ["__builtin__": "builtins", "copy_reg": "copyreg", "UserDict": "collections"][module] ?? module
    let full = Pickle.Name(module: module, name: name)
    switch (module, name) {
    case ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter"),
      ("builtins", "dict"):
      self = .dictionary(full)
    case ("builtins", "list"), ("collections", "deque"): self = .list
    case ("builtins", "tuple"): self = .tuple
    case ("builtins", "set"), ("builtins", "frozenset"): self = .set
    case ("builtins", "bytes"), ("builtins", "bytearray"): self = .bytes
    case ("builtins", "getattr"): self = .attribute
    case ("_codecs", "encode"): self = .encode
    case ("copyreg", "_reconstructor"): self = .reconstructObject
    case ("torch._utils", _): self = Self.rebuilding[name] ?? .other(full)
    case ("torch._tensor", "_rebuild_from_type_v2"): self = .rebuildFromType
    case ("torch.storage", "_load_from_bytes"): self = .loadFromBytes
    case ("torch.nn.parameter", "Parameter"), ("torch.nn.parameter", "Buffer"), ("torch", "Tensor"),
      ("torch.autograd.variable", "Variable"):
      self = .tensorClass(full)
    case ("torch", "Size"): self = .size
    case ("torch", "device"), ("torch.serialization", "_get_layout"): self = .device
    case ("torch", "UntypedStorage"), ("torch.storage", "UntypedStorage"): self = .storage(nil)
    case ("torch", _), ("torch.storage", _), ("torch.cuda", _): self = Self.torch(full)
    case ("numpy.core.multiarray", _), ("numpy._core.multiarray", _), ("numpy", "dtype"),
      ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"):
      self = Self.numpy[name] ?? .other(full)
    case ("ml_dtypes", "bfloat16"): self = .namedNumberType(.init(code: "bfloat16"))
    default: self = .other(full)
    }
  }

  private static let rebuilding: [String: Self] = [
    "_rebuild_tensor": .rebuildTensor, "_rebuild_tensor_v2": .rebuildTensorV2, "_rebuild_tensor_v3": .rebuildTensorV3,
    "_rebuild_parameter": .rebuildParameter, "_rebuild_parameter_with_state": .rebuildParameter,
    "_rebuild_device_tensor_from_numpy": .rebuildFromCPU, "_rebuild_xla_tensor": .rebuildFromCPU,
    "_rebuild_device_tensor_from_cpu_tensor": .rebuildFromCPU,
    "_rebuild_qtensor": .rebuildUnread("a quantized tensor"),
    "_rebuild_sparse_tensor": .rebuildUnread("a sparse tensor"),
    "_rebuild_sparse_csr_tensor": .rebuildUnread("a sparse tensor"),
    "_rebuild_nested_tensor": .rebuildUnread("a nested tensor"),
    "_rebuild_meta_tensor_no_storage": .rebuildUnread("a tensor on the meta device, which has no values"),
    "_rebuild_wrapper_subclass": .rebuildUnread("a tensor of a subclass that keeps its values elsewhere"),
  ]

  private static let numpy: [String: Self] = [
    "_reconstruct": .reconstructArray, "scalar": .numberScalar, "dtype": .numberType, "_frombuffer": .arrayFromBuffer,
  ]

  private static func torch(_ full: Pickle.Name) -> Self {
    if let type = Pickle.ElementType.storages[full.name] { return .storage(type) }
    if full.module == "torch", let type = Pickle.ElementType.types[full.name] { return .dataType(type) }
    if full.module != "torch.storage", full.name.hasSuffix("Tensor"),
      Pickle.ElementType.storages[full.name.dropLast(6) + "Storage"] != nil
    {
      return .tensorClass(full)
    }
    return .other(full)
  }
}

extension Pickle.Name {
  /// Whether only a file that means harm names it: what runs programs or code, opens files or connections. Nothing of any
  /// name is ever run here; a file with one of these is refused all the same, as no model needs it.
  var isHarmful: Bool {
    let path = full.split(separator: ".").map(String.init)
    if let first = path.first, Self.harmfulModules.contains(first) { return true }
    // Through a harmless module's own imports: `torch`, `os.system`.
    let inner = name.split(separator: ".").map(String.init)
    let ways = inner.dropLast()
    if ways.contains(where: { Self.harmfulModules.contains($0) || $0.hasPrefix("__") || $0 == "builtins" }) {
      return true
    }
    if inner.count > 1, inner.last?.hasPrefix("__") == true { return true }
    if module == "builtins" || module == "__builtin__" { return Self.harmfulFunctions.contains(inner.last ?? "") }
    return Self.harmfulNames.contains(full)
  }

  /// With all that lies below them. A project may well have a package called `code` or `signal`: those are in the names.
  private static let harmfulModules: Set<String> = [
    "os", "posix", "nt", "subprocess", "_posixsubprocess", "popen2", "pty", "sys", "shutil", "socket", "_socket",
    "ctypes",
    "_ctypes", "importlib", "imp", "_imp", "runpy", "marshal",
  ]

  private static let harmfulFunctions: Set<String> = [
    "eval", "exec", "execfile", "compile", "open", "file", "input", "raw_input", "__import__", "breakpoint", "apply",
    "setattr", "delattr", "globals", "locals", "vars", "reload",
  ]

  private static let harmfulNames: Set<String> = [
    "torch.load", "torch.serialization.load", "torch.jit.load", "torch.hub.load", "torch.hub.load_state_dict_from_url",
    "torch.hub.download_url_to_file", "torch.package.PackageImporter", "torch.ops.load_library",
    "torch.classes.load_library", "torch.utils.cpp_extension.load", "torch.utils.cpp_extension.load_inline",
    "torch.distributed.rpc.rpc_sync", "types.FunctionType", "types.CodeType", "io.open", "io.FileIO", "_io.open",
    "_io.FileIO", "numpy.load", "numpy.fromfile", "numpy.memmap", "numpy.testing._private.utils.runstring",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "_pickle.load", "_pickle.loads", "_pickle.Unpickler",
    "cPickle.loads", "dill.load", "dill.loads", "cloudpickle.loads", "commands.getoutput", "code.interact",
    "code.InteractiveInterpreter", "code.InteractiveConsole", "pdb.run", "pdb.Pdb", "bdb.Bdb", "cProfile.run",
    "profile.run", "timeit.timeit", "timeit.main", "doctest.debug_script", "pydoc.pipepager", "pip.main",
    "pip._internal.main", "webbrowser.open", "urllib.request.urlopen", "urllib.request.urlretrieve",
    "requests.api.get", "requests.get", "asyncio.create_subprocess_shell", "operator.methodcaller",
    "operator.attrgetter", "logging.config.listen", "multiprocessing.util.spawnv_passfds",
  ]
}
