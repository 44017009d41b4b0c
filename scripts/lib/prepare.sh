# Sourced by the other scripts: installs the system libraries HDF5 and zlib if they are missing.

prepare() {
  if ! command -v swift >/dev/null 2>&1; then
    echo "swift not found: install a Swift 6.1 (or newer) toolchain first, https://www.swift.org/install" >&2
    exit 69
  fi
  if pkg-config --exists hdf5 zlib 2>/dev/null; then return; fi
  case "$(uname -s)" in
    Darwin)
      command -v brew >/dev/null 2>&1 || { echo "libhdf5 is missing and there is no brew to install it with" >&2; exit 69; }
      brew install hdf5 pkg-config
      ;;
    *)
      local root=""
      [ "$(id -u)" = 0 ] || root=sudo
      if command -v apt-get >/dev/null 2>&1; then
        echo "installing libhdf5-dev, zlib1g-dev and pkg-config"
        $root apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq libhdf5-dev zlib1g-dev pkg-config >/dev/null
      else
        echo "install the development files of HDF5 and zlib, and pkg-config, with your package manager" >&2
        exit 69
      fi
      ;;
  esac
}
