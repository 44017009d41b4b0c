"""Writes fixtures/named: LSTMs with the names of MLX, Flax, Haiku, TensorFlow 1, Keras, swift-apis and burn.

Usage: make-named-fixtures.py [PART ...]      parts: mlx flax haiku tf1 keras formulas; by default those whose framework is installed

For each case a file of weights (.npz or .h5) under the framework's own names, and CASE.reference.h5 with x, y (every step,
through the head if there is one), h and c (N, sum of H over layers and directions), as float32, computed by the framework.
swift-apis and burn cannot be run from Python: their cases are computed here from the formulas in their sources
(tensorflow/swift-apis Sources/TensorFlow/Layers/Recurrent.swift, burn-nn src/modules/rnn/lstm/lstm_module.rs).

Deterministic: every value is drawn by NumPy from the case's name. Flax and Haiku need jax, flax and dm-haiku; the others
mlx, tensorflow (with tf_keras) and keras. Two virtual environments are enough: each generates the parts that it can.
"""

import importlib.util
import os
import pathlib
import sys
import zlib

import h5py
import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "named"
N, T = 2, 6


def draw(case):
    return np.random.default_rng(zlib.crc32(case.encode()))


def values(random, shape, scale=0.6):
    return random.uniform(-scale, scale, shape).astype(np.float32)


def features(random, size):
    return random.standard_normal((N, T, size)).astype(np.float32)


def beside(states):
    """(N, H) of every layer and direction, concatenated, as sizes differ."""
    return np.concatenate([np.asarray(state) for state in states], 1)


def save(case, weights, x, y, h, c, nested=False):
    """Writes weights as .npz or as nested HDF5 groups, and the reference."""
    OUT.mkdir(parents=True, exist_ok=True)
    if nested:
        with h5py.File(OUT / f"{case}.h5", "w") as file:
            for name, value in weights.items():
                file.create_dataset(name, data=np.asarray(value))
    else:
        # np.savez stores the time; with a fixed date the file is always the same.
        import io
        import zipfile
        with zipfile.ZipFile(OUT / f"{case}.npz", "w") as archive:
            for name, value in weights.items():
                data = io.BytesIO()
                np.save(data, np.asarray(value, order="C"))
                archive.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), data.getvalue())
    with h5py.File(OUT / f"{case}.reference.h5", "w") as file:
        for name, value in dict(x=x, y=y, h=h, c=c).items():
            value = np.asarray(value)
            file[name] = value if value.dtype.kind == "i" else value.astype(np.float32)
    print(f"  {case}: y {np.asarray(y).shape}, {len(weights)} tensors")


# MLX

def mlx():
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten, tree_unflatten
    mx.set_default_device(mx.cpu)

    def filled(model, random):
        model.update(tree_unflatten([(k, mx.array(values(random, v.shape))) for k, v in tree_flatten(model.parameters())]))
        return {k: np.array(v) for k, v in tree_flatten(model.parameters())}

    def run(layers, x):
        hs, cs = [], []
        for layer in layers:
            x, c = layer(x)
            hs.append(np.array(x)[:, -1])
            cs.append(np.array(c)[:, -1])
        return x, beside(hs), beside(cs)

    random = draw("mlx_one")
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 4)
    model = One()
    weights = filled(model, random)
    x = features(random, 4)
    y, h, c = run([model.lstm], mx.array(x))
    save("mlx_one", weights, x, np.array(y), h, c)

    random = draw("mlx_stack")
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(11, 3)
            self.layers = [nn.LSTM(3, 5), nn.LSTM(5, 5), nn.LSTM(5, 7, bias=False)]
            self.out = nn.Linear(7, 2)
    model = Stack()
    weights = filled(model, random)
    x = random.integers(0, 11, (N, T))
    y, h, c = run(model.layers, model.embedding(mx.array(x)))
    save("mlx_stack", weights, x, np.array(model.out(y)), h, c)


# Flax

def flax():
    import jax
    import jax.numpy as jnp
    import flax.linen as nn
    from flax import nnx
    from flax.traverse_util import flatten_dict, unflatten_dict

    key = jax.random.key(0)

    def linen(case, model, x, prefix="params/", nested=False):
        """The model returns (y, [(c, h), ...]): Flax' carry is (c, h)."""
        random = draw(case)
        x = x(random)
        shapes = flatten_dict(model.init(key, jnp.asarray(x))["params"])
        filled = {path: values(random, leaf.shape) for path, leaf in shapes.items()}
        y, carries = model.apply({"params": unflatten_dict(filled)}, jnp.asarray(x))
        save(case, {prefix + "/".join(path): value for path, value in filled.items()}, x, y,
             beside(h for _, h in carries), beside(c for c, _ in carries), nested)

    class Cells(nn.Module):
        @nn.compact
        def __call__(self, x):
            carries = []
            for size in (5, 5, 3):
                carry, x = nn.RNN(nn.LSTMCell(size), return_carry=True)(x)
                carries.append(carry)
            return nn.Dense(2)(x), carries
    linen("flax_linen", Cells(), lambda random: features(random, 5), nested=True)

    class Optimized(nn.Module):
        @nn.compact
        def __call__(self, x):
            carry, x = nn.RNN(nn.OptimizedLSTMCell(4), return_carry=True)(x)
            return x, [carry]
    linen("flax_linen_optimized_cell", Optimized(), lambda random: features(random, 3), prefix="")

    class Both(nn.Module):
        def setup(self):
            self.embed = nn.Embed(10, 3)
            self.below = nn.RNN(nn.LSTMCell(4), return_carry=True)
            self.both = nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4)), return_carry=True)
            self.out = nn.Dense(2)
        def __call__(self, x):
            carry, x = self.below(self.embed(x))
            carries, x = self.both(x)
            return self.out(x), [carry, *carries]
    linen("flax_linen_bidirectional", Both(), lambda random: random.integers(0, 10, (N, T)))

    class Unnamed(nn.Module):
        @nn.compact
        def __call__(self, x):
            carries, x = nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4)), return_carry=True)(x)
            return x, list(carries)
    linen("flax_linen_unnamed_directions", Unnamed(), lambda random: features(random, 3))

    def of_nnx(case, model, x, call):
        random = draw(case)
        x = x(random)
        state = nnx.state(model)
        weights = {}
        for path, variable in nnx.to_flat_state(state):
            name = "/".join(map(str, path))
            if isinstance(variable, nnx.Param):
                filled = values(random, variable[...].shape)
                variable[...] = jnp.asarray(filled)
                weights[name] = filled
            else:
                value = variable[...]
                weights[name] = np.asarray(jax.random.key_data(value) if jnp.issubdtype(value.dtype, jax.dtypes.prng_key) else value)
        nnx.update(model, state)
        y, carries = call(model, jnp.asarray(x))
        save(case, weights, x, y, beside(h for _, h in carries), beside(c for c, _ in carries))

    class Stack(nnx.Module):
        def __init__(self, rngs):
            self.layers = nnx.List([
                nnx.RNN(nnx.LSTMCell(4, 4, rngs=rngs), return_carry=True, rngs=rngs),
                nnx.RNN(nnx.LSTMCell(4, 6, rngs=rngs), return_carry=True, rngs=rngs)])
            self.out = nnx.Linear(6, 3, rngs=rngs)
    def stack(model, x):
        carries = []
        for layer in model.layers:
            carry, x = layer(x)
            carries.append(carry)
        return model.out(x), carries
    of_nnx("flax_nnx", Stack(nnx.Rngs(0)), lambda random: features(random, 4), stack)

    class Optimized(nnx.Module):
        def __init__(self, rngs):
            def rnn(i, h):
                return nnx.RNN(nnx.OptimizedLSTMCell(i, h, rngs=rngs), return_carry=True, rngs=rngs)
            self.embed = nnx.Embed(9, 5, rngs=rngs)
            self.both = nnx.Bidirectional(rnn(5, 5), rnn(5, 5), return_carry=True, rngs=rngs)
            self.top = rnn(10, 3)
    def optimized(model, x):
        carries, x = model.both(model.embed(x))
        carry, x = model.top(x)
        return x, [*carries, carry]
    of_nnx("flax_nnx_optimized", Optimized(nnx.Rngs(0)), lambda random: random.integers(0, 9, (N, T)), optimized)


# Haiku

def haiku():
    import haiku as hk
    import jax
    import jax.numpy as jnp

    def make(case, body, x):
        random = draw(case)
        x = x(random)
        model = hk.without_apply_rng(hk.transform(body))
        params = model.init(jax.random.key(0), jnp.asarray(x))
        params = {m: {k: values(random, v.shape) for k, v in d.items()} for m, d in params.items()}
        y, states = model.apply(params, jnp.asarray(x))
        save(case, {f"{m}/{k}": v for m, d in params.items() for k, v in d.items()}, x, y,
             beside(s.hidden for s in states), beside(s.cell for s in states))

    def unroll(core, x):
        return hk.dynamic_unroll(core, x, core.initial_state(N), time_major=False)

    def plain(x):
        y, state = unroll(hk.LSTM(4), x)
        return y, [state]
    make("haiku_one", plain, lambda random: features(random, 4))

    class Model(hk.Module):
        def __init__(self):
            super().__init__()
            self.embed = hk.Embed(10, 3)
            self.layers = [hk.LSTM(5), hk.LSTM(5)]
            self.out = hk.Linear(2)
        def __call__(self, x):
            x, states = self.embed(x), []
            for layer in self.layers:
                x, state = unroll(layer, x)
                states.append(state)
            return self.out(x), states
    make("haiku_stack", lambda x: Model()(x), lambda random: random.integers(0, 10, (N, T)))


# TensorFlow 1

def tf1():
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    v1 = tf.compat.v1
    tf.get_logger().setLevel("ERROR")
    cells = v1.nn.rnn_cell

    def make(case, size, build):
        """build(x) returns y and the states in order of layer and direction."""
        random = draw(case)
        data = features(random, size)
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [N, T, size])
            y, states = build(x)
            session.run(v1.global_variables_initializer())
            weights = {}
            for variable in v1.global_variables():
                value = values(random, variable.shape.as_list())
                variable.load(value, session)
                weights[variable.name] = value
            y, states = session.run([y, [(s.h, s.c) for s in states]], {x: data})
        save(case, weights, data, y, beside(h for h, _ in states), beside(c for _, c in states))

    def stack(x):
        cell = cells.MultiRNNCell([cells.LSTMCell(5), cells.LSTMCell(5)])
        y, states = v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        return v1.layers.dense(y, 2), states
    make("tf1_stack", 5, stack)

    def peepholes(x):
        cell = cells.LSTMCell(6, use_peepholes=True, num_proj=4, forget_bias=0.5)
        y, state = v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        return y, [state]
    make("tf1_peepholes", 4, peepholes)

    def both(x):
        pair = cells.BasicLSTMCell(4), cells.BasicLSTMCell(4)
        y, states = v1.nn.bidirectional_dynamic_rnn(*pair, x, dtype=tf.float32)
        return tf.concat(y, 2), states
    make("tf1_bidirectional", 3, both)


# Keras

def keras():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras as k

    random = draw("keras_names")
    x = random.integers(0, 12, (N, T))
    tokens = k.Input((T,), dtype="int32")
    below, h0, c0 = k.layers.LSTM(4, return_sequences=True, return_state=True)(k.layers.Embedding(12, 3)(tokens))
    both = k.layers.Bidirectional(k.layers.LSTM(5, return_sequences=True, return_state=True))(below)
    out = k.layers.Dense(2)(both[0])
    model = k.Model(tokens, [out, h0, c0, *both[1:]])
    weights = {}
    for variable in model.weights:
        variable.assign(values(random, variable.shape))
        weights[variable.path] = np.asarray(variable)
    y, h0, c0, hf, cf, hb, cb = [np.asarray(v) for v in model(x)]
    save("keras_names", weights, x, y, beside([h0, hf, hb]), beside([c0, cf, cb]))


# By formula

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run(x, step, size):
    """Steps over (N, T, I) in double precision."""
    h = np.zeros((x.shape[0], size))
    c = np.zeros((x.shape[0], size))
    ys = []
    for t in range(x.shape[1]):
        h, c = step(x[:, t].astype(np.float64), h, c)
        ys.append(h)
    return np.stack(ys, 1), h, c


def formulas():
    # swift-apis: matmul([x, h], fusedWeight) + fusedBias, split into input, update, forget, output.
    random = draw("s4tf")
    x = features(random, 5)
    weights, y, hs, cs = {}, x, [], []
    for layer in range(2):
        weight, bias = values(random, (10, 20)), values(random, (20,))
        weights[f"layers.{layer}.cell.fusedWeight"] = weight
        weights[f"layers.{layer}.cell.fusedBias"] = bias
        def step(x, h, c):
            i, g, f, o = np.split(np.concatenate([x, h], 1) @ weight.astype(np.float64) + bias, 4, 1)
            c = c * sigmoid(f) + sigmoid(i) * np.tanh(g)
            return np.tanh(c) * sigmoid(o), c
        y, h, c = run(y, step, 5)
        hs.append(h)
        cs.append(c)
    weights["dense.weight"], weights["dense.bias"] = values(random, (5, 2)), values(random, (2,))
    save("s4tf", weights, x, y @ weights["dense.weight"] + weights["dense.bias"], beside(hs), beside(cs))

    # burn: each gate is input_transform(x) + hidden_transform(h), linear layers whose weight is (in, out).
    def burn(case, prefixes, size, hidden, bias=True):
        random = draw(case)
        x = features(random, size)
        weights, ys, hs, cs = {}, [], [], []
        for prefix in prefixes:
            gates = {}
            for gate in ("input", "forget", "output", "cell"):
                terms = []
                for kind, rows in (("input", size), ("hidden", hidden)):
                    name = f"{prefix}{gate}_gate.{kind}_transform"
                    w = weights[name + ".weight"] = values(random, (rows, hidden))
                    b = np.zeros(hidden)
                    if bias:
                        b = weights[name + ".bias"] = values(random, (hidden,))
                    terms.append((w.astype(np.float64), b.astype(np.float64)))
                gates[gate] = terms
            def step(x, h, c):
                p = {g: x @ t[0][0] + t[0][1] + h @ t[1][0] + t[1][1] for g, t in gates.items()}
                c = sigmoid(p["forget"]) * c + sigmoid(p["input"]) * np.tanh(p["cell"])
                return sigmoid(p["output"]) * np.tanh(c), c
            reverse = "reverse" in prefix
            y, h, c = run(x[:, ::-1] if reverse else x, step, hidden)
            ys.append(y[:, ::-1] if reverse else y)
            hs.append(h)
            cs.append(c)
        y = np.concatenate(ys, 2)
        w = weights["linear.weight"] = values(random, (hidden * len(prefixes), 3))
        b = weights["linear.bias"] = values(random, (3,))
        save(case, weights, x, y @ w + b, beside(hs), beside(cs))
    burn("burn", ["lstm."], 4, 4)
    burn("burn_bidirectional", ["rnn.forward.", "rnn.reverse."], 3, 5, bias=False)


PARTS = dict(mlx=(mlx, "mlx"), flax=(flax, "flax"), haiku=(haiku, "haiku"), tf1=(tf1, "tensorflow"), keras=(keras, "keras"),
             formulas=(formulas, "numpy"))

if __name__ == "__main__":
    for part in sys.argv[1:] or [p for p, (_, m) in PARTS.items() if importlib.util.find_spec(m)]:
        print(part)
        if part in ("tf1", "keras") and len(sys.argv) != 2:
            # Each needs another Keras under TensorFlow, and so its own process.
            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, __file__, part])
        else:
            PARTS[part][0]()
