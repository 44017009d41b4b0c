"""Imports every golden model, fine-tunes a little, exports, and loads the export into PyTorch.

Usage: interop-pytorch.py PATH_OF_LSTM_FT

For each golden LSTM the exported tensors must be byte-identical to the originals; `load_state_dict(strict=True)` must
take them; and PyTorch's outputs must agree with `lstm-ft predict` within 2e-6. For one model the same is checked after a
fine-tuning run with layer 0 frozen.
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy
import torch

TOOL = sys.argv[1]
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"


def run(*arguments: object, folder: str) -> None:
    done = subprocess.run([TOOL, *map(str, arguments), *(["--overwrite"] if arguments[0] in ("export", "predict") else [])], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"lstm-ft {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")


def state_of(path: str) -> dict:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return found


def check_lstm(path: pathlib.Path, folder: str) -> None:
    with h5py.File(path) as golden:
        weights = {name: item[...] for name, item in golden["weights"].items()}
        x = golden["x"][...]
        kwargs = dict(
            num_layers=int(golden.attrs["num_layers"]), bidirectional=bool(golden.attrs["bidirectional"]),
            proj_size=int(golden.attrs["proj_size"]), bias=bool(golden.attrs["bias"]), batch_first=True)
        sizes = int(golden.attrs["input_size"]), int(golden.attrs["hidden_size"])
    with h5py.File(f"{folder}/weights.h5", "w") as file:
        for name, value in weights.items():
            file[name] = value
    numpy.save(f"{folder}/x.npy", x)
    run("import", "weights.h5", folder=folder)
    run("export", "model.h5", "--to", "pytorch-h5", "-o", "back.h5", folder=folder)
    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
    back = state_of(f"{folder}/back.h5")
    assert back.keys() == weights.keys(), (back.keys(), weights.keys())
    for name, value in weights.items():
        assert back[name].dtype == value.dtype and back[name].tobytes() == value.tobytes(), name
    module = torch.nn.LSTM(*sizes, **kwargs)
    module.load_state_dict({k.removeprefix("lstm."): torch.tensor(v) for k, v in back.items()}, strict=True)
    with torch.no_grad():
        y = module(torch.tensor(x))[0].numpy()
    difference = numpy.abs(y - numpy.load(f"{folder}/y.npy")).max()
    assert difference <= 2e-6, (path.name, difference)


def check_finetuned(folder: str) -> None:
    source = FIXTURES / "golden-training/freeze_layer0_weights.h5"
    data = FIXTURES / "golden-training/freeze_layer0_data.h5"
    run("import", source, folder=folder)
    run("finetune", "--data", data, "--freeze", "layer0", "--run", "run", folder=folder)
    run("export", "finetuned.h5", "--to", "pytorch-h5", "-o", "back.h5", folder=folder)
    run("predict", "finetuned.h5", "--data", data, "-o", "y.npy", folder=folder)
    before, back = state_of(source), state_of(f"{folder}/back.h5")
    assert before.keys() == back.keys()
    for name in before:
        same = before[name].tobytes() == back[name].tobytes()
        assert same == name.endswith("_l0"), name

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(4, 12, num_layers=2, batch_first=True)
            self.fc = torch.nn.Linear(12, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.lstm(x)[0][:, -1])

    module = Model()
    module.load_state_dict({k: torch.tensor(v) for k, v in back.items()}, strict=True)
    with h5py.File(data) as file, torch.no_grad():
        y = module(torch.tensor(file["x"][...])).numpy()
    difference = numpy.abs(y - numpy.load(f"{folder}/y.npy")).max()
    assert difference <= 2e-6, difference


def main() -> None:
    cases = [p for p in sorted((FIXTURES / "golden-lstm").glob("*.h5")) if not p.name.startswith("packed")]
    for path in cases:
        with tempfile.TemporaryDirectory() as folder:
            check_lstm(path, folder)
    with tempfile.TemporaryDirectory() as folder:
        check_finetuned(folder)
    print(f"PyTorch {torch.__version__}: {len(cases)} models byte-identical and within 2e-6, a fine-tuned one too")


if __name__ == "__main__":
    main()
