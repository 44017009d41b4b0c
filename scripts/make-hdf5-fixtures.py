#!/usr/bin/env python3
"""Writes fixtures/hdf5: small valid and hostile files by h5py, and expected.json with the contents of the valid ones.

Needs h5py and numpy. Run from anywhere. The files are committed, so the tests do not need Python.
"""

import base64
import json
import os
import zlib

import h5py
import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "hdf5")
random = np.random.default_rng(7)
expected = {}


def path(name):
    return os.path.join(OUT, name)


def base(dtype):
    return {"float": "float", "int": "int", "uint": "uint", "bool": "bool"}[dtype.name.rstrip("0123456789")]


def describe(name, bfloat16=()):
    """Every dataset of a valid file, as h5py reads it."""
    datasets = []

    def visit(group, prefix):
        for key in group:
            item, where = group[key], prefix + "/" + key
            if isinstance(item, h5py.Group):
                continue
            entry = {"path": where, "shape": list(item.shape)}
            if h5py.check_string_dtype(item.dtype):
                value = np.asarray(item.asstr()[()]).reshape(-1).tolist()
                entry |= {"type": "string", "strings": value}
            elif where in bfloat16:
                entry |= {"type": "bfloat16", "bytes": bfloat16[where]}
            else:
                value = item[()]
                little = np.asarray(value).astype(item.dtype.newbyteorder("<"))
                entry |= {
                    "type": item.dtype.name,
                    "bytes": base64.b64encode(little.tobytes()).decode(),
                    "bigEndian": item.dtype.byteorder == ">",
                }
            datasets.append(entry)
        for key in group:
            if isinstance(group[key], h5py.Group):
                visit(group[key], prefix + "/" + key)

    with h5py.File(path(name), "r") as f:
        visit(f, "")
    expected[name] = datasets


def good():
    with h5py.File(path("scalars.h5"), "w") as f:
        for order in "<>":
            side = "little" if order == "<" else "big"
            for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
                values = random.integers(0, 100, (3, 5)) if kind[0] != "f" else random.standard_normal((3, 5))
                f.create_dataset(f"{side}/{kind}", data=values.astype(order + kind))
        f["bool"] = np.array([[True, False, True], [False, False, True]])
        f["scalar"] = np.float32(1.5)
        f["one"] = np.array([0], "f4")
        f["empty"] = np.zeros((0, 4), "f4")
        f["rank4"] = random.standard_normal((2, 3, 4, 5)).astype("f4")
        f["odd"] = random.standard_normal((7, 129)).astype("f8")
    describe("scalars.h5")

    # Before 2.0, HDF5 has no bfloat16 type: it is a float with other fields.
    bits = (random.standard_normal(12).astype("f4").view("u4") >> 16).astype("u2")
    for order in "<>":
        name = "bfloat16.h5" if order == "<" else "bfloat16-big.h5"
        with h5py.File(path(name), "w") as f:
            kind = h5py.h5t.IEEE_F32LE.copy() if order == "<" else h5py.h5t.IEEE_F32BE.copy()
            kind.set_fields(15, 7, 8, 0, 7)
            kind.set_size(2)
            kind.set_ebias(127)
            space = h5py.h5s.create_simple((3, 4))
            # As integers of the same width, the bits are written unconverted, in the file's own type.
            d = h5py.h5d.create(f.id, b"weight", kind, space)
            d.write(h5py.h5s.ALL, h5py.h5s.ALL, bits.astype(order + "u2").reshape(3, 4), mtype=kind)
        describe(name, {"/weight": base64.b64encode(bits.astype("<u2").tobytes()).decode()})

    with h5py.File(path("chunked.h5"), "w") as f:
        a = random.standard_normal((10, 13)).astype("f4")
        a[:5] = 0
        f.create_dataset("plain", data=a, chunks=(4, 5))
        f.create_dataset("gzip", data=a, chunks=(4, 5), compression="gzip", compression_opts=9)
        f.create_dataset("shuffle", data=a, chunks=(4, 5), shuffle=True)
        f.create_dataset("fletcher32", data=a, chunks=(4, 5), fletcher32=True)
        f.create_dataset("all", data=a.astype(">f8"), chunks=(4, 5), compression="gzip", shuffle=True, fletcher32=True)
        f.create_dataset("odd-bytes", data=np.arange(11, dtype="u1"), chunks=(3,), fletcher32=True, compression="gzip")
        d = f.create_dataset("growing", (3, 7), maxshape=(None, 7), chunks=(8, 2), dtype="i2", compression="gzip")
        d[...] = np.arange(21).reshape(3, 7)
        d = f.create_dataset("sparse", (9, 9), chunks=(4, 4), dtype="f4", fillvalue=2.5)
        d[0:4, 4:8] = 1
        d = f.create_dataset("big-fill", (5,), dtype=">i4", fillvalue=258)
        f.create_dataset("never", (5,), dtype="f4")
        # A chunk whose filter mask says that deflate was skipped.
        d = f.create_dataset("masked", (4, 4), chunks=(2, 4), dtype="f4", compression="gzip", shuffle=True)
        d[...] = a[6:10, :4]
        raw = np.ascontiguousarray(a[6:8, :4]).view("u1").reshape(-1, 4).T.tobytes()
        d.id.write_direct_chunk((0, 0), raw, filter_mask=2)
    describe("chunked.h5")

    # Not "latest": from HDF5 2.0 on, older releases cannot read that layout.
    with h5py.File(path("latest-chunked.h5"), "w", libver=("v110", "v110")) as f:
        a = np.arange(63, dtype="f4").reshape(7, 9)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4, 4))
        plist.set_deflate(6)
        if hasattr(plist, "set_chunk_opts"):
            plist.set_chunk_opts(2)
        d = h5py.h5d.create(f.id, b"fixed-array", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((7, 9)), plist)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, a)
        f.create_dataset("extensible", data=a, chunks=(4, 4), maxshape=(None, 9), compression="gzip", fletcher32=True)
        f.create_dataset("btree2", data=a, chunks=(4, 4), maxshape=(None, None), shuffle=True)
        f.create_dataset("single", data=a, chunks=(7, 9), compression="gzip")
    describe("latest-chunked.h5")

    with h5py.File(path("user-block.h5"), "w", userblock_size=512) as f:
        f["a/b"] = random.standard_normal((4, 3)).astype("f4")
        f.create_dataset("a/c", data=np.arange(10, dtype=">i4"), chunks=(4,), compression="gzip")
    with open(path("user-block.h5"), "r+b") as f:
        f.write(b"This text stands in the user block.\n")
    describe("user-block.h5")

    with h5py.File(path("ordered.h5"), "w", track_order=True) as f:
        for key in ("zeta", "alpha", "mid"):
            f.create_dataset(key, data=np.float32([1, 2]))
        group = f.create_group("weights", track_order=True)
        for key in ("w2", "w1", "w10"):
            group[key] = np.float32([3])
        for index in (3, 1, 2):
            f.attrs[f"attribute{index}"] = index
    describe("ordered.h5")

    with h5py.File(path("strings.h5"), "w") as f:
        f["fixed"] = np.array([b"ab", b"", b"longer"], "S6")
        utf8 = h5py.string_dtype("utf-8", 8)
        f.create_dataset("fixed-utf8", data=np.array(["gr\u00fcn".encode(), b"x"], dtype=utf8), dtype=utf8)
        f.create_dataset("variable", data=["one", "", "\u65e5\u672c\u8a9e", "x" * 1000], dtype=h5py.string_dtype())
        f.create_dataset("ascii", data=["one", "two"], dtype=h5py.string_dtype("ascii"))
        f.create_dataset("compressed", data=["a", "bb", "ccc"], dtype=h5py.string_dtype(), chunks=(2,), compression="gzip")
        f["scalar"] = "just one"
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(5)
        kind.set_strpad(h5py.h5t.STR_SPACEPAD)
        d = h5py.h5d.create(f.id, b"spaces", kind, h5py.h5s.create_simple((2,)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([b"ab   ", b"cde  "], "S5"), mtype=kind)
    describe("strings.h5")
    for entry in expected["strings.h5"]:
        if entry["path"] == "/spaces":
            entry["strings"] = ["ab", "cde"]

    with h5py.File(path("compact.h5"), "w") as f:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        d = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32BE, h5py.h5s.create_simple((2, 3)), plist)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(6, dtype="f4").reshape(2, 3))
    describe("compact.h5")

    with h5py.File(path("keras-like.h5"), "w") as f:
        f.attrs["layer_names"] = np.array([b"lstm", b"dense"])
        f.attrs["keras_version"] = "2.15.0"
        cell = f.create_group("lstm/lstm/lstm_cell")
        cell["kernel:0"] = random.standard_normal((3, 8)).astype("f4")
        cell["recurrent_kernel:0"] = random.standard_normal((2, 8)).astype("f4")
        f["lstm"].attrs["weight_names"] = np.array([b"lstm/lstm_cell/kernel:0", b"lstm/lstm_cell/recurrent_kernel:0"])
        f["dense/kernel:0"] = random.standard_normal((2, 1)).astype("f4")
    describe("keras-like.h5")

    with h5py.File(path("attributes.h5"), "w") as f:
        f.attrs["text"] = "gr\u00fcn"
        f.attrs["ascii"] = np.bytes_("abc")
        f.attrs["texts"] = ["a", "bc", ""]
        f.attrs["int"] = 42
        f.attrs["ints"] = np.array([[1, -2], [3, 4]], "i2")
        f.attrs["big-ints"] = np.array([258, -2], ">i4")
        f.attrs["unsigned"] = np.uint64(2**63 + 1)
        f.attrs["half"] = np.array([1.5, -0.25, 6e-8, np.inf], "f2")
        f.attrs["single"] = np.float32(0.1)
        f.attrs["double"] = np.array([0.1, 1e300])
        f.attrs["flag"] = True
        f.attrs["flags"] = np.array([True, False])
        f.attrs["null"] = h5py.Empty("f4")
        f.attrs["compound"] = np.zeros((), dtype=[("a", "i4"), ("b", "f4")])
        f.attrs["long"] = "x" * 70_000
        f.attrs["latin1"] = np.bytes_(b"caf\xe9")

    with h5py.File(path("unsupported.h5"), "w") as f:
        f["compound"] = np.zeros(3, dtype=[("a", "i4"), ("b", "f4")])
        f.create_dataset("vlen-float", (2,), dtype=h5py.vlen_dtype("f4"))
        f.create_dataset("reference", (1,), dtype=h5py.ref_dtype)
        f["opaque"] = np.zeros(2, "V3")
        f.create_dataset("array", (2,), dtype=np.dtype(("f4", (3,))))
        f["complex"] = np.zeros(2, "c8")
        f.create_dataset("enum", data=np.array([0, 5], "i4"), dtype=h5py.enum_dtype({"A": 0, "B": 5}, basetype="i4"))
        f["named"] = np.dtype("f4")
        f["fine"] = np.float32([1, 2])


def hostile():
    with h5py.File(path("external-link.h5"), "w") as f:
        f["lstm/fine"] = np.float32([1])
        f["lstm/passwd"] = h5py.ExternalLink("/etc/passwd", "/")
    with h5py.File(path("soft-cycle.h5"), "w") as f:
        f["a"] = h5py.SoftLink("/b")
        f["b"] = h5py.SoftLink("/a")
    with h5py.File(path("hard-cycle.h5"), "w") as f:
        f["a/weight"] = np.float32([1, 2])
        f["a/root"] = f["/"]
        f["a/again"] = f["a"]
        f["b"] = f["a"]
        f["second-name"] = f["a/weight"]
    with h5py.File(path("virtual.h5"), "w") as f:
        layout = h5py.VirtualLayout((4,), "f4", maxshape=(None,))
        layout[:4] = h5py.VirtualSource("elsewhere.h5", "x", shape=(4,))
        f.create_virtual_dataset("v", layout)
    with h5py.File(path("external-storage.h5"), "w") as f:
        f.create_dataset("stolen", (16,), "u1", external=[("/etc/passwd", 0, 16)])
    with h5py.File(path("foreign-filter.h5"), "w") as f:
        # A number of HDF5's registry; the chunk is what such a filter could have made.
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((64,))
        plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        x = h5py.h5d.create(f.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((64,)), plist)
        x.write_direct_chunk((0,), b"compressed")
        f.create_dataset("fine", data=np.ones(2, "f4"))
    with h5py.File(path("huge-shape.h5"), "w") as f:
        f.create_dataset("w", (50_000_000, 50_000_000), "f4", chunks=(1024, 1024))
    with h5py.File(path("huge-contiguous.h5"), "w") as f:
        f.create_dataset("w", (50_000_000, 50_000_000), "f4")
    with h5py.File(path("many-chunks.h5"), "w") as f:
        f.create_dataset("w", (1 << 30,), "u1", chunks=(1,))
    with h5py.File(path("unwritten.h5"), "w", libver="latest") as f:
        for index in range(10):
            d = f.create_dataset(f"w{index}", (10, 90_000), "u1", chunks=(1, 1), maxshape=(None, None), fillvalue=7)
            d[3, 5 + index] = 1
    with h5py.File(path("deflate-bomb.h5"), "w") as f:
        d = f.create_dataset("w", (1024,), "f4", chunks=(1024,), compression="gzip")
        d.id.write_direct_chunk((0,), zlib.compress(bytes(522 * 1024), 9))
        d = f.create_dataset("short", (1024,), "f4", chunks=(1024,), compression="gzip")
        d.id.write_direct_chunk((0,), zlib.compress(bytes(4095), 9))
        d = f.create_dataset("tiny-for-huge", (1 << 29,), "f4", maxshape=(None,), chunks=(1 << 29,), compression="gzip")
        d.id.write_direct_chunk((0,), zlib.compress(bytes(64), 9))
        d = f.create_dataset("raw-short", (1024,), "f4", chunks=(1024,), compression="gzip")
        d.id.write_direct_chunk((0,), bytes(100), filter_mask=1)
        d = f.create_dataset("strings", (4,), h5py.string_dtype(), chunks=(4,), compression="gzip")
        d.id.write_direct_chunk((0,), zlib.compress(bytes(522 * 1024), 9))
    with h5py.File(path("flipped-checksum.h5"), "w") as f:
        d = f.create_dataset("w", data=np.arange(64, dtype="f4"), chunks=(64,), fletcher32=True)
        where = d.id.get_chunk_info(0).byte_offset
    with open(path("flipped-checksum.h5"), "r+b") as f:
        f.seek(where + 17)
        byte = f.read(1)[0]
        f.seek(where + 17)
        f.write(bytes([byte ^ 0x10]))
    with h5py.File(path("past-end.h5"), "w") as f:
        d = f.create_dataset("w", data=np.arange(64, dtype="f4"))
        where = d.id.get_offset()
    data = open(path("past-end.h5"), "rb").read()
    size = (256).to_bytes(8, "little")
    assert data.count(where.to_bytes(8, "little") + size) == 1
    data = data.replace(where.to_bytes(8, "little") + size, (len(data) - 8).to_bytes(8, "little") + size)
    open(path("past-end.h5"), "wb").write(data)
    with h5py.File(path("overlap.h5"), "w") as f:
        places = [f.create_dataset(n, data=np.arange(8, dtype="f4")).id.get_offset() for n in "abc"]
        f["again"] = f["c"]
    data = open(path("overlap.h5"), "rb").read()
    size = (32).to_bytes(8, "little")
    assert data.count(places[1].to_bytes(8, "little") + size) == 1
    data = data.replace(places[1].to_bytes(8, "little") + size, (places[0] + 28).to_bytes(8, "little") + size)
    open(path("overlap.h5"), "wb").write(data)
    with h5py.File(path("deep.h5"), "w", libver="latest") as f:
        f.create_group("/".join(["g"] * 80))
    with h5py.File(path("bad-name.h5"), "w") as f:
        f.create_dataset(b"caf\xe9", data=np.float32([1]))
    with h5py.File(path("long-strings.h5"), "w") as f:
        f.create_dataset("text", data=["z" * 1000] * 16, dtype=h5py.string_dtype())
    with h5py.File(path("plain.h5"), "w") as f:
        f.attrs["note"] = "for truncation"
        f["a/w"] = np.arange(100, dtype="f4")
        f.create_dataset("a/z", data=np.arange(100, dtype="f4"), chunks=(40,), compression="gzip")
        f["strings"] = ["a", "b"]


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    good()
    hostile()
    with open(path("expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")
