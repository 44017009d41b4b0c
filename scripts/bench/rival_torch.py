"""PyTorch: nn.LSTM, nn.GRU or nn.RNN (by oneDNN and ATen), Adam with fused=True.

Ways: eager; for single steps also LSTMCell and one thread; torch.compile of cells where T is 1.
"""

import numpy as np
import torch
from torch import nn

import rivals


LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


class Model(nn.Module):
    """One nn.LSTM, nn.GRU or nn.RNN for each run of equal layers, so that frozen ones can be left out of the gradient's graph."""

    def __init__(self, case: rivals.Case, split: int, as_cells: bool = False):
        super().__init__()
        self.case, self.as_cells = case, as_cells
        if case.vocabulary:
            self.embedding = nn.Embedding(case.vocabulary, case.input)
        self.parts, self.names = nn.ModuleList(), {}
        begin = 0
        while begin < len(case.layers):
            end = begin + 1
            while end < len(case.layers) and case.layers[end] == case.layers[begin] and end != split and not as_cells:
                end += 1
            layer = case.layers[begin]
            if as_cells:
                part = CELLS[case.cell](case.input_size(begin), layer["hidden"])
            else:
                part = LAYERS[case.cell](
                    case.input_size(begin), layer["hidden"], end - begin, batch_first=True,
                    bidirectional=layer["bidirectional"],
                )
            for k in range(begin, end):
                for suffix in case.directions(k):
                    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                        own = kind if as_cells else kind + suffix.replace(f"_l{k}", f"_l{k - begin}")
                        self.names[f"{case.cell}.{kind}{suffix}"] = getattr(part, own)
            part.first, part.last = begin, end
            self.parts.append(part)
            begin = end
        width = case.layers[-1]["hidden"] * (2 if case.layers[-1]["bidirectional"] else 1)
        self.head = nn.ModuleList()
        for k, dense in enumerate(case.head):
            self.head.append(nn.Linear(width, dense["size"]))
            self.names[f"head.{k}.weight"], self.names[f"head.{k}.bias"] = self.head[k].weight, self.head[k].bias
            width = dense["size"]
        if case.vocabulary:
            self.names["embedding.weight"] = self.embedding.weight
        with torch.no_grad():
            for name, parameter in self.names.items():
                parameter.copy_(torch.from_numpy(case.weight(name)))

    def finish(self, y):
        for k, dense in enumerate(self.case.head):
            y = self.head[k](y)
            if dense["activation"] == "relu":
                y = torch.relu(y)
        return nn.functional.normalize(y, dim=-1) if self.case.normalizes else y

    def forward(self, x, lengths=None, frozen_below: int = 0):
        y = self.embedding(x) if self.case.vocabulary else x
        if lengths is not None:
            y = nn.utils.rnn.pack_padded_sequence(y, lengths, batch_first=True, enforce_sorted=False)
        for part in self.parts:
            with torch.set_grad_enabled(torch.is_grad_enabled() and part.first >= frozen_below):
                y, h = part(y)
                h = h[0] if self.case.cell == "lstm" else h
        if lengths is not None:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=self.case.steps)
        if self.case.readout == "last":
            y = h[-1]
        return self.finish(y)

    def step(self, x, state: list):
        """One step; the state is replaced."""
        y = x
        for k, part in enumerate(self.parts):
            if self.as_cells:
                state[k] = part(y, state[k])
                y = state[k][0] if self.case.cell == "lstm" else state[k]
            else:
                y, state[k] = part(y, state[k])
        return self.finish(y)

    def single(self, x):
        """All of a sequence that is one step long, by cells."""
        y = x[:, 0]
        for part in self.parts:
            y = part(y)[0] if self.case.cell == "lstm" else part(y)
        return self.finish(y)[:, None]


class Step:
    def __init__(self, case, figure, as_cells, compiled):
        self.model = Model(case, 0, as_cells).eval()
        shape = (1, case.input) if as_cells else (1, 1, case.input)
        self.inputs = [torch.from_numpy(row.copy()).reshape(shape) for row in case.stream]
        self.call = torch.compile(self.model.step) if compiled else self.model.step
        self.reset()

    def reset(self):
        self.place, self.state = 0, []
        for part in self.model.parts:
            depth = 1 if self.model.as_cells else part.last - part.first
            shape = (1, part.hidden_size) if self.model.as_cells else (depth, 1, part.hidden_size)
            zero = torch.zeros(shape)
            self.state.append((zero, torch.zeros(shape)) if self.model.case.cell == "lstm" else zero)

    @torch.inference_mode()
    def run(self):
        y = self.call(self.inputs[self.place], self.state)
        self.place = (self.place + 1) % len(self.inputs)
        return y

    def check(self):
        outputs = [self.run().reshape(-1).numpy().copy() for _ in self.inputs]
        return rivals.Result(np.stack(outputs))


class Inference:
    def __init__(self, case):
        self.model = Model(case, 0).eval()
        self.x = torch.from_numpy(case.x)
        self.lengths = None if case.lengths is None else torch.from_numpy(case.lengths).long()

    @torch.inference_mode()
    def run(self):
        return self.model(self.x, self.lengths)

    def check(self):
        return rivals.Result(self.run().numpy())


class Training:
    def __init__(self, case, figure, compiled=False):
        split = case.lowest_trainable(figure)
        self.case, self.split = case, split
        self.model = Model(case, split, as_cells=compiled)
        for name in figure.frozen:
            self.model.names[name].requires_grad_(False)
        self.forward = torch.compile(self.model.single) if compiled else None
        self.x, self.target = torch.from_numpy(case.x), torch.from_numpy(case.target)
        self.lengths = None if case.lengths is None else torch.from_numpy(case.lengths).long()
        if case.loss == "cross-entropy":
            self.target = self.target.long()
        moving = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(moving, lr=1e-3, fused=True)

    def loss(self):
        y = self.forward(self.x) if self.forward else self.model(self.x, self.lengths, self.split)
        if self.case.loss == "cross-entropy":
            value = nn.functional.cross_entropy(y.reshape(-1, y.shape[-1]), self.target.reshape(-1))
        else:
            value = nn.functional.mse_loss(y, self.target)
        return y, value

    def run(self):
        self.optimizer.zero_grad()
        self.loss()[1].backward()
        self.optimizer.step()

    def check(self):
        y, value = self.loss()
        value.backward()
        gradients = {n: p.grad.numpy() for n, p in self.model.names.items() if p.requires_grad}
        result = rivals.Result(y.detach().numpy().copy(), value.item(), {n: g.copy() for n, g in gradients.items()})
        self.optimizer.zero_grad()
        return result


class Torch:
    name, version = "PyTorch", torch.__version__

    def __init__(self, threads: int):
        self.threads = threads
        torch.set_num_threads(threads)

    def variants(self, case, figure):
        if figure.kind == "step":
            ways = ["nn.LSTM", "nn.LSTMCell", "compiled nn.LSTMCell"]
        elif figure.kind == "training" and case.steps == 1:
            ways = ["nn.LSTM", "compiled nn.LSTMCell"]
        else:
            ways = ["nn.LSTM"]
        ways = [way.replace("LSTM", case.cell.upper()) for way in ways]
        return ways + [way + ", 1 thread" for way in ways if case.is_small and self.threads > 1]

    def forget(self):
        torch._dynamo.reset()

    def build(self, case, figure, variant):
        torch.set_num_threads(1 if variant.endswith("1 thread") else self.threads)
        compiled = variant.startswith("compiled")
        if figure.kind == "step":
            return Step(case, figure, "Cell" in variant, compiled)
        return Inference(case) if figure.kind == "inference" else Training(case, figure, compiled)


if __name__ == "__main__":
    rivals.main(Torch)
