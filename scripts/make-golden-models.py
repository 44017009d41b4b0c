"""Golden files for whole modules: checkpoints as PyTorch users save them, and the module's outputs.

    fixtures/golden-models/<name>.h5             only the state_dict (and, where stated, other contents of such files)
    fixtures/golden-models/<name>.reference.h5   x float32 (N,T,I) or tokens int64 (N,T); y; h_n and c_n without a head

Attributes of a reference: name, description, torch_version, readout (all, last, final, mean, max), input_size,
bidirectional, proj_size, bias (ints), and as JSON: hidden_sizes, head (modules' names in order), activations (one per
head), mapping ({dataset path: lstm-ft's name}), unexpected (paths that belong to no layer).
"""

import json

import torch
from torch import nn

import golden_common as golden

N, T = 4, 9
ACTIVATIONS = {"none": lambda v: v, "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Network(nn.Module):
    """embedding (optional) -> LSTM modules in a row -> readout -> dense layers, under any names."""

    def __init__(self, lstms, heads=(), embedding=None, readout="last", activations=None, tied=False):
        super().__init__()
        self.readout, self.activations = readout, activations or ["none"] * len(heads)
        self.names = ([embedding[0]] if embedding else [], [n for n, _ in lstms], [n for n, _ in heads])
        for name, module in ([embedding] if embedding else []) + list(lstms) + list(heads):
            parent = self
            *path, last = name.split(".")
            for part in path:
                if part not in dict(parent.named_children()):
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            parent.add_module(last, module)
        if tied:
            self.get_submodule(heads[-1][0]).weight = embedding[1].weight

    def forward(self, value):
        for name in self.names[0]:
            value = self.get_submodule(name)(value)
        for name in self.names[1]:
            lstm = self.get_submodule(name)
            if isinstance(lstm, nn.LSTMCell):
                state, steps = None, []
                for step in value.unbind(1):
                    state = lstm(step, state)
                    steps.append(state[0])
                value, (h, c) = torch.stack(steps, 1), (state[0][None], state[1][None])
            else:
                value, (h, c) = lstm(value)
        directions = 2 if getattr(lstm, "bidirectional", False) else 1
        value = {"all": lambda: value, "last": lambda: value[:, -1], "mean": lambda: value.mean(1),
                 "max": lambda: value.max(1).values, "final": lambda: torch.cat(list(h[-directions:]), -1)}[self.readout]()
        for name, activation in zip(self.names[2], self.activations):
            value = ACTIVATIONS[activation](self.get_submodule(name)(value))
        return value, h, c


def lstm(*sizes, **options):
    return nn.LSTM(*sizes, batch_first=True, **options)


def native(network, key):
    """The project's name of a parameter of a Network."""
    module, _, leaf = key.rpartition(".")
    embeddings, lstms, heads = network.names
    if module in embeddings:
        return "embedding." + leaf
    if module in heads:
        return f"head.{heads.index(module)}.{leaf}"
    if isinstance(network.get_submodule(module), nn.LSTMCell):
        return f"lstm.{leaf}_l{lstms.index(module)}"
    return "lstm." + (leaf.replace("_l0", f"_l{lstms.index(module)}") if len(lstms) > 1 else leaf)


def write(folder, name, description, network, prefix="", separator=".", extra=None, rename=lambda key: key, x=None):
    network.eval()
    first = network.get_submodule(network.names[1][0])
    last = network.get_submodule(network.names[1][-1])
    if x is None:
        x = torch.randn(N, T, first.input_size)
    with torch.no_grad():
        y, h, c = network(x)
    mapping = {}
    with golden.create(folder / f"{name}.h5") as file:
        for key, value in network.state_dict().items():
            path = prefix + rename(key).replace(".", separator)
            mapping["/" + path] = native(network, key)
            golden.put(file, path, value)
        for key, value in (extra or {}).items():
            golden.put(file, key, value)
    with golden.create(folder / f"{name}.reference.h5") as file:
        golden.put(file, "x" if x.is_floating_point() else "tokens", x)
        golden.put(file, "y", y)
        if not network.names[2]:
            golden.put(file, "h_n", h), golden.put(file, "c_n", c)
        sizes = [m.hidden_size for m in map(network.get_submodule, network.names[1]) for _ in range(getattr(m, "num_layers", 1))]
        attributes = dict(name=name, description=description, torch_version=str(torch.__version__), readout=network.readout,
                          input_size=first.input_size, bidirectional=int(getattr(last, "bidirectional", 0)),
                          proj_size=getattr(last, "proj_size", 0), bias=int(last.bias), hidden_sizes=json.dumps(sizes),
                          head=json.dumps(network.names[2]), activations=json.dumps(network.activations),
                          mapping=json.dumps(mapping), unexpected=json.dumps(["/" + key for key in extra or {}]))
        for key, value in attributes.items():
            file.attrs[key] = value
    print(f"  {name:<18} {description}")


def main():
    folder = golden.arguments(__doc__, "golden-models").out
    golden.deterministic()

    def case(name, description, build, **options):
        golden.seed(name)
        write(folder, name, description, build(), **options)

    def tokens(name, vocabulary):
        return torch.randint(vocabulary, (N, T), generator=torch.Generator().manual_seed(golden.seed_for(name)))

    case("embedding_fc", "embedding, two-layer LSTM, fc on the last step",
         lambda: Network([("lstm", lstm(10, 14, num_layers=2))], [("fc", nn.Linear(14, 3))], ("embedding", nn.Embedding(23, 10))),
         x=tokens("embedding_fc", 23))
    case("prefix_module", "module.encoder.lstm.* and a linear decoder on all steps",
         lambda: Network([("encoder.lstm", lstm(6, 12, num_layers=2))], [("decoder", nn.Linear(12, 5))], readout="all"),
         prefix="module.")
    case("nested_groups", "nested groups instead of dots; mean over time; head/0, ReLU, head/2",
         lambda: Network([("lstm", lstm(5, 11))], [("head.0", nn.Linear(11, 8)), ("head.2", nn.Linear(8, 2))], readout="mean",
                         activations=["relu", "none"]), separator="/")
    case("lstm_cell", "nn.LSTMCell's names (no _l0), linear on the last step",
         lambda: Network([("cell", nn.LSTMCell(4, 9))], [("linear", nn.Linear(9, 2))]))
    case("bidirectional_final", "bidirectional; the last layer's h_n, forward and reverse concatenated, into linear",
         lambda: Network([("lstm", lstm(5, 8, num_layers=2, bidirectional=True))], [("linear", nn.Linear(16, 3))], readout="final"))
    case("max_classifier", "largest value over time into classifier",
         lambda: Network([("rnn", lstm(7, 13, bidirectional=True))], [("classifier", nn.Linear(26, 4))], readout="max"))
    case("projection", "projected LSTM (weight_hr), fc on the last step",
         lambda: Network([("lstm", lstm(6, 15, num_layers=2, proj_size=5))], [("fc", nn.Linear(5, 2))]))
    golden.seed("optimizer")
    extra = {"optimizer/state/0/exp_avg": torch.randn(40, 6) * 1e-3, "optimizer/state/0/exp_avg_sq": torch.rand(40, 6) * 1e-6,
             "optimizer/state/0/step": torch.tensor(120.0), "step": torch.tensor(120), "bn.num_batches_tracked": torch.tensor(37)}
    case("compiled_extras", "_orig_mod. prefix; an optimizer's group and int64 scalars beside the weights",
         lambda: Network([("lstm", lstm(6, 10))], [("fc", nn.Linear(10, 1))]), prefix="_orig_mod.", extra=extra)
    case("awd", "AWD-LSTM's modules: encoder (embedding), rnns.0-2 of 20-33-33-20, decoder tied to the encoder, all steps",
         lambda: Network([(f"rnns.{k}", lstm(a, b)) for k, (a, b) in enumerate([(20, 33), (33, 33), (33, 20)])],
                         [("decoder", nn.Linear(20, 29))], ("encoder", nn.Embedding(29, 20)), readout="all", tied=True),
         x=tokens("awd", 29))
    case("bare", "a bare nn.LSTM: no prefix, no head",
         lambda: Network([("lstm", lstm(5, 12, num_layers=2))], readout="all"), rename=lambda key: key.removeprefix("lstm."))
    case("bidirectional_nobias", "bidirectional without biases, two layers, no head",
         lambda: Network([("lstm", lstm(6, 9, num_layers=2, bidirectional=True, bias=False))], readout="all"))
    case("model_state", "everything under the group model_state/",
         lambda: Network([("lstm", lstm(4, 10, num_layers=2))], [("fc", nn.Linear(10, 2))]), prefix="model_state/")

    for head in ("out", "output", "proj", "head", "dense", "regressor", "head.0"):
        case("head_" + head.replace(".", "_"), f"head named {head}", lambda: Network([("lstm", lstm(3, 6))], [(head, nn.Linear(6, 2))]))
    case("head_fc1_fc2", "heads named fc1, ReLU, fc2",
         lambda: Network([("lstm", lstm(3, 6))], [("fc1", nn.Linear(6, 5)), ("fc2", nn.Linear(5, 2))], activations=["relu", "none"]))
    golden.summary(folder)


if __name__ == "__main__":
    main()
