"""Compares this project's HDF5 reader with libhdf5, value for value.

Usage: interop-hdf5.py PATH_OF_LSTM_FT [--files N] [--seed S] [--keep FOLDER] [FOLDER ...]

Writes N files (2,000 unless said) under combinations of h5py's options, from a fixed seed: the library's version,
superblocks, user blocks, widths of addresses, order of creation, shared messages, pages, every index of chunks, filters,
fill values, datatypes of every class, byte orders, links, attributes few, many and large; and files as MATLAB, Julia and R
write them. Every group, dataset and attribute is compared; what is refused has to be one of the kinds that are refused
by name. hdf5-check, which is built beside lstm-ft, shows what this project reads. FOLDERs of other people's files are compared as well.
"""

import argparse
import base64
import glob
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from h5py import h5s, h5t

import hdf5_files

# What is refused, and how it is named.
REFUSED = ("virtual", "external file", "filter", "soft link", "external link", "user-defined link", "are stored")
UNREAD = (
    "compound", "reference", "variable-length sequence", "array", "bitfield", "time", "opaque", "complex", "-byte integer",
    "padding", "unusual form", "mixed byte order")

def little(value):
    value = np.asarray(value)
    return np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"))).tobytes()


def text(value):
    return value if isinstance(value, str) else value.decode()


class Comparison:
    def __init__(self):
        self.datasets = self.attributes = self.refused = 0
        self.problems = []
        # What h5py does not read.
        self.only_here = []

    def problem(self, what):
        self.problems.append(what)

    def file(self, path, found):
        try:
            file = h5py.File(path, "r")
        except OSError:
            return "error" in found or self.problem(f"{path}: read here, though libhdf5 does not open it")
        with file:
            if "error" in found:
                return self.problem(f"{path}: {found['error']}")
            groups = {group["path"]: group for group in found["groups"]}
            datasets = {dataset["path"]: dataset for dataset in found["datasets"]}
            for place, reason in found["unreadable"].items():
                self.refused += 1
                if not any(word in reason for word in REFUSED) and self.opens(file, place):
                    self.problem(f"{path}: {place}: {reason}")
            self.group(path, file, "/", groups, datasets, found["unreadable"], set())

    @staticmethod
    def opens(file, place):
        try:
            return file[place] is not None
        except (KeyError, OSError):
            return False

    def group(self, path, group, place, groups, datasets, unreadable, seen):
        found = groups.get(place)
        if found is None:
            return self.problem(f"{path}: {place}: the group is missing")
        if found.get("aliasOf"):
            return
        self.all_attributes(path, group, place, found)
        ours = set(found["members"]) | set(found["types"])
        for name in group:
            child = ("" if place == "/" else place) + "/" + name
            if child in unreadable:
                continue
            if name not in ours:
                self.problem(f"{path}: {child} is missing")
                continue
            try:
                item = group[name]
            except (KeyError, OSError):
                continue  # Nor does libhdf5 open it.
            if isinstance(item, h5py.Group):
                if child in groups and not groups[child].get("aliasOf"):
                    self.group(path, item, child, groups, datasets, unreadable, seen)
            elif isinstance(item, h5py.Dataset):
                try:
                    self.dataset(path, item, child, datasets.get(child))
                except (OSError, RuntimeError, TypeError, ValueError) as error:
                    self.only_here.append(f"{path}: {child}: {error}")

    def dataset(self, path, item, place, found):
        self.datasets += 1
        if found is None:
            return self.problem(f"{path}: {place}: the dataset is missing")
        where = f"{path}: {place}"
        shape = [0] if item.shape is None else list(item.shape)
        if found["shape"] != shape:
            self.problem(f"{where}: shape {found['shape']}, wanted {shape}")
        self.all_attributes(path, item, place, found)
        if "error" in found:
            self.refused += 1
            known = any(word in found["error"] for word in ("filter",) + UNREAD) or "float8" in found["error"]
            try:
                raw = item[()]
            except (OSError, TypeError, ValueError, RuntimeError):
                return  # Nor does libhdf5, as it is built here.
            is_text = "not UTF-8" in found["error"]
            return None if known or is_text else self.problem(f"{where}: {found['error']}")
        kind = item.id.get_type()
        if item.shape is None:
            return
        if "texts" in found:
            wanted = [text(value) for value in np.asarray(item.asstr()[()] if item.dtype.kind == "O" else item[()]).ravel()]
            if item.dtype.kind == "S":
                pad = kind.get_strpad()
                raw = np.zeros(item.shape, item.dtype)
                item.id.read(h5s.ALL, h5s.ALL, raw, mtype=kind)
                whole = raw.tobytes()
                size = item.dtype.itemsize
                pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
                wanted = [
                    (piece.rstrip(b" ") if pad == h5t.STR_SPACEPAD else piece.split(b"\0")[0] if pad == h5t.STR_NULLTERM
                     else piece.rstrip(b"\0")).decode() for piece in pieces]
            if found["texts"] != wanted:
                self.problem(f"{where}: texts differ")
            return
        wanted = self.raw(item, kind).tobytes() if item.size else b""
        if base64.b64decode(found["bytes"]) != wanted:
            self.problem(f"{where}: values differ ({found['type']}, {item.dtype})")

    def raw(self, item, kind):
        """The elements as libhdf5 gives them in the file's type, put into little-endian order."""
        size = kind.get_size()
        # Of what was never written, and has no fill value, the library writes nothing.
        raw = np.zeros(item.shape + (size,), "u1")
        holder = raw.view(f"V{size}").reshape(item.shape)
        item.id.read(h5s.ALL, h5s.ALL, holder, mtype=kind)
        order = kind.get_super().get_order() if isinstance(kind, h5t.TypeEnumID) else (
            kind.get_order() if isinstance(kind, (h5t.TypeIntegerID, h5t.TypeFloatID)) else h5t.ORDER_LE)
        return np.ascontiguousarray(raw[..., ::-1]) if order == h5t.ORDER_BE else raw

    def all_attributes(self, path, item, place, found):
        ours = {attribute["name"]: attribute for attribute in found["attributes"]}
        for reason in found["unreadableAttributes"]:
            self.problem(f"{path}: {place}: {reason}")
        try:
            names = list(item.attrs)
        except RuntimeError:
            return  # The library wrote what it cannot read.
        for name in names:
            self.attributes += 1
            where = f"{path}: {place}@{name}"
            if name not in ours:
                self.problem(f"{where} is missing")
                continue
            self.attribute(where, item, name, ours[name])

    def attribute(self, where, item, name, found):
        if "unsupported" in found:
            return
        try:
            value = item.attrs[name]
        except (OSError, TypeError, ValueError, UnicodeDecodeError):
            return
        identifier = item.attrs.get_id(name)
        if isinstance(value, h5py.Empty):
            return
        shape = list(identifier.shape)
        if found["shape"] != shape:
            return self.problem(f"{where}: shape {found['shape']}, wanted {shape}")
        flat = np.asarray(value).ravel()
        if "texts" in found:
            wanted = [text(each) for each in flat]
            # NumPy leaves out all zeros at the end, as this project does.
            if [each.rstrip("\0 ") for each in found["texts"]] != [each.rstrip("\0 ") for each in wanted]:
                self.problem(f"{where}: {found['texts']} {wanted}")
        elif "bools" in found:
            if found["bools"] != [bool(each) for each in flat]:
                self.problem(f"{where}: {found['bools']}")
        elif "integers" in found:
            if found["integers"] != [str(int(each)) for each in flat]:
                self.problem(f"{where}: {found['integers']} {flat}")
        elif "floats" in found:
            wanted = [struct.unpack("<Q", struct.pack("<d", float(each)))[0] for each in flat]
            same = all(
                int(ours, 16) == bits or np.isnan(each) for ours, bits, each in zip(found["floats"], wanted, flat))
            if not same or len(wanted) != len(found["floats"]):
                self.problem(f"{where}: {found['floats']} {wanted}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", help="lstm-ft, beside which hdf5-check lies")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="leave files that differ in this folder")
    parser.add_argument("folders", nargs="*")
    options = parser.parse_intermixed_args()
    np.seterr(all="ignore")
    # Built beside the tool.
    tool = pathlib.Path(options.tool).resolve().with_name("hdf5-check")
    comparison = Comparison()
    count = 0

    def compare(paths):
        done = subprocess.run([tool, "dump"], input="\n".join(paths) + "\n", capture_output=True, text=True)
        lines = done.stdout.splitlines()
        if done.returncode != 0 or len(lines) != len(paths):
            raise SystemExit(f"hdf5-check ended with {done.returncode} at {paths[len(lines)]}\n{done.stderr[-2000:]}")
        for path, line in zip(paths, lines):
            before = len(comparison.problems)
            comparison.file(path, json.loads(line))
            if options.keep and len(comparison.problems) > before:
                os.makedirs(options.keep, exist_ok=True)
                pathlib.Path(options.keep, os.path.basename(path)).write_bytes(pathlib.Path(path).read_bytes())

    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, options.files, 100):
            paths = []
            for number in range(start, min(start + 100, options.files)):
                path = os.path.join(folder, f"{number}.h5")
                hdf5_files.write_file(number, options.seed, path)
                paths.append(path)
            compare(paths)
            count += len(paths)
            for path in paths:
                os.remove(path)
    for folder in options.folders:
        paths = sorted(path for path in glob.glob(os.path.join(folder, "**"), recursive=True) if os.path.isfile(path))
        for path in paths:
            compare([path])
        count += len(paths)
    for line in comparison.only_here[:10]:
        print("not read by h5py:", line)
    for problem in comparison.problems[:60]:
        print(problem)
    print(
        f"{count} files: {comparison.datasets} datasets and {comparison.attributes} attributes compared, "
        f"{comparison.refused} refused by name, "
        f"{len(comparison.only_here)} not read by h5py, {len(comparison.problems)} differences")
    sys.exit(1 if comparison.problems else 0)


if __name__ == "__main__":
    main()
