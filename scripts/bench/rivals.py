"""Shared by the rivals' scripts: reading lstm-bench's cases, checking agreement, choosing the fastest way and timing it.

A script creates an object with these members and passes it to `main`:

    name, version                        for the report
    variants(case, figure) -> [str]      ways to compute a figure; [] if there is none
    build(case, figure, variant)         an object with
        check() -> Result                one evaluation on the case's data, from the case's weights
        run()                            the call that is timed, or
        measure(seconds) -> [float]      the times, if calling from Python would take too long
    forget()                             frees what the last object has allocated
"""

import argparse
import gc
import json
import math
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Outputs: float32 sums of up to 3500 products over up to 200 steps, in another order than ours, differ by a few 1e-6.
OUTPUT_TOLERANCE = 1e-5
# Gradients are sums of 1e4 such terms with cancellation; relative to a tensor's largest value.
GRADIENT_TOLERANCE = 1e-4


@dataclass
class Figure:
    name: str
    kind: str  # step, inference, training
    frozen: list[str]


@dataclass
class Result:
    """A framework's results: outputs (B, T, O), (B, O) or (S, O), and for training the loss and gradients."""

    output: np.ndarray | None = None
    loss: float | None = None
    # Under the project's names. Gradients that are missing are not compared; those parameters must be frozen.
    gradients: dict[str, np.ndarray] = field(default_factory=dict)


class Case:
    def __init__(self, description: dict, folder: Path):
        self.name = description["name"]
        self.batch, self.steps, self.loss = description["batch"], description["steps"], description["loss"]
        self.figures = [Figure(**figure) for figure in description["figures"]]
        self.tensors = read_safetensors(folder / f"{self.name}.safetensors")
        model = description["model"]
        # Of every recurrent layer: lstm, gru or rnn.
        self.cell = description.get("cell", "lstm")
        self.layers = model["layers"]
        self.head = model.get("head", [])
        self.readout = model.get("readout", "all")
        self.normalizes = model.get("normalize") == "l2"
        self.vocabulary = model["input"].get("vocabulary")
        self.input = model["input"].get("features") or model["input"]["embedding"]
        self.lengths = self.tensors.get("lengths")
        self.x, self.target = self.tensors.get("x"), self.tensors.get("target")
        self.stream = self.tensors.get("stream")

    def weight(self, name: str) -> np.ndarray:
        return self.tensors[name]

    def input_size(self, layer: int) -> int:
        if layer == 0:
            return self.input
        below = self.layers[layer - 1]
        return below["hidden"] * (2 if below["bidirectional"] else 1)

    def directions(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.layers[layer]["bidirectional"] else [f"_l{layer}"]

    @property
    def parameter_names(self) -> list[str]:
        return [name[len("gradient."):] for name in self.tensors if name.startswith("gradient.")]

    @property
    def valid(self) -> np.ndarray:
        """(B, T): which steps count."""
        if self.lengths is None:
            return np.ones((self.batch, self.steps), bool)
        return np.arange(self.steps)[None] < self.lengths[:, None]

    @property
    def is_small(self) -> bool:
        """Whether a second thread may make it slower."""
        work = sum(8 * layer["hidden"] * (self.input_size(i) + layer["hidden"]) for i, layer in enumerate(self.layers))
        return work * self.batch * self.steps < 1e9

    def lowest_trainable(self, figure: Figure) -> int:
        """The first trainable layer; the number of layers if there is none."""
        for layer in range(len(self.layers)):
            if any(f"{self.cell}.weight_hh{suffix}" not in figure.frozen for suffix in self.directions(layer)):
                return layer
        return len(self.layers)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    data = np.memmap(path, np.uint8, "r")
    size = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + size]))
    types = {"F32": "<f4", "I32": "<i4"}
    return {
        name: np.array(
            data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]].view(types[entry["dtype"]])
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape, f"shape {theirs.shape}, expected {ours.shape}"
    largest = float(np.abs(ours).max())
    return float(np.abs(ours - theirs).max()) / (largest or 1.0)


def compare(case: Case, figure: Figure, result: Result) -> list[dict]:
    """Lines of the comparison: `check`, `difference`, `passed`."""
    lines = []

    def line(what: str, value: float, tolerance: float) -> None:
        lines.append({"check": what, "difference": value, "passed": value <= tolerance})

    if figure.kind == "step":
        line("outputs", difference(case.tensors["expected.stream"], result.output), OUTPUT_TOLERANCE)
    elif result.output is not None:
        ours, theirs = case.tensors["expected.output"], np.asarray(result.output)
        if case.readout == "all":
            ours, theirs = ours[case.valid], theirs[case.valid]
        line("outputs", difference(ours, theirs), OUTPUT_TOLERANCE)
    if figure.kind == "training":
        expected = float(case.tensors["expected.loss"][0])
        line("loss", abs(result.loss - expected) / max(1.0, abs(expected)), OUTPUT_TOLERANCE)
        missing = set(case.parameter_names) - set(figure.frozen) - set(result.gradients)
        assert not missing, f"no gradient of {sorted(missing)}"
        worst = max(
            difference(case.tensors["gradient." + name], np.asarray(gradient))
            for name, gradient in result.gradients.items()
        )
        line("gradients", worst, GRADIENT_TOLERANCE)
    return lines


def measure(run, seconds: float, fewest: int = 3) -> list[float]:
    run()
    times, total = [], 0.0
    # Times of more than a second vary little, and several processes are timed.
    while total < seconds or len(times) < (1 if times and times[0] > 1 else fewest):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
        total += times[-1]
    return times


def is_hopeless(took: float, best: float) -> bool:
    """Whether a slow way is clearly slower than the best so far, and need not be timed further."""
    return took > 0.1 and took > 2 * best


def say(**line) -> None:
    print(json.dumps(line), flush=True)


def main(make) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="the folder that lstm-bench wrote")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="time to spend on each figure")
    parser.add_argument("--only", help="comma-separated figures, as case/figure")
    parser.add_argument("--choices", type=Path, help="file with the fastest way for each figure, written by --check")
    parser.add_argument("--known", type=Path, help="file with the best times of others, in milliseconds")
    parser.add_argument("--check", action="store_true", help="check agreement, try every way, and write the fastest to --choices")
    options = parser.parse_args()
    only = set(options.only.split(",")) if options.only else None
    rival = make(options.threads)
    say(rival=rival.name, version=rival.version)
    choices = {}
    if options.choices and options.choices.exists():
        choices = json.loads(options.choices.read_text())
    known = {}
    if options.known and options.known.exists():
        known = {key: value * 1e-3 for key, value in json.loads(options.known.read_text()).items()}
    for description in json.loads((options.folder / "cases.json").read_text()):
        wanted = [f["name"] for f in description["figures"] if not only or f"{description['name']}/{f['name']}" in only]
        if not wanted:
            continue
        case = Case(description, options.folder)
        for figure in case.figures:
            if figure.name in wanted:
                visit(rival, case, figure, choices, known, options)
    if options.check and options.choices:
        options.choices.write_text(json.dumps(choices, indent=1))


def visit(rival, case: Case, figure: Figure, choices: dict, known: dict, options) -> None:
    key = f"{case.name}/{figure.name}"
    variants = rival.variants(case, figure)
    if not options.check and key in choices:
        variants = [choices[key]]
    best = None
    for variant in variants:
        try:
            times = attempt(rival, case, figure, variant, min(known.get(key, math.inf), best[1] if best else math.inf), options)
        except Exception as error:  # A way that a framework cannot go is not a rival.
            say(case=case.name, figure=figure.name, variant=variant, error=f"{type(error).__name__}: {error}"[:300])
            continue
        gc.collect()
        rival.forget()
        if times and (best is None or statistics.median(times) < best[1]):
            best = (variant, statistics.median(times), times)
    if best is None:
        return
    variant, median, times = best
    choices[key] = variant
    line = {"case": case.name, "figure": figure.name, "milliseconds": median * 1e3}
    if figure.kind == "step":
        line["p99"] = sorted(times)[min(len(times) - 1, int(0.99 * len(times)))] * 1e3
    say(**line, runs=len(times), variant=variant)


def attempt(rival, case: Case, figure: Figure, variant: str, best: float, options) -> list[float]:
    """Times of one way to compute a figure; none if it does not agree or is much slower."""
    workload = rival.build(case, figure, variant)
    if options.check:
        lines = compare(case, figure, workload.check())
        for line in lines:
            say(case=case.name, figure=figure.name, variant=variant, **line)
        if not all(line["passed"] for line in lines):
            return []
        if best < math.inf:
            times = measure(workload.run, 0, fewest=1)
            if is_hopeless(times[0], best):
                return times
    timed = getattr(workload, "measure", None)
    return timed(options.seconds) if timed else measure(workload.run, options.seconds)
