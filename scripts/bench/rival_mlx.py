"""MLX on the CPU: mlx.nn.LSTM, Adam of mlx.optimizers; the whole step compiled, or not.

Its LSTM runs Python code for each time step, which compiling removes. On a CPU it is tens of times slower than the others on long
sequences, and compiling takes minutes: those are skipped.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers
import numpy as np

import rivals

mx.set_default_device(mx.cpu)


class Model(nn.Module):
    def __init__(self, case: rivals.Case):
        super().__init__()
        self.case_ = [case]  # Not a part of the module's tree.
        if case.vocabulary:
            self.embedding = nn.Embedding(case.vocabulary, case.input)
            self.embedding.weight = mx.array(case.weight("embedding.weight"))
        self.layers = []
        for k, layer in enumerate(case.layers):
            directions = []
            for suffix in case.directions(k):
                lstm = nn.LSTM(case.input_size(k), layer["hidden"])
                lstm.Wx = mx.array(case.weight(f"lstm.weight_ih{suffix}"))
                lstm.Wh = mx.array(case.weight(f"lstm.weight_hh{suffix}"))
                lstm.bias = mx.array(case.weight(f"lstm.bias_ih{suffix}") + case.weight(f"lstm.bias_hh{suffix}"))
                directions.append(lstm)
            self.layers.append(directions)
        self.head = []
        for k, dense in enumerate(case.head):
            weight = case.weight(f"head.{k}.weight")
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight, linear.bias = mx.array(weight), mx.array(case.weight(f"head.{k}.bias"))
            self.head.append(linear)
        # The valid steps of each sequence in reverse, with the padding unchanged.
        self.turned_ = [None]
        if case.lengths is not None:
            t, lengths = np.arange(case.steps)[None], case.lengths[:, None]
            self.turned_ = [mx.array(np.where(t < lengths, lengths - 1 - t, t)[..., None].astype(np.int32))]

    def layer(self, k: int, x):
        y, _ = self.layers[k][0](x)
        if len(self.layers[k]) == 1:
            return y
        turned = self.turned_[0]
        turn = (lambda v: mx.take_along_axis(v, turned, 1)) if turned is not None else (lambda v: v[:, ::-1])
        back, _ = self.layers[k][1](turn(x))
        return mx.concatenate([y, turn(back)], -1)

    def finish(self, y):
        case = self.case_[0]
        for linear, dense in zip(self.head, case.head):
            y = linear(y)
            if dense["activation"] == "relu":
                y = nn.relu(y)
        return y / mx.linalg.norm(y, axis=-1, keepdims=True) if case.normalizes else y

    def __call__(self, x, frozen_below: int = 0):
        case = self.case_[0]
        y = self.embedding(x) if case.vocabulary else x
        for k in range(len(self.layers)):
            y = self.layer(k, y)
            if k + 1 == frozen_below:
                y = mx.stop_gradient(y)
        return self.finish(y[:, -1] if case.readout == "last" else y)

    def step(self, x, state: list):
        y, after = x, []
        for (lstm,), (h, c) in zip(self.layers, state):
            y, cell = lstm(y, h, c)
            after.append((y[:, -1], cell[:, -1]))
        return self.finish(y), after


class Inference:
    def __init__(self, case, compiled):
        self.model, self.x = Model(case), mx.array(case.x)
        self.call = mx.compile(self.model) if compiled else self.model

    def run(self):
        y = self.call(self.x)
        mx.eval(y)
        return y

    def check(self):
        return rivals.Result(np.array(self.run()))


class Step:
    def __init__(self, case, compiled):
        self.model = Model(case)
        self.inputs = [mx.array(row.reshape(1, 1, -1)) for row in case.stream]
        self.state = [(mx.zeros((1, layer["hidden"])), mx.zeros((1, layer["hidden"]))) for layer in case.layers]
        self.call = mx.compile(self.model.step) if compiled else self.model.step
        self.place = 0

    def run(self):
        y, self.state = self.call(self.inputs[self.place], self.state)
        mx.eval(y, self.state)
        self.place = (self.place + 1) % len(self.inputs)
        return y

    def check(self):
        return rivals.Result(np.stack([np.array(self.run()).reshape(-1) for _ in self.inputs]))


class Training:
    def __init__(self, case, figure, compiled):
        self.case, self.model = case, Model(case)
        self.first = case.lowest_trainable(figure)
        for k in range(self.first):
            for lstm in self.model.layers[k]:
                lstm.freeze()
        if case.vocabulary and "embedding.weight" in figure.frozen:
            self.model.embedding.freeze()
        self.x, self.target = mx.array(case.x), mx.array(case.target)
        self.optimizer = mlx.optimizers.Adam(1e-3, bias_correction=True)
        self.grade = nn.value_and_grad(self.model, self.loss)

        def step(x, target):
            value, gradients = self.grade(x, target)
            self.optimizer.update(self.model, gradients)
            return value

        self.carried = [self.model.state, self.optimizer.state]
        if compiled:
            step = mx.compile(step, inputs=self.carried, outputs=self.carried)
        self.step = step

    def loss(self, x, target):
        y = self.model(x, self.first)
        if self.case.loss == "cross-entropy":
            each = nn.losses.cross_entropy(y, mx.maximum(target, 0))
            counts = (target >= 0).astype(mx.float32)
            return (each * counts).sum() / counts.sum()
        return mx.square(y - target).mean()

    def run(self):
        value = self.step(self.x, self.target)
        mx.eval(value, self.carried)

    def check(self):
        value, gradients = self.grade(self.x, self.target)
        mx.eval(value, gradients)
        named = {}
        for k in range(self.first, len(self.model.layers)):
            for suffix, g in zip(self.case.directions(k), gradients["layers"][k]):
                bias = np.array(g["bias"])
                named[f"lstm.weight_ih{suffix}"], named[f"lstm.weight_hh{suffix}"] = np.array(g["Wx"]), np.array(g["Wh"])
                named[f"lstm.bias_ih{suffix}"] = named[f"lstm.bias_hh{suffix}"] = bias
        for k in range(len(self.case.head)):
            g = gradients["head"][k]
            named[f"head.{k}.weight"], named[f"head.{k}.bias"] = np.array(g["weight"]), np.array(g["bias"])
        if "embedding" in gradients:
            named["embedding.weight"] = np.array(gradients["embedding"]["weight"])
        return rivals.Result(None, value.item(), named)


class MLX:
    name, version = "MLX", mx.__version__

    def __init__(self, threads: int):
        pass  # Its threads are those of its BLAS, set in the environment by lstm-bench.

    def variants(self, case, figure):
        if case.cell != "lstm":
            return []
        cells = sum(case.steps * len(directions) for directions in map(case.directions, range(len(case.layers))))
        return ["compiled", "as written"] if cells <= 50 or figure.kind == "step" else []

    def forget(self):
        mx.clear_cache()

    def build(self, case, figure, variant):
        compiled = variant == "compiled"
        if figure.kind == "step":
            return Step(case, compiled)
        return Inference(case, compiled) if figure.kind == "inference" else Training(case, figure, compiled)


if __name__ == "__main__":
    rivals.main(MLX)
