#!/usr/bin/env python3
"""Writes fixtures/pt/: files of torch.save and safetensors in many variants, written by the real libraries.

Run from anywhere: python scripts/make-pt-fixtures.py
Needs torch, numpy and safetensors. The files are the same on every run except for random parts of `torch.save`
(legacy storage keys are addresses). `expected.npz` has the values of every tensor as float64 under `<file>/<name>`;
`golden.h5` has an input and the outputs of the model in the files called `model*`.
"""
import argparse
import io
import json
import pathlib
import pickle
import tarfile
import warnings
import zipfile

import h5py
import numpy
import safetensors.torch
import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "pt"
OUT.mkdir(parents=True, exist_ok=True)
torch.manual_seed(3)
expected: dict[str, numpy.ndarray] = {}


def save(name: str, value: object, tensors: dict, **options) -> None:
    torch.save(value, OUT / name, **options)
    keep(name, tensors)


def keep(name: str, tensors: dict) -> None:
    for key, tensor in tensors.items():
        expected[f"{name}/{key}"] = tensor.detach().to(torch.float64).numpy()


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.Linear(12, 3)

    def forward(self, x: torch.Tensor):
        y, (h, c) = self.lstm(x)
        return self.head(y), y, h, c


def prefixed(prefix: str, state: dict) -> dict:
    return {prefix + key: value for key, value in state.items()}


model = Model()
x = torch.randn(3, 7, 5)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
model(x)[0].square().mean().backward()
optimizer.step()
state = model.state_dict()
with torch.no_grad():
    y, _, h, c = model(x)
with h5py.File(OUT / "golden.h5", "w") as file:
    for name, value in {"x": x, "y": y, "h": h, "c": c}.items():
        file[name] = value.numpy()

# The model alone, in both containers, and with the state of training.
save("model.pt", state, state)
save("model-legacy.pt", state, state, _use_new_zipfile_serialization=False)
save("model-protocol4.pt", state, state, pickle_protocol=4)
save("model-parameters.pt", dict(model.named_parameters()), state)
nested = {"epoch": 3, "model_state": state, "optimizer_state": optimizer.state_dict(), "best_loss": torch.tensor(0.25),
          "losses": torch.arange(4.0), "notes": [1.5, None, True, "text", -7, 1 << 70]}
save("model-nested.pt", nested, prefixed("model_state.", state))
save("model-nested-legacy.pt", nested, prefixed("model_state.", state), _use_new_zipfile_serialization=False)
lightning = {
    "epoch": 1, "global_step": 20, "pytorch-lightning_version": "2.5.0", "state_dict": prefixed("net.", state),
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
    "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(0.5), "best_model_path": ""}},
    "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [{"last_epoch": 1, "base_lrs": [0.1]}],
    "hparams_name": "kwargs", "hyper_parameters": {"hidden": 6, "rates": (0.1, 0.2)},
}
save("model-lightning.ckpt", lightning, prefixed("state_dict.net.", state))
torch.serialization.set_default_load_endianness(None)
torch.serialization.set_crc32_options(False)
save("model-nocrc.pt", state, state)
torch.serialization.set_crc32_options(True)
safetensors.torch.save_file(dict(state), OUT / "model.safetensors", metadata={"format": "pt", "trained on": "noise \"ü\""})
keep("model.safetensors", state)

# Views of one storage.
base = torch.arange(24, dtype=torch.float32)
tied = torch.arange(6, dtype=torch.float32).reshape(2, 3)
views = {
    "offset": base[4:10], "matrix": base.reshape(4, 6), "transposed": base.reshape(4, 6).t(), "stepped": base[1::3],
    "block": base.reshape(4, 6)[1:3, 2:5], "expanded": torch.tensor([1.5, 2.5]).expand(3, 2),
    "permuted": base.reshape(2, 3, 4).permute(2, 0, 1), "scalar": torch.tensor(2.5), "none": torch.zeros(0, 3),
    "lone": base[7], "tied.a": tied, "tied.b": tied, "parameter": torch.nn.Parameter(base[:2].clone()),
}
save("views.pt", views, views)
save("views-legacy.pt", views, views, _use_new_zipfile_serialization=False)

# Types, with values that each represents exactly.
types = {}
for type_ in [torch.float16, torch.bfloat16, torch.float32, torch.float64]:
    types[str(type_)[6:]] = torch.tensor([[0.5, -1.25, 3.0], [0.0, -2.0, 96.0]]).to(type_)
for type_ in [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64]:
    types[str(type_)[6:]] = torch.tensor([0, 1, 100, 127], dtype=torch.int64).to(type_)
types["bool"] = torch.tensor([True, False, True])
save("types.pt", types, types)
safetensors.torch.save_file(types, OUT / "types.safetensors")
keep("types.safetensors", types)
old = {name: value for name, value in types.items() if name not in ("uint16", "uint32", "uint64")}
save("types-legacy.pt", old, old, _use_new_zipfile_serialization=False)
odd = {"w": torch.zeros(2), "f8": torch.ones(3).to(torch.float8_e4m3fn), "z": torch.ones(2, dtype=torch.complex64)}
save("odd-types.pt", odd, {"w": odd["w"]})
safetensors.torch.save_file({"w": odd["w"], "f8": odd["f8"]}, OUT / "odd-types.safetensors")
keep("odd-types.safetensors", {"w": odd["w"]})

# A file of a big-endian machine, by swapping the bytes of each storage before torch.save.
def save_big_endian(name: str, tensors: dict) -> None:
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    widths = {str(n): t.element_size() for n, t in enumerate(tensors.values())}
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(OUT / name, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            key = entry.filename.rpartition("/")[2]
            if "/data/" in entry.filename:
                data = numpy.frombuffer(data, f"V{widths[key]}").tobytes()
                data = b"".join(data[i : i + widths[key]][::-1] for i in range(0, len(data), widths[key]))
            if key == "byteorder":
                data = b"big"
            target.writestr(zipfile.ZipInfo(entry.filename), data)
    loaded = torch.load(OUT / name, weights_only=True)
    assert all(torch.equal(loaded[key], value) for key, value in tensors.items()), name
    keep(name, tensors)


floats = {name: types[name] for name in ("float16", "bfloat16", "float32", "float64", "int32", "int8")}
save_big_endian("big-endian.pt", floats)
save_big_endian("model-big-endian.pt", {key: value.clone() for key, value in state.items()})

# Recompressed by another program.
with zipfile.ZipFile(OUT / "views.pt") as source, zipfile.ZipFile(OUT / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as target:
    for entry in source.infolist():
        target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), zipfile.ZIP_DEFLATED)
keep("deflated.pt", views)

# Shards.
names = sorted(state)
shards = [names[:7], names[7:]]
weight_map = {}
for number, part in enumerate(shards, 1):
    file_name = f"shards-{number:05}-of-{len(shards):05}.safetensors"
    safetensors.torch.save_file({name: state[name] for name in part}, OUT / file_name)
    weight_map |= dict.fromkeys(part, file_name)
index = {"metadata": {"total_size": sum(t.nbytes for t in state.values())}, "weight_map": weight_map}
(OUT / "model-shards.safetensors.index.json").write_text(json.dumps(index, indent=2))
keep("model-shards.safetensors.index.json", state)

# A whole module, and objects beside the tensors.
torch.save(model, OUT / "module.pt")


def no_source(*_):
    raise OSError("the sources of modules are no part of this test")


torch.serialization.get_source_lines_and_file = no_source
warnings.simplefilter("ignore")
torch.save(model, OUT / "module-legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"state_dict": state, "args": argparse.Namespace(hidden=6)}, OUT / "namespace.pt")
torch.save({"w": torch.zeros(2), "loss": numpy.float64(0.5)}, OUT / "numpy.pt")

# What is refused.
with open(OUT / "refused-plain.pkl", "wb") as file:
    pickle.dump({"w": [1.0, 2.0]}, file, protocol=4)
with tarfile.open(OUT / "refused-tar.pt", "w", format=tarfile.PAX_FORMAT) as file:
    content = b"\x80\x02}."
    info = tarfile.TarInfo("pickle")
    info.size = len(content)
    file.addfile(info, io.BytesIO(content))

numpy.savez_compressed(OUT / "expected.npz", **expected)
