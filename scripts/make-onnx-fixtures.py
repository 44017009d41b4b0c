"""Golden ONNX models: those of exporters, and all forms of the LSTM operator, with ONNX Runtime's outputs.

    fixtures/onnx/<name>.onnx            the model
    fixtures/onnx/<name>.reference.h5    x (N,T,I) or tokens (N,T), and y as ONNX Runtime computes it, batch first

Attributes of a reference: description, summary (the model in lstm-ft's words), bias (of the first layer).
fixtures/onnx/refused/ has models that cannot be represented, or about which something is to be said; the tests state what.

Needs torch, onnx, onnxscript, onnxruntime, numpy and h5py.
"""

import logging
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import golden_common as golden

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
N, T = 3, 5


def answer(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def write(folder, name, model, x, summary, description, bias="dual", time_major=False, twin=None, extra=None):
    """`twin`: the same model in a form that ONNX Runtime runs."""
    onnx.checker.check_model(model)
    inputs = {i.name for i in model.graph.input} - {i.name for i in model.graph.initializer}
    first = [i.name for i in model.graph.input if i.name in inputs][0]
    y = answer(twin or model, {first: x, **(extra or {})})
    if time_major:
        x, y = np.swapaxes(x, 0, 1), np.swapaxes(y, 0, 1) if y.ndim == 3 else y
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    with golden.create(folder / f"{name}.reference.h5") as file:
        golden.put(file, "x" if x.dtype.kind == "f" else "tokens", x)
        golden.put(file, "y", y)
        for key, value in dict(description=description, summary=summary, bias=bias).items():
            file.attrs[key] = value


# Exported by torch


class Network(nn.Module):
    def __init__(self, read, inputs=5, hidden=6, layers=1, bi=False, tokens=None, head=(), batch_first=True, bias=True,
                 normalize=False):
        super().__init__()
        self.read, self.bi, self.batch_first, self.normalize = read, bi, batch_first, normalize
        self.embedding = nn.Embedding(tokens, inputs) if tokens else None
        self.lstm = nn.LSTM(inputs, hidden, layers, bidirectional=bi, batch_first=batch_first, bias=bias)
        sizes = [hidden * (2 if bi else 1)] + [size for size, _ in head]
        self.head = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])
        self.activations = [activation for _, activation in head]

    def forward(self, x, *state):
        if self.embedding is not None:
            x = self.embedding(x)
        y, (h, c) = self.lstm(x, state) if state else self.lstm(x)
        time = 1 if self.batch_first else 0
        if self.read == "last":
            y = y[:, -1] if self.batch_first else y[-1]
        elif self.read == "last_sliced":
            y = y[:, -1, :]
        elif self.read == "final":
            y = torch.cat([h[-2], h[-1]], -1) if self.bi else h[-1]
        elif self.read == "squeezed":
            y = h.squeeze(0)
        elif self.read == "permuted":
            y = h.permute(1, 0, 2).reshape(h.shape[1], -1)
        elif self.read == "halves":
            size = self.lstm.hidden_size
            y = torch.cat([y[:, -1, :size], y[:, 0, size:]], -1)
        elif self.read == "mean":
            y = y.mean(time)
        elif self.read == "max":
            y = y.max(time).values
        for layer, activation in zip(self.head, self.activations):
            y = activation(layer(y))
        if self.normalize:
            y = nn.functional.normalize(y, dim=-1) if self.normalize == "F" else y / y.norm(dim=1, keepdim=True)
        return y if self.head or self.read != "all" else (y, h, c)


def identity(value):
    return value


def softmax(value):
    return torch.softmax(value, -1)


def exported(folder, name, summary, read, *, opset=17, dynamo=False, static=False, fold=True, steps=T, state=False, **options):
    golden.seed(name)
    network = Network(read, **options).eval()
    batch_first, tokens = options.get("batch_first", True), options.get("tokens")
    shape = (N, steps) if batch_first else (steps, N)
    x = torch.randint(tokens, shape) if tokens else torch.randn(*shape, options.get("inputs", 5))
    given = (x,)
    if state:
        layers = options.get("layers", 1) * (2 if options.get("bi") else 1)
        given += (torch.zeros(layers, N, options.get("hidden", 6)),) * 2
    path = folder / f"{name}.onnx"
    if dynamo:
        more = {} if static else dict(dynamic_shapes=({0: "batch", 1: "time"},))
        torch.onnx.export(network, given, path, dynamo=True, opset_version=opset, external_data=False, verbose=False, **more)
    else:
        names = ["x", "h0", "c0"][: len(given)]
        axes = None if static else {"x": {0: "batch", 1: "time"}}
        torch.onnx.export(network, given, path, dynamo=False, opset_version=opset, input_names=names, dynamic_axes=axes,
                          do_constant_folding=fold)
    model = onnx.load(path)
    for node in model.graph.node:  # where torch was when it wrote them: paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    for value in list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output) + list(model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    extra = {"h0": given[1].numpy(), "c0": given[2].numpy()} if state else None
    how = ("dynamo" if dynamo else "TorchScript") + f" exporter, operators {opset}" + (", static sizes" if static else "")
    write(folder, name, model, x.numpy(), summary, f"{how}; {read}", time_major=not batch_first, extra=extra,
          bias="none" if not options.get("bias", True) else "dual")


# Made by hand


def lstm_twin(name, *, hidden=4, inputs=3, direction="forward", bias=True, peephole=False, attributes=None, kind=None, raw=True,
              cast=False, constants=False, layout=0, read="all", opset=17, seed=None, steps=T):
    """A model of one LSTM node, from (time, batch, I), and its twin of layout 0."""
    random = np.random.default_rng(golden.seed_for(seed or name))
    d = 2 if direction == "bidirectional" else 1
    tensors = {"W": (d, 4 * hidden, inputs), "R": (d, 4 * hidden, hidden)}
    if bias:
        tensors["B"] = (d, 8 * hidden)
    if peephole:
        tensors["P"] = (d, 3 * hidden)
    type_ = kind or TensorProto.FLOAT
    nodes, initializers, names = [], [], {}
    for key, shape in tensors.items():
        values = random.uniform(-0.6, 0.6, shape).astype(np.float32)
        if raw:
            tensor = numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(type_)), key)
        else:
            tensor = helper.make_tensor(key, type_, shape, values.ravel().tolist())
        if constants:
            nodes.append(helper.make_node("Constant", [], [key], value=tensor))
        else:
            initializers.append(tensor)
        names[key] = key
        if cast:
            names[key] = key + "_float"
            nodes.append(helper.make_node("Cast", [key], [names[key]], to=TensorProto.FLOAT))
    inputs_of_node = ["x", names["W"], names["R"], names.get("B", ""), "", "", "", names.get("P", "")]
    while not inputs_of_node[-1]:
        inputs_of_node.pop()
    x = random.standard_normal((steps, N, inputs)).astype(np.float32)

    def build(layout):
        more = dict(attributes or {}, direction=direction, hidden_size=hidden)
        if layout:
            more["layout"] = 1
        made = list(nodes) + [helper.make_node("LSTM", inputs_of_node, ["Y", "Y_h"], **more)]
        if layout:
            made += [helper.make_node("Reshape", ["Y", "shape"], ["y"])]
        elif read == "final":
            made += [helper.make_node("Squeeze", ["Y_h", "axis0"], ["y"])]
        else:
            made += [helper.make_node("Transpose", ["Y"], ["side"], perm=[0, 2, 1, 3]), helper.make_node("Reshape", ["side", "shape"], ["y"])]
        extra = [numpy_helper.from_array(np.array([0, 0, -1]), "shape"), numpy_helper.from_array(np.array([0]), "axis0")]
        read_names = {n for node in made for n in node.input}
        sizes = ["batch", "time", inputs] if layout else ["time", "batch", inputs]
        graph = helper.make_graph(
            made, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", d * hidden] if read == "final" else ["a", "b", d * hidden])],
            initializers + [e for e in extra if e.name in read_names])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="onnx.helper")

    return build(layout), build(0), x


def made(folder, name, summary, description, bias="dual", layout=0, **options):
    model, twin, x = lstm_twin(name, layout=layout, bias=bias != "none", **options)
    if not layout:
        return write(folder, name, model, x, summary, description, bias, time_major=True)
    onnx.checker.check_model(model)
    y = answer(twin, {"x": x})
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    with golden.create(folder / f"{name}.reference.h5") as file:
        golden.put(file, "x", np.swapaxes(x, 0, 1)), golden.put(file, "y", np.swapaxes(y, 0, 1))
        for key, value in dict(description=description, summary=summary, bias=bias).items():
            file.attrs[key] = value


def model_of(name, nodes, initializers, x_shape, y_shape, x_type=TensorProto.FLOAT, opset=17):
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", x_type, x_shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, y_shape)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="onnx.helper")


def values(name, shape, random):
    return numpy_helper.from_array(random.uniform(-0.6, 0.6, shape).astype(np.float32), name)


def integers(name, numbers):
    return numpy_helper.from_array(np.array(numbers, dtype=np.int64), name)


def two_nodes(folder):
    """A forward and a reverse node over the same input, joined."""
    name = "made_forward_and_reverse"
    random = np.random.default_rng(golden.seed_for(name))
    initializers = [values(key + side, shape, random) for side in "fr" for key, shape in (("W", (1, 16, 3)), ("R", (1, 16, 4)), ("B", (1, 32)))]
    nodes = [helper.make_node("LSTM", ["x", "W" + s, "R" + s, "B" + s], ["Y" + s], hidden_size=4, direction=d) for s, d in (("f", "forward"), ("r", "reverse"))]
    nodes += [helper.make_node("Squeeze", ["Y" + s, "one"], ["y" + s]) for s in "fr"] + [helper.make_node("Concat", ["yf", "yr"], ["y"], axis=2)]
    model = model_of(name, nodes, initializers + [integers("one", [1])], ["time", "batch", 3], ["time", "batch", 8])
    x = random.standard_normal((T, N, 3)).astype(np.float32)
    write(folder, name, model, x, "3 features -> bidirectional LSTM 4 -> all steps", two_nodes.__doc__, time_major=True)


def keras_like(folder):
    """As tf2onnx writes a Keras model: Y_h split by direction, MatMul and Add, time-distributed by reshapes."""
    name = "made_keras_like"
    random = np.random.default_rng(golden.seed_for(name))
    initializers = [values("W", (2, 16, 3), random), values("R", (2, 16, 4), random), values("B", (2, 32), random),
                    values("kernel", (8, 6), random), values("bias", (6,), random), integers("zero", [0])]
    nodes = [helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
             helper.make_node("LSTM", ["xt", "W", "R", "B"], ["", "h"], hidden_size=4, direction="bidirectional"),
             helper.make_node("Split", ["h"], ["hf", "hr"], axis=0),
             helper.make_node("Squeeze", ["hf", "zero"], ["f"]), helper.make_node("Squeeze", ["hr", "zero"], ["r"]),
             helper.make_node("Concat", ["f", "r"], ["c"], axis=-1),
             helper.make_node("MatMul", ["c", "kernel"], ["m"]), helper.make_node("Add", ["m", "bias"], ["a"]),
             helper.make_node("Sigmoid", ["a"], ["y"])]
    model = model_of(name, nodes, initializers, ["batch", "time", 3], ["batch", 6])
    x = random.standard_normal((N, T, 3)).astype(np.float32)
    write(folder, name, model, x, "3 features -> bidirectional LSTM 4 -> final state -> dense 6 sigmoid", keras_like.__doc__)
    name = "made_time_distributed"
    initializers = [values("W", (1, 16, 3), random), values("R", (1, 16, 4), random), values("B", (1, 32), random),
                    values("kernel", (4, 6), random), values("bias", (6,), random), integers("one", [1]), integers("flat", [-1, 4]),
                    integers("six", [6])]
    nodes = [helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
             helper.make_node("LSTM", ["xt", "W", "R", "B"], ["Y"], hidden_size=4),
             helper.make_node("Squeeze", ["Y", "one"], ["s"]), helper.make_node("Transpose", ["s"], ["bt"], perm=[1, 0, 2]),
             helper.make_node("Shape", ["bt"], ["shape"], start=0, end=2), helper.make_node("Concat", ["shape", "six"], ["back"], axis=0),
             helper.make_node("Reshape", ["bt", "flat"], ["rows"]), helper.make_node("MatMul", ["rows", "kernel"], ["m"]),
             helper.make_node("Add", ["m", "bias"], ["a"]), helper.make_node("Tanh", ["a"], ["t"]), helper.make_node("Reshape", ["t", "back"], ["y"])]
    model = model_of(name, nodes, initializers, ["batch", "time", 3], ["batch", "time", 6])
    write(folder, name, model, x, "3 features -> LSTM 4 -> all steps -> dense 6 tanh", keras_like.__doc__)


def whole_lengths(folder):
    """sequence_lens computed from the input's own shape, and an initial state of zeros that is a weight."""
    name = "made_whole_lengths"
    random = np.random.default_rng(golden.seed_for(name))
    zeros = numpy_helper.from_array(np.zeros((1, N, 4), dtype=np.float32), "zeros")
    initializers = [values("W", (1, 16, 3), random), values("R", (1, 16, 4), random), zeros, integers("one", [1])]
    nodes = [helper.make_node("Shape", ["x"], ["steps"], start=0, end=1), helper.make_node("Shape", ["x"], ["count"], start=1, end=2),
             helper.make_node("Expand", ["steps", "count"], ["long"]), helper.make_node("Cast", ["long"], ["lengths"], to=TensorProto.INT32),
             helper.make_node("LSTM", ["x", "W", "R", "", "lengths", "zeros", "zeros"], ["Y"], hidden_size=4),
             helper.make_node("Squeeze", ["Y", "one"], ["y"])]
    model = model_of(name, nodes, initializers, ["time", N, 3], ["time", N, 4])
    x = random.standard_normal((T, N, 3)).astype(np.float32)
    write(folder, name, model, x, "3 features -> LSTM 4 without bias -> all steps", whole_lengths.__doc__, bias="none", time_major=True)


def refused(folder):
    """Models that must be refused."""
    folder = folder / "refused"
    folder.mkdir(exist_ok=True)

    def save(name, model):
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))

    save("clip", lstm_twin("clip", attributes={"clip": 3.0})[0])
    save("input_forget", lstm_twin("input_forget", attributes={"input_forget": 1})[0])
    save("relu_cell", lstm_twin("relu_cell", attributes={"activations": ["Sigmoid", "Relu", "Tanh"]})[0])
    save("other_hard_sigmoid", lstm_twin("other", attributes={"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [0.3]})[0])
    save("reverse_alone", lstm_twin("reverse_alone", direction="reverse")[0])

    random = np.random.default_rng(1)

    def around(name, before=(), after=(), state=(), initializers=(), **sizes):
        weights = [values("W", (1, 16, 3), random), values("R", (1, 16, 4), random), values("B", (1, 32), random), integers("one", [1])]
        nodes = [*before, helper.make_node("LSTM", [sizes.get("reads", "x"), "W", "R", "B", "", *state], ["Y"], hidden_size=4),
                 helper.make_node("Squeeze", ["Y", "one"], ["s"]), *after]
        save(name, model_of(name, nodes, weights + list(initializers), ["time", "batch", 3], ["time", "batch", 4]))

    around("initial_state", state=["h0"], initializers=[values("h0", (1, N, 4), random)], after=[helper.make_node("Identity", ["s"], ["y"])])
    lengths = numpy_helper.from_array(np.array([5, 4, 3], dtype=np.int32), "lengths")
    weights = [values("W", (1, 16, 3), random), values("R", (1, 16, 4), random), lengths]
    nodes = [helper.make_node("LSTM", ["x", "W", "R", "", "lengths"], ["y"], hidden_size=4)]
    save("fixed_lengths", model_of("fixed_lengths", nodes, weights, [T, N, 3], [T, 1, N, 4]))
    around("leaky_relu", after=[helper.make_node("LeakyRelu", ["s"], ["y"])])
    around("reversed_steps", after=[helper.make_node("Slice", ["s", "from", "to", "axis", "step"], ["y"])],
           initializers=[integers("from", [-1]), integers("to", [-(2**62)]), integers("axis", [0]), integers("step", [-1])])
    around("dense_before", before=[helper.make_node("MatMul", ["x", "K"], ["k"])], reads="k", initializers=[values("K", (3, 3), random)],
           after=[helper.make_node("Identity", ["s"], ["y"])])
    around("residual", after=[helper.make_node("Add", ["s", "s"], ["y"])])
    quantized = [numpy_helper.from_array(np.zeros((1, 16, 3), dtype=np.int8), "Wq"), numpy_helper.from_array(np.float32(0.1), "scale"),
                 values("R", (1, 16, 4), random)]
    nodes = [helper.make_node("DequantizeLinear", ["Wq", "scale"], ["W"]), helper.make_node("LSTM", ["x", "W", "R"], ["y"], hidden_size=4)]
    save("quantized", model_of("quantized", nodes, quantized, ["time", "batch", 3], ["time", 1, "batch", 4]))
    save("gru", model_of("gru", [helper.make_node("GRU", ["x", "W", "R"], ["y"], hidden_size=4)],
                         [values("W", (1, 12, 3), random), values("R", (1, 12, 4), random)], ["time", "batch", 3], ["time", 1, "batch", 4]))
    model = lstm_twin("external")[0]
    for tensor in model.graph.initializer:
        if tensor.name == "W":
            data = tensor.raw_data
            (folder / "external.onnx.data").write_bytes(data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "external.onnx.data"), ("offset", "0"), ("length", str(len(data)))):
                tensor.external_data.add(key=key, value=value)
    save("external", model)

    def half(name, *shape):
        return numpy_helper.from_array(np.random.default_rng(len(name)).uniform(-0.5, 0.5, shape).astype(np.float16), name)

    # Read all the same, with a word about its rounding.
    nodes = [helper.make_node("Gather", ["table", "x"], ["rows"]), helper.make_node("LSTM", ["rows", "Wh", "Rhh"], ["Y"], hidden_size=4),
             helper.make_node("Cast", ["Y"], ["y"], to=TensorProto.FLOAT)]
    model = model_of("float16_tokens", nodes, [half("table", 7, 3), half("Wh", 1, 16, 3), half("Rhh", 1, 16, 4)], ["time", "batch"],
                     ["time", 1, "batch", 4])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    save("float16_tokens", model)


def main():
    folder = golden.arguments(__doc__, "onnx").out
    golden.deterministic()
    relu, tanh = torch.relu, torch.tanh

    def torch_case(*arguments, **options):
        exported(folder, *arguments, **options)

    torch_case("torch_bare", "5 features -> LSTM 6 -> LSTM 6 -> all steps", "all", layers=2)
    torch_case("torch_bidirectional", "5 features -> bidirectional LSTM 7 -> bidirectional LSTM 7 -> bidirectional LSTM 7 -> last step -> dense 3",
               "last", layers=3, bi=True, hidden=7, head=[(3, identity)], opset=13)
    torch_case("torch_tokens", "11 tokens -> embedding 5 -> LSTM 6 -> all steps -> dense 4 relu -> dense 3 softmax", "all", tokens=11,
               head=[(4, relu), (3, softmax)])
    torch_case("torch_time_major", "5 features -> bidirectional LSTM 6 -> bidirectional LSTM 6 -> final state -> dense 4 tanh -> dense 2", "final",
               layers=2, bi=True, batch_first=False, head=[(4, tanh), (2, identity)], opset=14)
    torch_case("torch_mean", "5 features -> LSTM 6 -> mean over time -> dense 2 sigmoid", "mean", head=[(2, torch.sigmoid)], opset=20)
    torch_case("torch_max", "5 features -> bidirectional LSTM 6 -> maximum over time -> dense 2", "max", bi=True, head=[(2, identity)], opset=11)
    torch_case("torch_state_last", "5 features -> LSTM 6 -> LSTM 6 -> final state -> dense 2", "final", layers=2, head=[(2, identity)], opset=11)
    torch_case("torch_squeezed", "5 features -> LSTM 6 -> final state", "squeezed")
    torch_case("torch_permuted", "5 features -> bidirectional LSTM 6 -> final state", "permuted", bi=True)
    torch_case("torch_halves", "5 features -> bidirectional LSTM 6 -> final state -> dense 2", "halves", bi=True, head=[(2, identity)])
    torch_case("torch_sliced", "5 features -> LSTM 6 -> last step -> dense 2", "last_sliced", head=[(2, identity)], opset=16)
    torch_case("torch_nobias", "5 features -> LSTM 6 without bias -> all steps", "all", bias=False)
    torch_case("torch_unfolded", "5 features -> bidirectional LSTM 6 -> bidirectional LSTM 6 -> last step -> dense 2", "last", layers=2, bi=True,
               head=[(2, identity)], fold=False)
    torch_case("torch_speaker", "5 features -> LSTM 6 -> LSTM 6 -> final state -> dense 4 relu -> L2 normalization", "final", layers=2,
               head=[(4, relu)], normalize="/")
    torch_case("torch_normalize", "5 features -> LSTM 6 -> mean over time -> dense 4 -> L2 normalization", "mean", head=[(4, identity)],
               normalize="F")
    torch_case("torch_states_given", "5 features -> LSTM 6 -> LSTM 6 -> all steps", "all", layers=2, state=True, static=True)
    torch_case("torch_one_unit", "1 feature -> LSTM 1 -> LSTM 1 -> all steps", "all", inputs=1, hidden=1, layers=2)
    torch_case("torch_one_step", "3 features -> bidirectional LSTM 7 -> mean over time -> dense 1", "mean", inputs=3, hidden=7, bi=True, steps=1,
               head=[(1, identity)])
    torch_case("torch_wide", "2 features -> LSTM 129 -> last step -> dense 1", "last", inputs=2, hidden=129, head=[(1, identity)])
    # Before other exports of this kind: torch 2.13 treats the number of steps as static in all but the first of a process.
    torch_case("dynamo_dynamic", "5 features -> bidirectional LSTM 6 -> bidirectional LSTM 6 -> last step -> dense 2", "last", dynamo=True, layers=2,
               bi=True, head=[(2, identity)], opset=18)
    for name, read, options in (
            ("all", "all", dict(tokens=11, head=[(4, relu), (3, softmax)])),
            ("final", "final", dict(layers=2, bi=True, batch_first=False, head=[(2, identity)])),
            ("mean", "mean", dict(bi=True, head=[(2, tanh)])), ("max", "max", dict(head=[(2, identity)])),
            ("last", "last", dict(layers=3, head=[(2, identity)])), ("bare", "all", dict(bi=True, layers=2)),
            ("sliced", "last_sliced", dict(head=[(2, identity)])), ("speaker", "final", dict(head=[(4, relu)], normalize="/"))):
        bi = "bidirectional " if options.get("bi") else ""
        stack = " -> ".join([bi + "LSTM 6"] * options.get("layers", 1))
        words = {"all": "all steps", "final": "final state", "mean": "mean over time", "max": "maximum over time", "last": "last step",
                 "last_sliced": "last step"}[read]
        start = "11 tokens -> embedding 5" if options.get("tokens") else "5 features"
        ends = {identity: "", relu: " relu", tanh: " tanh", softmax: " softmax"}
        parts = [start, stack, words] + [f"dense {size}{ends[act]}" for size, act in options.get("head", [])]
        parts += ["L2 normalization"] if options.get("normalize") else []
        torch_case(f"dynamo_{name}", " -> ".join(parts), read, dynamo=True, static=True, opset=20 if name == "last" else 18, **options)
    one, both = "3 features -> LSTM 4", "3 features -> bidirectional LSTM 4"
    hard = {"activations": ["HardSigmoid", "Tanh", "Tanh"]}
    sixth = {"activations": ["HardSigmoid", "Tanh", "Tanh"] * 2, "activation_alpha": [1 / 6] * 2, "activation_beta": [0.5] * 2}
    all_steps = " -> all steps"
    made(folder, "made_peepholes", both + " with peepholes" + all_steps, "peepholes, both directions", direction="bidirectional", peephole=True)
    made(folder, "made_hard_sigmoid", one + " (hard_sigmoid)" + all_steps, "HardSigmoid with its usual alpha and beta", attributes=hard)
    made(folder, "made_hard_sigmoid_keras3", both + " (hard_sigmoid_keras3)" + all_steps, "HardSigmoid of alpha 1/6", attributes=sixth,
         direction="bidirectional")
    made(folder, "made_nobias", one + " without bias" + all_steps, "no B", bias="none")
    made(folder, "made_typed", one + all_steps, "float_data in place of raw_data", raw=False)
    made(folder, "made_float16", one + all_steps, "float16 in int32_data, cast", kind=TensorProto.FLOAT16, raw=False, cast=True)
    made(folder, "made_bfloat16", one + all_steps, "bfloat16, cast", kind=TensorProto.BFLOAT16, raw=False, cast=True)
    made(folder, "made_float64", one + all_steps, "double_data, cast", kind=TensorProto.DOUBLE, raw=False, cast=True)
    made(folder, "made_constants", one + all_steps, "weights in Constant nodes", constants=True)
    made(folder, "made_final", one + " -> final state", "Y_h squeezed", read="final")
    made(folder, "made_batch_first", both + all_steps, "layout 1", direction="bidirectional", layout=1)
    made(folder, "made_one_unit", "1 feature -> LSTM 1 -> all steps", "one unit, one step", hidden=1, inputs=1, steps=1)
    two_nodes(folder)
    keras_like(folder)
    whole_lengths(folder)
    refused(folder)
    golden.summary(folder, "*.onnx")


if __name__ == "__main__":
    main()
