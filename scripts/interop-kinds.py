"""Exports a model of every kind of layer and every setting, and runs each in the frameworks.

Usage: interop-kinds.py PATH_OF_LSTM_FT [PART OF A NAME ...]

The models are those of fixtures/kinds/models.txt, with random weights. Each is written as Keras' .keras and .h5, as ONNX, and as a
state_dict with its nn.Module; Keras 3, tf_keras, ONNX Runtime and PyTorch load them, and their outputs must agree with
`lstm-ft predict` within 2e-6. What comes back from each file must predict the same. A format that cannot hold a model must refuse it
as the list says. A kind or setting that no model has is an error: `lstm-ft layers --json` has them all.
"""

import collections
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import numpy as np

import kinds

TOOL = str(pathlib.Path(sys.argv[1]).resolve())
WANTED = sys.argv[2:]
LIMIT = 2e-6
counts = collections.Counter()
worst = collections.defaultdict(float)
failures = []


def have(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def run(*arguments, folder):
    extra = ["--overwrite"] if arguments[0] in ("export", "predict", "import") else []
    return subprocess.run([TOOL, *map(str, arguments), *extra], cwd=folder, capture_output=True, text=True)


def predict(model, folder, feeds, outputs) -> list:
    """What lstm-ft gives, one array an output."""
    several = len(outputs) > 1
    first = next(iter(feeds.values()))
    if len(feeds) == 1 and first.ndim == (3 if first.dtype == np.float32 else 2):
        np.savez(f"{folder}/x.npz", x=first)
    else:
        # A format may have other names for inputs.
        said = json.loads(run("inspect", model, "--json", folder=folder).stdout)
        np.savez(f"{folder}/x.npz", **{name: x for name, x in zip([name_of(g, i) for i, g in enumerate(inputs_of(said))], feeds.values())})
    done = run("predict", model, "--data", "x.npz", "-o", "y.h5" if several else "y.npy", folder=folder)
    if done.returncode:
        raise AssertionError(f"predict {model}: {done.stderr}")
    if not several:
        return [np.load(f"{folder}/y.npy")]
    with h5py.File(f"{folder}/y.h5") as file:
        return [file[key][...] for key in sorted(file)]


def in_keras(framework, path, feeds, folder, described):
    model = framework.models.load_model(f"{folder}/{path}", compile=False)
    given = []
    for (name, x), said in zip(feeds.items(), inputs_of(described)):
        if said.get("channels"):
            # A row of channels x height is an image's column.
            n, t, w = x.shape
            x = x.reshape(n, t, said["channels"], w // said["channels"]).transpose(0, 1, 3, 2)
        given.append(x)
    got = model(given if len(given) > 1 else given[0])
    return [np.asarray(y) for y in (got if isinstance(got, (list, tuple)) else [got])]


def name_of(given, index):
    return given.get("name") or ("input" if index == 0 else f"input{index + 1}")


def inputs_of(described):
    configuration = described["configuration"]
    return configuration.get("inputs") or [configuration["input"]]


def in_onnx(path, feeds, folder, described):
    import onnx
    import onnxruntime

    onnx.checker.check_model(f"{folder}/{path}", full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/{path}", options, providers=["CPUExecutionProvider"])
    given = dict(zip([value.name for value in session.get_inputs()], feeds.values()))
    names = [value.name for value in session.get_outputs() if value.name.startswith("output")]
    return session.run(names, given)


def in_torch(path, feeds, folder, described):
    import torch

    spec = importlib.util.spec_from_file_location("module", f"{folder}/{path}")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    module = code.Model().eval()
    module.load_state_dict(torch.load(f"{folder}/m.pt", weights_only=True), strict=True)
    with torch.no_grad():
        got = module(*(torch.tensor(x) for x in feeds.values()))
    return [y.numpy() for y in (got if isinstance(got, tuple) else [got])]


def frameworks() -> list:
    """Format, file, options of the export, and how a framework computes it."""
    list_ = []
    if have("keras", "tensorflow"):
        import keras

        list_.append(("keras", "m.keras", ["--bias", "single"], "Keras 3, .keras", lambda *a: in_keras(keras, *a)))
    if have("tf_keras"):
        import tf_keras

        def legacy(path, *rest):
            with h5py.File(f"{rest[1]}/{path}") as file:
                three = str(file.attrs["keras_version"]).startswith("3")
            return in_keras(keras if three else tf_keras, path, *rest)

        list_.append(("keras-h5", "k.h5", ["--bias", "single"], "tf_keras, .h5", legacy))
    if have("onnxruntime"):
        list_.append(("onnx", "m.onnx", ["--no-state"], "ONNX Runtime", in_onnx))
    if have("torch"):
        list_.append(("pt", "m.pt", ["--module", "m.py"], "PyTorch, --module", lambda path, *a: in_torch("m.py", *a)))
    return list_


def check(how, name, got, wanted):
    assert len(got) == len(wanted), (how, len(got), len(wanted))
    for a, b in zip(got, wanted):
        # One row a sequence is a step, or none.
        assert a.shape == b.shape, (how, a.shape, b.shape)
        difference = float(np.abs(np.asarray(a, np.float64) - b).max()) if a.size else 0
        worst[how] = max(worst[how], difference)
        assert difference <= LIMIT * max(1, float(np.abs(b).max())), (how, difference)


def one(case, ways) -> None:
    described = case.describe(TOOL)
    feeds = case.inputs(described)
    outputs = described["configuration"].get("outputs") or [None]
    with tempfile.TemporaryDirectory() as folder:
        case.write(described, folder)
        done = run("import", "weights.h5", "--model", case.model, folder=folder)
        assert done.returncode == 0, done.stderr
        wanted = predict("model.h5", folder, feeds, outputs)
        for way in ways:
            try:
                through(case, way, described, feeds, outputs, wanted, folder)
            except Exception as error:  # All of them are wanted in the end.
                failures.append(case.name)
                print(f"  {case.name}: {case.model}\n    {way[3]}: {type(error).__name__}: {str(error)[:600]}", flush=True)


def through(case, way, described, feeds, outputs, wanted, folder) -> None:
    form, file, options, how, compute = way
    done = run("export", "model.h5", "--to", form, *options, "-o", file, folder=folder)
    if form in case.refusing:
        assert done.returncode in (64, 65), ("was not refused", done.returncode)
        counts[how + ", refused as listed"] += 1
        return
    assert done.returncode == 0, done.stderr
    check(how, case.name, compute(file, feeds, folder, described), wanted)
    counts[how] += 1
    if form in case.unread:
        return
    # An offset of the forget gate is in the bias by now.
    model = ["--model", re.sub(" forget offset [0-9.]+", "", case.model)] if form == "pt" else []
    done = run("import", file, *model, "-o", "again.h5", folder=folder)
    assert done.returncode == 0, ("read back", done.stderr)
    check(how + ", read back", case.name, predict("again.h5", folder, feeds, outputs), wanted)
    counts[how + ", read back"] += 1


def coverage(cases) -> None:
    """Every kind and setting of the tool is in a model."""
    said = json.loads(subprocess.run([TOOL, "layers", "--json"], capture_output=True, text=True, check=True).stdout)
    found = collections.defaultdict(set)
    for case in cases:
        for layer in case.describe(TOOL)["configuration"].get("layers", []):
            if "kind" in layer:
                found[layer["kind"]].update(layer)
            else:  # A plain stack is described in its own way.
                found["lstm"].update(layer)
    for kind in said:
        assert kind["kind"] in found or kind["kind"] in ("lstm",), f"no model has the kind {kind['kind']}"


def main() -> None:
    cases = [case for case in kinds.cases() if not WANTED or any(part in case.name for part in WANTED)]
    if not WANTED:
        coverage(cases)
    ways = frameworks()
    for case in cases:
        one(case, ways)
    for how, number in counts.items():
        print(f"  {number:>4} x {how}" + (f", within {worst[how]:.1e}" if how in worst else ""))
    print(f"{len(cases)} models of every kind and setting, {len(failures)} wrong")
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
