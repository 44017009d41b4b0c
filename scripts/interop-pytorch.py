"""Imports every golden model, fine-tunes it briefly, exports it, and loads the export in PyTorch.

Usage: interop-pytorch.py PATH_OF_LSTM_FT

For each golden LSTM the exported tensors must be byte-identical to the originals; `load_state_dict(strict=True)` must
accept them; and PyTorch's outputs must agree with `lstm-ft predict` within 2e-6. For one model the same is checked after a
fine-tuning run with layer 0 frozen. A language model whose embedding is its decoder is fine-tuned, exported and loaded
into the same tied module, from a `.pt` file and as `safetensors.torch.load_model` does it; a padding row stays zero.

Each graph of fixtures/torch-graph is imported (as it is, described by its JSON, or as the error proposes) and exported with
`--module`: the tensors must be the source's (weight and spectral normalization folded), and the written module must load them and give what PyTorch gave within 2e-6.
One is fine-tuned first, and the module then agrees with `lstm-ft predict`.
"""

import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy
import safetensors.torch
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


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 8)
        self.lstm = torch.nn.LSTM(8, 8, batch_first=True)
        self.decoder = torch.nn.Linear(8, 11)
        self.decoder.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.lstm(self.embedding(x))[0])


class Padded(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 6, padding_idx=0)
        self.lstm = torch.nn.LSTM(6, 8, batch_first=True)
        self.fc = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(self.embedding(x))[0][:, -1])


def check_tied(folder: str, source: str) -> float:
    wild = FIXTURES / "wild/tied"
    run("import", wild / source, "--readout", "all", folder=folder)
    run("finetune", "--data", wild / "data.npz", "--epochs", 3, "--run", "run", folder=folder)
    run("predict", "finetuned.h5", "--data", wild / "x.npz", "-o", "y.npy", folder=folder)
    x, y = torch.tensor(numpy.load(wild / "x.npz")["x"]), torch.tensor(numpy.load(f"{folder}/y.npy"))
    worst = 0.0
    for name in ("back.pt", "back.safetensors"):
        run("export", "finetuned.h5", "--to", pathlib.Path(name).suffix[1:], "-o", name, folder=folder)
        module = Tied()
        if name.endswith(".pt"):
            state = torch.load(f"{folder}/{name}", weights_only=True)
            assert state["embedding.weight"].data_ptr() == state["decoder.weight"].data_ptr()
            module.load_state_dict(state, strict=True)
        else:
            safetensors.torch.load_model(module, f"{folder}/{name}", strict=True)
        assert module.embedding.weight is module.decoder.weight
        with torch.no_grad():
            worst = max(worst, (module(x) - y).abs().max().item())
    assert worst <= 1e-6, (source, worst)
    return worst


def check_padded(folder: str) -> None:
    wild = FIXTURES / "wild/padding-row"
    run("import", wild / "m.pt", "--readout", "last", folder=folder)
    run("finetune", "--data", wild / "pre.npz", "--epochs", 3, "--run", "run", folder=folder)
    run("predict", "finetuned.h5", "--data", wild / "x.npz", "-o", "y.npy", folder=folder)
    run("export", "finetuned.h5", "--to", "pt", "-o", "back.pt", folder=folder)
    state, before = (torch.load(path, weights_only=True) for path in (f"{folder}/back.pt", wild / "m.pt"))
    assert not state["embedding.weight"][0].any()
    assert (state["embedding.weight"][1:] != before["embedding.weight"][1:]).any()
    module = Padded()
    module.load_state_dict(state, strict=True)
    with torch.no_grad():
        y = module(torch.tensor(numpy.load(wild / "x.npz")["x"])).numpy()
    assert numpy.abs(y - numpy.load(f"{folder}/y.npy")).max() <= 1e-6


def module_of(path: str) -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("module", path)
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return code.Model().eval()


def import_graph(source: pathlib.Path, folder: str) -> None:
    described = source.with_suffix(".json")
    options = ["--config", described] if described.exists() else ["--readout", "last"]
    done = subprocess.run([TOOL, "import", source, *options], cwd=folder, capture_output=True, text=True)
    if done.returncode == 65:
        # What is proposed first is what the fixture is; N is to be filled in.
        steps = numpy.load(source.with_suffix(".npz"))["x"].shape[1]
        line = re.sub(r"\bN\b", str(steps), re.findall("--model '([^']*)'", done.stderr)[0])
        run("import", source, "--model", line, folder=folder)
    elif done.returncode:
        raise SystemExit(done.stderr)


def check_graph(source: pathlib.Path, folder: str) -> float:
    import_graph(source, folder)
    run("export", "model.h5", "--to", "pt", "-o", "back.pt", "--module", "model.py", folder=folder)
    before, state = (torch.load(path, weights_only=True) for path in (source, f"{folder}/back.pt"))
    # Weights that were stored as factors are one tensor each from here on.
    if not any(name.endswith(("_g", "_orig")) or "parametrizations" in name for name in before):
        # A learned slope is a setting; tags of the start and the end, and projections of other widths, have tensors of their own.
        own = {"prelu": {"act.weight"}, "crf_start_stop": {"transitions"}}.get(source.stem, set())
        own |= {name for name in before if "_proj_weight" in name or name.endswith("in_proj_bias")} if source.stem == "attention_kdim" else set()
        before = {name: value for name, value in before.items() if name not in own}
        assert before.keys() <= state.keys() if own else before.keys() == state.keys(), source
        for name, value in before.items():
            # A window of one step is a dense layer.
            same = torch.equal(value.reshape(state[name].shape), state[name]) if value.numel() == state[name].numel() else False
            assert name.endswith("num_batches_tracked") or same, (source, name)
    module = module_of(f"{folder}/model.py")
    module.load_state_dict(state, strict=True)
    numbers = numpy.load(source.with_suffix(".npz"))
    with torch.no_grad():
        y = module(*(torch.tensor(numbers[name]) for name in sorted(numbers) if name != "y")).numpy()
    difference = float(numpy.abs(y - numbers["y"]).max())
    assert difference <= 2e-6, (source, difference)
    return difference


def check_finetuned_graph(folder: str) -> float:
    source = FIXTURES / "torch-graph/batch_norm.pt"
    run("import", source, "--readout", "last", folder=folder)
    run("finetune", "--data", source.with_suffix(".npz"), "--epochs", 3, "--run", "run", folder=folder)
    run("export", "finetuned.h5", "--to", "pt", "-o", "back.pt", "--module", "model.py", folder=folder)
    run("predict", "finetuned.h5", "--data", source.with_suffix(".npz"), "-o", "y.npy", folder=folder)
    module = module_of(f"{folder}/model.py")
    module.load_state_dict(torch.load(f"{folder}/back.pt", weights_only=True), strict=True)
    with torch.no_grad():
        y = module(torch.tensor(numpy.load(source.with_suffix(".npz"))["x"])).numpy()
    difference = float(numpy.abs(y - numpy.load(f"{folder}/y.npy")).max())
    assert difference <= 2e-6, difference
    return difference


def main() -> None:
    cases = [p for p in sorted((FIXTURES / "golden-lstm").glob("*.h5")) if not p.name.startswith("packed")]
    for path in cases:
        with tempfile.TemporaryDirectory() as folder:
            check_lstm(path, folder)
    with tempfile.TemporaryDirectory() as folder:
        check_finetuned(folder)
    for source in ("tied.pt", "tied.safetensors", "clone.pt", "once.safetensors"):
        with tempfile.TemporaryDirectory() as folder:
            print(f"  {source}: tied, fine-tuned and exported, within {check_tied(folder, source):.1e}")
    with tempfile.TemporaryDirectory() as folder:
        check_padded(folder)
    graphs = sorted((FIXTURES / "torch-graph").glob("*.pt"))
    worst = 0.0
    for path in graphs:
        with tempfile.TemporaryDirectory() as folder:
            worst = max(worst, check_graph(path, folder))
    with tempfile.TemporaryDirectory() as folder:
        worst = max(worst, check_finetuned_graph(folder))
    print(f"  {len(graphs)} graphs come back byte-identical, and their written modules compute them within {worst:.1e}")
    print(f"PyTorch {torch.__version__}: {len(cases)} models byte-identical and within 2e-6, also one that was fine-tuned")


if __name__ == "__main__":
    main()
