#!/usr/bin/env python3
"""Golden data of layers that normalize, activate and attend, from PyTorch: outputs and gradients.

Needs torch, numpy and h5py; writes fixtures/golden-layers/norms-torch.h5, which golden_layers.py describes.
"""

import torch
from torch import nn
from torch.nn import functional as F

import golden_common as golden
from golden_layers import N, RAGGED, T, File, layer, mask_of, random


def torch_case(file, name, layers, run, width, parameters=None, lengths=None, training=False, scale=1.0, **more):
    """`run(x, valid)` gives y from x (N, T, I) and the valid steps (N, T)."""
    golden.seed(name)
    x = random(N, T, width, scale=scale)
    valid = mask_of(lengths)
    x = (x * valid[..., None]).requires_grad_()
    parameters = parameters() if callable(parameters) else parameters or {}
    arrays = {"parameters/" + key: value.detach().clone() for key, value in parameters.items()}
    y = run(x, valid, *([parameters] if parameters else []))
    if y.dim() == 3:
        y = y * valid[..., None]
    dy = random(*y.shape)
    if y.dim() == 3:
        dy = dy * valid[..., None]
    (y * dy).sum().backward()
    arrays |= {"x": x.detach(), "y": y.detach(), "dy": dy, "dx": x.grad}
    for key, value in parameters.items():
        if value.grad is not None:
            arrays["gradients/" + key] = value.grad
    file.add(name, layers, arrays, width, lengths=lengths, training=training, **more)


ACTIVATIONS = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "hard_sigmoid_keras3": F.hardsigmoid,
    "hard_tanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softplus": F.softplus,
    "softsign": F.softsign,
    "swish": F.silu,
    "mish": F.mish,
    "relu6": F.relu6,
    "hard_swish": F.hardswish,
    "exponential": torch.exp,
}


def torch_activations(file):
    for name, function in ACTIVATIONS.items():
        layers = [layer("act", "activation", activation=name)]
        torch_case(file, f"activation {name}", layers, lambda x, _, f=function: f(x), 17, lengths=RAGGED, scale=2.0)
    for name, function in {
        "leaky_relu": lambda x: F.leaky_relu(x, 0.3),
        "elu": lambda x: F.elu(x, 0.7),
    }.items():
        alpha = {"leaky_relu": 0.3, "elu": 0.7}[name]
        layers = [layer("act", "activation", activation=name, alpha=alpha)]
        torch_case(file, f"activation {name} {alpha}", layers, lambda x, _, f=function: f(x), 7, scale=2.0)
    for name in ["gelu", "swish", "elu", "log_softmax", "softmax"]:
        function = ACTIVATIONS[name]

        def parameters():
            return {
                "dense.weight": nn.Parameter(random(5, 7)),
                "dense.bias": nn.Parameter(random(5)),
            }

        torch_case(
            file, f"dense {name}", [layer("dense", "dense", size=5, activation=name)],
            lambda x, _, p, f=function: f(F.linear(x, p["dense.weight"], p["dense.bias"])), 7, parameters,
        )


def norm_parameters(size, statistics=True, affine=True):
    def make():
        made = {}
        if affine:
            made["norm.weight"] = nn.Parameter(random(size) * 0.5 + 1)
            made["norm.bias"] = nn.Parameter(random(size) * 0.5)
        if statistics:
            made["norm.running_mean"] = random(size)
            made["norm.running_var"] = torch.rand(size) * 2 + 0.1
        return made

    return make


def batch_norm(training, momentum=0.1, eps=1e-5):
    """Over the valid rows."""

    def run(x, valid, p):
        y = torch.zeros_like(x)
        mean, variance = p["norm.running_mean"].clone(), p["norm.running_var"].clone()
        y[valid] = F.batch_norm(
            x[valid], mean, variance, p.get("norm.weight"), p.get("norm.bias"), training, momentum, eps
        )
        return y

    return run


def torch_norms(file):
    usual = [layer("norm", "batch_norm")]
    other = [layer("norm", "batch_norm", scale=False, offset=False, epsilon=0.01, momentum=0.3)]
    for width in [1, 7, 33]:
        torch_case(file, f"batch norm {width}", usual, batch_norm(False), width, norm_parameters(width))
        torch_case(
            file, f"batch norm {width} training", usual, batch_norm(True), width, norm_parameters(width),
            lengths=RAGGED, training=True,
        )
    torch_case(
        file, "batch norm without weight", other, batch_norm(True, 0.3, 0.01), 7, norm_parameters(7, affine=False),
        training=True,
    )

    def grid(training):
        def run(x, valid, p):
            planes = x.reshape(N, T, 3, 4).permute(0, 2, 1, 3)  # (N, C, T, F)
            y = F.batch_norm(
                planes, p["norm.running_mean"].clone(), p["norm.running_var"].clone(), p["norm.weight"],
                p["norm.bias"], training, 0.1, 1e-5,
            )
            return y.permute(0, 2, 1, 3).reshape(N, T, 12)

        return run

    for training in [False, True]:
        torch_case(
            file, f"batch norm grid{' training' if training else ''}", usual, grid(training), 12, norm_parameters(3),
            training=training, channels=3,
        )
    for width in [1, 7, 33]:
        # With the usual epsilon the gradient of a single value, zero, would be 300 times torch's rounding.
        eps = 0.01 if width == 1 else 1e-5
        torch_case(
            file, f"layer norm {width}", [layer("norm", "layer_norm", epsilon=eps)],
            lambda x, _, p, w=width, e=eps: F.layer_norm(x, [w], p["norm.weight"], p["norm.bias"], e), width,
            norm_parameters(width, statistics=False), lengths=RAGGED,
        )
    torch_case(
        file, "layer norm without weight", [layer("norm", "layer_norm", scale=False, offset=False, epsilon=0.01)],
        lambda x, _: F.layer_norm(x, [7], eps=0.01), 7,
    )
    statistics(file, "running statistics", 0.1)
    statistics(file, "running statistics 0.3", 0.3)


def statistics(file, name, momentum):
    """Twenty steps in training."""
    golden.seed(name)
    norm = nn.BatchNorm1d(5, momentum=momentum)
    before = {"parameters/norm." + key: value.clone() for key, value in norm.state_dict().items() if value.dim()}
    xs = random(20, N, T, 5) * (torch.rand(5) * 3) + random(5) * 10
    for x in xs:
        norm(x.permute(0, 2, 1))
    after = {"after/norm." + key: getattr(norm, key).clone() for key in ["running_mean", "running_var"]}
    file.add(name, [layer("norm", "batch_norm", momentum=momentum)], before | after | {"xs": xs}, 5, training=True)


def attend(scores, x, valid):
    shares = scores.masked_fill(~valid, -torch.inf).softmax(1)
    return (shares[..., None] * x).sum(1)


def torch_attention(file):
    def vector(activation, bias):
        def run(x, valid, p):
            scores = F.linear(x, p["pool.weight"], p["pool.bias"] if bias else None)[..., 0]
            return attend(torch.tanh(scores) if activation else scores, x, valid)

        return run

    def vector_parameters(width, bias):
        def make():
            made = {"pool.weight": nn.Parameter(random(1, width))}
            if bias:
                made["pool.bias"] = nn.Parameter(random(1))
            return made

        return make

    for width in [1, 7, 33]:
        for activation, bias in [(False, False), (True, True), (False, True)]:
            settings = {"score_activation": "tanh"} if activation else {}
            if bias:
                settings["bias"] = True
            torch_case(
                file, f"attention {width}{' tanh' if activation else ''}{' bias' if bias else ''}",
                [layer("pool", "attention", **settings)], vector(activation, bias), width,
                vector_parameters(width, bias), lengths=RAGGED,
            )

    def inner(bias, score_bias, activation):
        def run(x, valid, p):
            hidden = torch.tanh(F.linear(x, p["pool.weight"], p["pool.bias"] if bias else None))
            scores = F.linear(hidden, p["pool.score"], p["pool.score_bias"] if score_bias else None)[..., 0]
            return attend(F.silu(scores) if activation else scores, x, valid)

        return run

    for size, width, bias, score_bias, activation in [
        (1, 7, False, False, False), (9, 7, True, False, False), (17, 5, True, True, True),
    ]:

        def parameters():
            made = {"pool.weight": nn.Parameter(random(size, width)), "pool.score": nn.Parameter(random(1, size))}
            if bias:
                made["pool.bias"] = nn.Parameter(random(size))
            if score_bias:
                made["pool.score_bias"] = nn.Parameter(random(1))
            return made

        settings = {"form": "tanh", "size": size}
        settings |= {"bias": True} if bias else {}
        settings |= {"score_bias": True} if score_bias else {}
        settings |= {"score_activation": "swish"} if activation else {}
        torch_case(
            file, f"attention inside {size}", [layer("pool", "attention", **settings)],
            inner(bias, score_bias, activation), width, parameters, lengths=RAGGED,
        )
    for width, heads, bias, causal, lengths in [
        (1, 1, True, False, None), (7, 1, False, False, RAGGED), (7, 7, True, True, None), (12, 3, True, True, RAGGED),
        (12, 4, True, False, RAGGED),
    ]:

        def parameters():
            made = {
                "mha.in_proj_weight": nn.Parameter(random(3 * width, width) / width**0.5),
                "mha.out_proj.weight": nn.Parameter(random(width, width) / width**0.5),
            }
            if bias:
                made |= {
                    "mha.in_proj_bias": nn.Parameter(random(3 * width)),
                    "mha.out_proj.bias": nn.Parameter(random(width)),
                }
            return made

        def run(x, valid, p):
            module = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True)
            names = {key.removeprefix("mha."): value for key, value in p.items()}
            mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1) if causal else None
            return torch.func.functional_call(
                module, names, (x, x, x), {"key_padding_mask": ~valid, "attn_mask": mask, "need_weights": False}
            )[0]

        settings = {"heads": heads} if heads != 1 else {}
        settings |= {} if bias else {"bias": False}
        settings |= {"causal": True} if causal else {}
        torch_case(
            file, f"self-attention {width} {heads}{' causal' if causal else ''}{'' if bias else ' without bias'}",
            [layer("mha", "self_attention", **settings)], run, width, parameters, lengths=lengths,
        )


def main():
    options = golden.arguments(__doc__, "golden-layers")
    golden.deterministic()
    file = File(options.out / "norms-torch.h5")
    torch_activations(file)
    torch_norms(file)
    torch_attention(file)
    file.close()
    golden.summary(options.out, "norms-torch.h5")


if __name__ == "__main__":
    main()
