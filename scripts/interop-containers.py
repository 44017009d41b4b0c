"""Exports models to .pt, safetensors and NPZ, loads them with PyTorch, safetensors and NumPy, and compares bits.

Usage: interop-containers.py PATH_OF_LSTM_FT

For each golden LSTM, in float32 and in every narrower or wider type: `torch.load(weights_only=True)` and
`load_state_dict(strict=True)`, `safetensors.torch.load_file` and `numpy.load` must give the original's bits; read back,
the exports must be the same model. Then checkpoints of the real libraries (fixtures/pt) are imported and exported as a
state_dict that the module accepts, and outputs are compared within 2e-6.
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy
import safetensors.torch
import torch

TOOL = sys.argv[1]
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}


def run(*arguments: object, folder: str, expect: int = 0) -> str:
    done = subprocess.run([TOOL, *map(str, arguments), *(["--overwrite"] if arguments[0] in ("export", "predict") else [])], cwd=folder, capture_output=True, text=True)
    if done.returncode != expect:
        raise SystemExit(f"lstm-ft {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stderr


def same(found: dict, wanted: dict, what: str) -> None:
    assert set(found) == set(wanted), (what, sorted(found), sorted(wanted))
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, (what, name)
        bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[value.element_size()]
        assert torch.equal(found[name].contiguous().view(bits), value.contiguous().view(bits)), (what, name)


def loaded(folder: str) -> dict[str, dict]:
    """The arrays that each library reads, by each of its functions."""
    path = pathlib.Path(folder)
    return {
        "torch.load": torch.load(path / "out.pt", weights_only=True),
        "torch.load, mapped": torch.load(path / "out.pt", weights_only=True, mmap=True),
        "safetensors": safetensors.torch.load_file(path / "out.safetensors"),
        "safetensors, bytes": safetensors.torch.load((path / "out.safetensors").read_bytes()),
    }


def export(folder: str, *options: str, model: str = "model.h5") -> None:
    for ending in ("pt", "safetensors"):
        run("export", model, "--to", ending, "-o", f"out.{ending}", *options, folder=folder)


def check_lstm(path: pathlib.Path, folder: str) -> None:
    with h5py.File(path) as golden:
        weights = {name: torch.tensor(item[...]) for name, item in golden["weights"].items()}
        attributes = dict(golden.attrs)
    state = {name.removeprefix("lstm."): value for name, value in weights.items()}
    module = torch.nn.LSTM(
        int(attributes["input_size"]), int(attributes["hidden_size"]), num_layers=int(attributes["num_layers"]),
        bidirectional=bool(attributes["bidirectional"]), proj_size=int(attributes["proj_size"]),
        bias=bool(attributes["bias"]), batch_first=True)
    for name, kind in TYPES.items():
        torch.save({k: v.to(kind) for k, v in weights.items()}, f"{folder}/{name}.pt")
        run("import", f"{name}.pt", folder=folder)
        wanted = {k: v.to(kind) for k, v in weights.items()}
        export(folder)
        for what, found in loaded(folder).items():
            same(found, wanted, f"{path.name}, {name}, {what}")
        module.to(kind).load_state_dict(
            {k.removeprefix("lstm."): v for k, v in torch.load(f"{folder}/out.pt", weights_only=True).items()}, strict=True)
        if name == "bfloat16":
            advice = run("export", "model.h5", "--to", "npz", "-o", "out.npz", folder=folder, expect=64)
            assert "--dtype float32" in advice, advice
        else:
            run("export", "model.h5", "--to", "npz", "-o", "out.npz", folder=folder)
            same({k: torch.tensor(v) for k, v in numpy.load(f"{folder}/out.npz").items()}, wanted, f"{path.name}, npz")
        # Rounded on export, as PyTorch rounds.
        export(folder, "--dtype", "bfloat16")
        for what, found in loaded(folder).items():
            same(found, {k: v.to(torch.bfloat16) for k, v in wanted.items()}, f"{path.name}, {name} as bfloat16, {what}")
        for ending in ("pt", "safetensors"):
            run("export", "model.h5", "--to", ending, "-o", f"out.{ending}", folder=folder)
            run("diff", "model.h5", f"out.{ending}", folder=folder)
    assert len(state) == len(list(module.parameters()))


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0])


def check_foreign(folder: str) -> int:
    with h5py.File(FIXTURES / "pt/golden.h5") as golden:
        x, y = torch.tensor(golden["x"][...]), golden["y"][...]
    files = sorted((FIXTURES / "pt").glob("model*"))
    for path in files:
        run("import", path, "--readout", "all", folder=folder)
        export(folder)
        for what, found in loaded(folder).items():
            module = Model()
            # Lightning's module has the network in an attribute.
            module.load_state_dict({k.removeprefix("net."): v for k, v in found.items()}, strict=True)
            with torch.no_grad():
                difference = numpy.abs(module(x).numpy() - y).max()
            assert difference <= 2e-6, (path.name, what, difference)
    return len(files)


def main() -> None:
    cases = [p for p in sorted((FIXTURES / "golden-lstm").glob("*.h5")) if not p.name.startswith("packed")]
    for path in cases:
        with tempfile.TemporaryDirectory() as folder:
            check_lstm(path, folder)
    with tempfile.TemporaryDirectory() as folder:
        foreign = check_foreign(folder)
    print(
        f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}, NumPy {numpy.__version__}: "
        f"{len(cases)} models in {len(TYPES)} types byte-identical, {foreign} foreign checkpoints within 2e-6")


if __name__ == "__main__":
    main()
