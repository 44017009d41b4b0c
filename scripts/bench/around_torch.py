"""PyTorch's side of lstm-bench --around: the layers around the LSTM, forward alone and forward with all gradients.

Each case is tried as it is, with the memory format channels_last where it is a grid, and on one thread; the fastest counts.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

import around_sequences
import rivals


class Attention(nn.MultiheadAttention):
    """nn.MultiheadAttention over a sequence itself, without the weights as a second result."""

    def __init__(self, size, heads):
        super().__init__(size, heads, batch_first=True)

    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


class VectorAttention(nn.Module):
    """The average of the steps, weighted by the softmax over time of a vector times each."""

    def __init__(self, size):
        super().__init__()
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, x):
        return (self.score(x).softmax(1).transpose(1, 2) @ x)[:, 0]


class TanhAttention(nn.Module):
    """The same with the scores of a layer with tanh."""

    def __init__(self, size, inner):
        super().__init__()
        self.inner = nn.Linear(size, inner)
        self.score = nn.Linear(inner, 1, bias=False)

    def forward(self, x):
        return (self.score(self.inner(x).tanh()).softmax(1).transpose(1, 2) @ x)[:, 0]


class DotAttention(nn.Module):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


class Max(nn.Module):
    def forward(self, x):
        return x.max(1).values


def to_torch(values: np.ndarray, layout: str, like=None) -> torch.Tensor:
    """(N, T, C x F) as the layer wants it."""
    x = torch.from_numpy(values)
    if layout == "rows":
        return x
    if layout == "tokens":
        return x[..., 0].long()
    if layout == "channels":
        return x.transpose(1, 2).contiguous()
    n, t, width = x.shape
    return x.reshape(n, t, like, width // like).permute(0, 2, 1, 3).contiguous()


def to_rows(x: torch.Tensor, layout: str) -> np.ndarray:
    if layout == "channels":
        x = x.transpose(1, 2)
    elif layout == "grid":
        x = x.permute(0, 2, 1, 3).flatten(2)
    return x.detach().contiguous().numpy()


def channels(module) -> int:
    """Channels of a grid that the module reads."""
    return getattr(module, "in_channels", getattr(module, "num_features", 64))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    for case in json.loads((options.folder / "cases.json").read_text()):
        tensors = rivals.read_safetensors(options.folder / case["file"])
        if case["layout"] in around_sequences.WORK:
            around_sequences.run(case, tensors, options)
            continue
        forward, training, difference = [], [], 0.0
        ways = [(False, options.threads)]
        ways += [(True, options.threads)] if case["layout"] == "grid" else []
        ways += [(False, 1)] if options.threads > 1 else []
        for is_last, threads in ways:
            torch.set_num_threads(threads)
            module = eval(case["torch"])  # An expression of our own: see AroundCase.
            names = [name[len("weight."):] for name in tensors if name.startswith("weight.")]
            targets = dict(zip(names, [*in_order(module)]))
            with torch.no_grad():
                for name, value in targets.items():
                    value.copy_(torch.from_numpy(tensors["weight." + name]).reshape(value.shape))
            count = channels(module) if case["layout"] == "grid" else None
            x = to_torch(tensors["x"], case["layout"], count)
            given = "rows" if case["layout"] == "tokens" else case["layout"]
            dy = to_torch(tensors["dy"], given, count and getattr(module, "out_channels", count))
            if is_last:
                module = module.to(memory_format=torch.channels_last)
                x, dy = (v.contiguous(memory_format=torch.channels_last) for v in (x, dy))
            parameters = list(module.parameters())
            inputs = [x.requires_grad_()] if "dx" in tensors else []

            def train():
                return torch.autograd.grad(module(x), [*inputs, *parameters], dy)

            y, found = module(x), train()
            difference = max(difference, rivals.difference(tensors["y"], to_rows(y, case["layout"])))
            if inputs:
                difference = max(difference, rivals.difference(tensors["dx"], to_rows(found[0], case["layout"])))
            # Of normalizations one after the other, the weights of all but the last have no gradient but rounding.
            largest = max([1e-30] + [np.abs(v).max() for n, v in tensors.items() if n.startswith("gradient.")])
            for name, value in targets.items():
                if isinstance(value, nn.Parameter):
                    gradient = found[len(inputs) + [p is value for p in parameters].index(True)]
                    expected = tensors["gradient." + name].reshape(gradient.shape)
                    error = np.abs(expected - gradient.contiguous().numpy()).max()
                    difference = max(difference, float(error / max(np.abs(expected).max(), largest * 0.1)))
            training.append(around_sequences.measure(train, options.seconds / 2))
            module.eval()

            def infer():
                with torch.inference_mode():
                    return module(x)

            forward.append(around_sequences.measure(infer, options.seconds / 2))
        line = {"name": case["name"], "forward": min(forward), "training": min(training), "difference": difference}
        print(json.dumps(line), flush=True)


def in_order(module):
    """Parameters and running statistics, layer by layer."""
    for part in module.modules():
        yield from part.parameters(recurse=False)
        for name, value in part.named_buffers(recurse=False):
            if name != "num_batches_tracked":
                yield value


if __name__ == "__main__":
    main()
