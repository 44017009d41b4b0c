"""Golden files for recurrent layers of every cell: GRU, plain, and LSTM with other activations and clips.

    make-golden-recurrent.py torch      any Python with torch: outputs and every gradient; and 20 steps of training
    make-golden-recurrent.py keras      with tensorflow and tf_keras: Keras 3, Keras 2, and TensorFlow 1's LSTMCell
    make-golden-recurrent.py onnx       with onnx and onnxruntime

One file per case, fixtures/golden-recurrent/<name>.h5:

    model            attribute: the model's configuration, as JSON; source: the framework and its version
    weights/NAME     under the project's names, in the order of PyTorch's gates
    x (N,T,I)  y (N,T,O)  h_n (L*D,N,H)         lengths (N) where sequences differ: y is zero at the padding
    h0 (L*D,N,H)  c0  c_n                       where states are given
    gy gh  grad/x  grad/h0  grad/weights/NAME   torch: loss = sum(y * gy) + sum(h_n * gh)
    targets, losses, trained/NAME               training: mean squared error, 20 steps of Adam at 0.01 on the one batch

Weights are multiples of 1/256, which compress well.
"""

import argparse
import json
import os
import pathlib
import zlib

import h5py
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden-recurrent"


class File:
    """What a case has, written at the end of a `with`."""

    def __init__(self, name, source, model):
        self.path, self.source, self.model, self.values = FOLDER / f"{name}.h5", source, model, {}
        self.random = np.random.default_rng(zlib.crc32(name.encode()))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(self.path, "w", libver="v110") as file:
            file.attrs["model"], file.attrs["source"] = json.dumps(self.model), self.source
            for name, value in self.values.items():
                value = np.ascontiguousarray(value)
                packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if value.size >= 256 else {}
                file.create_dataset(name, data=value, **packed)
        print(f"{self.path.name:<40} {self.path.stat().st_size:>8,} bytes")

    def normal(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def weight(self, *shape):
        bound = 0.5 if np.prod(shape) < 2000 else 0.1
        return (np.round(self.random.uniform(-bound, bound, shape) * 256) / 256).astype(np.float32)


def layers(kind, sizes, **settings):
    return [{"name": f"layer{k}", "kind": kind, "size": size, **settings} for k, size in enumerate(sizes)]


# PyTorch


def torch_cases():
    import torch
    from torch import nn

    torch.set_num_threads(1)
    source = f"torch {torch.__version__}"
    #  name                  cell   I  H  L bi bias  N  T  lengths
    cases = [
        ("torch_gru_1", "gru", 1, 1, 1, 0, 1, 1, 1, None),
        ("torch_gru_square", "gru", 7, 7, 1, 0, 1, 3, 5, None),
        ("torch_gru_bi", "gru", 5, 7, 2, 1, 1, 3, 6, None),
        ("torch_gru_nobias", "gru", 3, 7, 1, 0, 0, 1, 40, None),
        ("torch_gru_ragged", "gru", 4, 7, 2, 1, 1, 5, 9, [4, 9, 1, 7, 4]),
        ("torch_gru_129", "gru", 3, 129, 1, 0, 1, 2, 3, None),
        ("torch_rnn_1", "rnn", 1, 1, 1, 0, 1, 1, 1, None),
        ("torch_rnn_bi", "rnn", 3, 7, 2, 1, 1, 3, 5, None),
        ("torch_rnn_ragged", "rnn", 7, 7, 1, 1, 1, 5, 9, [4, 9, 1, 7, 4]),
        ("torch_rnn_relu", "relu", 5, 7, 2, 0, 1, 2, 9, None),
        ("torch_rnn_33", "rnn", 3, 33, 1, 0, 0, 2, 3, None),
    ]
    for name, cell, inputs, hidden, depth, bidirectional, bias, batch, steps, lengths in cases:
        settings = {"bidirectional": bool(bidirectional)} if bidirectional else {}
        settings |= {} if bias else {"bias": "none"}
        settings |= {"activation": "relu"} if cell == "relu" else {}
        kind = "gru" if cell == "gru" else "rnn"
        model = {"input": {"features": inputs}, "layers": layers(kind, [hidden] * depth, **settings)}
        options = dict(batch_first=True, bidirectional=bool(bidirectional), bias=bool(bias))
        if kind == "gru":
            net = nn.GRU(inputs, hidden, depth, **options)
        else:
            net = nn.RNN(inputs, hidden, depth, nonlinearity="relu" if cell == "relu" else "tanh", **options)
        with File(name, source, model) as file, torch.no_grad():
            for parameter, value in net.named_parameters():
                value.copy_(torch.from_numpy(file.weight(*value.shape)))
                file.values[f"weights/{kind}.{parameter}"] = value.numpy()
            x, h0 = torch.from_numpy(file.normal(batch, steps, inputs)), file.normal(depth * (1 + bidirectional), batch, hidden)
            h0 = torch.from_numpy(0.5 * h0)
            x.requires_grad, h0.requires_grad = True, True
            with torch.enable_grad():
                if lengths:
                    rows = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), True, enforce_sorted=False)
                    y, h_n = net(rows, h0)
                    y, _ = nn.utils.rnn.pad_packed_sequence(y, True, total_length=steps)
                    file.values["lengths"] = np.array(lengths)
                else:
                    y, h_n = net(x, h0)
                gy, gh = torch.from_numpy(file.normal(*y.shape)), torch.from_numpy(file.normal(*h_n.shape))
                ((y * gy).sum() + (h_n * gh).sum()).backward()
            for key, value in dict(x=x, h0=h0, y=y, h_n=h_n, gy=gy, gh=gh).items():
                file.values[key] = value.detach().numpy()
            file.values["grad/x"], file.values["grad/h0"] = x.grad.numpy(), h0.grad.numpy()
            for parameter, value in net.named_parameters():
                if value.numel() < 3000:
                    file.values[f"grad/weights/{kind}.{parameter}"] = value.grad.numpy()

    for kind in ("gru", "rnn"):
        model = {"input": {"features": 4}, "layers": layers(kind, [7, 5])}
        model["layers"][0]["bidirectional"] = True
        model["layers"] += [
            {"name": "readout", "kind": "readout", "take": "last"},
            {"name": "head.0", "kind": "dense", "size": 3},
        ]
        with File(f"torch_{kind}_training", source, model) as file:
            cell = nn.GRU if kind == "gru" else nn.RNN
            parts = nn.ModuleList([cell(4, 7, batch_first=True, bidirectional=True), cell(14, 5, batch_first=True)])
            head = nn.Linear(5, 3)
            names = {}
            for k, part in enumerate(parts):
                for name, value in part.named_parameters():
                    names[f"{kind}.{name.replace('_l0', f'_l{k}')}"] = value
            names |= {"head.0.weight": head.weight, "head.0.bias": head.bias}
            with torch.no_grad():
                for name, value in names.items():
                    value.copy_(torch.from_numpy(file.weight(*value.shape)))
                    file.values[f"weights/{name}"] = value.numpy().copy()
            x, targets = torch.from_numpy(file.normal(6, 9, 4)), torch.from_numpy(file.normal(6, 3))
            optimizer = torch.optim.Adam(names.values(), lr=0.01)
            losses = []
            for _ in range(20):
                optimizer.zero_grad()
                y = parts[1](parts[0](x)[0])[0][:, -1]
                loss = nn.functional.mse_loss(head(y), targets)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            file.values |= {"x": x.numpy(), "targets": targets.numpy(), "losses": np.array(losses, np.float64)}
            file.values |= {f"trained/{name}": value.detach().numpy() for name, value in names.items()}


# Keras and TensorFlow 1


def reordered(matrix, order):
    """The gates of a matrix's last axis, one block after another, in another order; transposed to rows."""
    blocks = np.split(np.asarray(matrix, np.float32), len(order), axis=-1)
    return np.ascontiguousarray(np.concatenate([blocks[k] for k in order], axis=-1).T)


def put_keras(file, kind, number, suffix, weights, reset_after):
    order = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2], "rnn": [0]}[kind]
    stem = lambda part: f"weights/{kind}.{part}_l{number}{suffix}"
    file.values[stem("weight_ih")] = reordered(weights[0], order)
    file.values[stem("weight_hh")] = reordered(weights[1], order)
    bias = np.asarray(weights[2])
    if reset_after:
        file.values[stem("bias_ih")], file.values[stem("bias_hh")] = reordered(bias[0], order), reordered(bias[1], order)
    else:
        file.values[stem("bias_ih")] = reordered(bias, order)


def keras_cases():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    import tf_keras

    cells = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
    ours = {"linear": "none", "silu": "swish", "gelu": "gelu", "hard_sigmoid": "hard_sigmoid_keras3"}
    cases = [("lstm", 7, 3, dict(activation=a)) for a in ("relu", "elu", "selu", "softsign", "softplus", "linear", "silu")]
    cases += [
        ("lstm", 7, 7, dict(activation="tanh", recurrent_activation="hard_sigmoid")),
        ("lstm", 33, 3, dict(activation="gelu", recurrent_activation="tanh")),
        ("lstm", 1, 1, dict(activation="exponential", recurrent_activation="relu6")),
        ("gru", 7, 3, dict(reset_after=True)),
        ("gru", 7, 3, dict(reset_after=False)),
        ("gru", 33, 3, dict(reset_after=False)),
        ("gru", 1, 1, dict(reset_after=False)),
        ("gru", 7, 7, dict(reset_after=True, activation="relu", recurrent_activation="hard_sigmoid")),
        ("gru", 7, 7, dict(reset_after=False, activation="elu", recurrent_activation="hard_sigmoid")),
        ("rnn", 7, 3, dict(activation="relu")),
        ("rnn", 7, 3, dict(activation="tanh")),
    ]
    for (library, version), only in (((keras, "keras"), None), ((tf_keras, "tf_keras"), "hard_sigmoid")):
        for cell, size, inputs, settings in cases:
            usual = {"activation": "tanh", "recurrent_activation": "sigmoid"}
            if only and settings.get("recurrent_activation") != only:
                continue
            for bidirectional in (False, True) if "reset_after" in settings and len(settings) == 1 and size == 7 else (False,):
                named = {**usual, **settings} if cell != "rnn" else settings
                name = "_".join([version, cell, str(size)] + [str(v) for k, v in sorted(settings.items()) if k != "reset_after"])
                name += {True: "_after", False: "_before"}[settings["reset_after"]] if "reset_after" in settings else ""
                name += "_bi" if bidirectional else ""
                hard = "hard_sigmoid" if only else "hard_sigmoid_keras3"
                spelled = lambda a: hard if a == "hard_sigmoid" else ours.get(a, a)
                kind = {"activation": spelled(named["activation"]), "bidirectional": bidirectional}
                if cell != "rnn":
                    kind["gates"] = spelled(named["recurrent_activation"])
                if cell == "gru":
                    kind["reset_after"] = settings["reset_after"]
                kind["bias"] = "dual" if settings.get("reset_after") else "single"
                model = {"input": {"features": inputs}, "layers": layers(cell, [size], **kind)}
                with File(name, f"{version} {library.__version__}", model) as file:
                    layer = getattr(library.layers, cells[cell])(size, return_sequences=True, **settings)
                    if bidirectional:
                        layer = library.layers.Bidirectional(layer)
                    x = file.normal(3, 6, inputs)
                    layer(x)
                    weights = [file.weight(*w.shape) for w in layer.get_weights()]
                    layer.set_weights(weights)
                    file.values |= {"x": x, "y": np.asarray(layer(x))}
                    for part in range(2 if bidirectional else 1):
                        suffix = "_reverse" if part else ""
                        put_keras(file, cell, 0, suffix, weights[3 * part : 3 * part + 3], bool(settings.get("reset_after")))

    from tf_keras.src.layers.rnn.legacy_cells import LSTMCell

    tf1 = tf.compat.v1
    for name, size, cell_clip, projection, projection_clip, peepholes in [
        ("tf1_cell_clip", 7, 0.3, None, None, False),
        ("tf1_cell_clip_peepholes", 7, 0.4, None, None, True),
        ("tf1_projection_clip", 7, 0.5, 3, 0.1, True),
        ("tf1_relu", 5, 0.5, None, None, False),
    ]:
        kind = {"bias": "single", "forget_offset": 1.0, "cell_clip": cell_clip, "peepholes": peepholes}
        if projection:
            kind |= {"projection": projection, "projection_clip": projection_clip}
        if name == "tf1_relu":
            kind["activation"] = "relu"
        model = {"input": {"features": 3}, "layers": layers("lstm", [size], **kind)}
        with File(name, f"tensorflow {tf.__version__}, LSTMCell", model) as file, tf.Graph().as_default():
            x = file.normal(3, 9, 3) * 2
            cell = LSTMCell(
                size, use_peepholes=peepholes, cell_clip=cell_clip, num_proj=projection, proj_clip=projection_clip,
                activation=tf.nn.relu if name == "tf1_relu" else None)
            state, outputs = cell.zero_state(3, tf.float32), []
            for t in range(x.shape[1]):
                y, state = cell(tf.constant(x[:, t]), state)
                outputs.append(y)
            with tf1.Session() as session:
                values = {}
                for variable in cell.weights:
                    values[variable.name.split("lstm_cell/")[-1].split(":")[0]] = value = file.weight(*variable.shape)
                    session.run(tf1.assign(variable, value))
                y = np.stack(session.run(outputs), axis=1)
            order = [0, 2, 1, 3]  # i, j, f, o
            stem = lambda part: f"weights/lstm.{part}_l0"
            file.values |= {
                "x": x, "y": y, stem("weight_ih"): reordered(values["kernel"][:3], order),
                stem("weight_hh"): reordered(values["kernel"][3:], order), stem("bias_ih"): reordered(values["bias"], order),
            }
            if projection:
                file.values[stem("weight_hr")] = values["projection/kernel"].T
            if peepholes:
                file.values[stem("peephole")] = np.concatenate([values[f"w_{gate}_diag"] for gate in "ifo"])


# ONNX Runtime


def onnx_cases():
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    def block(matrix, order):
        """ONNX's gates, one block of rows after another, in another order."""
        parts = np.split(matrix, len(order), axis=0)
        return np.concatenate([parts[k] for k in order])

    #  ONNX's order of gates from PyTorch's, and back
    orders = {"lstm": ([0, 3, 1, 2], [0, 2, 3, 1]), "gru": ([1, 0, 2], [1, 0, 2]), "rnn": ([0], [0])}
    spelled = {
        "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "hard_sigmoid": "HardSigmoid", "softsign": "Softsign",
        "softplus": "Softplus", "elu": "Elu",
    }
    cases = [
        ("onnx_lstm_clip", "lstm", 7, 3, dict(clip=0.5), []),
        ("onnx_lstm_clip_peepholes", "lstm", 7, 7, dict(clip=0.4, peepholes=True), []),
        ("onnx_lstm_activations", "lstm", 7, 3, dict(clip=0.8), ["hard_sigmoid", "softsign", "relu"]),
        ("onnx_lstm_bi", "lstm", 7, 3, dict(clip=0.6, bidirectional=True), ["sigmoid", "relu", "tanh"]),
        ("onnx_gru_after", "gru", 7, 3, dict(reset_after=True), []),
        ("onnx_gru_before", "gru", 7, 3, dict(reset_after=False), []),
        ("onnx_gru_after_clip", "gru", 7, 7, dict(reset_after=True, clip=0.5), []),
        ("onnx_gru_before_clip", "gru", 7, 7, dict(reset_after=False, clip=0.5), []),
        ("onnx_gru_after_activations", "gru", 7, 3, dict(reset_after=True), ["hard_sigmoid", "softsign"]),
        ("onnx_gru_before_activations", "gru", 7, 3, dict(reset_after=False, bidirectional=True), ["hard_sigmoid", "relu"]),
        ("onnx_gru_before_reversed", "gru", 1, 2, dict(reset_after=False, reversed=True), []),
        ("onnx_gru_before_33", "gru", 33, 3, dict(reset_after=False), []),
        ("onnx_rnn_clip", "rnn", 7, 3, dict(clip=0.5), ["tanh"]),
        ("onnx_rnn_relu", "rnn", 7, 3, dict(reversed=True), ["relu"]),
    ]
    for name, cell, size, inputs, settings, activations in cases:
        gates = {"lstm": 4, "gru": 3, "rnn": 1}[cell]
        directions = 2 if settings.get("bidirectional") else 1
        kind = dict(settings)
        if activations:
            if cell != "rnn":
                kind["gates"] = activations[0]
            kind["activation"] = activations[min(1, len(activations) - 1)]
            if cell == "lstm":
                kind["output_activation"] = activations[2]
        model = {"input": {"features": inputs}, "layers": layers(cell, [size], **kind)}
        with File(name, f"onnxruntime {onnxruntime.__version__}", model) as file:
            to_onnx, _ = orders[cell]
            W, R, B, P = [], [], [], []
            for suffix in ["", "_reverse"][:directions]:
                stem = lambda part: f"weights/{cell}.{part}_l0{suffix}"
                parts = {
                    "weight_ih": file.weight(gates * size, inputs), "weight_hh": file.weight(gates * size, size),
                    "bias_ih": file.weight(gates * size), "bias_hh": file.weight(gates * size),
                }
                file.values |= {stem(part): value for part, value in parts.items()}
                W.append(block(parts["weight_ih"], to_onnx))
                R.append(block(parts["weight_hh"], to_onnx))
                B.append(np.concatenate([block(parts["bias_ih"], to_onnx), block(parts["bias_hh"], to_onnx)]))
                if settings.get("peepholes"):
                    peephole = file.weight(3 * size)  # i, f, o
                    file.values[stem("peephole")] = peephole
                    P.append(block(peephole, [0, 2, 1]))  # i, o, f
            x = file.normal(6, 2, inputs) * 2
            given = {"W": np.stack(W), "R": np.stack(R), "B": np.stack(B)}
            names = ["X", "W", "R", "B"]
            if P:
                given["P"] = np.stack(P)
                names += ["", "", "", "P"]
            attributes = {"hidden_size": size}
            if "clip" in settings:
                attributes["clip"] = settings["clip"]
            if settings.get("bidirectional") or settings.get("reversed"):
                attributes["direction"] = "bidirectional" if settings.get("bidirectional") else "reverse"
            if cell == "gru":
                attributes["linear_before_reset"] = int(settings["reset_after"])
            if activations:
                attributes["activations"] = [spelled[a] for a in activations] * directions
                # Only functions that have an alpha take one from the list.
                hard = sum(a == "hard_sigmoid" for a in activations) * directions
                if hard:
                    attributes["activation_alpha"], attributes["activation_beta"] = [0.2] * hard, [0.5] * hard
            node = helper.make_node({"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}[cell], names, ["Y"], **attributes)
            graph = helper.make_graph(
                [node], "g", [helper.make_tensor_value_info("X", 1, x.shape)],
                [helper.make_tensor_value_info("Y", 1, None)],
                [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in given.items()])
            bytes_ = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
            session = onnxruntime.InferenceSession(bytes_, providers=["CPUExecutionProvider"])
            y = session.run(None, {"X": x})[0]  # (T, D, N, H)
            file.values |= {"x": x.transpose(1, 0, 2), "y": y.transpose(2, 0, 1, 3).reshape(2, 6, directions * size)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["torch", "keras", "onnx"])
    {"torch": torch_cases, "keras": keras_cases, "onnx": onnx_cases}[parser.parse_args().part]()
