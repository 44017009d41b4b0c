#!/usr/bin/env python3
"""Golden data of layers that normalize, activate and attend, from Keras 3 and tf_keras: outputs, and statistics after training.

Needs torch, keras, tensorflow, tf_keras, numpy and h5py; writes fixtures/golden-layers/norms-keras.h5, which golden_layers.py describes.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tf_keras
import torch

import golden_common as golden
from golden_layers import N, T, File, layer, random


def keras_case(file, name, layers, width, run, parameters=None, **more):
    """`run(x)` gives y; `parameters(width)` the numbers by our names."""
    golden.seed(name)
    x = random(N, T, width, scale=more.pop("scale", 1.0)).numpy() + more.pop("shift", 0)
    y = np.asarray(run(x))
    file.add(name, layers, {"x": x, "y": y} | {"parameters/" + k: v for k, v in (parameters or {}).items()}, width, **more)


def keras_activations(file):
    def alone(f):
        return lambda x: keras.ops.convert_to_numpy(f(x))

    names = {
        "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "softmax": "softmax", "log_softmax": "log_softmax",
        "hard_sigmoid_keras3": "hard_sigmoid", "hard_tanh": "hard_tanh", "elu": "elu", "selu": "selu", "gelu": "gelu",
        "softplus": "softplus", "softsign": "softsign", "swish": "swish", "mish": "mish", "relu6": "relu6",
        "hard_swish": "hard_swish", "exponential": "exponential",
    }
    for ours, theirs in names.items():
        f = keras.activations.get(theirs)
        if ours == "gelu":
            f = lambda x: keras.activations.gelu(x, approximate=False)
        keras_case(file, f"activation {ours}", [layer("act", "activation", activation=ours)], 9, alone(f), scale=2.0)
    keras_case(
        file, "activation gelu_tanh", [layer("act", "activation", activation="gelu_tanh")], 9,
        alone(lambda x: keras.activations.gelu(x, approximate=True)), scale=2.0,
    )
    keras_case(
        file, "leaky relu layer", [layer("act", "activation", activation="leaky_relu", alpha=0.3)], 9,
        alone(keras.layers.LeakyReLU()), scale=2.0,
    )
    keras_case(
        file, "elu layer", [layer("act", "activation", activation="elu", alpha=0.4)], 9,
        alone(keras.layers.ELU(alpha=0.4)), scale=2.0,
    )
    keras_case(
        file, "hard sigmoid of Keras 2", [layer("act", "activation", activation="hard_sigmoid")], 9,
        lambda x: tf_keras.activations.hard_sigmoid(tf_keras.backend.constant(x)).numpy(), scale=2.0,
    )


def keras_norms(file):
    for name, framework in [("Keras 3", keras), ("Keras 2", tf_keras)]:
        golden.seed(f"statistics {name}")
        norm = framework.layers.BatchNormalization()
        norm.build((None, None, 5))
        rows = {"weight": torch.rand(5) + 0.5, "bias": random(5), "running_mean": random(5), "running_var": torch.rand(5) + 0.5}
        norm.set_weights([value.numpy() for value in rows.values()])
        parameters = {"norm." + key: value.numpy() for key, value in rows.items()}
        settings = [
            layer("norm", "batch_norm", epsilon=0.001, momentum=float(np.float32(1 - 0.99)), unbiased=False)
        ]
        keras_case(file, f"batch norm, {name}", settings, 5, lambda x: np.asarray(norm(x)), parameters)
        golden.seed(f"training {name}")
        xs = (random(20, N, T, 5) * (torch.rand(5) * 3) + random(5) * 10).numpy()
        for x in xs:
            norm(x, training=True)
        after = dict(zip(["weight", "bias", "running_mean", "running_var"], norm.get_weights()))
        arrays = {"parameters/" + key: value for key, value in parameters.items()} | {"xs": xs}
        arrays |= {"after/norm." + key: after[key] for key in ["running_mean", "running_var"]}
        file.add(f"running statistics, {name}", settings, arrays, 5, training=True)

        golden.seed(f"layer norm {name}")
        norm = framework.layers.LayerNormalization()
        norm.build((None, None, 7))
        norm.set_weights([(torch.rand(7) + 0.5).numpy(), random(7).numpy()])
        keras_case(
            file, f"layer norm, {name}", [layer("norm", "layer_norm", epsilon=0.001)], 7,
            lambda x: np.asarray(norm(x)), dict(zip(["norm.weight", "norm.bias"], norm.get_weights())),
        )
    mean, variance = np.array([1013.25, -0.5, 2.0e4], np.float32), np.array([2.5, 9.0, 400.0], np.float32)
    norm = keras.layers.Normalization(mean=mean, variance=variance)
    norm.build((None, None, 3))
    keras_case(
        file, "normalization", [layer("scaled", "rescale", center=True)], 3, lambda x: np.asarray(norm(x)),
        {"scaled.scale": 1 / np.sqrt(variance), "scaled.offset": np.zeros(3), "scaled.center": mean}, shift=mean,
    )
    rescaling = keras.layers.Rescaling(1 / 127.5, offset=-1)
    keras_case(
        file, "rescaling", [layer("scaled", "rescale")], 3, lambda x: np.asarray(rescaling(x)),
        {"scaled.scale": np.full(3, 1 / 127.5), "scaled.offset": np.full(3, -1.0)}, scale=100.0,
    )


def keras_attention(file):
    """query, value and key are dense layers of the input."""
    for additive, scale, causal, key, per_sequence in [
        (False, False, False, False, False), (False, True, True, True, False), (False, True, False, True, True),
        (True, True, False, False, False), (True, False, True, True, False), (True, True, False, True, True),
    ]:
        words = ["additive" if additive else "products"]
        words += ["scaled"] if scale else []
        words += ["causal"] if causal else []
        words += ["key"] if key else []
        words += ["last"] if per_sequence else []
        name = "attention " + " ".join(words)
        golden.seed(name)
        size, value_size, width = 5, 7 if key else 5, 3
        kernels = {
            place: (random(out, width).numpy(), random(out).numpy())
            for place, out in [("query", size), ("value", value_size)] + ([("key", size)] if key else [])
        }
        attention = (
            keras.layers.AdditiveAttention(use_scale=scale) if additive else keras.layers.Attention(use_scale=scale)
        )
        parameters = {}
        for place, (kernel, bias) in kernels.items():
            parameters |= {f"{place}.weight": kernel, f"{place}.bias": bias}

        def run(x):
            reads = [x @ kernels[place][0].T + kernels[place][1] for place in kernels]
            if per_sequence:
                reads[0] = reads[0][:, -1:]
            attention.build([read.shape for read in reads])
            if scale:
                attention.set_weights([random(size).numpy() if additive else np.float32(0.7)])
                parameters["pool.scale"] = np.asarray(attention.get_weights()[0])
            y = np.asarray(attention([np.float32(read) for read in reads], use_causal_mask=causal))
            return y[:, 0] if per_sequence else y

        layers = [layer("query", "dense", size=size)]
        layers += [layer("value", "dense", size=value_size, **{"from": "input"})]
        layers += [layer("key", "dense", size=size, **{"from": "input"})] if key else []
        layers += [layer("final", "readout", take="last", **{"from": "query"})] if per_sequence else []
        settings = {"additive": True} if additive else {}
        settings |= {"scale": True} if scale else {}
        settings |= {"causal": True} if causal else {}
        reads = ["final" if per_sequence else "query", "value"] + (["key"] if key else [])
        layers += [layer("pool", "dot_attention", **settings, **{"from": reads})]
        keras_case(file, name, layers, width, run, parameters)


def main():
    options = golden.arguments(__doc__, "golden-layers")
    golden.deterministic()
    file = File(options.out / "norms-keras.h5")
    keras_activations(file)
    keras_norms(file)
    keras_attention(file)
    file.close()
    golden.summary(options.out, "norms-keras.h5")


if __name__ == "__main__":
    main()
