"""Golden files for layers that change shapes: convolution, pooling, repeat, flatten, reshape, slice and merges.

fixtures/golden-layers/:

    shapes-torch.h5    computed by PyTorch: outputs, and the gradients of inputs and weights
    shapes-keras.h5    computed by Keras: outputs, and gradients by TensorFlow; written with --keras, by a Python that has them

Each group of a file is a case:

    configuration      an attribute, the model as JSON
    x, x1, ...         the inputs, (N, T, C), or (N, C) where there is one row a sequence
    lengths            of the sequences, where they differ; each then computes as if it were alone
    y, gy              the output, and dL/dy
    weights/NAME       in the project's names and shapes
    grad/x, grad/weights/NAME
"""

import json
import sys

import h5py
import numpy as np

FRAMEWORK = "keras" if "--keras" in sys.argv else "torch"


def conv(size, kernel, **rest):
    return {"name": "conv1", "kind": "convolution", "size": size, "kernel": kernel, **rest}


def pool(kind, window, **rest):
    return {"name": "pool1", "kind": kind + "_pooling", "window": window, **rest}


def features(size, **rest):
    return {"features": size, **rest}


# MARK: PyTorch


def torch_cases():
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(1)

    def time(module):
        """A module over (N, C, T) for (N, T, C)."""
        return lambda x: module(x.transpose(1, 2)).transpose(1, 2)

    def plane(module, channels):
        """A module over (N, C, T, F) for rows (N, T, C F)."""
        def run(x):
            n, t, w = x.shape
            y = module(x.reshape(n, t, channels, w // channels).permute(0, 2, 1, 3))
            return y.permute(0, 2, 1, 3).flatten(2)
        return run

    def one(name, c, steps, layer, module, lengths=None, n=3, act=None, grid=None):
        run = plane(module, grid) if grid else time(module)
        given = features(c, **({"channels": grid} if grid else {}))
        after = (lambda x: act(run(x))) if act else run
        return name, {"input": given, "layers": [layer]}, [(n, steps, c)], lengths, module, lambda x: after(x), "conv1."

    yield one("valid", 5, 9, conv(4, 3), nn.Conv1d(5, 4, 3), [9, 3, 6])
    yield one("one channel", 1, 40, conv(7, 11, stride=3, bias=False), nn.Conv1d(1, 7, 11, stride=3, bias=False), [40, 11, 29])
    yield one("same", 7, 6, conv(5, 3, padding="same"), nn.Conv1d(7, 5, 3, padding="same"), [6, 1, 2])
    yield one("same even dilated", 3, 8, conv(4, 4, padding="same", dilation=2, activation="tanh"),
              nn.Conv1d(3, 4, 4, padding="same", dilation=2), [8, 2, 1], act=torch.tanh)
    yield one("pointwise", 6, 5, conv(9, 1, activation="relu"), nn.Conv1d(6, 9, 1), [5, 1, 2], act=torch.relu)
    yield one("strided pads", 4, 11, conv(6, 5, stride=2, pad=[2, 2]), nn.Conv1d(4, 6, 5, stride=2, padding=2), [11, 1, 4])
    yield one("stride beyond the kernel", 3, 13, conv(2, 2, stride=5), nn.Conv1d(3, 2, 2, stride=5), [13, 2, 8])
    yield one("groups", 6, 7, conv(9, 3, groups=3, pad=[1, 1]), nn.Conv1d(6, 9, 3, groups=3, padding=1), [7, 1, 3])
    yield one("depthwise", 5, 7, conv(5, 3, groups=5, padding="same"), nn.Conv1d(5, 5, 3, groups=5, padding=1), [7, 1, 3])
    yield one("depthwise twice", 4, 9, conv(8, 3, groups=4, stride=2), nn.Conv1d(4, 8, 3, groups=4, stride=2), [9, 3, 5])
    yield one("reflect", 3, 8, conv(4, 5, pad=[2, 2], reflect=True),
              nn.Conv1d(3, 4, 5, padding=2, padding_mode="reflect"), [8, 3, 5])
    yield one("reflect strided", 2, 9, conv(3, 3, pad=[3, 3], stride=2, dilation=2, reflect=True),
              nn.Conv1d(2, 3, 3, padding=3, stride=2, dilation=2, padding_mode="reflect"), [9, 4, 6])
    yield one("one step", 129, 1, conv(7, 3, padding="same"), nn.Conv1d(129, 7, 3, padding=1), n=2)
    yield one("one sequence", 8, 150, conv(17, 7, padding="same"), nn.Conv1d(8, 17, 7, padding=3), n=1)
    causal = nn.Conv1d(3, 5, 3, dilation=2)
    name, configuration, shapes, lengths, module, _, prefix = one(
        "causal", 3, 9, conv(5, 3, padding="causal", dilation=2), causal, [9, 1, 4])
    yield name, configuration, shapes, lengths, module, lambda x: causal(
        F.pad(x.transpose(1, 2), (4, 0))).transpose(1, 2), prefix

    yield one("plane", 2 * 6, 7, conv(4, [3, 3], pad=[1, 1, 1, 1]), nn.Conv2d(2, 4, 3, padding=1), [7, 1, 3], grid=2)
    yield one("plane valid strided", 3 * 9, 8, conv(5, [2, 3], stride=[1, 2]), nn.Conv2d(3, 5, (2, 3), stride=(1, 2)),
              [8, 2, 5], grid=3)
    yield one("plane dilated groups", 4 * 7, 9, conv(6, [3, 2], dilation=[2, 3], stride=[2, 1], groups=2),
              nn.Conv2d(4, 6, (3, 2), dilation=(2, 3), stride=(2, 1), groups=2), [9, 5, 7], grid=4)
    yield one("plane whole height", 2 * 5, 6, conv(3, [2, 5]), nn.Conv2d(2, 3, (2, 5)), [6, 2, 4], grid=2)
    yield one("plane reflect", 2 * 5, 6, conv(3, [3, 3], pad=[1, 1, 2, 2], reflect=True),
              nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="reflect"), [6, 2, 4], grid=2)
    yield one("plane softmax", 2 * 5, 4, conv(3, [1, 2], activation="softmax"), nn.Sequential(nn.Conv2d(2, 3, (1, 2)), nn.Softmax(1)),
              [4, 1, 2], grid=2)

    def pooled(name, c, steps, layer, module, lengths=None, grid=None):
        name, configuration, shapes, lengths, module, run, _ = one(name, c, steps, layer, module, lengths, grid=grid)
        return name, configuration, shapes, lengths, None, run, ""

    yield pooled("window maximum", 7, 9, pool("max", 2), nn.MaxPool1d(2), [9, 2, 5])
    yield pooled("maximum overlapping", 3, 9, pool("max", 3, stride=2, pad=[1, 1]), nn.MaxPool1d(3, 2, 1), [9, 1, 4])
    yield pooled("maximum ceiling", 3, 10, pool("max", 3, stride=3, ceiling=True), nn.MaxPool1d(3, ceil_mode=True), [10, 3, 8])
    yield pooled("windows averaged", 5, 7, pool("average", 3, stride=1), nn.AvgPool1d(3, 1), [7, 3, 4])
    yield pooled("average of pads", 4, 8, pool("average", 4, stride=3, pad=[2, 2], count_pad=True, ceiling=True),
                 nn.AvgPool1d(4, 3, 2, ceil_mode=True), [8, 1, 5])
    yield pooled("average without pads", 4, 8, pool("average", 4, stride=3, pad=[2, 2], ceiling=True),
                 nn.AvgPool1d(4, 3, 2, ceil_mode=True, count_include_pad=False), [8, 1, 5])
    yield pooled("plane maximum", 3 * 6, 7, pool("max", [2, 3], stride=[2, 2], pad=[1, 1, 1, 1]),
                 nn.MaxPool2d((2, 3), 2, 1), [7, 1, 4], grid=3)
    yield pooled("plane average", 2 * 7, 6, pool("average", [3, 2], stride=[1, 3], pad=[1, 1, 1, 1], count_pad=True, ceiling=True),
                 nn.AvgPool2d((3, 2), (1, 3), 1, ceil_mode=True), [6, 1, 4], grid=2)
    yield pooled("height alone", 2 * 8, 5, pool("max", [1, 4]), nn.MaxPool2d((1, 4)), [5, 1, 2], grid=2)

    three = [(3, 5, 4)] * 2

    def merged(name, kind, run, shapes=three, lengths=None):
        inputs = [features(s[-1], name=n, **({"per_sequence": True} if len(s) == 2 else {"steps": s[1]}))
                  for n, s in zip("abc", shapes)]
        return name, {"inputs": inputs, "layers": [{"name": "merge", "kind": kind, "from": list("abc")[:len(shapes)]}]}, \
            shapes, lengths, None, run, ""

    with_row = [(3, 5, 4), (3, 4)]
    yield merged("concatenate", "concatenate", lambda a, b: torch.cat([a, b], -1), [(3, 5, 4), (3, 5, 2)])
    yield merged("concatenate a row", "concatenate", lambda a, b: torch.cat([a, b[:, None].expand(-1, 5, -1)], -1),
                 [(3, 5, 4), (3, 2)])
    for kind, run in [("add", lambda a, b: a + b), ("multiply", lambda a, b: a * b), ("average", lambda a, b: (a + b) / 2),
                      ("maximum", torch.maximum), ("subtract", lambda a, b: a - b)]:
        yield merged(kind, kind, run)
        yield merged(kind + " a row", kind, lambda a, b, run=run: run(a, b[:, None].expand(-1, 5, -1)), with_row)
    yield merged("three factors", "multiply", lambda a, b, c: a * b * c, [(3, 5, 4), (3, 5, 4), (3, 5, 4)])

    def chain(name, c, steps, layers, run, lengths=None):
        fixed = {} if lengths else {"steps": steps}
        return name, {"input": features(c, **fixed), "layers": layers}, [(3, steps, c)], lengths, None, run, ""

    last = {"name": "last", "kind": "readout", "take": "last"}
    yield chain("repeat", 4, 5, [last, {"name": "r", "kind": "repeat", "count": 6}], lambda x: x[:, -1:].repeat(1, 6, 1), [5, 1, 3])
    yield chain("flatten", 4, 5, [{"name": "f", "kind": "flatten"}], lambda x: x.flatten(1))
    yield chain("flatten features first", 4, 5, [{"name": "f", "kind": "flatten", "feature_first": True}],
                lambda x: x.transpose(1, 2).flatten(1))
    yield chain("steps", 12, 3, [last, {"name": "r", "kind": "reshape", "form": "steps", "steps": 3}],
                lambda x: x[:, -1].reshape(-1, 3, 4), [3, 1, 2])
    yield chain("split", 12, 3, [{"name": "r", "kind": "reshape", "form": "split", "steps": 3}],
                lambda x: x.reshape(x.shape[0], -1, 4), [3, 1, 2])
    yield chain("channels last", 12, 3, [
        {"name": "r", "kind": "reshape", "form": "grid", "channels": 3}, {"name": "s", "kind": "reshape", "form": "channels_last"}],
        lambda x: x.unflatten(2, (3, 4)).transpose(2, 3).flatten(2), [3, 1, 2])
    yield chain("grid from channels last", 12, 3, [
        {"name": "r", "kind": "reshape", "form": "grid_channels_last", "channels": 3}, {"name": "s", "kind": "reshape"}],
        lambda x: x.unflatten(2, (4, 3)).transpose(2, 3).flatten(2), [3, 1, 2])
    yield chain("slice", 9, 4, [{"name": "s", "kind": "slice", "first": 2, "count": 5}], lambda x: x[..., 2:7], [4, 1, 2])


def write_torch(file):
    import torch

    file.attrs["torch_version"] = str(torch.__version__)
    for index, (name, configuration, shapes, lengths, module, run, prefix) in enumerate(torch_cases()):
        torch.manual_seed(index)
        if module is not None:
            for p in module.parameters():
                p.data.uniform_(-0.5, 0.5)
        xs = [torch.randn(*s, requires_grad=True) for s in shapes]
        if lengths is None:
            y = run(*xs)
            gy = torch.randn_like(y)
            (y * gy).sum().backward()
        else:
            parts = [run(xs[0][b:b + 1, :length]) for b, length in enumerate(lengths)]
            if parts[0].dim() == 2:
                y = torch.cat(parts)
            else:
                longest = max(p.shape[1] for p in parts)
                y = torch.cat([torch.nn.functional.pad(p, (0, 0, 0, longest - p.shape[1])) for p in parts])
            gy = torch.randn_like(y)
            (y * gy).sum().backward()
        group = file.create_group(name)
        group.attrs["configuration"] = json.dumps(configuration)
        for number, x in enumerate(xs):
            label = f"x{number or ''}"
            if lengths is not None:
                x.data[torch.tensor([[t >= n for t in range(x.shape[1])] for n in lengths])] = 0
            group[label], group["grad/" + label] = x.detach().numpy(), x.grad.numpy()
        if lengths is not None:
            group["lengths"] = np.array(lengths, dtype=np.int64)
        group["y"], group["gy"] = y.detach().numpy(), gy.numpy()
        if module is not None:
            for key, p in module.named_parameters():
                key = key.split(".")[-1]
                group[f"weights/{prefix}{key}"], group[f"grad/weights/{prefix}{key}"] = p.detach().numpy(), p.grad.numpy()


# MARK: Keras


def keras_cases():
    import keras
    from keras import layers as L

    def one(name, c, steps, layer, module, n=2):
        return name, {"input": features(c), "layers": [layer]}, (n, steps, c), module

    def plane(name, c, f, steps, layer, module, n=2):
        given = features(c * f, channels=c)
        return name, {"input": given, "layers": [layer]}, (n, steps, f, c), module

    yield one("valid", 5, 9, conv(4, 3), L.Conv1D(4, 3))
    for steps in (1, 4, 9, 10):
        yield one(f"same strided {steps}", 3, steps, conv(4, 4, stride=3, padding="same", activation="relu"),
                  L.Conv1D(4, 4, strides=3, padding="same", activation="relu"))
    yield one("same even", 3, 7, conv(4, 4, padding="same", activation="sigmoid"), L.Conv1D(4, 4, padding="same", activation="sigmoid"))
    yield one("causal", 3, 7, conv(4, 3, padding="causal", dilation=2, activation="tanh"),
              L.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh"))
    yield one("causal strided", 3, 8, conv(4, 3, padding="causal", stride=2), L.Conv1D(4, 3, padding="causal", strides=2))
    yield one("groups", 6, 8, conv(4, 3, groups=2), L.Conv1D(4, 3, groups=2))
    yield one("softmax", 3, 6, conv(5, 2, activation="softmax"), L.Conv1D(5, 2, activation="softmax"))
    yield plane("plane same strided", 3, 7, 8, conv(4, [3, 4], stride=[2, 3], padding="same"),
                L.Conv2D(4, (3, 4), strides=(2, 3), padding="same"))
    yield plane("plane softmax", 3, 5, 4, conv(4, [2, 2], activation="softmax"), L.Conv2D(4, 2, activation="softmax"))
    for steps in (1, 5, 8):
        yield one(f"maximum same {steps}", 3, steps, pool("max", 3, stride=2, same=True), L.MaxPooling1D(3, 2, padding="same"))
        yield one(f"average same {steps}", 3, steps, pool("average", 3, stride=2, same=True), L.AveragePooling1D(3, 2, padding="same"))
    yield one("average", 3, 7, pool("average", 2), L.AveragePooling1D(2))
    yield plane("plane maximum same", 2, 7, 5, pool("max", [2, 3], stride=[1, 2], same=True),
                L.MaxPooling2D((2, 3), (1, 2), padding="same"))
    yield plane("plane average same", 2, 7, 5, pool("average", [3, 3], stride=[2, 2], same=True),
                L.AveragePooling2D(3, 2, padding="same"))


def write_keras(file):
    import keras
    import tensorflow as tf

    file.attrs["keras_version"] = keras.__version__

    def rows(x):
        """(N, T, F, C) -> (N, T, C F)"""
        return x if x.ndim == 3 else x.transpose(0, 1, 3, 2).reshape(x.shape[0], x.shape[1], -1)

    def kernel(w):
        return np.ascontiguousarray(np.transpose(w, (2, 1, 0) if w.ndim == 3 else (3, 2, 0, 1)))

    for index, (name, configuration, shape, module) in enumerate(keras_cases()):
        random = np.random.default_rng(index)
        x = tf.Variable(random.normal(size=shape).astype(np.float32))
        module.build(shape)
        module.set_weights([random.uniform(-0.5, 0.5, w.shape).astype(np.float32) for w in module.get_weights()])
        variables = [v.value for v in module.trainable_variables]
        with tf.GradientTape() as tape:
            y = module(x)
            gy = random.normal(size=y.shape).astype(np.float32)
            loss = tf.reduce_sum(y * gy)
        gradients = tape.gradient(loss, [x] + variables)
        group = file.create_group(name)
        group.attrs["configuration"] = json.dumps(configuration)
        group["x"], group["y"], group["gy"] = rows(x.numpy()), rows(y.numpy()), rows(gy)
        group["grad/x"] = rows(tf.convert_to_tensor(gradients[0]).numpy())
        for key, value, gradient in zip(("weight", "bias"), module.get_weights(), gradients[1:]):
            gradient = gradient.numpy()
            if key == "weight":
                value, gradient = kernel(value), kernel(gradient)
            group[f"weights/conv1.{key}"], group[f"grad/weights/conv1.{key}"] = value, gradient


def main():
    import pathlib

    folder = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden-layers"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"shapes-{FRAMEWORK}.h5"
    with h5py.File(path, "w", libver=("v108", "v108")) as file:
        (write_keras if FRAMEWORK == "keras" else write_torch)(file)
        count = len(file)
    print(f"{path.name}: {count} cases, {path.stat().st_size:,} bytes")


main()
