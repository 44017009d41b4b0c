#!/usr/bin/env python3
"""Writes fixtures/hdf5-reader: small files by h5py in every form that the format knows for the same contents.

Needs h5py and numpy. Run from anywhere. The files are committed, and expected.json has what h5py reads from the
datasets, so the tests do not need Python.
"""

import base64
import ctypes
import json
import os

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "hdf5-reader")
os.makedirs(OUT, exist_ok=True)
expected = {}
LIBRARY = ctypes.CDLL(next(
    line.split()[-1] for line in open("/proc/self/maps") if "libhdf5" in line and "_hl" not in line.split()[-1]))


def numbers(shape, dtype="<f4"):
    return (np.arange(int(np.prod(shape)), dtype="f8").reshape(shape) * 0.75 - 3).astype(dtype)


def describe(name):
    found = {}

    def visit(path, item):
        # Read by libhdf5 alone.
        if path in ("scale-offset", "n-bit", "szip", "wide") or path.startswith("lstm/weight") and "library" in name:
            return
        if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "fiu":
            return
        if path in ("bfloat16", "e4m3", "e5m2", "enum"):
            return
        plist = item.id.get_create_plist()
        if any(plist.get_filter(index)[0] == 32015 for index in range(plist.get_nfilters())):
            return
        value = np.asarray(item[()])
        if value.nbytes > 100_000:
            return
        little = value.astype(value.dtype.newbyteorder("<"))
        found["/" + path] = {"shape": list(item.shape), "bytes": base64.b64encode(little.tobytes()).decode()}

    with h5py.File(os.path.join(OUT, name), "r") as f:
        f.visititems(visit)
    expected[name] = found


def chunks(f):
    """Every kind of index, filtered and not, at its edges, grown, shrunk and with holes."""
    for filtered in (False, True):
        extra = {"compression": "gzip", "shuffle": True} if filtered else {}
        end = "-gzip" if filtered else ""
        f.create_dataset("single" + end, data=numbers((5, 6)), chunks=(5, 6), **extra)
        f.create_dataset("fixed" + end, data=numbers((7, 9)), chunks=(2, 4), **extra)
        f.create_dataset("may-grow" + end, data=numbers((7, 9)), chunks=(2, 4), maxshape=(20, 11), **extra)
        f.create_dataset("first" + end, data=numbers((7, 9)), chunks=(2, 4), maxshape=(None, 9), **extra)
        f.create_dataset("second" + end, data=numbers((7, 9)), chunks=(2, 4), maxshape=(7, None), **extra)
        f.create_dataset("both" + end, data=numbers((7, 9)), chunks=(2, 4), maxshape=(None, None), **extra)
        for kind, most in (("fixed", (60,)), ("extensible", (None,)), ("tree", (None, None))):
            d = f.create_dataset(
                "changed-" + kind + end, (40,) if len(most) == 1 else (40, 3), "<f4", maxshape=most,
                chunks=(3,) if len(most) == 1 else (3, 2), fillvalue=7, **extra)
            d[10:20] = 1.5
            d.resize(12, axis=0)
            d.resize(31, axis=0)
            d[30:31] = 2.5
    f.create_dataset("lzf", data=np.repeat(numbers((12, 9)), 5, axis=0), chunks=(16, 9), compression="lzf")
    f.create_dataset("checked", data=numbers((9, 5)), chunks=(4, 5), fletcher32=True, compression="gzip", shuffle=True)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((2, 4))
    plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    implicit = h5d.create(f.id, b"implicit", h5t.IEEE_F32LE, h5s.create_simple((7, 9)), plist)
    implicit.write(h5s.ALL, h5s.ALL, numbers((7, 9)))


def many_chunks(count):
    """More chunks than a node, a block or a page of an index holds."""

    def fill(f):
        f.create_dataset("fixed", data=numbers((count,), "<i2"), chunks=(1,), maxshape=(count + 900,))
        f.create_dataset("extensible", data=numbers((count // 2,), "<i2"), chunks=(1,), maxshape=(None,))
        f.create_dataset("tree", data=numbers((count // 20, 8), "<i2"), chunks=(1, 1), maxshape=(None, None))
        if count > 1024:
            far = f.create_dataset("far", (200_000,), "u1", chunks=(1,), maxshape=(None,))
            far[150_000:150_004] = 5
            far[199_999] = 6

    return fill


def types(f):
    for order in "<>":
        for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8"):
            f.create_dataset(("big-" if order == ">" else "") + kind, data=(numbers((3,)) + 9).astype(order + kind))
    f.create_dataset("i1", data=np.array([-1, 2], "i1"))
    f.create_dataset("flags", data=np.array([True, False, True]))
    f.create_dataset("enum", data=np.array([1, 2], "i1"), dtype=h5py.enum_dtype({"A": 1, "B": 2}, basetype="i1"))
    f.create_dataset("texts", data=np.array(["a", "", "grün" * 20], dtype=object), dtype=h5py.string_dtype())
    f.create_dataset("fixed-texts", data=np.array(["ab", "c"], "S5"))
    f.create_dataset("opaque", data=np.void(b"abcdefgh"))
    f.create_dataset("compound", data=np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]))
    f.create_dataset("reference", (1,), dtype=h5py.ref_dtype)
    f.create_dataset("sequence", (1,), dtype=h5py.vlen_dtype("f4"))
    f.create_dataset("empty", data=h5py.Empty("f4"))
    f.create_dataset("none", (0, 3), "f4")
    f.create_dataset("scalar", data=np.float32(2.5))
    f["named"] = np.dtype(">f4")
    f.create_dataset("committed", data=[1, 2.5], dtype=f["named"])
    f.attrs.create("committed", np.float32(1.5), dtype=f["named"])
    for name, fields, size, bias in (
        ("bfloat16", (15, 7, 8, 0, 7), 2, 127), ("e4m3", (7, 3, 4, 0, 3), 1, 7), ("e5m2", (7, 2, 5, 0, 2), 1, 15),
    ):
        kind = h5t.IEEE_F32LE.copy()
        kind.set_fields(*fields)
        kind.set_size(size)
        kind.set_ebias(bias)
        d = h5d.create(f.id, name.encode(), kind, h5s.create_simple((3,)))
        d.write(h5s.ALL, h5s.ALL, np.array([1, -0.5, 3], "f4"), mtype=h5t.NATIVE_FLOAT)


def many(f):
    """Links and attributes that do not fit in a header any more."""
    group = f.create_group("many")
    for index in range(150):
        group.create_dataset(f"w{index:03}", data=np.float32(index))
    del group["w100"]
    few = f.create_group("few")
    for name in ("zeta", "alpha", "é"):
        few.create_dataset(name, data=np.float32(1))
    long = f.create_group("long")
    long.create_dataset("n" * 5000, data=np.float32(2))
    for index in range(20):
        long.create_dataset(f"beside{index}", data=np.float32(index))
    for index in range(60):
        few.attrs[f"a{index:02}"] = index
    few.attrs["long"] = "x" * 9000
    few.attrs["texts"] = ["a", "bc", "é" * 300]
    few["zeta"].attrs["one"] = 1.5
    f["soft"] = h5py.SoftLink("/few/alpha")
    f["soft-group"] = h5py.SoftLink("few")
    f["nowhere"] = h5py.SoftLink("/none")
    f["outside"] = h5py.ExternalLink("other.h5", "/a")
    f["second-name"] = few


def foreign(group, name, count):
    """A dataset that a filter compressed which nobody has here."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((count,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    made = h5d.create(group.id, name.encode(), h5t.IEEE_F32LE, h5s.create_simple((count,)), plist)
    made.write_direct_chunk((0,), b"compressed")


def model(is_beside):
    """An LSTM with what no weight needs, or with a bias that cannot be read."""

    def fill(f):
        lstm = f.create_group("lstm")
        for part, shape in (("weight_ih_l0", (16, 3)), ("weight_hh_l0", (16, 4)), ("bias_ih_l0", (16,)), ("bias_hh_l0", (16,))):
            lstm.create_dataset(part, data=numbers(shape))
        f.create_group("fc").create_dataset("weight", data=numbers((2, 4)))
        f["gone"] = h5py.SoftLink("/nowhere")
        if is_beside:
            foreign(f["fc"], "bias", 2)
        else:
            f["fc"].create_dataset("bias", data=numbers((2,)))
            foreign(f.create_group("history"), "loss", 100)

    return fill


def make(name, *fill, **options):
    # Of the groups within the file, too.
    h5py.get_config().track_order = options.get("track_order", False)
    with h5py.File(os.path.join(OUT, name), "w", **options) as f:
        for part in fill:
            part(f)
    describe(name)


for low in ("earliest", "v108", "latest"):
    versions = (low, "latest") if low != "latest" else "latest"
    make(f"types-{low}.h5", types, libver=versions)
    if low != "v108":
        make(f"chunks-{low}.h5", chunks, libver=versions)
        make(f"many-{low}.h5", many, libver=versions)
make("many-ordered.h5", many, libver="latest", track_order=True)
make("many-chunks-old.h5", many_chunks(300), libver="earliest")
make("many-chunks-new.h5", many_chunks(2100), libver="latest")
make("unneeded.h5", model(False))
make("beside.h5", model(True))
make("user-block.h5", types, libver="latest", userblock_size=1024)

for offset, length in ((4, 4), (8, 4), (4, 8), (2, 2)):
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_sizes(offset, length)
    name = f"widths-{offset}-{length}.h5"
    with h5py.File(h5py.h5f.create(os.path.join(OUT, name).encode(), h5py.h5f.ACC_TRUNC, creation)) as f:
        f.create_dataset("w", data=numbers((4, 5)), chunks=(2, 5), compression="gzip")
        f.create_dataset("texts", data=np.array(["a", "grün"], dtype=object), dtype=h5py.string_dtype())
        f.create_group("g").create_dataset("b", data=numbers((3,)))
        f["g"].attrs["text"] = "here"
    describe(name)

for most in (50, 0):
    # Shared messages, for which h5py has no call: in a list, and in a B-tree.
    creation = h5p.create(h5p.FILE_CREATE)
    LIBRARY.H5Pset_shared_mesg_nindexes(ctypes.c_int64(creation.id), 2)
    for index, kinds in enumerate((0x01 | 0x02 | 0x04 | 0x08, 0x10)):
        LIBRARY.H5Pset_shared_mesg_index(ctypes.c_int64(creation.id), index, kinds, 1)
    LIBRARY.H5Pset_shared_mesg_phase_change(ctypes.c_int64(creation.id), most, 0)
    name = "shared-list.h5" if most else "shared-tree.h5"
    with h5py.File(h5py.h5f.create(os.path.join(OUT, name).encode(), h5py.h5f.ACC_TRUNC, creation)) as f:
        for index in range(4):
            d = f.create_dataset(
                f"w{index}", data=numbers((4, 5)), chunks=(3, 2), fillvalue=7, compression="gzip", maxshape=(9, 5))
            d.resize((6, 5))
            d.attrs["same"] = "text of all"
            d.attrs["numbers"] = np.arange(6, dtype=">i4")
        f.attrs["same"] = "text of all"
    describe(name)

def library(f):
    """An LSTM, and numbers, as only libhdf5 reads them."""
    lstm = f.create_group("lstm")
    for part, shape in (("weight_ih_l0", (16, 3)), ("weight_hh_l0", (16, 4))):
        lstm.create_dataset(part, data=numbers(shape), chunks=shape, scaleoffset=3)
    for part in ("bias_ih_l0", "bias_hh_l0"):
        lstm.create_dataset(part, data=numbers((16,)))
    f.create_dataset("scale-offset", data=np.arange(20, dtype="<i4").reshape(4, 5), chunks=(2, 5), scaleoffset=0)
    f.create_dataset("szip", data=np.arange(64, dtype="<f4"), chunks=(64,), compression="szip")
    narrow = h5t.STD_I32LE.copy()
    narrow.set_precision(20)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((5,))
    LIBRARY.H5Pset_nbit(ctypes.c_int64(plist.id))
    nbit = h5d.create(f.id, b"n-bit", narrow, h5s.create_simple((20,)), plist)
    nbit.write(h5s.ALL, h5s.ALL, np.arange(-10, 10, dtype="i4"))
    wide = h5t.STD_I64BE.copy()
    wide.set_size(3)
    wide.set_precision(24)
    h5d.create(f.id, b"wide", wide, h5s.create_simple((3,))).write(h5s.ALL, h5s.ALL, np.array([-1, 70000, 5], "i8"))
    f["words"] = ["a", "grün"]
    f.attrs["text"] = "here"
    f.attrs["flags"] = np.array([True, False])
    f["soft"] = h5py.SoftLink("/words")


make("library.h5", library)

with open(os.path.join(OUT, "expected.json"), "w") as f:
    json.dump(expected, f, indent=1, sort_keys=True)
    f.write("\n")
print(len(expected), "files", sum(os.path.getsize(os.path.join(OUT, n)) for n in os.listdir(OUT)), "bytes")
