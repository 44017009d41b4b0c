"""Exports a model of every kind of layer and every setting, and runs each in the frameworks.

Usage: interop-kinds.py PATH_OF_LSTM_FT [--models FILE] [PART OF A NAME ...]

The models are those of fixtures/kinds/models.txt (or of a file of this form), with random weights. Each is written as Keras' .keras
and .h5, as ONNX, and as a state_dict with its nn.Module; Keras 3, tf_keras, ONNX Runtime and PyTorch load them, and their outputs
must agree with `lstm-ft predict` within 2e-6 (of 1, or of the largest output). Where an input is masked, some steps are hidden from
Keras, which alone has masks.
What comes back from each file must predict the same. A format that cannot hold a model must refuse it as the list says; of another
list the refusals are counted. A kind that no model has is an error: `lstm-ft layers --json` has them all.

The frameworks are loaded once and run all models; lstm-ft works ahead meanwhile, one call at a time.
"""

import argparse
import collections
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import numpy as np

import kinds

parser = argparse.ArgumentParser()
parser.add_argument("tool", help="lstm-ft")
parser.add_argument("--models", type=pathlib.Path, help="another list of models")
parser.add_argument("parts", nargs="*", help="only models with these words in their names")
asked = parser.parse_args()
TOOL = str(pathlib.Path(asked.tool).resolve())
LIMIT = 2e-6
counts = collections.Counter()
worst = collections.defaultdict(float)
failures = collections.Counter()


def have(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def run(*arguments, folder):
    extra = ["--overwrite"] if arguments[0] in ("export", "predict", "import") else []
    return subprocess.run([TOOL, *map(str, arguments), *extra], cwd=folder, capture_output=True, text=True)


def contents(path) -> tuple:
    """A model's configuration, and all that decides what it computes."""
    with h5py.File(path) as file:
        tensors = []
        file.visititems(
            lambda name, item: tensors.append((name, item.shape, item[()].tobytes())) if isinstance(item, h5py.Dataset) else None)
        return json.loads(file.attrs["configuration"]), (file.attrs["configuration"], file.attrs.get("preprocessing"), *tensors)


def in_keras(framework, path, feeds, folder, described):
    model = framework.models.load_model(f"{folder}/{path}", compile=False)
    given = []
    for x, said in zip(feeds.values(), inputs_of(described["configuration"])):
        if said.get("channels"):
            # A row of channels x height is an image's column.
            n, t, w = x.shape
            x = x.reshape(n, t, said["channels"], w // said["channels"]).transpose(0, 1, 3, 2)
        given.append(x)
    got = model(given if len(given) > 1 else given[0])
    return [np.asarray(y) for y in (got if isinstance(got, (list, tuple)) else [got])]


def name_of(given, index):
    return given.get("name") or ("input" if index == 0 else f"input{index + 1}")


def inputs_of(configuration):
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
    if described["configuration"]["layers"][-1].get("kind") == "crf":
        got = probabilities_of_tags(got, dict(module.named_parameters()))
    return [y.numpy() for y in (got if isinstance(got, tuple) else [got])]


def probabilities_of_tags(scores, state):
    """What `lstm-ft predict` gives of a CRF, by pytorch-crf: the derivative of its log partition in the scores of the tags.

    The written module gives those scores, as the classes do that people write around pytorch-crf.
    """
    import torch
    from torchcrf import CRF

    layer = CRF(scores.shape[-1], batch_first=True)
    with torch.no_grad():
        for name, values in layer.named_parameters():
            # Without scores of the first and last tags they are 0.
            values.copy_(next((given for key, given in state.items() if key.endswith(f".{name}")), torch.zeros_like(values)))
    assert layer.transitions.any(), "no transitions in the written module"
    scores = scores.double().requires_grad_()
    # pytorch-crf has the log-likelihood public: the score of any path less the log partition.
    path = torch.zeros(scores.shape[:2], dtype=torch.long)
    (gradient,) = torch.autograd.grad(layer.double()(scores, path), scores)
    return (torch.nn.functional.one_hot(path, scores.shape[-1]) - gradient).detach()


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


def check(how, got, wanted):
    assert len(got) == len(wanted), (how, len(got), len(wanted))
    for a, b in zip(got, wanted):
        # One row a sequence is a step, or none.
        assert a.shape == b.shape, (how, a.shape, b.shape)
        difference = float(np.abs(np.asarray(a, np.float64) - b).max()) if a.size else 0
        difference /= max(1, float(np.abs(b).max())) if b.size else 1
        assert difference <= LIMIT, (how, difference)
        worst[how] = max(worst[how], difference)


def hidden(described, feeds) -> dict:
    """Where an input is masked, hides steps at the start, between, and at the end, of some sequences."""
    mask = described["configuration"].get("mask")
    if mask is None:
        return feeds
    feeds = {name: x.copy() for name, x in feeds.items()}
    x = next(iter(feeds.values()))
    for sequence, step in ((0, -1), (0, -2), (1, 0), (1, 2)):
        x[sequence, step] = mask.get("token", mask.get("value"))
    return feeds


class Made:
    """What lstm-ft makes of a model: its predictions, its exports, and the predictions of what is read back from them."""

    def __init__(self, case, ways) -> None:
        self.case, self.problems = case, []
        self.described = case.describe(TOOL)
        # Only Keras has masks: others are given sequences without a hidden step.
        whole = case.inputs(self.described)
        masked = hidden(self.described, whole)
        self.feeds = {form: masked if form.startswith("keras") else whole for form, *_ in ways}
        self.outputs = self.described["configuration"].get("outputs") or [None]
        self.holder = tempfile.TemporaryDirectory()
        self.folder, self.exported, self.known = self.holder.name, [], {}
        case.write(self.described, self.folder)
        done = run("import", "weights.h5", "--model", case.model, folder=self.folder)
        assert done.returncode == 0, done.stderr
        self.wanted = {form: self.predict("model.h5", form) for form in self.feeds}
        for way in ways:
            try:
                if self.export(way):
                    self.exported.append(way)
                    self.read_back(way)
            except Exception as error:  # All of them are wanted in the end.
                self.problems.append((way[3], error))

    def predict(self, model, form) -> list:
        """What lstm-ft gives, one array an output. The same model is asked once for the same inputs."""
        configuration, key = contents(f"{self.folder}/{model}")
        feeds = list(self.feeds[form].values())
        key = (key, *(x.tobytes() for x in feeds))
        if key in self.known:
            return self.known[key]
        # A format may have other names for inputs. A single one is x, with steps.
        names = [name_of(one, index) for index, one in enumerate(inputs_of(configuration))]
        if len(feeds) == 1:
            names = ["x"]
            if inputs_of(configuration)[0].get("per_sequence"):
                feeds = [feeds[0][:, None]]
        np.savez(f"{self.folder}/x.npz", **dict(zip(names, feeds)))
        several = len(self.outputs) > 1
        done = run("predict", model, "--data", "x.npz", "-o", "y.h5" if several else "y.npy", folder=self.folder)
        assert done.returncode == 0, ("predict", model, done.stderr)
        if several:
            with h5py.File(f"{self.folder}/y.h5") as file:
                self.known[key] = [file[name][...] for name in sorted(file)]
        else:
            self.known[key] = [np.load(f"{self.folder}/y.npy")]
        return self.known[key]

    def export(self, way) -> bool:
        form, file, options, how, _ = way
        done = run("export", "model.h5", "--to", form, *options, "-o", file, folder=self.folder)
        refused = done.returncode in (64, 65)
        if asked.models and refused:
            counts[how + ", refused"] += 1
            return False
        if form in self.case.refusing:
            assert refused, ("was not refused", done.returncode, done.stderr)
            counts[how + ", refused as listed"] += 1
            return False
        assert done.returncode == 0, ("export", done.returncode, done.stderr)
        return True

    def read_back(self, way) -> None:
        form, file, _, how, _ = way
        if form in self.case.unread:
            return
        # An offset of the forget gate is in the bias by now.
        model = ["--model", re.sub(" forget offset [0-9.]+", "", self.case.model)] if form == "pt" else []
        done = run("import", file, *model, "-o", "again.h5", folder=self.folder)
        assert done.returncode == 0, ("read back", done.stderr)
        check(how + ", read back", self.predict("again.h5", form), self.wanted[form])
        counts[how + ", read back"] += 1


def compute(made) -> None:
    """The exports in the frameworks."""
    for form, file, options, how, computing in made.exported:
        try:
            check(how, computing(file, made.feeds[form], made.folder, made.described), made.wanted[form])
            counts[how] += 1
        except Exception as error:
            made.problems.append((how, error))
    made.holder.cleanup()


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
    cases = [case for case in kinds.cases(asked.models) if not asked.parts or any(part in case.name for part in asked.parts)]
    if not asked.parts and not asked.models:
        coverage(cases)
    ways, started = frameworks(), time.monotonic()
    with ThreadPoolExecutor(1) as ahead:
        pending = collections.deque()
        for index, case in enumerate(cases):
            while len(pending) < 8 and index + len(pending) < len(cases):
                pending.append(ahead.submit(Made, cases[index + len(pending)], ways))
            try:
                made = pending.popleft().result()
                compute(made)
                problems = made.problems
            except (Exception, SystemExit) as error:
                problems = [("lstm-ft", error)]
            for how, error in problems:
                failures[case.name] += 1
                print(f"  {case.name}: {case.model}\n    {how}: {type(error).__name__}: {str(error)[:600]}", flush=True)
            if (index + 1) % 50 == 0:
                print(f"  {index + 1} of {len(cases)} models after {time.monotonic() - started:.0f} s", flush=True)
    for how, number in sorted(counts.items()):
        print(f"  {number:>4} x {how}" + (f", within {worst[how]:.1e}" if how in worst else ""))
    print(f"{len(cases)} models of every kind and setting, {len(failures)} wrong")
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
