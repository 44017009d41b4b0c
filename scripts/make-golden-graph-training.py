#!/usr/bin/env python3
"""Golden runs of training for graphs of layers, from PyTorch: 20 steps of Adam at 0.01 on one batch, mean squared error.

One file per case, fixtures/golden-graph-training/<name>.h5:

    model, frozen    attributes: the configuration as JSON, and the layers that are frozen, joined by commas
    weights/NAME     under the project's names, running statistics included
    x (N,T,I)  targets (N,O)  losses (20)  trained/NAME

A frozen batch normalization is in evaluation, as a fine-tuner leaves it.
"""

import json
import pathlib
import zlib

import h5py
import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden-graph-training"


def layer(name, kind, **settings):
    return {"name": name, "kind": kind} | settings


class ConvNorm(nn.Module):
    layers = [
        layer("conv1", "convolution", size=6, kernel=3, padding="same", activation="relu"), layer("norm1", "batch_norm"),
        layer("layer0", "lstm", size=7), layer("readout", "readout", take="last"), layer("head.0", "dense", size=2),
    ]
    names = {"conv": "conv1", "norm": "norm1", "fc": "head.0"}

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 6, 3, padding="same"), nn.BatchNorm1d(6)
        self.lstm, self.fc = nn.LSTM(6, 7, batch_first=True), nn.Linear(7, 2)

    def forward(self, x):
        x = self.norm(torch.relu(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        return self.fc(self.lstm(x)[0][:, -1])


class Attention(nn.Module):
    layers = [
        layer("layer0", "lstm", size=6, bidirectional=True),
        layer("attention", "attention", form="tanh", size=5, bias=True), layer("norm1", "layer_norm"),
        layer("head.0", "dense", size=2),
    ]
    names = {"score": "attention", "norm": "norm1", "fc": "head.0"}

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True, bidirectional=True)
        self.score, self.vector = nn.Linear(12, 5), nn.Linear(5, 1, bias=False)
        self.norm, self.fc = nn.LayerNorm(12), nn.Linear(12, 2)

    def forward(self, x):
        h = self.lstm(x)[0]
        share = torch.softmax(self.vector(torch.tanh(self.score(h))), dim=1)
        return self.fc(self.norm((share * h).sum(1)))


class EncoderDecoder(nn.Module):
    """A forecast of four steps of three values, flat."""

    layers = [
        layer("layer0", "lstm", size=6), layer("readout", "readout", take="last"), layer("repeat", "repeat", count=4),
        layer("layer1", "lstm", size=6, initial_from="layer0"), layer("head.0", "dense", size=3),
    ]
    names = {"fc": "head.0"}

    def __init__(self):
        super().__init__()
        self.lstm, self.decoder = nn.LSTM(4, 6, batch_first=True), nn.LSTM(6, 6, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        h, state = self.lstm(x)
        steps = h[:, -1:].expand(-1, 4, -1)
        return self.fc(self.decoder(steps, state)[0]).flatten(1)


def project_name(module, name):
    part, rest = name.split(".", 1)
    if part in ("lstm", "decoder"):
        return "lstm." + (rest if part == "lstm" else rest.replace("_l0", "_l1"))
    if part == "vector":
        return "attention.score"
    return f"{module.names[part]}.{rest}"


def write(name, kind, outputs, frozen=()):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    module = kind()
    named = dict(module.named_parameters()) | {
        key: value for key, value in module.named_buffers() if "num_batches" not in key
    }
    path = FOLDER / f"{name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", libver="v110") as file:
        file.attrs["model"] = json.dumps({"input": {"features": 4}, "layers": kind.layers})
        file.attrs["frozen"] = ",".join(frozen)
        with torch.no_grad():
            for key, value in named.items():
                numbers = np.round(random.uniform(-0.5, 0.5, value.shape) * 256) / 256
                numbers = numbers + 1 if key.endswith("running_var") else numbers
                value.copy_(torch.from_numpy(numbers.astype(np.float32)))
                file[f"weights/{project_name(module, key)}"] = value.numpy().copy()
        for part in frozen:
            inner = getattr(module, {v: k for k, v in module.names.items()}.get(part, "lstm"))
            inner.requires_grad_(False)
        x = torch.from_numpy(random.standard_normal((6, 9, 4)).astype(np.float32))
        targets = torch.from_numpy(random.standard_normal((6, outputs)).astype(np.float32))
        optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=0.01)
        losses = []
        for _ in range(20):
            module.train()
            for part in frozen:
                getattr(module, {v: k for k, v in module.names.items()}.get(part, "lstm")).eval()
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(module(x), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        file["x"], file["targets"], file["losses"] = x.numpy(), targets.numpy(), np.array(losses)
        for key, value in named.items():
            file[f"trained/{project_name(module, key)}"] = value.detach().numpy()
    print(f"{path.name:<40} {path.stat().st_size:>8,} bytes")


if __name__ == "__main__":
    write("conv_norm", ConvNorm, 2)
    write("conv_norm_frozen_front", ConvNorm, 2, frozen=["conv1", "norm1"])
    write("conv_norm_frozen_middle", ConvNorm, 2, frozen=["norm1"])
    write("attention", Attention, 2)
    write("attention_frozen_lstm", Attention, 2, frozen=["layer0"])
    write("encoder_decoder", EncoderDecoder, 12)
