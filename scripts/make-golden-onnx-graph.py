"""Golden ONNX models that are more than a stack of LSTMs: one or more for each family of operators, with ONNX Runtime's
outputs.

    fixtures/onnx-graph/<name>.onnx            the model
    fixtures/onnx-graph/<name>.reference.h5    each input under its name, batch first, and y (y2, ...) as lstm-ft gives them

Attributes of a reference: kinds (of the layers, in order), inputs (names in the model's order). Models whose names begin with
torch_ are made by torch.onnx.export, the others with onnx.helper. Needs onnx, onnxruntime, numpy and h5py; torch for torch_*, whose
files torch 2.15 writes byte for byte. keras_* are made by make-golden-onnx-keras.py.
"""

import argparse
import itertools
import pathlib
import zlib

import h5py
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "onnx-graph"
N, T = 3, 9
CASES = []


def case(function):
    CASES.append(function)
    return function


class Graph:
    """A model being put together: names of values are given as they come."""

    def __init__(self, name, opset=17):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.constants, self.inputs, self.outputs, self.count = [], [], [], [], 0
        self.domains = []

    def weight(self, *shape, scale=0.5):
        return self.constant((self.random.uniform(-scale, scale, shape)).astype(np.float32))

    def constant(self, array):
        self.count += 1
        name = f"w{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def number(self, value):
        return self.constant(np.array(value, np.float32))

    def node(self, operation, *inputs, outputs=1, domain="", **attributes):
        names = []
        for _ in range(outputs):
            self.count += 1
            names.append(f"v{self.count}")
        self.nodes.append(helper.make_node(operation, inputs, names, domain=domain, name=f"{operation}_{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name, *shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value, name=None):
        name = name or ("y" if not self.outputs else f"y{len(self.outputs) + 1}")
        self.nodes.append(helper.make_node("Identity", [value], [name], name="give_" + name))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(domain, 1) for domain in self.domains]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        return model

    # Usual parts

    def lstm(self, x, inputs, hidden, d=1, outputs=1, states=(), operation="LSTM", bias=True, **attributes):
        """x is (T, N, I); gives (T, D, N, H)."""
        gates = dict(LSTM=4, GRU=3, RNN=1)[operation]
        parts = [x, self.weight(d, gates * hidden, inputs), self.weight(d, gates * hidden, hidden)]
        parts.append(self.weight(d, 2 * gates * hidden) if bias else "")
        if states:
            parts += ["", *states]
        return self.node(operation, *parts, outputs=outputs, hidden_size=hidden, **attributes)

    def steps(self, value):
        """(T, 1, N, H) to (N, T, H)."""
        return self.node("Transpose", self.node("Squeeze", value, self.ints(1)), perm=[1, 0, 2])

    def usual(self, x, inputs=4, hidden=5):
        """(N, T, I) to (N, T, H) by an LSTM."""
        return self.steps(self.lstm(self.node("Transpose", x, perm=[1, 0, 2]), inputs, hidden))

    def last(self, value):
        return self.node("Gather", value, self.constant(np.array(-1, np.int64)), axis=1)

    def dense_steps(self, value, inputs, size):
        """(N, T, inputs) to (N, T, size)."""
        return self.node("Add", self.node("MatMul", value, self.weight(inputs, size)), self.weight(size))

    def dense(self, value, inputs, size=2):
        return self.node("Gemm", value, self.weight(size, inputs), self.weight(size), transB=1)


def answer(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def write(name, model, feeds, kinds, *, shown=None, turn=None, extra=None, keep=None, twin=None):
    """`shown`: inputs as lstm-ft takes them; `turn`: of the outputs; `extra`: inputs that lstm-ft is not given; `keep`: outputs;
    `twin`: the model whose outputs they are, where this one rounds when it runs."""
    if twin:
        exact, rounded = answer(twin, feeds), answer(model, feeds)
        assert all(0 < np.abs(a - b).max() < 0.05 for a, b in zip(exact, rounded)), (name, "is another model than its twin")
    outputs = exact if twin else answer(model, {**feeds, **(extra or {})})
    for value, y in zip(model.graph.output, outputs):
        if not value.type.tensor_type.HasField("shape"):  # of any sizes
            value.type.tensor_type.shape.dim.extend([onnx.TensorShapeProto.Dimension() for _ in y.shape])
    onnx.checker.check_model(model)
    if keep:
        outputs = outputs[:keep]
    if turn:
        outputs = [turn(y) for y in outputs]
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    with h5py.File(FOLDER / f"{name}.reference.h5", "w") as file:
        for key, value in (shown or feeds).items():
            file[key] = value
        for index, y in enumerate(outputs):
            file["y" if index == 0 else f"y{index + 1}"] = y
        file.attrs["kinds"] = " ".join(kinds.split())
        file.attrs["inputs"] = " ".join(shown or feeds)


def simple(name, build, kinds, features=4, steps="t", opset=17, **options):
    """One input x (N, T, features), and what `build` makes of it."""
    g = Graph(name, opset)
    x = g.input("x", "n", steps, features)
    for value in np.atleast_1d(build(g, x)):
        g.output(str(value))
    data = np.random.default_rng(zlib.crc32((name + "x").encode())).standard_normal((N, T, features)).astype(np.float32)
    write(name, g.model(), {"x": data}, kinds, **options)


def swap(y):
    return np.swapaxes(y, 0, 1)


# Recurrent layers


@case
def recurrent():
    def made(operation, d=1, hidden=5, **attributes):
        def build(g, x):
            y = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, hidden, d, operation=operation, **attributes)
            if d == 1:
                return g.steps(y)
            return g.node("Reshape", g.node("Transpose", y, perm=[2, 0, 1, 3]), g.ints(0, 0, d * hidden))
        return build
    simple("gru_after", made("GRU", linear_before_reset=1), "gru")
    simple("gru_before", made("GRU", linear_before_reset=0), "gru")
    simple("gru_bidirectional", made("GRU", 2, linear_before_reset=1, direction="bidirectional"), "gru")
    simple("gru_activations", made("GRU", activations=["HardSigmoid", "Relu"]), "gru")
    simple("rnn_tanh", made("RNN"), "rnn")
    simple("rnn_relu", made("RNN", 2, direction="bidirectional", activations=["Relu", "Relu"]), "rnn")
    simple("rnn_reverse_nobias", made("RNN", direction="reverse", bias=False), "rnn")
    simple("lstm_reverse", made("LSTM", direction="reverse"), "lstm")
    simple("lstm_relu", made("LSTM", activations=["Sigmoid", "Relu", "Tanh"]), "lstm")
    simple("lstm_softsign", made("LSTM", activations=["HardSigmoid", "Softsign", "Elu"], activation_alpha=[1 / 6, 1.0], activation_beta=[0.5]), "lstm")
    simple("lstm_clip", made("LSTM", clip=0.3), "lstm")

    def batch_first(g, x):
        y = g.node("LSTM", x, g.weight(2, 20, 4), g.weight(2, 20, 5), hidden_size=5, direction="bidirectional", layout=1)
        return g.node("ReduceSum", y, g.ints(2), keepdims=0)
    try:
        simple("lstm_batch_first_summed", batch_first, "lstm")
    except Exception:  # ONNX Runtime has no layout 1
        pass

    def summed(g, x):
        y = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, 2, direction="bidirectional")
        return g.node("Transpose", g.node("ReduceMean", y, axes=[1], keepdims=0), perm=[1, 0, 2])
    simple("lstm_directions_averaged", summed, "lstm")

    def split(g, x):
        y = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, 2, direction="bidirectional")
        a, b = g.node("Split", y, outputs=2, axis=1)
        return g.steps(g.node("Mul", a, b))
    simple("lstm_directions_multiplied", split, "lstm")

    def stored(g, x):
        shape = g.node("Shape", x)
        n = g.node("Slice", shape, g.ints(0), g.ints(1))
        sizes = g.node("Concat", g.ints(2), n, g.ints(5), axis=0)
        h, c = (g.node("Expand", g.weight(2, 1, 5), sizes) for _ in range(2))
        y = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, 2, states=(h, c), direction="bidirectional")
        return g.node("Reshape", g.node("Transpose", y, perm=[2, 0, 1, 3]), g.ints(0, 0, 10))
    simple("lstm_learned_state", stored, "lstm")

    def encoder(g, x):
        time = g.node("Transpose", x, perm=[1, 0, 2])
        _, h, c = g.lstm(time, 4, 5, outputs=3)
        y = g.steps(g.lstm(time, 4, 5, states=(h, c)))
        return g.node("Add", g.node("MatMul", y, g.weight(5, 2)), g.weight(2))
    simple("lstm_state_of_another", encoder, "lstm lstm dense")

    def stack(g, x):
        time = g.node("Transpose", x, perm=[1, 0, 2])
        y = g.node("Squeeze", g.lstm(time, 4, 5, operation="GRU", linear_before_reset=1), g.ints(1))
        return g.dense(g.last(g.steps(g.lstm(y, 5, 3))), 3)
    simple("gru_then_lstm", stack, "gru lstm readout dense")


# Windows


@case
def windows():
    def back(g, value):
        return g.usual(g.node("Transpose", value, perm=[0, 2, 1]), 6, 5)

    def conv(**attributes):
        def build(g, x):
            channels = attributes.pop("channels", 4)
            y = g.node("Conv", g.node("Transpose", x, perm=[0, 2, 1]), g.weight(6, channels, 3), g.weight(6), **attributes)
            return back(g, g.node("Relu", y))
        return build
    simple("conv_valid", conv(), "convolution lstm")
    simple("conv_padded", conv(pads=[2, 1], strides=[2]), "convolution lstm")
    simple("conv_dilated", conv(pads=[2, 2], dilations=[2]), "convolution lstm")
    simple("conv_grouped", conv(channels=2, group=2, auto_pad="SAME_UPPER", strides=[2]), "convolution lstm")
    simple("conv_same_lower", conv(auto_pad="SAME_LOWER"), "convolution lstm")

    def causal(g, x):
        y = g.node("Pad", g.node("Transpose", x, perm=[0, 2, 1]), g.ints(0, 0, 2, 0, 0, 0))
        return back(g, g.node("Conv", y, g.weight(6, 4, 3)))
    simple("conv_causal", causal, "convolution lstm")

    def reflected(g, x):
        y = g.node("Pad", g.node("Transpose", x, perm=[0, 2, 1]), g.ints(0, 0, 2, 0, 0, 1), mode="reflect")
        return back(g, g.node("Conv", y, g.weight(6, 4, 4), g.weight(6), strides=[2]))
    simple("conv_reflected", reflected, "convolution lstm")

    def as_image(g, x):
        y = g.node("Unsqueeze", g.node("Transpose", x, perm=[0, 2, 1]), g.ints(2))
        y = g.node("Add", g.node("Conv", y, g.weight(6, 4, 1, 3), pads=[0, 1, 0, 1]), g.weight(1, 6, 1, 1))
        return back(g, g.node("Squeeze", g.node("Relu", y), g.ints(2)))
    simple("conv_as_image", as_image, "convolution lstm")

    def pool(operation, **attributes):
        def build(g, x):
            y = g.node(operation, g.node("Transpose", x, perm=[0, 2, 1]), kernel_shape=[3], **attributes)
            return g.usual(g.node("Transpose", y, perm=[0, 2, 1]))
        return build
    simple("max_pool", pool("MaxPool", strides=[2]), "max_pooling lstm")
    simple("max_pool_padded", pool("MaxPool", strides=[2], pads=[1, 1]), "max_pooling lstm")
    simple("max_pool_ceiling", pool("MaxPool", strides=[4], ceil_mode=1), "max_pooling lstm")
    simple("average_pool", pool("AveragePool", strides=[2], pads=[1, 1]), "average_pooling lstm")
    simple("average_pool_counted", pool("AveragePool", strides=[2], pads=[1, 0], count_include_pad=1), "average_pooling lstm")

    def image(name, shape, order, kinds, build, opset=17):
        g = Graph(name, opset)
        x = g.input("x", *shape)
        g.output(build(g, x))
        data = np.random.default_rng(5).standard_normal([N if isinstance(s, str) and s == "n" else T if s == "t" else s for s in shape])
        data = data.astype(np.float32)
        rows = np.transpose(data, order)
        write(name, g.model(), {"x": data}, kinds, shown={"x": rows.reshape(N, T, -1)})

    def recognizer(g, x):
        """As readers of text lines have it: channels x height x width, the width is time."""
        y = g.node("Relu", g.node("Conv", x, g.weight(4, 2, 3, 3), g.weight(4), pads=[1, 1, 1, 1]))
        y = g.node("MaxPool", y, kernel_shape=[2, 1], strides=[2, 1])
        y = g.node("Conv", y, g.weight(3, 4, 2, 3), g.weight(3), pads=[0, 1, 0, 1])
        y = g.node("BatchNormalization", y, g.weight(3), g.weight(3), g.weight(3), g.constant(np.float32([0.5, 1, 2])))
        y = g.node("Reshape", g.node("Transpose", y, perm=[0, 3, 1, 2]), g.ints(0, 0, 6))
        y = g.lstm(g.node("Transpose", y, perm=[1, 0, 2]), 6, 4, 2, direction="bidirectional")
        y = g.node("Reshape", g.node("Transpose", y, perm=[2, 0, 1, 3]), g.ints(0, 0, 8))
        return g.node("LogSoftmax", g.node("Add", g.node("MatMul", y, g.weight(8, 5)), g.weight(5)), axis=2)
    image("image_width_is_time", ["n", 2, 6, "t"], (0, 3, 1, 2), "reshape convolution max_pooling convolution batch_norm reshape lstm dense", recognizer)

    def spectrogram(g, x):
        y = g.node("Relu", g.node("Conv", x, g.weight(3, 1, 3, 2), g.weight(3), pads=[1, 0, 1, 0], strides=[1, 2]))
        y = g.node("AveragePool", y, kernel_shape=[3, 1], strides=[2, 1])
        y = g.node("Reshape", g.node("Transpose", y, perm=[0, 2, 3, 1]), g.ints(0, 0, 9))
        return g.last(g.usual(y, 9, 4))
    image("image_height_is_time", ["n", 1, "t", 6], (0, 2, 1, 3), "reshape convolution average_pooling reshape lstm readout", spectrogram)

    def per_step(g, x):
        y = g.node("Reshape", x, g.ints(-1, 1, 8))
        y = g.node("Relu", g.node("Conv", y, g.weight(2, 1, 3), g.weight(2), pads=[1, 1], strides=[2]))
        return g.usual(g.node("Reshape", y, g.ints(-1, T, 8)), 8, 4)
    simple("conv_in_each_step", per_step, "reshape convolution reshape lstm", features=8, steps=T)

    def spectrum(g, x):
        y = g.node("Pad", g.node("Transpose", x, perm=[0, 2, 1]), g.ints(0, 0, 2, 0, 0, 2), mode="reflect")
        y = g.node("Conv", y, g.weight(6, 1, 4), strides=[2])
        y = g.node("Slice", y, g.ints(1), g.ints(1 << 40), g.ints(2))
        real = g.node("Slice", y, g.ints(0), g.ints(3), g.ints(1))
        imaginary = g.node("Slice", y, g.ints(3), g.ints(1 << 40), g.ints(1))
        two = g.number(2)
        y = g.node("Sqrt", g.node("Add", g.node("Pow", real, two), g.node("Pow", imaginary, two)))
        return g.usual(g.node("Transpose", y, perm=[0, 2, 1]), 3, 4)
    simple("spectrum", spectrum, "convolution magnitude lstm", features=1)


# What has no memory


@case
def rows():
    def reduced(operation):
        def build(g, x):
            y = g.usual(x)
            y = g.node(operation, y, g.ints(1), keepdims=0) if operation == "ReduceSum" else g.node(operation, y, axes=[1], keepdims=0)
            return g.dense(y, 5)
        return build
    for operation in ("ReduceMean", "ReduceMax", "ReduceSum"):
        simple("over_time_" + operation[6:].lower(), reduced(operation), "lstm readout dense")

    def everywhere(g, x):
        y = g.node("GlobalAveragePool", g.node("Transpose", g.usual(x), perm=[0, 2, 1]))
        z = g.node("GlobalMaxPool", g.node("Transpose", g.usual(x), perm=[0, 2, 1]))
        return g.dense(g.node("Flatten", g.node("Concat", y, z, axis=1)), 10)
    simple("global_pools", everywhere, "lstm readout lstm readout concatenate dense")

    def normed(g, x):
        y = g.node("Transpose", g.usual(x), perm=[0, 2, 1])
        y = g.node("BatchNormalization", y, g.weight(5), g.weight(5), g.weight(5), g.constant(np.float32([0.5, 1, 2, 0.1, 3])), epsilon=1e-3, momentum=0.99)
        y = g.node("Transpose", y, perm=[0, 2, 1])
        y = g.node("LayerNormalization", y, g.weight(5), g.weight(5), axis=-1, epsilon=1e-6)
        y = g.dense(g.last(y), 5, 3)
        return g.node("BatchNormalization", y, g.weight(3), g.weight(3), g.weight(3), g.constant(np.float32([0.5, 1, 2])))
    simple("norms", normed, "lstm batch_norm layer_norm readout dense batch_norm")

    def written_norm(g, x):
        y = g.usual(x)
        centered = g.node("Sub", y, g.node("ReduceMean", y, axes=[-1]))
        variance = g.node("ReduceMean", g.node("Pow", centered, g.number(2)), axes=[-1])
        y = g.node("Div", centered, g.node("Sqrt", g.node("Add", variance, g.number(1e-5))))
        return g.node("Add", g.node("Mul", y, g.weight(5)), g.weight(5))
    simple("layer_norm_written_out", written_norm, "lstm layer_norm")

    def unit(g, x):
        y = g.usual(x)
        size = g.node("Sqrt", g.node("ReduceSum", g.node("Mul", y, y), g.ints(-1)))
        return g.node("Div", y, g.node("Max", size, g.number(1e-12)))
    simple("norm_written_out", unit, "lstm l2")

    def activations(g, x):
        y = g.usual(x)
        wide = g.node("Mul", y, g.number(6))
        made = [g.node(name, wide, **more) for name, more in [
            ("Relu", {}), ("LeakyRelu", dict(alpha=0.2)), ("Elu", dict(alpha=0.7)), ("Selu", {}), ("Sigmoid", {}), ("Tanh", {}),
            ("HardSigmoid", {}), ("HardSigmoid", dict(alpha=1 / 6, beta=0.5)), ("Softplus", {}), ("Softsign", {}), ("HardSwish", {}), ("Exp", {})]]
        made.append(g.node("Clip", wide, g.number(0), g.number(6)))
        made.append(g.node("Clip", wide, g.number(-1), g.number(1)))
        made.append(g.node("Softmax", wide, axis=-1))
        made.append(g.node("Mul", wide, g.node("Sigmoid", wide)))
        made.append(g.node("Mul", wide, g.node("Tanh", g.node("Softplus", wide))))
        gate = g.node("Add", g.node("Erf", g.node("Div", wide, g.number(2 ** 0.5))), g.number(1))
        made.append(g.node("Mul", g.node("Mul", wide, gate), g.number(0.5)))
        made.append(g.node("Mul", g.node("Mul", g.number(0.5), wide), gate))
        cube = g.node("Mul", g.node("Pow", wide, g.number(3)), g.number(0.044715))
        inner = g.node("Mul", g.node("Add", wide, cube), g.number((2 / np.pi) ** 0.5))
        made.append(g.node("Mul", g.node("Mul", g.number(0.5), wide), g.node("Add", g.node("Tanh", inner), g.number(1))))
        made.append(g.node("PRelu", wide, g.constant(np.float32([0.3]))))
        made.append(g.node("Neg", wide))
        return g.node("Concat", *made, axis=2)
    simple("activations", activations, "lstm rescale " + 20 * "activation " + "prelu rescale concatenate")

    def affine(g, x):
        y = g.node("Div", g.node("Sub", x, g.weight(4)), g.constant(np.float32([1, 2, 0.5, 4])))
        y = g.node("Sub", g.number(1), g.node("Mul", g.weight(5), g.usual(y)))
        return g.node("Add", g.dense(g.last(y), 5), g.weight(2))
    simple("affine", affine, "rescale lstm rescale readout dense rescale")

    def distributed(g, x):
        y = g.node("Relu", g.dense(g.node("Reshape", x, g.ints(-1, 4)), 4, 6))
        n = g.node("Slice", g.node("Shape", x), g.ints(0), g.ints(1))
        y = g.node("Reshape", y, g.node("Concat", n, g.ints(-1), g.ints(6), axis=0))
        return g.node("Softmax", g.dense(g.node("Reshape", g.usual(y, 6), g.ints(-1, 5)), 5), axis=1)
    simple("dense_of_all_steps", distributed, "dense lstm dense", turn=lambda y: y.reshape(N, T, 2))

    def flattened(g, x):
        return g.dense(g.node("Reshape", g.usual(x), g.ints(-1, 5 * T)), 5 * T)
    simple("flattened", flattened, "lstm flatten dense", steps=T)

    def flattened_features(g, x):
        return g.dense(g.node("Flatten", g.node("Transpose", g.usual(x), perm=[0, 2, 1])), 5 * T)
    simple("flattened_by_feature", flattened_features, "lstm flatten dense", steps=T)

    def repeated(g, x):
        y = g.node("Expand", g.node("Unsqueeze", g.last(g.usual(x)), g.ints(1)), g.ints(1, 4, 1))
        return g.usual(y, 5, 3)
    simple("repeated", repeated, "lstm readout repeat lstm")

    def tiled(g, x):
        y = g.node("Tile", g.node("Unsqueeze", g.last(g.usual(x)), g.ints(1)), g.ints(1, 4, 1))
        return g.usual(y, 5, 3)
    simple("tiled", tiled, "lstm readout repeat lstm")

    def forecast(g, x):
        """A dense layer that gives several steps at once."""
        return g.node("Reshape", g.dense(g.last(g.usual(x)), 5, 6), g.ints(-1, 3, 2))
    simple("several_steps_at_once", forecast, "lstm readout dense", turn=lambda y: y.reshape(N, 6))

    def dropped(g, x):
        y = g.node("Dropout", g.usual(x))
        return g.node("Cast", g.node("Identity", y), to=1)
    simple("idle", dropped, "lstm")


# Several values


@case
def branches():
    def residual(g, x):
        y = g.usual(x)
        return g.node("Add", y, g.usual(y, 5, 5))
    simple("residual", residual, "lstm lstm add")

    def all_merges(g, x):
        a, b = g.usual(x), g.usual(x)
        parts = [g.node(name, a, b) for name in ("Add", "Sub", "Mul", "Max", "Mean", "Sum")]
        return g.node("Concat", a, *parts, axis=-1)
    simple("merges", all_merges, "lstm lstm add subtract multiply maximum average add concatenate")

    def gated(g, x):
        y = g.usual(x)
        mean = g.node("ReduceMean", y, axes=[1])
        gate = g.node("Sigmoid", g.node("MatMul", mean, g.weight(5, 5)))
        return g.node("Mul", y, gate)
    simple("gate_of_all_steps", gated, "lstm readout dense multiply")

    def attention(way):
        def build(g, x):
            y = g.usual(x)
            if way == "tanh":
                scores = g.node("MatMul", g.node("Tanh", g.node("Add", g.node("MatMul", y, g.weight(5, 3)), g.weight(3))), g.weight(3, 1))
            else:
                scores = g.node("Add", g.node("MatMul", y, g.weight(5, 1)), g.weight(1))
            if way == "activated":
                scores = g.node("Tanh", scores)
            if way == "product":
                shares = g.node("Unsqueeze", g.node("Softmax", g.node("Squeeze", scores, g.ints(2)), axis=1), g.ints(1))
                return g.dense(g.node("Squeeze", g.node("MatMul", shares, y), g.ints(1)), 5)
            shares = g.node("Softmax", scores, axis=1)
            return g.dense(g.node("ReduceSum", g.node("Mul", shares, y), g.ints(1), keepdims=0), 5)
        return build
    for way in ("vector", "activated", "tanh", "product"):
        simple("attention_" + way, attention(way), "lstm attention dense")

    g = Graph("two_inputs")
    x, s = g.input("series", "n", "t", 4), g.input("site", "n", 3)
    n = g.node("Shape", x)
    sizes = g.node("Concat", g.node("Slice", n, g.ints(0), g.ints(2)), g.ints(3), axis=0)
    wide = g.node("Expand", g.node("Unsqueeze", s, g.ints(1)), sizes)
    y = g.last(g.usual(g.node("Concat", x, wide, axis=2), 7))
    y = g.node("Concat", y, g.node("Relu", g.dense(s, 3, 4)), axis=1)
    g.output(g.dense(y, 9))
    r = np.random.default_rng(7)
    write("two_inputs", g.model(), {"series": r.standard_normal((N, T, 4)).astype(np.float32), "site": r.standard_normal((N, 3)).astype(np.float32)},
          "concatenate lstm readout dense concatenate dense")

    g = Graph("two_outputs")
    x = g.input("x", "n", "t", 4)
    y = g.usual(x)
    g.output(g.node("Add", g.node("MatMul", y, g.weight(5, 2)), g.weight(2)), "tags")
    g.output(g.node("Softmax", g.dense(g.last(y), 5, 3), axis=1), "topic")
    write("two_outputs", g.model(), {"x": r.standard_normal((N, T, 4)).astype(np.float32)}, "lstm dense readout dense")

    g = Graph("two_tables")
    a, b = g.input("words", "n", T, kind=TensorProto.INT64), g.input("shapes", "n", T, kind=TensorProto.INT64)
    table = g.weight(11, 4)
    y = g.node("Concat", g.node("Gather", table, a), g.node("Gather", g.weight(5, 2), b), axis=2)
    y = g.usual(y, 6, 4)
    g.output(g.node("MatMul", y, g.node("Transpose", table, perm=[1, 0])))
    write("two_tables", g.model(), {"words": r.integers(0, 11, (N, T)), "shapes": r.integers(0, 5, (N, T))},
          "embedding embedding concatenate lstm dense")


# Cells, states, branches


@case
def written_out():
    def cell(name, way):
        g = Graph(name)
        x, h, c = g.input("x", "n", 4), g.input("h", "n", 5), g.input("c", "n", 5)
        if way == "gemm":
            sums = g.node("Add", g.node("Gemm", x, g.weight(20, 4), g.weight(20), transB=1), g.node("Gemm", h, g.weight(20, 5), g.weight(20), transB=1))
            i, f, o_, o = g.node("Split", sums, outputs=4, axis=1)
            gates = [i, f, o_, o]
        else:
            sums = g.node("Add", g.node("MatMul", h, g.weight(5, 20)), g.node("Add", g.node("MatMul", x, g.weight(4, 20)), g.weight(20)))
            gates = [g.node("Slice", sums, g.ints(5 * k), g.ints(5 * k + 5), g.ints(1)) for k in range(4)]
        i, f, u, o = g.node("Sigmoid", gates[0]), g.node("Sigmoid", gates[1]), g.node("Tanh", gates[2]), g.node("Sigmoid", gates[3])
        new = g.node("Add", g.node("Mul", f, c), g.node("Mul", i, u))
        out = g.node("Mul", o, g.node("Tanh", new))
        g.output(g.dense(g.node("Relu", out), 5))
        g.output(out, "h_next")
        g.output(new, "c_next")
        data = np.random.default_rng(9).standard_normal((N, 4)).astype(np.float32)
        zeros = np.zeros((N, 5), np.float32)
        write(name, g.model(), {"x": data}, "lstm activation dense", shown={"x": data[:, None]}, extra={"h": zeros, "c": zeros}, keep=1,
              turn=lambda y: y[:, None])
    cell("cell_of_gemm", "gemm")
    cell("cell_of_slices", "slices")

    g = Graph("carried_states")
    x, h, c = g.input("x", "n", "t", 4), g.input("h0", 1, "n", 5), g.input("c0", 1, "n", 5)
    y, hn, cn = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, outputs=3, states=(h, c))
    y = g.node("Transpose", g.node("Elu", g.node("Squeeze", y, g.ints(1))), perm=[1, 0, 2])
    g.output(y)
    g.output(hn, "hn")
    g.output(cn, "cn")
    zeros = np.zeros((1, N, 5), np.float32)
    write("carried_states", g.model(), {"x": np.random.default_rng(3).standard_normal((N, T, 4)).astype(np.float32)}, "lstm activation",
          extra={"h0": zeros, "c0": zeros}, keep=1)

    def decided(g, x):
        """A branch that sizes decide, as torch.jit.script writes it."""
        y = g.usual(x)
        test = g.node("Equal", g.node("Gather", g.node("Shape", y), g.constant(np.array(2, np.int64)), axis=0), g.constant(np.array(5, np.int64)))
        then = helper.make_graph([helper.make_node("Relu", [y], ["then_y"])], "then", [], [helper.make_tensor_value_info("then_y", 1, None)])
        other = helper.make_graph([helper.make_node("Tanh", [y], ["else_y"])], "else", [], [helper.make_tensor_value_info("else_y", 1, None)])
        return g.node("If", test, then_branch=then, else_branch=other)
    simple("branch_of_sizes", decided, "lstm activation")

    g = Graph("branch_of_a_number")
    x, rate = g.input("x", "n", "t", 4), g.input("rate", kind=TensorProto.INT64)
    y = g.usual(x)
    test = g.node("Equal", rate, g.constant(np.array(8000, np.int64)))
    then = helper.make_graph([helper.make_node("Relu", [y], ["then_y"])], "then", [], [helper.make_tensor_value_info("then_y", 1, None)])
    other = helper.make_graph([helper.make_node("Tanh", [y], ["else_y"])], "else", [], [helper.make_tensor_value_info("else_y", 1, None)])
    g.output(g.node("If", test, then_branch=then, else_branch=other))
    write("branch_of_a_number", g.model(), {"x": np.random.default_rng(3).standard_normal((N, T, 4)).astype(np.float32)}, "lstm activation",
          extra={"rate": np.array(8000, np.int64)})


@case
def voice_activity():
    """As detectors of speech are exported: samples, a spectrum, convolutions, one step of a cell, all in a branch of the rate."""
    g = Graph("voice_activity", 16)
    x, state, rate = g.input("input", "n", "samples"), g.input("state", 2, "n", 5), g.input("sr", kind=TensorProto.INT64)

    def branch(scale):
        b = Graph(f"voice_activity_{scale}", 16)
        b.count = 1000 * scale
        b.nodes.clear()
        y = b.node("Unsqueeze", b.node("Pad", x, b.ints(0, 0, 0, 4), mode="reflect"), b.ints(1))
        y = b.node("Conv", y, b.weight(2 * (scale + 2), 1, 8), strides=[4])
        real = b.node("Slice", y, b.ints(0), b.ints(scale + 2), b.ints(1))
        imaginary = b.node("Slice", y, b.ints(scale + 2), b.ints(1 << 40), b.ints(1))
        y = b.node("Sqrt", b.node("Add", b.node("Pow", real, b.number(2)), b.node("Pow", imaginary, b.number(2))))
        for channels, stride in ((scale + 2, 1), (4, 2), (4, 2)):
            y = b.node("Relu", b.node("Conv", y, b.weight(4, channels, 3), b.weight(4), pads=[1, 1], strides=[stride]))
        count = b.node("Gather", b.node("Shape", y), b.ints(-1), axis=0)
        then = helper.make_graph([helper.make_node("Squeeze", [y, b.ints(-1)], [f"one{scale}"])], "one", [], [helper.make_tensor_value_info(f"one{scale}", 1, None)])
        other = helper.make_graph([helper.make_node("Identity", [y], [f"all{scale}"])], "all", [], [helper.make_tensor_value_info(f"all{scale}", 1, None)])
        y = b.node("If", b.node("Equal", count, b.ints(1)), then_branch=then, else_branch=other)
        h, c = (b.node("Gather", state, b.constant(np.array(k, np.int64)), axis=0) for k in (0, 1))
        sums = b.node("Add", b.node("Gemm", y, b.weight(20, 4), b.weight(20), transB=1), b.node("Gemm", h, b.weight(20, 5), b.weight(20), transB=1))
        i, f, u, o = b.node("Split", sums, outputs=4, axis=1)
        new = b.node("Add", b.node("Mul", b.node("Sigmoid", f), c), b.node("Mul", b.node("Sigmoid", i), b.node("Tanh", u)))
        out = b.node("Mul", b.node("Sigmoid", o), b.node("Tanh", new))
        states = b.node("Concat", b.node("Unsqueeze", out, b.ints(0)), b.node("Unsqueeze", new, b.ints(0)), axis=0)
        y = b.node("Conv", b.node("Relu", b.node("Unsqueeze", out, b.ints(-1))), b.weight(1, 5, 1), b.weight(1))
        y = b.node("ReduceMean", b.node("Squeeze", b.node("Sigmoid", y), b.ints(1)), axes=[1], keepdims=0)
        y = b.node("Unsqueeze", y, b.ints(1))
        given = [helper.make_tensor_value_info(name, 1, None) for name in (y, states)]
        return helper.make_graph(b.nodes, f"rate{scale}", [], given, b.constants)

    test = g.node("Equal", rate, g.constant(np.array(16000, np.int64)))
    y, states = g.node("If", test, outputs=2, then_branch=branch(2), else_branch=branch(1))
    g.output(y)
    g.output(states, "stateN")
    data = np.random.default_rng(4).standard_normal((N, 18)).astype(np.float32)
    write("voice_activity", g.model(), {"input": data},
          "convolution magnitude convolution convolution convolution lstm activation dense", shown={"input": data[:, :, None]},
          extra={"state": np.zeros((2, N, 5), np.float32), "sr": np.array(16000, np.int64)}, keep=1, turn=lambda y: y[:, None])


# Cells and attention that are written out


@case
def written():
    def looped(cell, reverse=False):
        """As Keras' exporter writes a layer's loop: it reads step after step, and ends with all states."""
        def build(g, x):
            time = g.node("Transpose", x, perm=[1, 0, 2])
            count = g.node("Gather", g.node("Shape", time), g.constant(np.array(0, np.int64)), axis=0)
            if reverse:
                batch = g.node("Slice", g.node("Shape", x), g.ints(0), g.ints(1))
                time = g.node("ReverseSequence", time, g.node("Expand", g.node("Unsqueeze", count, g.ints(0)), batch), time_axis=0, batch_axis=1)
            sizes = g.node("Concat", g.node("Slice", g.node("Shape", x), g.ints(0), g.ints(1)), g.ints(5), axis=0)
            zeros = g.node("Expand", g.number(0), sizes)
            gates = dict(gru=3, lstm=4)[cell]
            w, r, b = g.weight(4, gates * 5), g.weight(5, gates * 5), g.weight(gates * 5)
            one, limit = g.constant(np.array(1, np.int32)), g.node("Cast", count, to=6)
            g.nodes, outer = [], g.nodes
            h, c = "state_h", "state_c"
            step = g.node("Gather", time, "at")
            after = g.node("Add", "at", one)
            sums = g.node("Add", g.node("MatMul", step, w), b)
            if cell == "gru":  # with the reset before the product
                az, ar, an = g.node("Split", sums, outputs=3, axis=-1)
                uz, ur = g.node("Split", g.node("MatMul", h, g.node("Slice", r, g.ints(0, 0), g.ints(1 << 40, 10), g.ints(0, 1))), outputs=2, axis=1)
                z, reset = g.node("Sigmoid", g.node("Add", az, uz)), g.node("Sigmoid", g.node("Add", ar, ur))
                inner = g.node("MatMul", g.node("Mul", reset, h), g.node("Slice", r, g.ints(0, 10), g.ints(1 << 40, 15), g.ints(0, 1)))
                new = g.node("Tanh", g.node("Add", an, inner))
                out = g.node("Add", g.node("Mul", z, h), g.node("Mul", g.node("Sub", g.number(1), z), new))
                states = [out]
            else:  # with hard sigmoid gates
                i, f, u, o = g.node("Split", g.node("Add", sums, g.node("MatMul", h, r)), outputs=4, axis=1)
                i, f, o = (g.node("Mul", g.node("Clip", g.node("Add", v, g.number(3)), g.number(0), g.number(6)), g.number(1 / 6)) for v in (i, f, o))
                new = g.node("Add", g.node("Mul", f, c), g.node("Mul", i, g.node("Tanh", u)))
                out = g.node("Mul", o, g.node("Tanh", new))
                states = [out, new]
            more = g.node("Less", g.node("Cast", after, to=1), g.node("Cast", limit, to=1))
            scanned = g.node("Identity", out)
            names = ["round", "goes_on", "at", "state_h", "state_c"][:3 + len(states)]
            kinds = [TensorProto.INT64, TensorProto.BOOL, TensorProto.INT32] + [TensorProto.FLOAT] * len(states)
            shapes = [[], [], []] + [None] * len(states)
            body = helper.make_graph(
                g.nodes, "body", [helper.make_tensor_value_info(n, k, s) for n, k, s in zip(names, kinds, shapes)],
                [helper.make_tensor_value_info(n, k, None) for n, k in zip([more, after, *states, scanned], [TensorProto.BOOL, TensorProto.INT32] + [TensorProto.FLOAT] * 3)])
            g.nodes = outer
            start = [g.constant(np.array(0, np.int32))] + [zeros] * len(states)
            y = g.node("Loop", count, g.constant(np.array(True)), *start, outputs=2 + len(states), body=body)
            if reverse:  # the last of the reversed steps
                return g.node("Elu", g.node("Squeeze", g.node("Slice", y[-1], g.ints(-1), g.ints(1 << 40), g.ints(0)), g.ints(0)))
            return g.node("Transpose", y[-1], perm=[1, 0, 2])
        return build
    simple("loop_lstm_hard", looped("lstm"), "lstm")
    simple("loop_gru_reversed", looped("gru", True), "gru readout activation")

    def reversed_twice(g, x):
        time = g.node("Transpose", x, perm=[1, 0, 2])
        back = lambda v, axis: g.node("Slice", v, g.ints(-1), g.ints(-(1 << 62)), g.ints(axis), g.ints(-1))
        a = g.node("Squeeze", g.lstm(time, 4, 5), g.ints(1))
        b = back(g.node("Squeeze", g.lstm(back(time, 0), 4, 5), g.ints(1)), 0)
        return g.node("Transpose", g.node("Concat", a, b, axis=2), perm=[1, 0, 2])
    simple("reversed_beside", reversed_twice, "lstm lstm concatenate")

    def heads(causal):
        def build(g, x):
            y = g.usual(x, hidden=6)
            parts = []
            for k in range(3):
                p = g.node("Add", g.node("MatMul", y, g.weight(6, 6)), g.weight(6))
                p = g.node("Reshape", p, g.ints(0, 0, 2, 3))
                parts.append(g.node("Transpose", p, perm=[0, 2, 3, 1] if k == 1 else [0, 2, 1, 3]))
            s = g.node("Div", g.node("MatMul", parts[0], parts[1]), g.number(3 ** 0.5))
            if causal:
                s = g.node("Add", s, g.constant(np.triu(np.full((T, T), -np.inf, np.float32), 1)))
            y = g.node("Transpose", g.node("MatMul", g.node("Softmax", s, axis=-1), parts[2]), perm=[0, 2, 1, 3])
            y = g.node("Add", g.node("MatMul", g.node("Reshape", y, g.ints(0, 0, 6)), g.weight(6, 6)), g.weight(6))
            return g.node("ReduceMean", y, axes=[1], keepdims=0)
        return build
    simple("heads", heads(False), "lstm self_attention readout")
    simple("heads_causal", heads(True), "lstm self_attention readout", steps=T)

    def queried(g, x):
        """The last state asks, all steps answer."""
        _, h = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, outputs=2)
        y = g.usual(x)
        q = g.node("Unsqueeze", g.node("Squeeze", h, g.ints(0)), g.ints(2))
        shares = g.node("Softmax", g.node("Squeeze", g.node("MatMul", y, q), g.ints(2)), axis=1)
        c = g.node("MatMul", g.node("Transpose", y, perm=[0, 2, 1]), g.node("Unsqueeze", shares, g.ints(2)))
        return g.node("Elu", g.node("Squeeze", c, g.ints(2)))
    simple("attention_queried", queried, "lstm readout lstm dot_attention activation")


# Types of weights


@case
def types():
    def halves(g, x):
        weights = [g.node("Cast", g.constant(np.random.default_rng(k).uniform(-0.5, 0.5, shape).astype(np.float16)), to=1)
                   for k, shape in enumerate([(1, 15, 4), (1, 15, 5), (1, 30)])]
        return g.steps(g.node("GRU", g.node("Transpose", x, perm=[1, 0, 2]), *weights, hidden_size=5, linear_before_reset=1))
    simple("float16_gru", halves, "gru")

    def dequantized(g, x):
        y = g.last(g.usual(x))
        w = g.node("DequantizeLinear", g.constant(np.random.default_rng(0).integers(-127, 127, (5, 3)).astype(np.int8)),
                   g.constant(np.float32([0.01, 0.02, 0.005])), g.constant(np.int8([0, 3, -4])), axis=1)
        return g.node("Elu", g.node("Add", g.node("MatMul", y, w), g.weight(3)))
    simple("dequantized_weights", dequantized, "lstm readout dense")

    def computed(g, x):
        """Weights that nodes compute from constants."""
        w = g.node("Mul", g.weight(5, 3), g.node("Div", g.weight(1, 3), g.constant(np.float32([[1, 2, 4]]))))
        return g.node("Elu", g.node("MatMul", g.last(g.usual(x)), w))
    simple("computed_weights", computed, "lstm readout dense")


@case
def quantized():
    """Graphs as onnxruntime.quantization writes them, beside the same ones of floating-point numbers."""
    def whole(g, *shape, bits=np.int8):
        return g.random.integers(-100, 101, shape).astype(bits)

    def both(name, build, kinds):
        graphs = []
        for isQuantized in (True, False):
            g = Graph(name, 21)
            g.domains = ["com.microsoft"]
            g.output(build(g, g.input("x", "n", "t", 4), isQuantized))
            graphs.append(g.model())
        data = np.random.default_rng(5).standard_normal((N, T, 4)).astype(np.float32)
        write(name, graphs[0], {"x": data}, kinds, twin=graphs[1])

    def number(g, value, bits=np.float32):
        return g.constant(np.array(value, bits))

    def when_run(g, x, isQuantized):
        kernel, matrix, scales = whole(g, 6, 4, 3), whole(g, 5, 2), np.float32([0.004, 0.007])
        bias, last = g.weight(1, 6, 1), g.weight(2)
        x = g.node("Transpose", x, perm=[0, 2, 1])
        if isQuantized:
            q, s, z = g.node("DynamicQuantizeLinear", x, outputs=3)
            y = g.node("Cast", g.node("ConvInteger", q, g.constant(kernel), z, number(g, 0, np.int8), pads=[1, 1]), to=1)
            y = g.node("Mul", y, g.node("Mul", s, number(g, 0.003)))
        else:
            y = g.node("Conv", x, g.constant(kernel * np.float32(0.003)), pads=[1, 1])
        y = g.last(g.usual(g.node("Transpose", g.node("Relu", g.node("Add", y, bias)), perm=[0, 2, 1]), 6, 5))
        if not isQuantized:
            return g.node("Add", g.node("MatMul", y, g.constant(matrix * scales)), last)
        q, s, z = g.node("DynamicQuantizeLinear", y, outputs=3)
        y = g.node("Cast", g.node("MatMulInteger", q, g.constant(matrix), z, g.constant(np.int8([0, 0]))), to=1)
        return g.node("Add", g.node("Mul", y, g.node("Mul", s, g.constant(scales))), last)
    both("quantized_when_run", when_run, "convolution lstm readout dense")

    def static(g, x, isQuantized):
        """A relu is left out where the numbers begin at 0."""
        first, second, third = whole(g, 4, 6), whole(g, 5, 7), whole(g, 7, 2)
        bias, last = g.weight(6), g.random.integers(-900, 900, 2).astype(np.int32)
        lstm = lambda y: g.last(g.usual(y, 6, 5))
        if not isQuantized:
            y = lstm(g.node("Relu", g.node("Add", g.node("MatMul", x, g.constant(first * np.float32(0.004))), bias)))
            y = g.node("Relu", g.node("MatMul", y, g.constant(second * np.float32(0.01))))
            return g.node("Add", g.node("MatMul", y, g.constant(third * np.float32(0.005))), g.constant((last * 0.005 * 0.01).astype(np.float32)))
        x = g.node("DequantizeLinear", g.node("QuantizeLinear", x, number(g, 8 / 255), number(g, 128, np.uint8)), number(g, 8 / 255), number(g, 128, np.uint8))
        w = g.node("DequantizeLinear", g.constant(first), number(g, 0.004), number(g, 0, np.int8))
        y = g.node("Add", g.node("MatMul", x, w), bias)
        scale, zero = number(g, 4 / 255), number(g, -128, np.int8)
        y = lstm(g.node("DequantizeLinear", g.node("QuantizeLinear", y, scale, zero), scale, zero))
        scale, zero = number(g, 2 / 255), number(g, 128, np.uint8)
        y = g.node("QuantizeLinear", y, scale, zero)
        hidden, none = number(g, 0.01), number(g, 0, np.uint8)
        y = g.node("QLinearMatMul", y, scale, zero, g.constant(second), number(g, 0.01), number(g, 0, np.int8), hidden, none)
        return g.node("QGemm", y, hidden, none, g.constant(third), number(g, 0.005), number(g, 0, np.int8), g.constant(last), domain="com.microsoft")
    both("quantized_static", static, "dense lstm readout dense dense")

    def looked_up(g, x, isQuantized):
        table = np.random.default_rng(1).integers(-100, 101, (9, 6)).astype(np.int8)
        scale, zero = number(g, 0.01), number(g, 3, np.int8)
        y = g.node("Transpose", g.node("Gather", g.constant(table), x), perm=[1, 0, 2])
        return g.steps(g.lstm(g.node("DequantizeLinear", y, scale, zero), 6, 5))
    g = Graph("quantized_table")
    g.output(looked_up(g, g.input("x", "n", "t", kind=TensorProto.INT64), True))
    write("quantized_table", g.model(), {"x": np.random.default_rng(2).integers(0, 9, (N, T))}, "embedding lstm")


@case
def fused():
    """As ONNX Runtime writes the graphs that it has optimized; and scikit-learn's scaler in front."""
    def runtime(g, x):
        g.domains = ["com.microsoft"]
        y = g.node("FusedConv", g.node("Transpose", x, perm=[0, 2, 1]), g.weight(6, 4, 3), g.weight(6), pads=[1, 1], activation="LeakyRelu",
                   activation_params=[0.2], domain="com.microsoft")
        y = g.node("Transpose", y, perm=[0, 2, 1])
        z = g.usual(y, 6, 6)
        return g.node("SkipLayerNormalization", y, z, g.weight(6), g.weight(6), epsilon=1e-5, domain="com.microsoft")
    simple("fused_by_the_runtime", runtime, "convolution activation lstm add layer_norm")

    def scaler(g, x):
        g.domains = ["ai.onnx.ml"]
        shape = g.node("Shape", x)
        x = g.node("Reshape", x, g.ints(-1, 4))
        x = g.node("Scaler", x, offset=[2000.0, 1.5, -300.0, 0.25], scale=[0.5, 2.0, 0.75, 1.0], domain="ai.onnx.ml")
        return g.dense(g.node("Relu", g.last(g.usual(g.node("Reshape", x, shape)))), 5)
    g = Graph("scaler_in_front")
    g.output(scaler(g, g.input("x", "n", "t", 4)))
    data = np.random.default_rng(4).standard_normal((N, T, 4)) * [2, 0.5, 1.3, 1] + [2000.0, 1.5, -300.0, 0.25]
    write("scaler_in_front", g.model(), {"x": data.astype(np.float32)}, "rescale lstm readout activation dense")


@case
def newer_exporters():
    def scored(g, x):
        """Attention whose scores are those of tanh of a step: softmax(v tanh(h))."""
        y = g.usual(x)
        scores = g.node("MatMul", g.node("Tanh", y), g.weight(5, 1))
        return g.dense(g.node("ReduceSum", g.node("Mul", y, g.node("Softmax", scores, axis=1)), g.ints(1), keepdims=0), 5)
    simple("attention_scored", scored, "lstm activation dense readout rescale dot_attention dense")

    def activations(g, x):
        y = g.last(g.usual(x))
        y = g.node("Div", y, g.node("Add", g.node("Abs", y), g.number(1)))
        y = g.node("Celu", y, alpha=0.5)
        y = g.node("Where", g.node("Greater", y, g.number(20)), y, g.node("Softplus", y))
        y = g.node("Log", g.node("Sigmoid", g.dense(y, 5)))
        return g.node("Log", g.node("Softmax", y, axis=-1))
    simple("activations_in_nodes", activations,
           "lstm readout activation rescale activation rescale activation dense rescale activation rescale activation", opset=17)

    def trimmed(g, x):
        y = g.node("Conv", g.node("Transpose", x, perm=[0, 2, 1]), g.weight(6, 4, 3), g.weight(6), pads=[4, 4], dilations=[2])
        y = g.node("Slice", y, g.ints(0), g.ints(-4), g.ints(2), g.ints(1))
        return g.usual(g.node("Transpose", g.node("Relu", y), perm=[0, 2, 1]), 6, 5)
    simple("conv_trimmed_at_its_end", trimmed, "convolution lstm")

    def folded(operation):
        """The first step's product with a state of zeros is a constant, as torch.onnx.export leaves it."""
        def build(g, x):
            gates = dict(LSTM=4, GRU=3, RNN=1)[operation]
            w, u, b, bias = g.weight(gates * 5, 4), g.weight(gates * 5, 5), g.weight(gates * 5), None
            given = np.frombuffer(next(c for c in g.constants if c.name == b).raw_data, np.float32)
            bias, zeros = g.weight(gates * 5), g.constant(np.zeros((N, 5), np.float32))
            h, c, out = None, zeros, []
            for t in range(3):
                xt = g.node("Gemm", g.node("Gather", x, g.constant(np.array(t, np.int64)), axis=1), w, bias, transB=1)
                if operation == "GRU":
                    rows = np.tile(given, (N, 1))
                    inner = [g.constant(rows[:, 5 * k:5 * k + 5].copy()) for k in range(3)] if h is None else g.node(
                        "Split", g.node("Gemm", h, u, b, transB=1), outputs=3, axis=1)
                    r, z, n = g.node("Split", xt, outputs=3, axis=1)
                    r, z = g.node("Sigmoid", g.node("Add", r, inner[0])), g.node("Sigmoid", g.node("Add", z, inner[1]))
                    n = g.node("Tanh", g.node("Add", n, g.node("Mul", r, inner[2])))
                    h = g.node("Add", g.node("Mul", g.node("Sub", zeros if h is None else h, n), z), n)
                else:
                    state = g.constant(np.tile(given, (N, 1))) if h is None else g.node("Gemm", h, u, b, transB=1)
                    sums = g.node("Add", state, xt)
                    if operation == "RNN":
                        h = g.node("Tanh", sums)
                    else:
                        i, f, u_, o = g.node("Split", sums, outputs=4, axis=1)
                        c = g.node("Add", g.node("Mul", g.node("Sigmoid", f), c), g.node("Mul", g.node("Sigmoid", i), g.node("Tanh", u_)))
                        h = g.node("Mul", g.node("Sigmoid", o), g.node("Tanh", c))
                out.append(g.node("Unsqueeze", h, g.ints(1)))
            return g.node("Concat", *out, axis=1)
        return build
    for operation in ("LSTM", "GRU", "RNN"):
        g = Graph(f"folded_first_step_{operation.lower()}")
        g.output(folded(operation)(g, g.input("x", N, 3, 4)))
        write(g.name, g.model(), {"x": np.random.default_rng(6).standard_normal((N, 3, 4)).astype(np.float32)}, operation.lower())

    def two_layers(g, x):
        """An encoder of two layers, whose states a decoder of two layers takes one by one."""
        turned = g.node("Transpose", x, perm=[1, 0, 2])
        y, h0, c0 = g.lstm(turned, 4, 5, outputs=3)
        y, h1, c1 = g.lstm(g.node("Squeeze", y, g.ints(1)), 5, 5, outputs=3)
        h, c = g.node("Concat", h0, h1, axis=0), g.node("Concat", c0, c1, axis=0)
        part = lambda value, k: g.node("Slice", value, g.ints(k), g.ints(k + 1), g.ints(0))
        y = g.lstm(turned, 4, 5, states=(part(h, 0), part(c, 0)))
        return g.steps(g.lstm(g.node("Squeeze", y, g.ints(1)), 5, 5, states=(part(h, 1), part(c, 1))))
    simple("states_of_two_layers", two_layers, "lstm lstm lstm lstm")


@case
def left_as_they_were():
    """What exporters write before anything is optimized, and models with functions of their own."""
    def whole(g, value):
        return g.constant(np.array(value, np.int64))

    def sizes(g, x):
        """Weights are put in order by sizes of the zeros that the layers start from: torch.onnx.export(optimize=False)."""
        n = g.node("Squeeze", g.node("Shape", x, start=0, end=1))
        sizes = g.node("Concat", g.ints(2), g.node("Reshape", n, g.ints(-1), allowzero=0), g.ints(5), axis=0)
        zeros = g.node("Expand", g.number(0), sizes)
        h = g.node("Shape", zeros, start=2, end=3)
        times = lambda k: h if k == 1 else g.node("Mul", h, whole(g, k))
        y = g.node("Transpose", x, perm=[1, 0, 2])
        for layer, width in enumerate((4, 5)):
            def ordered(value):
                part = lambda a, b: g.node("Slice", value, times(a) if a else g.ints(0), times(b), g.ints(0))
                return g.node("Concat", part(0, 1), part(3, 4), part(1, 2), part(2, 3), axis=0)
            w, r = (g.node("Unsqueeze", ordered(g.weight(20, size)), g.ints(0)) for size in (width, 5))
            b = g.node("Unsqueeze", g.node("Concat", ordered(g.weight(20)), ordered(g.weight(20)), axis=0), g.ints(0))
            state = g.node("Slice", zeros, g.ints(layer), g.ints(layer + 1), g.ints(0))
            y = g.node("Squeeze", g.node("LSTM", y, w, r, b, "", state, state, hidden_size=5), g.ints(1))
        return g.node("Transpose", y, perm=[1, 0, 2])
    simple("weights_by_sizes_of_zeros", sizes, "lstm lstm", opset=18)

    def parts(g, x):
        y = g.dense_steps(g.usual(x), 5, 6)
        two = g.node("SplitToSequence", y, whole(g, 3), axis=-1)
        a, b = g.node("SequenceAt", two, whole(g, 0)), g.node("SequenceAt", two, whole(g, 1))
        three = g.node("SplitToSequence", g.node("Mul", a, g.node("Sigmoid", b)), g.ints(1, 2), axis=2)
        second = g.node("SequenceAt", three, whole(g, 1))
        return g.node("Add", second, g.node("Tanh", g.node("SequenceAt", three, whole(g, 1))))
    simple("parts_of_a_list", parts, "lstm dense slice slice activation multiply slice activation add", opset=18)

    def axes(g, x):
        y = g.usual(x)
        scores = g.node("Einsum", g.node("Tanh", g.dense_steps(y, 5, 6)), g.weight(6), equation="ntd,d->nt")
        y = g.node("Einsum", g.node("Softmax", scores, axis=1), y, equation="nt, ntd -> nd")
        return g.node("Einsum", y, g.weight(2, 5), equation="nd,od->on")
    simple("summed_over_named_axes", axes, "lstm attention dense", turn=lambda y: y.T)

    def products(g, x):
        y = g.usual(x)
        q, k, v = (g.dense_steps(y, 5, 4) for _ in range(3))
        scores = g.node("Softmax", g.node("Mul", g.node("Einsum", q, k, equation="bqd,bkd->bqk"), g.number(0.5)), axis=-1)
        return g.node("Einsum", scores, v, equation="bqk,bkd->bqd")
    simple("attention_over_named_axes", products, "lstm dense dense dense dot_attention")

    def bounds(g, x):
        y = g.usual(x)
        y = g.node("Clip", g.node("Mul", y, g.number(30)), g.number(0), g.number(20))
        y = g.node("Clip", g.dense_steps(y, 5, 5), g.number(-2), g.number(2))
        y = g.node("Clip", y, g.number(-0.75))
        return g.node("Clip", g.node("Min", y, g.number(1.25)), g.number(-0.5), g.number(0.25))
    simple("bounds", bounds, "lstm rescale activation rescale dense rescale activation rescale activation rescale activation "
           "rescale activation rescale")

    def zero_bias(g, x):
        filters = g.weight(6, 4, 3)
        zeros = g.node("Expand", g.node("CastLike", g.number(0), x), g.node("Shape", filters, start=0, end=1))
        y = g.node("Conv", g.node("Transpose", x, perm=[0, 2, 1]), filters, zeros, pads=[1, 1])
        y = g.usual(g.node("Transpose", y, perm=[0, 2, 1]), 6, 5)
        ones, none = (g.node("Expand", g.number(value), g.ints(5)) for value in (1, 0))
        return g.node("LayerNormalization", y, ones, none)
    simple("constants_of_one_number", zero_bias, "convolution lstm layer_norm", opset=18)

    def shares(g, x):
        y = g.usual(x)
        share = g.node("Softmax", g.node("MatMul", y, g.weight(5, 1)), axis=1)
        share = g.node("Expand", share, g.node("Shape", y))
        return g.dense(g.node("ReduceSum", g.node("Mul", y, share), g.ints(1), keepdims=0), 5)
    simple("shares_for_each_value", shares, "lstm attention dense")

    def decoder(g, x):
        """An encoder of two layers, and cells that go on from its last states: each step reads what the one before gave."""
        turned = g.node("Transpose", x, perm=[1, 0, 2])
        y, h0, c0 = g.lstm(turned, 4, 5, outputs=3)
        y, h1, c1 = g.lstm(g.node("Squeeze", y, g.ints(1)), 5, 5, outputs=3)
        h, c = g.node("Concat", h0, h1, axis=0), g.node("Concat", c0, c1, axis=0)
        states = [[g.node("Gather", value, whole(g, k), axis=0) for value in (h, c)] for k in (0, 1)]
        weights = [[g.weight(20, size), g.weight(20), g.weight(20, 5), g.weight(20)] for size in (4, 5)]
        out, bias = g.weight(4, 5), g.weight(4)
        read, given = g.last(x), []
        for _ in range(3):
            y = read
            for k, (w, b, u, d) in enumerate(weights):
                sums = g.node("Add", g.node("Gemm", states[k][0], u, d, transB=1), g.node("Gemm", y, w, b, transB=1))
                i, f, n, o = g.node("Split", sums, outputs=4, axis=1)
                kept = g.node("Mul", g.node("Sigmoid", f), states[k][1])
                cell = g.node("Add", kept, g.node("Mul", g.node("Sigmoid", i), g.node("Tanh", n)))
                y = g.node("Mul", g.node("Sigmoid", o), g.node("Tanh", cell))
                states[k] = [y, cell]
            read = g.node("Gemm", y, out, bias, transB=1)
            given.append(read)
        return g.node("Concat", *given, axis=1)
    step = "reshape lstm readout reshape lstm readout dense "
    simple("cells_that_go_on", decoder, f"lstm lstm readout {step * 3} concatenate")

    def known(g, x):
        y = g.node("Slice", g.usual(x), g.ints(-3), g.ints(2 ** 63 - 1), g.ints(1))
        return g.dense_steps(y, 5, 2)
    simple("several_steps_of_a_known_number", known, "lstm flatten slice reshape dense", steps=T)

    def broadcast(g, x):
        last = g.node("Slice", g.last(x), g.ints(0), g.ints(1), g.ints(1))
        return g.node("Add", g.dense(g.last(g.usual(x)), 5, 3), last)
    simple("one_value_for_each", broadcast, "readout slice lstm readout dense add")

    def lengths(g, x):
        sizes = g.node("Shape", x)
        n = g.node("Slice", sizes, g.ints(0), g.ints(1))
        zeros = g.node("ConstantOfShape", n, value=numpy_helper.from_array(np.array([0], np.int64)))
        every = g.node("Cast", g.node("Add", zeros, g.node("Gather", sizes, whole(g, 1))), to=TensorProto.INT32)
        y = g.node("LSTM", g.node("Transpose", x, perm=[1, 0, 2]), g.weight(1, 20, 4), g.weight(1, 20, 5), g.weight(1, 40), every, hidden_size=5)
        return g.steps(y)
    simple("lengths_of_all_steps", lengths, "lstm")

    def single(g, x):
        """A decoder of layers that each read one step, which are put side by side."""
        y, h, c = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, outputs=3)
        parts = [g.weight(1, 20, 4), g.weight(1, 20, 5), g.weight(1, 40), ""]
        out, bias = g.weight(5, 4), g.weight(4)
        read, given = g.node("Unsqueeze", g.last(x), g.ints(0)), []
        for _ in range(2):
            y, h, c = g.node("LSTM", read, *parts, h, c, outputs=3, hidden_size=5)
            read = g.node("Add", g.node("MatMul", g.node("Squeeze", y, g.ints(1)), out), bias)
            given.append(g.node("Transpose", read, perm=[1, 0, 2]))
        return g.node("Concat", *given, axis=1)
    simple("single_steps_that_go_on", single, "lstm readout reshape lstm dense lstm dense concatenate", turn=lambda y: y.reshape(N, 1, 8))

    def from_zeros(g, x):
        """Cells of a GRU that go on from an encoder's state; the first of them reads zeros."""
        _, h = g.lstm(g.node("Transpose", x, perm=[1, 0, 2]), 4, 5, outputs=2, operation="GRU", linear_before_reset=1)
        h = g.node("Squeeze", h, g.ints(0))
        n = g.node("Slice", g.node("Shape", x), g.ints(0), g.ints(1))
        read = g.node("ConstantOfShape", g.node("Concat", n, g.ints(7), axis=0))
        (w, b), (u, d), (out, bias), given = (g.weight(15, 7), g.weight(15)), (g.weight(15, 5), g.weight(15)), (g.weight(7, 5), g.weight(7)), []
        for _ in range(2):
            own = g.node("Split", g.node("Gemm", read, w, b, transB=1), outputs=3, axis=1)
            state = g.node("Split", g.node("Gemm", h, u, d, transB=1), outputs=3, axis=1)
            r, z = (g.node("Sigmoid", g.node("Add", own[k], state[k])) for k in (0, 1))
            new = g.node("Tanh", g.node("Add", own[2], g.node("Mul", r, state[2])))
            h = g.node("Add", g.node("Mul", g.node("Sub", h, new), z), new)
            read = g.node("Gemm", h, out, bias, transB=1)
            given.append(read)
        return g.node("Concat", *given, axis=1)
    simple("cells_from_zeros", from_zeros, "gru readout rescale concatenate slice reshape gru readout dense reshape gru readout dense concatenate")

    def integers(g, x):
        """Quantized weights that are put side by side."""
        scale, zero = g.number(0.01), g.constant(np.array(3, np.int8))
        whole = lambda *shape: g.constant(g.random.integers(-90, 90, shape).astype(np.int8))
        side = lambda *shapes: g.node("DequantizeLinear", g.node("QLinearConcat", scale, zero, *(
            part for shape in shapes for part in (whole(*shape), scale, zero)), axis=1, domain="com.microsoft"), scale, zero)
        y = g.node("LSTM", g.node("Transpose", x, perm=[1, 0, 2]), side((1, 8, 4), (1, 12, 4)), side((1, 5, 5), (1, 15, 5)), hidden_size=5)
        return g.steps(y)
    g = Graph("quantized_side_by_side")
    g.domains = ["com.microsoft"]
    g.output(integers(g, g.input("x", "n", "t", 4)))
    write(g.name, g.model(), {"x": np.random.default_rng(7).standard_normal((N, T, 4)).astype(np.float32)}, "lstm")

    g = Graph("functions_of_its_own", 18)
    g.domains = ["own"]
    x = g.input("x", "n", "t", 4)
    y = g.node("Layers", x, g.weight(1, 20, 4), g.weight(1, 20, 5), g.weight(1, 40), domain="own", size=5)
    g.output(g.node("Share", y, g.weight(5, 3), g.weight(3), domain="own", alpha=0.3))
    model = g.model()
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]

    def attribute(node, name, reference, kind):
        node.attribute.append(onnx.AttributeProto(name=name, ref_attr_name=reference, type=kind))
        return node
    layers = [helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]),
              attribute(helper.make_node("LSTM", ["turned", "w", "r", "b"], ["y"]), "hidden_size", "size", onnx.AttributeProto.INT),
              helper.make_node("Constant", [], ["one"], value_ints=[1]), helper.make_node("Squeeze", ["y", "one"], ["flat"]),
              helper.make_node("Transpose", ["flat"], ["result"], perm=[1, 0, 2])]
    dense = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Add", ["y", "b"], ["result"])]
    share = [helper.make_node("Dense", ["x", "w", "b"], ["y"], domain="own"),
             attribute(helper.make_node("LeakyRelu", ["y"], ["result"]), "alpha", "alpha", onnx.AttributeProto.FLOAT)]
    model.functions.extend([
        helper.make_function("own", "Layers", ["x", "w", "r", "b"], ["result"], layers, opsets, attributes=["size"]),
        helper.make_function("own", "Dense", ["x", "w", "b"], ["result"], dense, opsets),
        helper.make_function("own", "Share", ["x", "w", "b"], ["result"], share, opsets, attributes=["alpha"])])
    write(g.name, model, {"x": np.random.default_rng(8).standard_normal((N, T, 4)).astype(np.float32)}, "lstm dense activation")


def made_by_torch():
    try:
        import torch
        from torch import nn
    except ImportError:
        print("without torch: torch_* are left as they are")
        return

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.conv = nn.Embedding(13, 6), nn.Conv1d(6, 8, 3, padding=1)
            self.norm, self.rnn = nn.BatchNorm1d(8), nn.GRU(8, 5, 2, batch_first=True, bidirectional=True)
            self.after, self.out = nn.LayerNorm(10), nn.Linear(10, 4)

        def forward(self, x):
            y = torch.relu(self.norm(self.conv(self.table(x).transpose(1, 2)))).transpose(1, 2)
            y, _ = self.rnn(y)
            return torch.log_softmax(self.out(nn.functional.gelu(self.after(y))), -1)

    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.cell, self.out = nn.Linear(4, 6), nn.LSTMCell(6, 5), nn.Linear(5, 2)

        def forward(self, x, h, c):
            h, c = self.cell(nn.functional.silu(self.inner(x)), (h, c))
            return self.out(h), h, c

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.score = nn.LSTM(4, 5, batch_first=True, bidirectional=True), nn.Linear(10, 1)
            self.out = nn.Linear(10, 2)

        def forward(self, x):
            y, _ = self.lstm(x)
            shares = torch.softmax(self.score(y).squeeze(-1), 1)
            return self.out(torch.bmm(shares.unsqueeze(1), y).squeeze(1))

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.one, self.two = nn.Linear(4, 6), nn.LSTM(6, 6, batch_first=True), nn.LSTM(6, 6, batch_first=True)
            self.out = nn.Sequential(nn.LeakyReLU(0.1), nn.Linear(6, 3))

        def forward(self, x):
            x = torch.tanh(self.first(x))
            y = x + self.one(x)[0]
            y = y + self.two(y)[0]
            return self.out(torch.cat([y[:, -1]], -1))

    class Unrolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = nn.LSTMCell(4, 5), nn.LSTMCell(5, 3), nn.Linear(3, 2)

        def forward(self, x):
            h, c, g, d = x.new_zeros(len(x), 5), x.new_zeros(len(x), 5), x.new_zeros(len(x), 3), x.new_zeros(len(x), 3)
            steps = []
            for t in range(x.shape[1]):
                h, c = self.one(x[:, t], (h, c))
                g, d = self.two(h, (g, d))
                steps.append(g)
            return nn.functional.elu(self.out(torch.stack(steps, 1)))

    class Cells(nn.Module):
        def __init__(self, kind, **options):
            super().__init__()
            self.one, self.out = kind(4, 5, **options), nn.Linear(5, 2)

        def forward(self, x):
            h, steps = x.new_zeros(len(x), 5), []
            for step in x.unbind(1):
                h = self.one(step, h)
                steps.append(h)
            return nn.functional.elu(self.out(torch.stack(steps, 1)))

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.out = nn.GRUCell(4, 5), nn.Linear(5, 2)

        def forward(self, x, h):
            h = self.one(x, h)
            return self.out(h), h

    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.heads = nn.LSTM(4, 6, batch_first=True), nn.MultiheadAttention(6, 2, batch_first=True)
            self.after, self.out = nn.LayerNorm(6), nn.Linear(6, 2)

        def forward(self, x):
            y, _ = self.lstm(x)
            return self.out(self.after(y + self.heads(y, y, y, need_weights=False)[0]))

    class Learned(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.h = nn.GRU(4, 5, batch_first=True), nn.Parameter(torch.randn(1, 1, 5))

        def forward(self, x):
            return self.rnn(x, self.h.expand(-1, x.shape[0], -1).contiguous())[0]

    both = {0: "n", 1: "t"}
    step, state = {"x": {0: "n"}, "h": {0: "n"}, "c": {0: "n"}}, {"x": {0: "n"}, "h": {0: "n"}}

    def models():
        torch.manual_seed(0)
        x, ids, zeros = torch.randn(N, T, 4), torch.randint(13, (N, T)), torch.zeros(N, 5)
        yield "tagger", Tagger(), (ids,), ["x"], {"x": both}, "embedding convolution gru gru layer_norm activation dense", None
        yield "cell", Cell(), (x[:, 0], zeros, zeros), ["x", "h", "c"], step, "dense lstm dense", 1
        yield "attention", Attention(), (x,), ["x"], {"x": both}, "lstm attention dense", None
        yield "residual", Residual(), (x,), ["x"], {"x": both}, "dense lstm add lstm add readout activation dense", None
        yield "unrolled", Unrolled(), (x,), ["x"], {"x": {0: "n"}}, "lstm lstm dense", None
        yield "learned_state", Learned(), (x,), ["x"], {"x": both}, "gru", None
        yield "gru_cells", Cells(nn.GRUCell), (x,), ["x"], {"x": {0: "n"}}, "gru dense", None
        yield "rnn_cells", Cells(nn.RNNCell, nonlinearity="relu"), (x,), ["x"], {"x": {0: "n"}}, "rnn dense", None
        yield "gru_step", Step(), (x[:, 0], zeros), ["x", "h"], state, "gru dense", 1
        yield "heads", Heads(), (x,), ["x"], {"x": both}, "lstm self_attention add layer_norm dense", None

    # All of a round are drawn before any bias is: the numbers of a model depend on how many there are in its round.
    for first, end in [(0, 6), (6, 10)]:
        for index, (name, module, given, names, axes, kinds, keep) in enumerate(list(itertools.islice(models(), end))):
            module.eval()
            for parameter in module.parameters():
                if parameter.dim() == 1:
                    nn.init.uniform_(parameter, -0.5, 0.5)
            if index < first:
                continue
            path = FOLDER / f"torch_{name}.onnx"
            torch.onnx.export(module, given, path, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes)
            model = onnx.load(path)
            for node in model.graph.node:
                node.doc_string = ""
            shown = {"x": given[0].numpy()[:, None] if name in ("cell", "gru_step") else given[0].numpy()}
            extra = {key: value.numpy() for key, value in zip(names[1:], given[1:])}
            write(f"torch_{name}", model, {"x": given[0].numpy()}, kinds, shown=shown, extra=extra, keep=keep,
                  turn=(lambda y: y[:, None]) if name in ("cell", "gru_step") else None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=FIXTURES, help="the folder to write to")
    FOLDER = parser.parse_args().out
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in CASES:
        make()
    made_by_torch()
    files = sorted(FOLDER.glob("*.onnx"))
    print(f"{len(files)} models, {sum(p.stat().st_size for p in FOLDER.iterdir()):,} bytes")
