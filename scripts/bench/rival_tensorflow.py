"""TensorFlow: everything inside one tf.function, Adam by its fused kernel.

Ways: Keras' LSTM layer; the same compiled by XLA; the fused CPU kernel BlockLSTM, which no layer of Keras uses any more
(BlockLSTMV2 is newer, but its gradients are wrong in 2.21). XLA trains only small models: with the largest, the process
grew to 10 GB.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf

import rivals

tf.get_logger().setLevel("ERROR")


class Layer:
    """One layer and direction, time-major: kernel (I, 4H), recurrent (H, 4H), bias (4H), gates i, f, g, o."""

    def __init__(self, case, k, suffix, fused):
        self.hidden, self.fused, self.suffix = case.layers[k]["hidden"], fused, suffix
        self.reverse = suffix.endswith("_reverse")
        kernel, recurrent = case.weight(f"lstm.weight_ih{suffix}").T, case.weight(f"lstm.weight_hh{suffix}").T
        bias = case.weight(f"lstm.bias_ih{suffix}") + case.weight(f"lstm.bias_hh{suffix}")
        self.split = kernel.shape[0]
        if fused:
            self.weight = tf.Variable(self.swapped(np.concatenate([kernel, recurrent])))
            self.bias = tf.Variable(self.swapped(bias))
            self.variables = [self.weight, self.bias]
        else:
            self.layer = keras.layers.LSTM(self.hidden, return_sequences=True, return_state=True)
            self.layer.build((None, None, self.split))
            self.layer.set_weights([kernel, recurrent, bias])
            self.variables = [variable.value for variable in self.layer.trainable_variables]

    @staticmethod
    def swapped(values):
        """i, f, g, o <-> i, g, f, o, which is the kernel's order."""
        i, a, b, o = np.split(values, 4, axis=-1)
        return np.concatenate([i, b, a, o], axis=-1)

    def __call__(self, x, lengths, mask, state=None):
        """x (T, B, I) when fused, (B, T, I) otherwise."""
        if not self.fused:
            if self.reverse:
                # The mask is applied at the end, so that no padding has to be skipped at the start.
                x = self.flipped(x, lengths, 1)
            y, h, c = self.layer(x, mask=mask, initial_state=state)
            return (self.flipped(y, lengths, 1) if self.reverse else y), (h, c)
        if self.reverse:
            x = self.flipped(x, lengths, 0)
        zero = tf.zeros((x.shape[1], self.hidden))
        h, c = state or (zero, zero)
        nothing = tf.zeros((self.hidden,))
        out = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(x.shape[0], tf.int64), x=x, cs_prev=c, h_prev=h, w=self.weight,
            wci=nothing, wcf=nothing, wco=nothing, b=self.bias, cell_clip=-1.0, forget_bias=0.0,
        )
        y = out.h
        return (self.flipped(y, lengths, 0) if self.reverse else y), (y[-1], out.cs[-1])

    @staticmethod
    def flipped(x, lengths, axis):
        if lengths is None:
            return tf.reverse(x, [axis])
        return tf.reverse_sequence(x, lengths, seq_axis=axis, batch_axis=1 - axis)

    def gradients(self, values) -> dict:
        values = [np.asarray(value) for value in values]
        if self.fused:
            (kernel, recurrent), bias = np.split(self.swapped(values[0]), [self.split]), self.swapped(values[1])
        else:
            kernel, recurrent, bias = values
        return {
            f"lstm.weight_ih{self.suffix}": kernel.T,
            f"lstm.weight_hh{self.suffix}": recurrent.T,
            f"lstm.bias_ih{self.suffix}": bias,
            f"lstm.bias_hh{self.suffix}": bias,
        }


class Model:
    def __init__(self, case: rivals.Case, fused: bool):
        self.case, self.fused = case, fused
        self.layers = [[Layer(case, k, s, fused) for s in case.directions(k)] for k in range(len(case.layers))]
        self.embedding = tf.Variable(case.weight("embedding.weight")) if case.vocabulary else None
        self.head = [
            (tf.Variable(case.weight(f"head.{k}.weight").T), tf.Variable(case.weight(f"head.{k}.bias")))
            for k in range(len(case.head))
        ]
        self.lengths = None if case.lengths is None else tf.constant(case.lengths)
        self.mask = None if case.lengths is None else tf.constant(case.valid)
        x = case.x if case.x is not None else np.zeros((1, 1, case.input), np.float32)
        self.x = tf.constant(x.swapaxes(0, 1) if fused else x)

    def layer(self, k, x):
        results = [direction(x, self.lengths, self.mask) for direction in self.layers[k]]
        y = results[0][0] if len(results) == 1 else tf.concat([result[0] for result in results], -1)
        return y, results[0][1][0]

    def finish(self, y):
        for k, (weight, bias) in enumerate(self.head):
            y = tf.matmul(y, weight) + bias
            if self.case.head[k]["activation"] == "relu":
                y = tf.nn.relu(y)
        return tf.math.l2_normalize(y, -1) if self.case.normalizes else y

    def lower(self, count):
        """The output of the first `count` layers."""
        y = tf.gather(self.embedding, self.x) if self.case.vocabulary else self.x
        h = None
        for k in range(count):
            y, h = self.layer(k, y)
        return y, h

    def upper(self, y, h, first):
        for k in range(first, len(self.layers)):
            y, h = self.layer(k, y)
        return self.finish(h if self.case.readout == "last" else y)

    def forward(self):
        return self.upper(*self.lower(0), 0)

    def arranged(self, y) -> np.ndarray:
        """As ours: (B, T, O)."""
        y = np.asarray(y)
        return y.swapaxes(0, 1) if self.fused and self.case.readout == "all" else y


class Inference:
    def __init__(self, case, fused, jit):
        self.model = Model(case, fused)
        self.call = tf.function(self.model.forward, jit_compile=jit, autograph=False)

    def run(self):
        return self.call().numpy()

    def check(self):
        return rivals.Result(self.model.arranged(self.run()))


class Step:
    def __init__(self, case, fused, jit):
        self.model = Model(case, fused)
        self.inputs = [tf.constant(row.reshape(1, 1, -1)) for row in case.stream]
        self.call = tf.function(self.step, jit_compile=jit, autograph=False)
        self.state = [(tf.zeros((1, layer["hidden"])),) * 2 for layer in case.layers]
        self.place = 0

    def step(self, x, state):
        y, after = x, []
        for (layer,), before in zip(self.model.layers, state):
            y, new = layer(y, None, None, before)
            after.append(new)
        return self.model.finish(y), after

    def run(self):
        y, self.state = self.call(self.inputs[self.place], self.state)
        self.place = (self.place + 1) % len(self.inputs)
        return y.numpy()

    def check(self):
        return rivals.Result(np.stack([self.run().reshape(-1) for _ in self.inputs]))


class Training:
    def __init__(self, case, figure, fused, jit):
        self.case, self.model = case, Model(case, fused)
        self.first = case.lowest_trainable(figure)
        if case.vocabulary and "embedding.weight" not in figure.frozen:
            self.first = 0
        target = case.target
        if fused and case.readout == "all":
            target = target.swapaxes(0, 1)
        self.target = tf.constant(target)
        self.moving = [d for layer in self.model.layers[self.first :] for d in layer]
        self.variables = [variable for direction in self.moving for variable in direction.variables]
        self.variables += [variable for pair in self.model.head for variable in pair]
        if case.vocabulary and self.first == 0:
            self.variables.append(self.model.embedding)
        # The fused kernel that Keras' and TensorFlow's Adam use.
        self.step_count = tf.Variable(0.0)
        self.moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in self.variables]
        self.train = tf.function(self.step, jit_compile=jit, autograph=False)
        self.evaluate = tf.function(self.loss_and_gradients, jit_compile=jit, autograph=False)

    def loss_and_gradients(self):
        y, h = self.model.lower(self.first) if self.first else (None, None)
        with tf.GradientTape() as tape:
            if not self.first:
                y, h = self.model.lower(0)
            output = self.model.upper(y, h, self.first)
            if self.case.loss == "cross-entropy":
                logits, classes = tf.reshape(output, (-1, output.shape[-1])), tf.reshape(self.target, (-1,))
                counts = tf.cast(classes >= 0, tf.float32)
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(classes, 0), logits)
                loss = tf.reduce_sum(each * counts) / tf.reduce_sum(counts)
            else:
                loss = tf.reduce_mean(tf.square(output - self.target))
        return output, loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, self.variables)]

    def step(self):
        _, loss, gradients = self.loss_and_gradients()
        self.step_count.assign_add(1.0)
        beta1, beta2 = tf.pow(0.9, self.step_count), tf.pow(0.999, self.step_count)
        for variable, (m, v), gradient in zip(self.variables, self.moments, gradients):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=m.handle, v=v.handle, beta1_power=beta1, beta2_power=beta2,
                lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=gradient,
            )
        return loss

    def run(self):
        return self.train().numpy()

    def check(self):
        output, loss, gradients = self.evaluate()
        named, place = {}, 0
        for direction in self.moving:
            count = len(direction.variables)
            named |= direction.gradients(gradients[place : place + count])
            place += count
        for k in range(len(self.model.head)):
            named[f"head.{k}.weight"] = np.asarray(gradients[place]).T
            named[f"head.{k}.bias"] = np.asarray(gradients[place + 1])
            place += 2
        if place < len(gradients):
            named["embedding.weight"] = np.asarray(gradients[place])
        return rivals.Result(self.model.arranged(output), float(loss), named)


class TensorFlow:
    name, version = "TensorFlow", tf.__version__

    def __init__(self, threads: int):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)

    def variants(self, case, figure):
        if case.cell != "lstm":
            return []
        ways = ["BlockLSTM", "Keras LSTM"]
        return ways + ["Keras LSTM with XLA"] if figure.kind != "training" or case.is_small else ways

    def forget(self):
        keras.backend.clear_session()

    def build(self, case, figure, variant):
        fused, jit = variant == "BlockLSTM", variant.endswith("XLA")
        if figure.kind == "step":
            return Step(case, fused, jit)
        return Inference(case, fused, jit) if figure.kind == "inference" else Training(case, figure, fused, jit)


if __name__ == "__main__":
    rivals.main(TensorFlow)
