"""Golden outputs and gradients of the models in fixtures/kinds/models.txt, from PyTorch in double precision.

Usage: make-golden-kinds.py PATH_OF_LSTM_FT [--keep]    (needs torch, numpy and h5py)

With --keep, models whose name and line are as they were keep their values.

Each model's module is what `export --module` writes, in evaluation; weights and inputs are those of kinds.py. The loss is the sum of the
first output times `loss`, values of kinds.py, too. Every gradient is first compared with central differences, in double precision.

fixtures/kinds/golden.h5 has one list, `values`, and an attribute `cases`: name, checksum of the line, and number of values of each model, in order. Of each
model they are the outputs, the gradient of the first input where it has features, and that of each parameter that is trained, in the model's order; of
every tensor 8 values at most, evenly spread with both ends.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

import h5py
import numpy as np
import torch

import kinds

TOOL = str(pathlib.Path(sys.argv[1]).resolve())
STEP = 1e-6
torch.set_num_threads(1)


def places(count: int) -> list:
    return list(range(count)) if count <= 8 else [i * (count - 1) // 7 for i in range(8)]


def module_of(case, folder: str) -> torch.nn.Module:
    for arguments in (["import", "weights.h5", "--model", case.model], ["export", "model.h5", "--to", "pt", "-o", "m.pt", "--module", "m.py"]):
        done = subprocess.run([TOOL, *arguments], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{case.name}: {done.stderr}")
    spec = importlib.util.spec_from_file_location("module", f"{folder}/m.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    module = code.Model().double().eval()
    module.load_state_dict(torch.load(f"{folder}/m.pt", weights_only=True), strict=True)
    return module


def values_of(case) -> list:
    described = case.describe(TOOL)
    with tempfile.TemporaryDirectory() as folder:
        case.write(described, folder)
        module = module_of(case, folder)
    feeds = [torch.tensor(x, dtype=torch.float64 if x.dtype == np.float32 else torch.int64) for x in case.inputs(described).values()]
    for x in feeds:
        x.requires_grad_(x.is_floating_point())

    def outputs() -> list:
        got = module(*feeds)
        return list(got) if isinstance(got, tuple) else [got]

    weighting = torch.tensor(case.numbers("loss", tuple(outputs()[0].shape)))

    def loss() -> torch.Tensor:
        return (outputs()[0] * weighting).sum()

    own = dict(module.named_parameters())
    result = [y.detach().numpy().reshape(-1) for y in outputs()]
    wanted = [x for x in feeds[:1] if x.requires_grad]
    for name in [tensor["name"] for tensor in described["tensors"] if tensor["isTrained"]]:
        # Attention's score lies in a layer of its own.
        found = own.get(name)
        for a, b in ((".score", ".score.weight"), (".score_bias", ".score.bias")):
            if found is None and name.endswith(a):
                found = own.get(name.removesuffix(a) + b)
        assert found is not None, (case.name, name, sorted(own))
        wanted.append(found)
    gradients = torch.autograd.grad(loss(), wanted, allow_unused=True)
    scale = max([float(g.abs().max()) for g in gradients if g is not None] + [0.1])
    for tensor, gradient in zip(wanted, gradients):
        gradient = torch.zeros_like(tensor) if gradient is None else gradient
        of = tensor.detach()
        if of.ndim == 4:  # Kernels over a grid are (O, I, height, time) there, and (O, I, time, height) here.
            of, gradient = of.transpose(2, 3), gradient.transpose(2, 3)
        found = []
        for at in places(of.numel()):
            index = np.unravel_index(at, of.shape)
            with torch.no_grad():
                before = float(of[index])
                of[index] = before + STEP
                above = float(loss())
                of[index] = before - STEP
                below = float(loss())
                of[index] = before
            central = (above - below) / (2 * STEP)
            found.append(float(gradient[index]))
            assert abs(central - found[-1]) <= 1e-7 * scale, (case.name, at, central, found[-1])
        result.append(np.array(found))
    return result


def main() -> None:
    names, values, known = [], [], {}
    path = kinds.FIXTURES / "kinds" / "golden.h5"
    if "--keep" in sys.argv and path.exists():
        with h5py.File(path) as file:
            start = 0
            for entry in json.loads(file.attrs["cases"]):
                known[entry["name"], entry["line"]] = file["values"][start : start + entry["count"]]
                start += entry["count"]
    for case in kinds.cases():
        if "pt" in case.refusing:
            continue
        line = zlib.crc32(case.model.encode())
        flat = known.get((case.name, line))
        if flat is None:
            try:
                outputs = [v[places(len(v))] if len(v) > 8 else v for v in values_of(case)]
            except BaseException as error:
                print(f"{case.name}: {error}", flush=True)
                continue
            flat = np.concatenate(outputs).astype(np.float32)
        names.append({"name": case.name, "line": line, "count": len(flat)})
        values.append(flat)
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("values", data=np.concatenate(values))
        file.attrs["cases"] = json.dumps(names)
    print(f"{len(names)} models, {sum(len(v) for v in values)} values")


if __name__ == "__main__":
    main()
