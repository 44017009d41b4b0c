#!/usr/bin/env python3
"""Measures how long lstm-ft takes to import large checkpoints, compared with copying and with h5py.

    swift build -c release
    scripts/bench/io.py [--binary .build/release/lstm-ft] [--folder DIR] [--runs 5] [--gigabytes 1] [--formats h5,pt,safetensors]

Three limits, each for the median of alternating runs (A B B A ...), so that other load on the machine affects both:

- a contiguous checkpoint: `lstm-ft import` against `cp` followed by `sync` of the copy, at most 1.5 times as long;
- one compressed with shuffle and gzip 4, a quarter of the size: `lstm-ft import` against h5py reading every tensor and writing them
  uncompressed (without a sync), and reading alone (half of `lstm-ft diff` of the file with itself, which reads it twice) against
  h5py reading, at least 1.5 times as fast.

- a checkpoint by torch.save or safetensors (`--formats pt,safetensors`): `lstm-ft import` against `cp` followed by `sync`, at most 1.5
  times as long, and listing its tensors (`lstm-ft inspect`, with the start of the process) in at most 50 ms.

Times are wall-clock; `cpu` is user and system time. Needs h5py, numpy, for the last limit torch and safetensors, and space in the folder for three times the size.
"""

import argparse
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

READ = "import h5py, sys\nf = h5py.File(sys.argv[1])\nfor k in f: f[k][...]"
CONVERT = (
    "import h5py, sys\nf, g = h5py.File(sys.argv[1]), h5py.File(sys.argv[2], 'w')\n"
    "for k in f: g.create_dataset(k, data=f[k][...])\ng.close()"
)
IMPORTS = "import h5py, sys"


def make(path: pathlib.Path, gigabytes: float, **filters) -> None:
    import h5py
    import numpy

    # 2 layers of 2 matrices (4H, H) of float32
    hidden = -(-int((gigabytes * 1e9 / 64) ** 0.5) // 64) * 64
    random = numpy.random.default_rng(2)
    with h5py.File(path, "w") as file:
        for layer in range(2):
            for kind in ("ih", "hh"):
                values = random.uniform(-0.02, 0.02, (4 * hidden, hidden)).astype("<f4")
                file.create_dataset(f"lstm.weight_{kind}_l{layer}", data=values, **filters)
                file.create_dataset(f"lstm.bias_{kind}_l{layer}", data=values[0, :1].repeat(4 * hidden))


def make_foreign(path: pathlib.Path, gigabytes: float) -> None:
    import safetensors.torch
    import torch

    torch.manual_seed(2)
    hidden = -(-int((gigabytes * 1e9 / 64) ** 0.5) // 64) * 64
    state = torch.nn.LSTM(hidden, hidden, num_layers=2).state_dict()
    if path.suffix == ".pt":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)


def foreign(format: str, folder: pathlib.Path, binary: pathlib.Path, options: argparse.Namespace) -> None:
    source, ours, theirs = folder / f"foreign.{format}", folder / "ours.h5", folder / "theirs"
    in_process(make_foreign, source, options.gigabytes)
    medians = compare(
        f"{format}, {source.stat().st_size / 1e9:.2f} GB",
        {
            "lstm-ft import": ([binary, "import", source, "-o", ours, "--quiet"], ours),
            "cp and sync": (["sh", "-c", f"cp '{source}' '{theirs}' && sync '{theirs}'"], theirs),
            "lstm-ft inspect": ([binary, "inspect", source, "--quiet"], None),
        },
        options.runs,
    )
    print(f"  import / copy: {medians['lstm-ft import'] / medians['cp and sync']:.2f} (limit: at most 1.5)")
    print(f"  list: {medians['lstm-ft inspect'] * 1e3:.0f} ms (limit: at most 50)")
    source.unlink()


def in_process(function, *arguments, **keywords) -> None:
    """Runs in its own process: a child's peak memory starts at its parent's."""
    maker = multiprocessing.Process(target=function, args=arguments, kwargs=keywords)
    maker.start()
    maker.join()
    if maker.exitcode:
        sys.exit("the checkpoint could not be made")


def measured(command: list, output: pathlib.Path | None) -> tuple[float, float, float]:
    """Wall-clock seconds, CPU seconds, and peak memory in MB."""
    if output:
        output.unlink(missing_ok=True)
        os.sync()  # what others left to be written is not this run's
    began = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"failed: {command}")
    if output:
        output.unlink(missing_ok=True)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1e3 if sys.platform != "darwin" else 1e6)


def compare(name: str, contestants: dict, runs: int) -> dict:
    """The first is ours. All are run in order, then in reverse order, and so on."""
    results = {who: [] for who in contestants}
    for run in range(-1, runs):
        order = list(contestants.items())
        for who, (command, output) in order if run % 2 == 0 else reversed(order):
            result = measured(command, output)
            if run >= 0:  # one round to warm up
                results[who].append(result)
    print(f"{name}, median of {runs} (least):")
    medians = {}
    for who, list_ in results.items():
        seconds, cpu, peak = zip(*list_)
        medians[who] = statistics.median(seconds)
        print(
            f"  {who:24} {medians[who]:7.2f} s ({min(seconds):.2f})   cpu {statistics.median(cpu):6.2f} s ({min(cpu):.2f})"
            f"   peak {max(peak):6.0f} MB"
        )
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path(".build/release/lstm-ft"))
    parser.add_argument("--folder", type=pathlib.Path, help="a folder on the disk to measure (default: a temporary one)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--formats", default="h5", help="comma-separated: h5, pt, safetensors")
    options = parser.parse_args()
    formats = options.formats.split(",")
    if unknown := set(formats) - {"h5", "pt", "safetensors"}:
        parser.error(f"--formats: {', '.join(sorted(unknown))} is not measured")
    pathlib.Path(options.folder).mkdir(parents=True, exist_ok=True) if options.folder else None
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = pathlib.Path(name)
        plain, packed = folder / "plain.h5", folder / "packed.h5"
        ours, theirs = folder / "ours.h5", folder / "theirs.h5"
        binary = options.binary.resolve()
        for format in formats:
            if format != "h5":
                foreign(format, folder, binary, options)
        if "h5" not in formats:
            return
        filters = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        for arguments, keywords in (((plain, options.gigabytes), {}), ((packed, options.gigabytes / 4), filters)):
            in_process(make, *arguments, **keywords)
        copying = ["sh", "-c", f"cp '{plain}' '{theirs}' && sync '{theirs}'"]
        medians = compare(
            f"contiguous, {plain.stat().st_size / 1e9:.2f} GB",
            {
                "lstm-ft import": ([binary, "import", plain, "-o", ours, "--quiet"], ours),
                "cp and sync": (copying, theirs),
            },
            options.runs,
        )
        print(f"  import / copy: {medians['lstm-ft import'] / medians['cp and sync']:.2f} (limit: at most 1.5)")
        python = sys.executable
        medians = compare(
            f"gzip, {packed.stat().st_size / 1e9:.2f} GB",
            {
                "lstm-ft import": ([binary, "import", packed, "-o", ours, "--quiet"], ours),
                "lstm-ft diff, twice read": ([binary, "diff", packed, packed, "--quiet"], None),
                "h5py reads": ([python, "-c", READ, packed], None),
                "h5py reads and writes": ([python, "-c", CONVERT, packed, theirs], theirs),
                "python starts": ([python, "-c", IMPORTS], None),
            },
            options.runs,
        )
        start = medians["python starts"]
        writing = (medians["h5py reads and writes"] - start) / medians["lstm-ft import"]
        reading = (medians["h5py reads"] - start) / (medians["lstm-ft diff, twice read"] / 2)
        print(f"  h5py reading and writing, without its start / import: {writing:.2f} (limit: at least 1.5)")
        print(f"  h5py reading, without its start / half of diff: {reading:.2f} (limit: at least 1.5)")


if __name__ == "__main__":
    main()
