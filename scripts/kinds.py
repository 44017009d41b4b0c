"""The models of fixtures/kinds/models.txt, with numbers that the Swift tests make, too (KindCase.swift).

A line is `name: model`, then ` ! ` and the formats that cannot hold it; `~` stands before those that hold it but are not read back.
"""

import json
import pathlib
import subprocess

import h5py
import numpy as np

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
COUNT, STEPS = 3, 5


class Case:
    def __init__(self, line: str) -> None:
        text, *refusing = line.split(" ! ")
        self.name, self.model = text.split(": ", 1)
        said = set(" ".join(refusing).split())
        self.refusing = {form for form in said if not form.startswith("~")}
        self.unread = {form[1:] for form in said if form.startswith("~")}

    def numbers(self, part: str, shape) -> np.ndarray:
        """Values of a name from -1 to 1: FNV-1a, then SplitMix64."""
        seed = 0xCBF29CE484222325
        for byte in f"{self.name}/{part}".encode():
            seed = (seed ^ byte) * 0x100000001B3 % 2**64
        with np.errstate(over="ignore"):
            z = np.uint64(seed) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = (z ^ (z >> np.uint64(31))) >> np.uint64(11)
        return (z.astype(np.float64) / 2**52 - 1).reshape(shape)

    def describe(self, tool: str) -> dict:
        done = subprocess.run([tool, "layers", self.model, "--json"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.name}: {done.stderr}")
        return json.loads(done.stdout)

    def weights(self, described: dict) -> dict:
        result = {}
        for tensor in described["tensors"]:
            values = self.numbers(tensor["name"], tensor["shape"])
            if tensor["name"].endswith("running_var"):
                result[tensor["name"]] = (0.5 + np.abs(values)).astype(np.float32)
            else:
                result[tensor["name"]] = (values / (tensor["shape"] or [1])[-1] ** 0.5).astype(np.float32)
        return result

    def inputs(self, described: dict) -> dict:
        """One array an input: (N, T, S), tokens (N, T); without T where it comes once a sequence."""
        configuration = described["configuration"]
        result = {}
        for index, given in enumerate(configuration.get("inputs") or [configuration["input"]]):
            name = given.get("name") or ("input" if index == 0 else f"input{index}")
            steps = () if given.get("per_sequence") else (given.get("steps") or STEPS,)
            size = given.get("tokens") or given.get("vocabulary")
            if size:
                values = self.numbers(name, (COUNT, *steps))
                result[name] = 1 + ((values + 1) / 2 * (size - 1)).astype(np.int64)
            else:
                result[name] = self.numbers(name, (COUNT, *steps, given["features"])).astype(np.float32)
        return result

    def write(self, described: dict, folder) -> None:
        """`weights.h5`, to be imported with the model's line; kernels over a grid are (O, I, height, time), as PyTorch has them."""
        with h5py.File(f"{folder}/weights.h5", "w") as file:
            for name, value in self.weights(described).items():
                file[name] = value.swapaxes(2, 3) if value.ndim == 4 else value


def cases(path: pathlib.Path | None = None) -> list:
    lines = (path or FIXTURES / "kinds" / "models.txt").read_text().splitlines()
    return [Case(line) for line in lines if line and not line.startswith("#")]
