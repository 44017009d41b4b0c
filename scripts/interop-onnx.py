"""Exports models of every readout and kind of layer to ONNX, and runs them with ONNX Runtime.

Usage: interop-onnx.py PATH_OF_LSTM_FT

So does every model of fixtures/onnx-graph, whose layers are of all kinds. Every export must pass onnx.checker (with shape inference), ONNX Runtime's outputs must agree with `lstm-ft predict` within
2e-6, and importing the export must give byte-identical tensors. The JSON for RTNeural is evaluated by a few lines of numpy as
RTNeural's parser reads it. Needs onnx, onnxruntime, h5py and numpy.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy
import onnx
import onnxruntime

TOOL = str(pathlib.Path(sys.argv[1]).resolve())
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
ALLOWED = {"compiled_extras": ["--allow", "unexpected=optimizer/*", "--allow", "unexpected=step", "--allow", "unexpected=bn.*"],
           "head_fc1_fc2": ["--activation", "relu"], "nested_groups": ["--activation", "relu"]}
worst = 0.0
carried = 0
lost: list[str] = []


def run(*arguments: object, folder: str) -> str:
    done = subprocess.run([TOOL, *map(str, arguments), *(["--overwrite"] if arguments[0] in ("export", "predict") else [])], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"lstm-ft {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stdout


def exported(folder: str) -> str | None:
    """What becomes of a model as ONNX: None if it is there; else what the format does not hold, as the export says."""
    command = [TOOL, "export", "model.h5", "--to", "onnx", "-o", "back.onnx", "--no-state", "--overwrite"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        if "ONNX has no operator for" not in done.stderr and "mask" not in done.stderr:
            raise SystemExit(f"lstm-ft {' '.join(command[1:])}: {done.returncode}\n{done.stderr}")
        return done.stderr.strip()
    return "the mask" if "the mask is not in this format" in done.stdout else None


def tensors(path: str) -> dict:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return found


def check(name: str, folder: str, x: numpy.ndarray, *dtype: str) -> None:
    """model.h5 in the folder, exported and compared."""
    global worst
    numpy.save(f"{folder}/x.npy", x)
    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
    run("export", "model.h5", "--to", "onnx", "-o", "model.onnx", *dtype, folder=folder)
    onnx.checker.check_model(f"{folder}/model.onnx", full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"])
    got = session.run(["output"], {"input": x})[0]
    want = numpy.load(f"{folder}/y.npy")
    assert got.dtype == numpy.float32 and got.shape == want.shape, (name, got.shape, want.shape)
    difference = float(numpy.abs(got - want).max())
    assert difference <= 2e-6, (name, difference)
    worst = max(worst, difference)
    # Another batch size and another length: neither is fixed in the file.
    session.run(None, {"input": x[:1, :2] if x.shape[1] > 1 else x[:1]})
    if dtype:
        return
    run("import", "model.onnx", "-o", "again.h5", folder=folder)
    before, after = tensors(f"{folder}/model.h5"), tensors(f"{folder}/again.h5")
    assert before.keys() == after.keys(), (name, before.keys() ^ after.keys())
    for key, value in before.items():
        if name.startswith("offset") and key.startswith("lstm.bias"):  # ONNX has no offset: it has gone into the bias
            value[len(value) // 4 : len(value) // 2] += 1
        assert value.dtype == after[key].dtype and value.tobytes() == after[key].tobytes(), (name, key)


def parameters(model: dict) -> dict:
    """Names and shapes of a model's tensors, from its configuration."""
    width = model["input"].get("features") or model["input"]["embedding"]
    shapes = {} if "features" in model["input"] else {"embedding.weight": (model["input"]["vocabulary"], width)}
    total = width
    for index, layer in enumerate(model["layers"]):
        h, d = layer["hidden"], 2 if layer.get("bidirectional") else 1
        for suffix in [f"_l{index}", f"_l{index}_reverse"][:d]:
            shapes["lstm.weight_ih" + suffix] = (4 * h, width)
            shapes["lstm.weight_hh" + suffix] = (4 * h, h)
            bias = layer.get("bias", "dual")
            if bias != "none":
                shapes["lstm.bias_ih" + suffix] = (4 * h,)
            if bias == "dual":
                shapes["lstm.bias_hh" + suffix] = (4 * h,)
            if layer.get("peepholes"):
                shapes["lstm.peephole" + suffix] = (3 * h,)
        width = d * h
        total += width
    width = total if model.get("skip") else width
    if model["readout"] == "attention":
        shapes["attention.weight"] = (1, width)
    for index, dense in enumerate(model.get("head", [])):
        shapes[f"head.{index}.weight"] = (dense["size"], width)
        if dense.get("bias", True):
            shapes[f"head.{index}.bias"] = (dense["size"],)
        width = dense["size"]
    return shapes


def configured(folder: str, model: dict, seed: int, dtype: type = numpy.float32) -> numpy.ndarray:
    """Imports random weights of a configuration; returns an input for it."""
    random = numpy.random.default_rng(seed)
    with h5py.File(f"{folder}/weights.h5", "w") as file:
        for name, shape in parameters(model).items():
            file[name] = random.uniform(-0.5, 0.5, shape).astype(dtype)
    pathlib.Path(folder, "config.json").write_text(json.dumps(model))
    run("import", "weights.h5", "--config", "config.json", folder=folder)
    if "features" in model["input"]:
        return random.standard_normal((3, 7, model["input"]["features"])).astype(numpy.float32)
    return random.integers(0, model["input"]["vocabulary"], (3, 7))


def configurations() -> list:
    layers = {
        "plain": [dict(hidden=5), dict(hidden=5)],
        "mixed": [dict(hidden=3, bidirectional=True, bias="single"), dict(hidden=7, bias="none"), dict(hidden=4, bidirectional=True)],
        "peepholes": [dict(hidden=4, bidirectional=True, peepholes=True), dict(hidden=3, peepholes=True)],
        "hard": [dict(hidden=4, gates="hard_sigmoid", bidirectional=True), dict(hidden=5, gates="hard_sigmoid_keras3")],
        "offset": [dict(hidden=4, bias="single", forget_offset=1)],
        "one": [dict(hidden=1)], "wide": [dict(hidden=129)],
    }
    head = [dict(size=6, activation="relu"), dict(size=5, activation="tanh", bias=False), dict(size=4, activation="sigmoid"),
            dict(size=3, activation="softmax")]
    inputs = [dict(features=4), dict(vocabulary=9, embedding=4)]
    cases = []
    for (kind, stack), readout in itertools.product(layers.items(), ["all", "last", "final", "mean", "max", "attention"]):
        for number, (skip, source) in enumerate(itertools.product([False, True], inputs)):
            model = dict(input=source, layers=stack, readout=readout, skip=skip, head=head if number % 2 else [])
            if number == 2:
                model["normalize"] = "l2"
            cases.append((f"{kind} {readout} {'skip ' if skip else ''}{'tokens' if 'vocabulary' in source else 'features'}", model))
    return cases


def sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    return 1 / (1 + numpy.exp(-x))


def check_rtneural(folder: str) -> None:
    model = dict(input=dict(features=2), layers=[dict(hidden=6), dict(hidden=4)], readout="all",
                 head=[dict(size=5, activation="relu", bias=False), dict(size=1, activation="tanh")])
    x = configured(folder, model, 1)
    numpy.save(f"{folder}/x.npy", x)
    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
    run("export", "model.h5", "--to", "rtneural-json", "--bias", "single", "-o", "model.json", folder=folder)
    parsed = json.loads(pathlib.Path(folder, "model.json").read_text())
    assert parsed["in_shape"][-1] == 2
    value = x.astype(float)
    for layer in parsed["layers"]:
        weights = [numpy.array(w) for w in layer["weights"]]
        size = layer["shape"][-1]
        if layer["type"] == "lstm":
            h = c = numpy.zeros((len(x), size))
            steps = []
            for step in value.swapaxes(0, 1):
                i, f, g, o = numpy.split(step @ weights[0] + h @ weights[1] + weights[2], 4, axis=1)
                c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
                h = sigmoid(o) * numpy.tanh(c)
                steps.append(h)
            value = numpy.stack(steps, 1)
        else:
            activation = {"": lambda v: v, "relu": lambda v: numpy.maximum(v, 0), "tanh": numpy.tanh}[layer["activation"]]
            value = activation(value @ weights[0] + weights[1])
    difference = numpy.abs(value - numpy.load(f"{folder}/y.npy")).max()
    assert difference <= 2e-6, difference


def exported_by_torch() -> int:
    """Exports of `torch.onnx.export` for the usual readouts, with static and with dynamic sizes.

    By the tracing exporter and, if onnxscript is installed, by the newer one.
    """
    import contextlib
    import importlib.util
    import io
    import warnings

    import torch

    warnings.filterwarnings("ignore")

    class Model(torch.nn.Module):
        def __init__(self, how, hidden=4, layers=1, both=False):
            super().__init__()
            self.how = how
            self.lstm = torch.nn.LSTM(3, hidden, layers, batch_first=True, bidirectional=both)
            self.fc = torch.nn.Linear((2 if both else 1) * hidden, 2)

        def forward(self, x):
            y, (h, _) = self.lstm(x)
            if self.how == "view":
                return self.fc(y.reshape(-1, y.shape[-1])).view(y.shape[0], y.shape[1], -1)
            return self.fc({
                "last": lambda: y[:, -1], "slice": lambda: y[:, -1:].squeeze(1), "state": lambda: h[-1],
                "mean": lambda: y.mean(1), "all": lambda: y}[self.how]())

    torch.manual_seed(0)
    count = 0
    cases = [Model(how) for how in ("last", "slice", "state", "mean", "all", "view")]
    cases += [Model("last", hidden=40), Model("last", layers=2), Model("all", layers=2, both=True)]
    both = {0: torch.export.Dim("n", min=2, max=64), 1: torch.export.Dim("t", min=2, max=64)}
    for model in cases:
        model.eval()
        x = torch.randn(2, 6, 3)
        ways = [{}, {"do_constant_folding": False}, {"dynamic_axes": {"x": {0: "n"}}}, {"dynamic_axes": {"x": {0: "n", 1: "t"}}}]
        ways = [dict(dynamo=False, input_names=["x"], output_names=["y"], **way) for way in ways]
        if importlib.util.find_spec("onnxscript"):
            ways += [dict(dynamo=True, external_data=False), dict(dynamo=True, external_data=False, dynamic_shapes=(both,))]
        for way in ways:
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                torch.onnx.export(model, (x,), f"{folder}/m.onnx", **way)
                session = onnxruntime.InferenceSession(f"{folder}/m.onnx", providers=["CPUExecutionProvider"])
                y = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
                numpy.save(f"{folder}/x.npy", x.numpy())
                run("import", "m.onnx", folder=folder)
                run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
                difference = numpy.abs(numpy.load(f"{folder}/y.npy") - y).max()
                assert difference <= 2e-6, (model.how, way, difference)
                count += 1
    return count


def scaled() -> None:
    """Constants before and after a model are part of its computation, in both directions."""
    wild = FIXTURES / "wild" / "onnx-scaling"
    x = numpy.load(wild / "x.npz")["x"]
    with tempfile.TemporaryDirectory() as folder:
        run("import", wild / "minmax_ts.onnx", folder=folder)
        run("export", "model.h5", "--to", "onnx", "-o", "back.onnx", folder=folder)
        session = onnxruntime.InferenceSession(f"{folder}/back.onnx", providers=["CPUExecutionProvider"])
        y, wanted = session.run(["output"], {"input": x})[0], numpy.load(wild / "minmax.npy")
        assert numpy.abs(y - wanted).max() <= 1e-5 * numpy.abs(wanted).max()


def session(path: object) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def carry(path: pathlib.Path, folder: str, x: numpy.ndarray) -> None:
    """Where the source's states were inputs: five calls of the source and of the export, each with its own states."""
    global worst, carried
    text = run("export", "model.h5", "--to", "onnx", "-o", "carried.onnx", folder=folder)
    pairs = re.findall(r"(\S+) -> ([^\s,]+)", next((line for line in text.splitlines() if "from call to call" in line), ""))
    if not pairs:
        return
    both = session(path), session(f"{folder}/carried.onnx")
    assert [v.name for v in both[0].get_inputs()] == [v.name for v in both[1].get_inputs()], path.name
    assert [v.name for v in both[0].get_outputs()] == [v.name for v in both[1].get_outputs()], path.name
    feeds = []
    for value in both[0].get_inputs():
        if value.name in dict(pairs):
            feeds.append([numpy.zeros([s if isinstance(s, int) else len(x) for s in value.shape], numpy.float32)] * 2)
        elif value.type == "tensor(int64)" and not value.shape:
            feeds.append([numpy.array(16000)] * 2)
        else:
            feeds.append([x if x.ndim == len(value.shape) else x.squeeze()] * 2)
    names = [value.name for value in both[0].get_inputs()]
    for call in range(5):
        results = []
        for index, one in enumerate(both):
            given = {name: feed[index] * (1 if name in dict(pairs) or feed[index].dtype == numpy.int64 else 1 - 0.1 * call) for name, feed in zip(names, feeds)}
            results.append(one.run(None, {name: numpy.asarray(value.astype(feeds[0][0].dtype) if value.dtype == numpy.float64 else value) for name, value in given.items()}))
        for a, b in zip(*results):
            assert a.shape == b.shape, (path.name, a.shape, b.shape)
            difference = float(numpy.abs(a - b).max())
            assert difference <= 2e-6, (path.name, call, difference)
            worst = max(worst, difference)
        outputs = [value.name for value in both[0].get_outputs()]
        for name, given in pairs:
            feeds[names.index(name)] = [result[outputs.index(given)] for result in results]
    carried += 1


def graphs() -> int:
    """Models of any layers, each imported, predicted with, exported, and its export run."""
    global worst
    count = 0
    for path in sorted((FIXTURES / "onnx-graph").glob("*.onnx")):
        with h5py.File(path.with_suffix(".reference.h5")) as golden, tempfile.TemporaryDirectory() as folder:
            names = golden.attrs["inputs"].split()
            feeds, wanted = [golden[name][...] for name in names], golden["y"][...]
            run("import", path, folder=folder)
            left = exported(folder)
            if left is not None:
                # Read and computed as well as the others; written it is another model or none, which is said.
                lost.append(path.name)
                if len(names) == 1:
                    numpy.save(f"{folder}/x.npy", feeds[0])
                    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
                    difference = float(numpy.abs(numpy.load(f"{folder}/y.npy") - wanted).max())
                    assert difference <= 2e-6, (path.name, difference)
                    worst = max(worst, difference)
                continue
            carry(path, folder, feeds[0])
            onnx.checker.check_model(f"{folder}/back.onnx", full_check=True)
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(f"{folder}/back.onnx", options, providers=["CPUExecutionProvider"])
            outputs = [value.name for value in session.get_outputs()]
            first = "output" if "output" in outputs else next(name for name in outputs if name.startswith("output."))
            inputs = session.get_inputs()
            given = [x.astype(numpy.int64) if "int64" in value.type else x for value, x in zip(inputs, feeds, strict=True)]
            results = [session.run([first], dict(zip([value.name for value in inputs], given)))[0]]
            if len(names) == 1:
                numpy.save(f"{folder}/x.npy", feeds[0])
                if first == "output":
                    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
                    results.append(numpy.load(f"{folder}/y.npy"))
                else:
                    run("predict", "model.h5", "--data", "x.npy", "-o", "y.h5", folder=folder)
                    with h5py.File(f"{folder}/y.h5") as several:
                        results.append(several["y_" + first.removeprefix("output.")][...])
            for y in results:
                assert y.shape == wanted.shape, (path.name, y.shape, wanted.shape)
                difference = float(numpy.abs(y - wanted).max())
                assert difference <= 2e-6, (path.name, difference)
                worst = max(worst, difference)
            count += 1
    return count


def main() -> None:
    count = graphs() + exported_by_torch()
    scaled()
    for path in sorted((FIXTURES / "golden-models").glob("*.reference.h5")):
        name = path.name.removesuffix(".reference.h5")
        with h5py.File(path) as golden, tempfile.TemporaryDirectory() as folder:
            if int(golden.attrs["proj_size"]):
                continue
            x = golden["tokens" if "tokens" in golden else "x"][...]
            run("import", path.parent / f"{name}.h5", "--readout", golden.attrs["readout"], *ALLOWED.get(name, []), folder=folder)
            check(name, folder, x)
            count += 1
    cases = configurations()
    for seed, (name, model) in enumerate(cases):
        with tempfile.TemporaryDirectory() as folder:
            check(name, folder, configured(folder, model, seed))
            count += 1
    for source in (numpy.float16, numpy.float64):
        with tempfile.TemporaryDirectory() as folder:
            check(source.__name__, folder, configured(folder, cases[1][1], 0, source))
            count += 1
    with tempfile.TemporaryDirectory() as folder:
        check_rtneural(folder)
    print(f"ONNX Runtime {onnxruntime.__version__}: {count} models checked and within 2e-6 (largest difference {worst:.1e}), {carried} of them "
          "with their states carried over calls, "
          "tensors back byte-identical; RTNeural's JSON too")
    print(f"{len(lost)} read and computed, which ONNX does not hold whole, and the export says so: {', '.join(lost)}")


if __name__ == "__main__":
    main()
