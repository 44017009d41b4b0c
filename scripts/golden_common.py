"""Shared by the generators of golden test data: seeding, writing HDF5, and a summary of the files written.

Every generator is deterministic: one thread, torch's deterministic algorithms, its own seed.
Run it with any Python that has torch, numpy and h5py; it writes to fixtures/ by default.
"""

import argparse
import pathlib
import sys
import zlib

import h5py
import numpy as np
import torch

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"


def arguments(description, folder, add=None):
    """Parse the common flags: --out (a folder) and --threads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=FIXTURES / folder, help="the folder to write to")
    if add:
        add(parser)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def deterministic():
    """One thread and deterministic algorithms, so that a second run gives the same tensors."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def seed_for(name):
    """A stable seed for a case, from its name (Python's hash() is salted; crc32 is not)."""
    return zlib.crc32(name.encode())


def seed(name):
    torch.manual_seed(seed_for(name))


def array(value):
    """A contiguous numpy array of a tensor, an array, a list or a scalar."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous().numpy()
    return np.asarray(value, order="C")


def put(group, name, value, compress=False):
    """Write one dataset: contiguous or, if requested and large enough, compressed with gzip."""
    data = array(value)
    if compress and data.size >= 256:
        group.create_dataset(name, data=data, compression="gzip", compression_opts=9, shuffle=True)
    else:
        group.create_dataset(name, data=data)


def put_all(group, tensors, compress=False):
    for name, value in tensors.items():
        put(group, name, value, compress)


def create(path):
    """A new HDF5 file in the default format (no creation times are stored)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return h5py.File(path, "w")


def state_of(module, prefix=""):
    """A detached copy of a module's state_dict, under a prefix."""
    return {prefix + name: value.detach().clone() for name, value in module.state_dict().items()}


def summary(folder, pattern="*.h5", limit=1_500_000):
    """Print every file with its size; fail if one is too large for a fixture."""
    total, large = 0, []
    for path in sorted(folder.glob(pattern)):
        size = path.stat().st_size
        total += size
        if size > limit:
            large.append(path.name)
        print(f"  {path.name:<44} {size:>9,} bytes")
    print(f"  {len(list(folder.glob(pattern)))} files, {total:,} bytes in {folder.name}/")
    if large:
        sys.exit(f"error: too large for a fixture: {', '.join(large)}")
