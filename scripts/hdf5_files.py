"""Writes HDF5 files under combinations of h5py's options, from a seed, for interop-hdf5.py."""

import ctypes
import os
import random
import struct

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

SCALARS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


def library():
    """The libhdf5 that h5py uses, for what h5py has no call for."""
    for line in open("/proc/self/maps"):
        path = line.split()[-1]
        if "libhdf5" in path and "_hl" not in path:
            return ctypes.CDLL(path)
    return None


LIBRARY = library()


def share_messages(plist, random):
    """Shared messages: each kind in a heap of its own, and used again from the first byte on."""
    LIBRARY.H5Pset_shared_mesg_nindexes(ctypes.c_int64(plist.id), 2)
    kinds = random.choice([(0x02 | 0x01, 0x08 | 0x10), (0x1F & ~0x10, 0x10)])
    for index, kind in enumerate(kinds):
        LIBRARY.H5Pset_shared_mesg_index(ctypes.c_int64(plist.id), index, kind, 1)
    LIBRARY.H5Pset_shared_mesg_phase_change(ctypes.c_int64(plist.id), random.choice([0, 2, 50]), 0)


def open_new(path, random):
    access = h5p.create(h5p.FILE_ACCESS)
    bounds = [h5f.LIBVER_EARLIEST, h5f.LIBVER_V18, h5f.LIBVER_V110, h5f.LIBVER_V112, h5f.LIBVER_LATEST]
    low = random.randrange(5)
    access.set_libver_bounds(bounds[low], h5f.LIBVER_LATEST)
    creation = h5p.create(h5p.FILE_CREATE)
    if random.random() < 0.2:
        creation.set_userblock(random.choice([512, 1024, 4096]))
    if random.random() < 0.2:
        creation.set_sizes(random.choice([4, 8]), random.choice([4, 8]))
    if random.random() < 0.3:
        creation.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    if random.random() < 0.3:
        creation.set_attr_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    if random.random() < 0.2:
        creation.set_file_space_strategy(random.randrange(4), random.random() < 0.5, 1)
    if random.random() < 0.15:
        creation.set_file_space_page_size(random.choice([512, 4096]))
    if random.random() < 0.25 and LIBRARY:
        share_messages(creation, random)
    if random.random() < 0.2 and LIBRARY:
        LIBRARY.H5Pset_sym_k(ctypes.c_int64(creation.id), random.choice([4, 16]), random.choice([2, 4]))
        LIBRARY.H5Pset_istore_k(ctypes.c_int64(creation.id), random.choice([8, 32]))
    return h5py.File(h5f.create(path.encode(), h5f.ACC_TRUNC, creation, access))


def odd_type(random):
    kind = random.randrange(4)
    if kind == 3:
        wide = h5t.STD_I32BE.copy() if random.random() < 0.5 else h5t.STD_U32LE.copy()
        wide.set_precision(random.choice([20, 24, 32]))
        wide.set_offset(random.choice([0, 0, 4]) if wide.get_precision() < 28 else 0)
        return wide
    fields, size, bias = [((15, 7, 8, 0, 7), 2, 127), ((7, 3, 4, 0, 3), 1, 7), ((7, 2, 5, 0, 2), 1, 15)][kind]
    made = h5t.IEEE_F32LE.copy()
    made.set_fields(*fields)
    made.set_size(size)
    made.set_ebias(bias)
    if size > 1 and random.random() < 0.3:
        made.set_order(h5t.ORDER_BE)
    return made


def values(shape, dtype, random):
    source = np.random.default_rng(random.getrandbits(32))
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=int))
    if dtype.kind == "f":
        made = source.standard_normal(count) * 100
        if count > 3:
            made[:3] = [np.nan, np.inf, -0.0]
        return made.astype(dtype).reshape(shape)
    raw = source.integers(0, 256, count * dtype.itemsize, dtype="u1")
    if random.random() < 0.5:
        raw[:] = raw // 128
    return np.frombuffer(raw.tobytes(), dtype).reshape(shape)


TEXTS = ["", "a", "grün", "日本語", "x" * 300, "with\nline", "  padded  "]


def shape_of(random, least=0):
    rank = random.choice([0, 1, 1, 2, 2, 3, 4])
    return tuple(random.choice([1, 2, 3, 5, 7, 16, 33] if random.random() < 0.95 else [0]) for _ in range(max(rank, least)))


def properties(shape, random, early=True):
    """Layout, chunks, filters and fill values; None where the library accepts no such combination."""
    plist = h5p.create(h5p.DATASET_CREATE)
    kind = random.choice(["contiguous", "compact", "chunked", "chunked", "chunked", "chunked"]) if shape else random.choice(
        ["contiguous", "compact"])
    most = shape
    if kind == "compact":
        plist.set_layout(h5d.COMPACT)
    elif kind == "chunked":
        plist.set_chunk(tuple(random.randint(1, max(1, extent + random.choice([0, 0, 2]))) for extent in shape))
        most = tuple(
            random.choice([max(extent, 1), max(extent, 1), extent + 9, h5s.UNLIMITED]) for extent in shape)
        plist.set_chunk(tuple(
            min(chunk, limit) if limit != h5s.UNLIMITED else chunk
            for chunk, limit in zip(plist.get_chunk(), most)))
        filters = random.random()
        if filters > 0.35:
            if random.random() < 0.5:
                plist.set_shuffle()
            if random.random() < 0.6:
                plist.set_deflate(random.randrange(10))
            elif random.random() < 0.4:
                plist.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
            if random.random() < 0.4:
                plist.set_fletcher32()
        elif filters < 0.03 and h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
            plist.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 8)
        elif filters < 0.06:
            plist.set_scaleoffset(h5py.h5z.SO_INT, 0)
        if LIBRARY and random.random() < 0.2:
            LIBRARY.H5Pset_chunk_opts(ctypes.c_int64(plist.id), 2)
        if random.random() < 0.2:
            plist.set_alloc_time(random.choice([h5d.ALLOC_TIME_EARLY, h5d.ALLOC_TIME_INCR, h5d.ALLOC_TIME_LATE]))
    if random.random() < 0.3:
        plist.set_attr_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    if LIBRARY and random.random() < 0.3:
        LIBRARY.H5Pset_attr_phase_change(ctypes.c_int64(plist.id), *random.choice([(0, 0), (2, 1), (8, 6)]))
    plist.set_obj_track_times(random.random() < 0.5)
    return plist, most


def add_dataset(group, name, random):
    shape = shape_of(random)
    plist, most = properties(shape, random)
    space = h5s.create_simple(shape, most) if shape else h5s.create(h5s.SCALAR)
    if shape == () and random.random() < 0.1:
        space = h5s.create(h5s.NULL)
        plist = None
    if random.random() < 0.12:
        kind = odd_type(random)
        try:
            dataset = h5d.create(group.id, name.encode(), kind, space, plist)
            if space.get_simple_extent_type() != h5s.NULL:
                dataset.write(h5s.ALL, h5s.ALL, values(shape, "f8", random), mtype=h5t.NATIVE_DOUBLE)
            return h5py.Dataset(dataset)
        except (ValueError, OSError, TypeError, RuntimeError):
            return None
    dtype = np.dtype(random.choice("<>") + random.choice(SCALARS))
    if plist is not None and random.random() < 0.4:
        plist.set_fill_value(values((), dtype, random))
        if random.random() < 0.3:
            plist.set_fill_time(random.choice([h5d.FILL_TIME_ALLOC, h5d.FILL_TIME_IFSET]))
    try:
        kind = h5t.py_create(dtype, logical=True)
        if random.random() < 0.1:
            place = f"type of {name}"
            group[place] = dtype
            kind = group[place].id
        dataset = h5py.Dataset(h5d.create(group.id, name.encode(), kind, space, plist))
        if space.get_simple_extent_type() == h5s.NULL:
            return dataset
        way = random.random()
        if way < 0.75 or not shape or 0 in shape:
            dataset.id.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(values(shape, dtype, random)))
        elif way < 0.9:
            first = random.randrange(shape[0])
            dataset[first:] = values((shape[0] - first,) + shape[1:], dtype, random)
        if dataset.chunks and most[0] == h5s.UNLIMITED and random.random() < 0.4:
            dataset.resize(random.choice([1, shape[0] // 2 + 1, shape[0] * 3]), axis=0)
            if dataset.shape[0] > 2 and random.random() < 0.5:
                dataset[-1] = values(dataset.shape[1:], dtype, random)
        return dataset
    except (ValueError, OSError, TypeError, RuntimeError):
        # A combination that the library itself does not make.
        if name in group:
            del group[name]
        return None


def add_other(group, name, random):
    texts = [random.choice(TEXTS) for _ in range(random.choice([1, 3, 40]))]
    kind = random.randrange(13)
    extra = {"chunks": True, "compression": "gzip"} if random.random() < 0.3 else {}
    if kind == 0:
        group.create_dataset(name, data=np.array(texts, dtype=object), dtype=h5py.string_dtype(), **extra)
    elif kind == 1:
        group.create_dataset(name, data=np.array([text.encode() for text in texts], "S40"), **extra)
    elif kind == 2:
        group.create_dataset(name, data=[text.encode() for text in texts], dtype=h5py.string_dtype(length=310))
    elif kind == 3:
        group.create_dataset(name, data=values((5,), "u1", random) % 2 == 1, **extra)
    elif kind == 4:
        base = random.choice(["i1", "<i4", ">u2", "<i8"])
        group.create_dataset(name, data=np.array([1, 5, 1], base), dtype=h5py.enum_dtype({"A": 1, "B": 5}, basetype=base), **extra)
    elif kind == 5:
        group.create_dataset(name, data=np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,))]), **extra)
    elif kind == 6:
        group.create_dataset(name, (2,), dtype=random.choice([h5py.ref_dtype, h5py.regionref_dtype]))
    elif kind == 7:
        dataset = group.create_dataset(name, (2,), dtype=h5py.vlen_dtype("f4"))
        dataset[0] = [1, 2, 3]
    elif kind == 8:
        group.create_dataset(name, data=np.void(bytes(range(random.choice([1, 2, 7, 30])))))
    elif kind == 9:
        group.create_dataset(name, (2,), dtype=np.dtype(("<f4", (3,))))
    elif kind == 10:
        group.create_dataset(name, data=values((4,), "f8", random) + 1j)
    elif kind == 11:
        group[name] = h5py.SoftLink(random.choice(["/d0", "/nowhere", "/" + name, "../x", "."]))
    else:
        group[name] = h5py.ExternalLink("other.h5", "/x")


def add_attributes(item, random):
    count = random.choice([0, 1, 1, 3, 3, 12, 30])
    for index in range(count):
        name = random.choice(["a", "ä", "name with spaces", "n" * 200]) + str(index)
        kind = random.randrange(9)
        if kind < 4:
            dtype = random.choice("<>") + random.choice(SCALARS)
            item.attrs.create(name, values(random.choice([(), (1,), (3,), (2, 2)]), dtype, random))
        elif kind == 4:
            item.attrs[name] = random.choice(TEXTS)
        elif kind == 5:
            item.attrs[name] = np.array([b"ab", b"c"], "S3")
        elif kind == 6:
            item.attrs.create(name, TEXTS[: random.randint(1, len(TEXTS))], dtype=h5py.string_dtype())
        elif kind == 7:
            item.attrs[name] = random.choice([True, h5py.Empty("f4"), np.array([True, False]), np.zeros(1, [("a", "i4")])])
        else:
            size = random.choice([10, 60_000]) if random.random() < 0.05 else 10
            try:
                item.attrs[name] = np.zeros(size, "i1")
            except (KeyError, OSError, RuntimeError, ValueError):
                pass  # Too large for a header of this version.


def write_any(path, random):
    with open_new(path, random) as file:
        groups = [file]
        for index in range(random.choice([0, 1, 3])):
            parent = random.choice(groups)
            plist = h5p.create(h5p.GROUP_CREATE)
            if random.random() < 0.4:
                plist.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
            if LIBRARY and random.random() < 0.4:
                LIBRARY.H5Pset_link_phase_change(ctypes.c_int64(plist.id), *random.choice([(0, 0), (3, 2)]))
            made = h5py.Group(h5py.h5g.create(parent.id, f"g{index}".encode(), gcpl=plist))
            groups.append(made)
            if random.random() < 0.1:
                made["again"] = random.choice(groups)
        for group in groups:
            many = random.random() < 0.03
            for index in range(300 if many else random.choice([1, 2, 4])):
                name = f"d{index}" if random.random() < 0.9 else f"ünï {index}"
                if many:
                    group.create_dataset(name, data=np.float32(index))
                elif random.random() < 0.7:
                    item = add_dataset(group, name, random)
                    if item is not None:
                        add_attributes(item, random)
                else:
                    add_other(group, name, random)
            add_attributes(group, random)
            if random.random() < 0.2 and len(group):
                del group[sorted(group)[0]]


def write_many_chunks(path, random):
    """More chunks than a node, a block or a page of an index holds."""
    with open_new(path, random) as file:
        for index, most in enumerate([None, (None,), (9000,), (3000,)]):
            extra = random.choice([{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}])
            dataset = file.create_dataset(f"d{index}", (3000,), "<i2", chunks=(random.choice([1, 2, 3]),), maxshape=most, fillvalue=3, **extra)
            for start in range(0, 3000, 700):
                dataset[start : start + 500] = values((min(500, 3000 - start),), "<i2", random)
        both = file.create_dataset("both", (60, 40), ">f4", chunks=(2, 2), maxshape=(None, None))
        both[:, ::3] = values((60, 14), ">f4", random)


def write_matlab(path, random):
    """A v7.3 MAT-file: its text in the user block, classes in attributes, cells as references."""
    access = h5p.create(h5p.FILE_ACCESS)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_userblock(512)
    with h5py.File(h5f.create(path.encode(), h5f.ACC_TRUNC, creation, access)) as file:
        for index in range(4):
            dtype = random.choice(["<f8", "<f4", "<i4", "u1"])
            dataset = file.create_dataset(
                f"x{index}", data=values(shape_of(random, 2), dtype, random),
                **({"chunks": True, "compression": "gzip", "compression_opts": 3} if random.random() < 0.5 else {}))
            dataset.attrs.create("MATLAB_class", b"double", dtype="S6")
        text = file.create_dataset("text", data=np.array([[104], [105]], "<u2"))
        text.attrs.create("MATLAB_class", b"char", dtype="S4")
        text.attrs.create("MATLAB_int_decode", 2, dtype="<i4")
        empty = file.create_dataset("empty", data=np.array([0, 0], "<u8"))
        empty.attrs.create("MATLAB_class", b"double", dtype="S6")
        empty.attrs.create("MATLAB_empty", 1, dtype="u1")
        refs = file.create_group("#refs#")
        refs.create_dataset("a", data=np.zeros((1, 3)))
        cell = file.create_dataset("cell", (1, 1), dtype=h5py.ref_dtype)
        cell[0, 0] = refs["a"].ref
        cell.attrs.create("MATLAB_class", b"cell", dtype="S4")
        struct_ = file.create_group("s")
        struct_.attrs.create("MATLAB_class", b"struct", dtype="S6")
        struct_.attrs.create("MATLAB_fields", np.array([b"f"], dtype="S1"))
        struct_.create_dataset("f", data=np.float64(2))
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0200) + b"IM")


def write_r(path, random):
    with h5py.File(path, "w") as file:
        matrix = file.create_dataset("matrix", data=values((4, 6), "<f8", random), chunks=(4, 6), compression="gzip", shuffle=True)
        matrix.attrs["rhdf5-NA.OK"] = np.array([1], "<i4")
        file.create_dataset("integers", data=values((7,), "<i4", random), maxshape=(None,), chunks=(7,))
        words = np.array([b"one", b"three"], dtype=h5py.string_dtype("ascii", 6))
        file.create_dataset("words", data=words)
        file.create_dataset("factor", data=np.array([1, 2, 1], "<i4"), dtype=h5py.enum_dtype({"a": 1, "b": 2}, basetype="<i4"))
        group = file.create_group("list")
        group.create_dataset("flags", data=np.array([0, 1, -2147483648], "<i4"))
        group.attrs["class"] = "list"


def write_julia(path, random):
    """As JLD2 has it: superblock 2 behind a block of 512 bytes, new headers, compact links, committed types."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V110)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_userblock(512)
    with h5py.File(h5f.create(path.encode(), h5f.ACC_TRUNC, creation, access)) as file:
        types = file.create_group("_types")
        types["00000001"] = np.dtype([("re", "<f8"), ("im", "<f8")])
        file.create_dataset("z", data=np.zeros(2, [("re", "<f8"), ("im", "<f8")]), dtype=types["00000001"])
        for index in range(4):
            file.create_dataset(f"w{index}", data=values(shape_of(random), random.choice(["<f4", "<f8", "<i8"]), random))
        file.create_dataset("s", data="text", dtype=h5py.string_dtype())
        file.create_dataset("gz", data=values((50, 3), "<f4", random), chunks=(50, 3), compression="gzip")
    with open(path, "r+b") as raw:
        raw.write(b"HDF5-based Julia Data Format, version 0.2.0 (Julia 1.11.1 64-bit LITTLE_ENDIAN)")


def made(write, path, seed):
    """Writes a file in a process of its own, as the library crashes over some options that do not go together."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            write(path, random.Random(seed))
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


KINDS = [write_any] * 14 + [write_many_chunks, write_matlab, write_r, write_julia]


def write_file(number, seed, path):
    """Writes the file of a number; of options that the library does not take together, others are drawn."""
    for attempt in range(20):
        if made(KINDS[number % len(KINDS)], path, seed * 1_000_003 + number * 100 + attempt):
            return
    raise SystemExit(f"no file can be written for number {number} of seed {seed}")
