"""Exports every golden LSTM with the names of MLX, Flax and Haiku, and loads it in these frameworks.

Usage: interop-named.py PATH_OF_LSTM_FT

MLX' `load_weights(strict=True)`, Flax' `Module.apply` and Haiku's `transform` must accept the tensors unchanged, and the
frameworks' outputs must agree with `lstm-ft predict` within 2e-6. Features that a framework's LSTM lacks must be refused.
Frameworks that are not installed are skipped.
"""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy

TOOL = sys.argv[1]
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"


def call(*arguments: object, folder: str) -> subprocess.CompletedProcess:
    return subprocess.run([TOOL, *map(str, arguments), *(["--overwrite"] if arguments[0] in ("export", "predict") else [])], cwd=folder, capture_output=True, text=True)


def run(*arguments: object, folder: str) -> None:
    done = call(*arguments, folder=folder)
    if done.returncode != 0:
        raise SystemExit(f"lstm-ft {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")


def state_of(path: str) -> dict:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return found


def in_mlx(weights: dict, x: numpy.ndarray) -> numpy.ndarray:
    import mlx.core as mx
    import mlx.nn as nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            names = sorted({name.rsplit(".", 1)[0] for name in weights}, key=lambda name: (len(name), name))
            made = [nn.LSTM(weights[n + ".Wx"].shape[1], weights[n + ".Wh"].shape[1], bias=n + ".bias" in weights)
                    for n in names]
            if names == ["lstm"]:
                self.lstm = made[0]
            else:
                self.layers = made

        def __call__(self, x):
            for layer in self.layers if "layers" in self else [self.lstm]:
                x = layer(x)[0]
            return x

    model = Model()
    model.load_weights([(name, mx.array(value)) for name, value in weights.items()], strict=True)
    return numpy.array(model(mx.array(x)))


def in_flax(weights: dict, x: numpy.ndarray) -> numpy.ndarray:
    import flax.linen as nn
    from flax.traverse_util import unflatten_dict
    top = sorted({name.split("/")[0] for name in weights}, key=lambda name: (len(name), name))

    def size(layer: str) -> int:
        return next(value.shape[1] for name, value in weights.items() if name.startswith(layer + "/") and "kernel" in name)

    class Stack(nn.Module):
        @nn.compact
        def __call__(self, x):
            for layer in top:
                x = nn.RNN(nn.LSTMCell(size(layer)))(x)
            return x

    class Both(nn.Module):
        def setup(self):
            self.layers = [nn.Bidirectional(nn.RNN(nn.LSTMCell(size(l))), nn.RNN(nn.LSTMCell(size(l)))) for l in top]

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Both() if top[0].startswith("layers") else Stack()
    # Flax rejects missing and extra arrays.
    shapes = model.init(__import__("jax").random.key(0), x)["params"]
    params = unflatten_dict({tuple(name.split("/")): value for name, value in weights.items()})
    import jax
    assert jax.tree.structure(shapes) == jax.tree.structure(params), (jax.tree.structure(shapes), jax.tree.structure(params))
    return numpy.array(model.apply({"params": params}, x))


def in_haiku(weights: dict, x: numpy.ndarray) -> numpy.ndarray:
    import haiku as hk
    params: dict = {}
    for name, value in weights.items():
        module, leaf = name.rsplit("/", 1)
        params.setdefault(module, {})[leaf] = value
    sizes = [p["w"].shape[1] // 4 for _, p in sorted(params.items(), key=lambda item: (len(item[0]), item[0]))]

    def model(x):
        for size in sizes:
            core = hk.LSTM(size)
            x, _ = hk.dynamic_unroll(core, x, core.initial_state(x.shape[0]), time_major=False)
        return x
    return numpy.array(hk.without_apply_rng(hk.transform(model)).apply(params, x))


TARGETS = {"mlx": ("mlx", in_mlx), "flax": ("flax", in_flax), "haiku": ("haiku", in_haiku)}


def main() -> None:
    for layout, (package, load) in TARGETS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{layout}: {package} is not installed, skipped")
            continue
        worst, count, refused = 0.0, 0, 0
        for path in sorted((FIXTURES / "golden-lstm").glob("*.h5")):
            with h5py.File(path) as golden, tempfile.TemporaryDirectory() as folder:
                if "lengths" in golden:
                    continue
                x = golden["x"][...]
                bidirectional, projection = bool(golden.attrs["bidirectional"]), int(golden.attrs["proj_size"])
                with h5py.File(f"{folder}/weights.h5", "w") as file:
                    for name, item in golden["weights"].items():
                        file[name] = item[...]
                numpy.save(f"{folder}/x.npy", x)
                run("import", "weights.h5", folder=folder)
                export = ["export", "model.h5", "--to", "pytorch-h5", "--layout", layout, "--bias", "single", "-o", "out.h5"]
                if projection or bidirectional and layout != "flax":
                    done = call(*export, folder=folder)
                    assert done.returncode == 64 and " has not" in done.stderr, (path.name, done)
                    refused += 1
                    continue
                run(*export, folder=folder)
                run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
                difference = numpy.abs(load(state_of(f"{folder}/out.h5"), x) - numpy.load(f"{folder}/y.npy")).max()
                assert difference <= 2e-6, (layout, path.name, difference)
                worst, count = max(worst, float(difference)), count + 1
        print(f"{layout}: {count} models, outputs within {worst:.1e}; {refused} refused as expected")


main()
