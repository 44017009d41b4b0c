"""Runs the modules that `export --module` writes in PyTorch, and keeps what they give in fixtures/torch-modules.

Usage: make-golden-torch-modules.py FOLDER

fixtures/torch-modules/NAME.json describes the models. FOLDER holds NAME.py and NAME.pt of each, which the tests write:
LSTM_FT_MODULES=FOLDER swift test --filter PyTorchModuleTests. NAME.npz gets the inputs x, x2, ... and the outputs y, y2,
...; NAME.py is kept beside it.
"""

import importlib.util
import json
import pathlib
import shutil
import sys

import numpy
import torch

FOLDER = pathlib.Path(sys.argv[1])
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures/torch-modules"


def main() -> None:
    for path in sorted(FIXTURES.glob("*.json")):
        name = path.stem
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(code)
        model = code.Model()
        model.load_state_dict(torch.load(FOLDER / f"{name}.pt"), strict=True)
        model.eval()
        described = json.loads(path.read_text())
        torch.manual_seed(3)
        inputs = []
        for given in described.get("inputs") or [described["input"]]:
            shape = (2, given.get("steps", 12))
            inputs.append(torch.randint(0, given["tokens"], shape) if "tokens" in given else torch.randn(*shape, given["features"]))
        with torch.no_grad():
            outputs = model(*inputs)
        if not isinstance(outputs, tuple):
            outputs = (outputs,)
        assert all(output.isfinite().all() for output in outputs), name
        numbers = {}
        for letter, values in (("x", inputs), ("y", outputs)):
            for index, value in enumerate(values):
                numbers[letter if index == 0 else f"{letter}{index + 1}"] = value.numpy()
        numpy.savez(FIXTURES / f"{name}.npz", **numbers)
        shutil.copyfile(FOLDER / f"{name}.py", FIXTURES / f"{name}.py")
        print(name, *(tuple(output.shape) for output in outputs), f"{max(float(o.abs().max()) for o in outputs):.3g}")


main()
