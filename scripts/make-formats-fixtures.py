#!/usr/bin/env python3
"""Writes fixtures/formats/: small npy, npz, zip and csv files by numpy, Python's zipfile and (if present) torch.

Run from anywhere: python scripts/make-formats-fixtures.py
The values are functions of the index, so the tests can compute them.
"""
import io
import pathlib
import zipfile

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "formats"
OUT.mkdir(parents=True, exist_ok=True)


def ramp(dtype, shape=(2, 3, 4)):
    """0, 1, 2, ... in C order; halves added to floats, every other one negated where signed."""
    dtype = np.dtype(dtype)
    a = np.arange(int(np.prod(shape)))
    if dtype.kind == "b":
        return (a % 2 == 1).reshape(shape)
    a = a.astype(np.float64)
    if dtype.kind == "f":
        a = a + 0.5
    if dtype.kind in "fi":
        a = np.where(a.astype(int) % 2 == 1, -a, a)
    return a.astype(dtype).reshape(shape)


for descr in ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "|i1", "<i2", "<i4", "<i8", ">i2", ">i4", ">i8",
              "|u1", "<u2", "<u4", "<u8", ">u4", ">u8", "|b1"]:
    name = descr.replace("<", "le-").replace(">", "be-").replace("|", "b-")
    np.save(OUT / f"{name}.npy", ramp(descr))
np.save(OUT / "fortran.npy", np.asfortranarray(ramp("<f4")))
np.save(OUT / "fortran-be.npy", np.asfortranarray(ramp(">f8", (3, 5))))
np.save(OUT / "scalar.npy", np.float32(2.5))
np.save(OUT / "vector.npy", ramp("<f4", (7,)))
np.save(OUT / "empty.npy", np.zeros((0, 3), "<f4"))
for version in [(2, 0), (3, 0)]:
    with open(OUT / f"version{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, ramp("<f4"), version=version)
with open(OUT / "object.npy", "wb") as f:
    np.save(f, np.array([{"a": 1}], dtype=object), allow_pickle=True)
np.save(OUT / "structured.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
np.save(OUT / "complex.npy", np.zeros(2, "<c8"))
np.save(OUT / "text.npy", np.array(["ab", "c"]))

weights = {"weight": ramp("<f4", (8, 3)), "bias": ramp("<f8", (8,)), "half": ramp("<f2", (4,))}
with open(OUT / "stored.npz", "wb") as f:
    np.savez(f, **weights)
with open(OUT / "deflated.npz", "wb") as f:
    np.savez_compressed(f, **weights)
with zipfile.ZipFile(OUT / "zeros.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    z.writestr(zipfile.ZipInfo("zeros"), bytes(400_000), zipfile.ZIP_DEFLATED)


class Pipe(io.RawIOBase):
    """A file without seeking, so that zipfile writes data descriptors."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, b):
        self.data += bytes(b)
        return len(b)


pipe = Pipe()
with zipfile.ZipFile(pipe, "w") as z:
    z.writestr(zipfile.ZipInfo("stored.txt"), b"streamed and stored")
    deflated = zipfile.ZipInfo("deflated.txt")
    deflated.compress_type = zipfile.ZIP_DEFLATED
    z.writestr(deflated, b"streamed and deflated " * 20)
    with z.open(zipfile.ZipInfo("wide.txt"), "w", force_zip64=True) as f:
        f.write(b"streamed with zip64 sizes")
(OUT / "descriptor.zip").write_bytes(pipe.data)

try:
    import torch
except ImportError:
    print("no torch: torch.pt and torch-nocrc.pt kept as they are")
else:
    state = {"w": torch.arange(6, dtype=torch.float32).reshape(2, 3)}
    torch.save(state, OUT / "torch.pt")
    torch.serialization.set_crc32_options(False)
    torch.save(state, OUT / "torch-nocrc.pt")
    torch.serialization.set_crc32_options(True)
