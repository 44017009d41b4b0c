#!/usr/bin/env python3
"""Golden runs of training for graphs of layers, from PyTorch: 20 steps of Adam at 0.01 on one batch, mean squared error.

One file per case, fixtures/golden-graph-training/<name>.h5:

    model, frozen    attributes: the configuration as JSON, and the layers that are frozen, joined by commas
    weights/NAME     under the project's names, running statistics included
    x (N,T,I)  targets (N,O)  losses (20)  trained/NAME

Of several inputs and outputs, fixtures/golden-several/<name>.h5:

    inputs/NAME  targets/NAME  under the names of the model's inputs and outputs
    loss, weight, kind         attributes of each of the targets: its loss, what that is multiplied by, values or classes

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


class TwoInputs(nn.Module):
    """A series and what is known of its site; a price, and a class."""

    inputs = [{"name": "series", "features": 4}, {"name": "site", "features": 3, "per_sequence": True}]
    outputs = ["price", "kind"]
    layers = [
        layer("layer0", "lstm", size=7), layer("readout", "readout", take="last"),
        layer("both", "concatenate", **{"from": ["readout", "site"]}), layer("middle", "dense", size=5, activation="tanh"),
        layer("price", "dense", size=2), layer("kind", "dense", size=4, **{"from": "middle"}),
    ]
    names = {"middle": "middle", "price": "price", "kind": "kind"}

    def __init__(self):
        super().__init__()
        self.lstm, self.middle = nn.LSTM(4, 7, batch_first=True), nn.Linear(10, 5)
        self.price, self.kind = nn.Linear(5, 2), nn.Linear(5, 4)

    def forward(self, series, site):
        middle = torch.tanh(self.middle(torch.cat([self.lstm(series)[0][:, -1], site], 1)))
        return self.price(middle), self.kind(middle)


class Translator(nn.Module):
    """Tokens in, tokens out; the decoder is fed its targets."""

    inputs = [{"name": "source", "tokens": 9}, {"name": "target", "tokens": 7}]
    outputs = ["words"]
    layers = [
        layer("read", "embedding", size=4), layer("layer0", "lstm", size=6),
        layer("write", "embedding", size=5, **{"from": "target"}), layer("layer1", "lstm", size=6, initial_from="layer0"),
        layer("words", "dense", size=7),
    ]
    names = {"read": "read", "write": "write", "words": "words"}

    def __init__(self):
        super().__init__()
        self.read, self.write = nn.Embedding(9, 4), nn.Embedding(7, 5)
        self.lstm, self.decoder = nn.LSTM(4, 6, batch_first=True), nn.LSTM(5, 6, batch_first=True)
        self.words = nn.Linear(6, 7)

    def forward(self, source, target):
        return (self.words(self.decoder(self.write(target), self.lstm(self.read(source))[1])[0]),)


class Forecaster(nn.Module):
    """Three values of the past, one of the future; the decoder is fed its targets."""

    inputs = [{"name": "past", "features": 3}, {"name": "future", "features": 1}]
    outputs = ["head.0"]
    layers = [
        layer("layer0", "lstm", size=6), layer("layer1", "lstm", size=6, initial_from="layer0", **{"from": "future"}),
        layer("head.0", "dense", size=1),
    ]
    names = {"fc": "head.0"}

    def __init__(self):
        super().__init__()
        self.lstm, self.decoder = nn.LSTM(3, 6, batch_first=True), nn.LSTM(1, 6, batch_first=True)
        self.fc = nn.Linear(6, 1)

    def forward(self, past, future):
        return (self.fc(self.decoder(future, self.lstm(past)[1])[0]),)


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


def shifted(targets, start):
    """What a decoder is fed: its targets, one step later."""
    first = torch.full_like(targets[:, :1], start)
    return torch.cat([first, targets[:, :-1]], 1)


def mean_squared_error(output, targets):
    return nn.functional.mse_loss(output, targets)


def cross_entropy(output, targets):
    return nn.functional.cross_entropy(output.flatten(0, -2), targets.flatten())


def write_several(name, kind, inputs, targets, losses, weights, frozen=()):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    module = kind()
    inputs, targets = inputs(random), targets(random)
    if kind is not TwoInputs:
        wanted = targets[0].clamp(min=0) if targets[0].dtype == torch.int64 else targets[0]
        inputs.append(shifted(wanted, 1 if wanted.dtype == torch.int64 else 0))
    path = FOLDER.parent / "golden-several" / f"{name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    named = dict(module.named_parameters())
    parts = {v: k for k, v in module.names.items()}
    with h5py.File(path, "w", libver="v110") as file:
        file.attrs["model"] = json.dumps({"inputs": kind.inputs, "layers": kind.layers, "outputs": kind.outputs})
        file.attrs["frozen"] = ",".join(frozen)
        with torch.no_grad():
            for key, value in named.items():
                numbers = np.round(random.uniform(-0.5, 0.5, value.shape) * 256) / 256
                value.copy_(torch.from_numpy(numbers.astype(np.float32)))
                file[f"weights/{project_name(module, key)}"] = value.numpy().copy()
        for part in frozen:
            getattr(module, parts.get(part, "lstm")).requires_grad_(False)
        for specification, value in zip(kind.inputs, inputs):
            file[f"inputs/{specification['name']}"] = value.numpy()
        for place, (output, value) in enumerate(zip(kind.outputs, targets)):
            stored = file.create_dataset(f"targets/{output}", data=value.numpy())
            stored.attrs["loss"] = "mse" if losses[place] is mean_squared_error else "cross-entropy"
            stored.attrs["weight"] = weights[place]
        optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=0.01)
        found = []
        for _ in range(20):
            optimizer.zero_grad()
            parts_of_loss = [w * f(y, t) for w, f, y, t in zip(weights, losses, module(*inputs), targets)]
            loss = sum(parts_of_loss)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        file["losses"] = np.array(found)
        with torch.no_grad():
            for output, value in zip(kind.outputs, module(*inputs)):
                file[f"outputs/{output}"] = value.numpy()
        for key, value in named.items():
            file[f"trained/{project_name(module, key)}"] = value.detach().numpy()
    print(f"{path.name:<40} {path.stat().st_size:>8,} bytes")


def normal(random, *shape):
    return torch.from_numpy(random.standard_normal(shape).astype(np.float32))


def tokens(random, limit, *shape):
    return torch.from_numpy(random.integers(0, limit, shape))


def words(random):
    """Sentences of 4, 3, 4, 2, 4 and 1 words; what follows does not count."""
    target = tokens(random, 7, 6, 4)
    for sequence, length in enumerate([4, 3, 4, 2, 4, 1]):
        target[sequence, length:] = -100
    return [target]


if __name__ == "__main__":
    two = dict(
        inputs=lambda r: [normal(r, 6, 9, 4), normal(r, 6, 3)], targets=lambda r: [normal(r, 6, 2), tokens(r, 4, 6)],
        losses=[mean_squared_error, cross_entropy], weights=[1.0, 0.3])
    write_several("two_inputs", TwoInputs, **two)
    write_several("two_inputs_frozen_lstm", TwoInputs, **two, frozen=["layer0"])
    translator = dict(
        inputs=lambda r: [tokens(r, 9, 6, 5)], targets=words, losses=[cross_entropy], weights=[1.0])
    write_several("translator", Translator, **translator)
    write_several("translator_frozen_encoder", Translator, **translator, frozen=["read", "layer0"])
    write_several(
        "forecaster", Forecaster, inputs=lambda r: [normal(r, 6, 8, 3)], targets=lambda r: [normal(r, 6, 4, 1)],
        losses=[mean_squared_error], weights=[1.0])
    write("conv_norm", ConvNorm, 2)
    write("conv_norm_frozen_front", ConvNorm, 2, frozen=["conv1", "norm1"])
    write("conv_norm_frozen_middle", ConvNorm, 2, frozen=["norm1"])
    write("attention", Attention, 2)
    write("attention_frozen_lstm", Attention, 2, frozen=["layer0"])
    write("encoder_decoder", EncoderDecoder, 12)
