"""ONNX Runtime: one LSTM, GRU or RNN node for each layer, time-major as its CPU kernel expects, all graph optimizations. Inference only.

Ways: one thread or all; for single steps session.run with arrays, or IO binding without copying the states.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import rivals


def gates(weight: np.ndarray, cell: str) -> np.ndarray:
    """i, f, g, o -> i, o, f, g; r, z, n -> z, r, n."""
    if cell == "gru":
        r, z, n = np.split(weight, 3)
        return np.concatenate([z, r, n])
    if cell == "rnn":
        return weight
    i, f, g, o = np.split(weight, 4)
    return np.concatenate([i, o, f, g])


def build(case: rivals.Case, streaming: bool) -> bytes:
    """A model of x (T, B, I), for streaming with h and c of each layer (1, 1, H) in and out."""
    nodes, initializers, inputs, outputs = [], [], [], []
    counter = [0]

    def add(operation: str, operands: list[str], results: int = 1, **attributes) -> list[str]:
        counter[0] += 1
        names = [f"{operation}{counter[0]}_{k}" for k in range(results)]
        nodes.append(helper.make_node(operation, operands, names, **attributes))
        return names

    def constant(name: str, value: np.ndarray) -> str:
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def value(name: str, shape: list[int], kind: int = TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, shape)

    steps, batch = (1, 1) if streaming else (case.steps, case.batch)
    inputs.append(value("x", [steps, batch, case.input]))
    lengths = ""
    if case.lengths is not None:
        lengths = constant("lengths", case.lengths.astype(np.int32))
    y = "x"
    for k, layer in enumerate(case.layers):
        hidden, suffixes = layer["hidden"], case.directions(k)
        stacked = {
            kind: np.stack([gates(case.weight(f"{case.cell}.{kind}{suffix}"), case.cell) for suffix in suffixes])
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        operands = [
            y,
            constant(f"w{k}", stacked["weight_ih"]),
            constant(f"r{k}", stacked["weight_hh"]),
            constant(f"b{k}", np.concatenate([stacked["bias_ih"], stacked["bias_hh"]], axis=1)),
            lengths,
        ]
        if streaming:
            states = [f"h{k}", f"c{k}"] if case.cell == "lstm" else [f"h{k}"]
            operands += states
            inputs += [value(state, [1, 1, hidden]) for state in states]
            outputs += [value(f"{state}_next", [1, 1, hidden]) for state in states]
        names = [f"y{k}", f"h{k}_next"] + ([f"c{k}_next"] if case.cell == "lstm" else [])
        direction = "bidirectional" if len(suffixes) == 2 else "forward"
        own = {"linear_before_reset": 1} if case.cell == "gru" else {}
        nodes.append(helper.make_node(case.cell.upper(), operands, names, hidden_size=hidden, direction=direction, **own))
        if len(suffixes) == 2:
            (y,) = add("Transpose", [names[0]], perm=[0, 2, 1, 3])
            (y,) = add("Reshape", [y, constant(f"shape{k}", np.array([0, 0, -1], np.int64))])
        else:
            (y,) = add("Squeeze", [names[0], constant(f"axis{k}", np.array([1], np.int64))])
    if case.readout == "last":
        (y,) = add("Squeeze", [f"h{len(case.layers) - 1}_next", constant("first", np.array([0], np.int64))])
    for k, dense in enumerate(case.head):
        (y,) = add("MatMul", [y, constant(f"head{k}", case.weight(f"head.{k}.weight").T)])
        (y,) = add("Add", [y, constant(f"headbias{k}", case.weight(f"head.{k}.bias"))])
        if dense["activation"] == "relu":
            (y,) = add("Relu", [y])
    if case.normalizes:
        (y,) = add("LpNormalization", [y], p=2, axis=-1)
    nodes.append(helper.make_node("Identity", [y], ["y"]))
    width = case.head[-1]["size"] if case.head else case.layers[-1]["hidden"]
    outputs.insert(0, value("y", [batch, width] if case.readout == "last" else [steps, batch, width]))
    graph = helper.make_graph(nodes, case.name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Inference:
    def __init__(self, case, threads):
        self.case, self.session = case, session(build(case, False), threads)
        self.x = np.ascontiguousarray(case.x.swapaxes(0, 1))

    def run(self):
        return self.session.run(["y"], {"x": self.x})[0]

    def check(self):
        y = self.run()
        return rivals.Result(y.swapaxes(0, 1) if self.case.readout == "all" else y)


class Step:
    """session.run: arrays in, arrays out."""

    def __init__(self, case, threads):
        self.session = session(build(case, True), threads)
        self.inputs = [row.reshape(1, 1, -1).copy() for row in case.stream]
        self.names = [output.name for output in self.session.get_outputs()]
        self.feed = {
            value.name: np.zeros(value.shape, np.float32) for value in self.session.get_inputs() if value.name != "x"
        }
        self.place = 0

    def run(self):
        self.feed["x"] = self.inputs[self.place]
        self.place = (self.place + 1) % len(self.inputs)
        results = self.session.run(self.names, self.feed)
        for name, result in zip(self.names[1:], results[1:]):
            self.feed[name.removesuffix("_next")] = result
        return results[0]

    def check(self):
        return rivals.Result(np.stack([self.run().reshape(-1).copy() for _ in self.inputs]))


class BoundStep:
    """IO binding: two sets of states, each call reads one and writes the other."""

    def __init__(self, case, threads):
        self.session = session(build(case, True), threads)
        self.inputs = [row.reshape(1, 1, -1).copy() for row in case.stream]
        self.x = np.zeros_like(self.inputs[0])
        x = onnxruntime.OrtValue.ortvalue_from_numpy(self.x)
        self.x_value = x
        shape = self.session.get_outputs()[0].shape
        self.y = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32)
        states = [value for value in self.session.get_inputs() if value.name != "x"]
        sets = [
            {v.name: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(v.shape, np.float32)) for v in states}
            for _ in range(2)
        ]
        self.bindings = []
        for k in range(2):
            binding = self.session.io_binding()
            binding.bind_ortvalue_input("x", x)
            binding.bind_ortvalue_output("y", self.y)
            for name in sets[0]:
                binding.bind_ortvalue_input(name, sets[k][name])
                binding.bind_ortvalue_output(name + "_next", sets[1 - k][name])
            self.bindings.append(binding)
        self.place = 0

    def run(self):
        self.x_value.update_inplace(self.inputs[self.place % len(self.inputs)])
        self.session.run_with_iobinding(self.bindings[self.place % 2])
        self.place += 1
        return self.y

    def check(self):
        return rivals.Result(np.stack([self.run().numpy().reshape(-1).copy() for _ in self.inputs]))


class ONNXRuntime:
    name, version = "ONNX Runtime", onnxruntime.__version__

    def __init__(self, threads: int):
        self.threads = threads

    def variants(self, case, figure):
        if figure.kind == "training":
            return []
        ways = ["session.run", "IO binding"] if figure.kind == "step" else ["session.run"]
        return ways + [way + ", 1 thread" for way in ways if case.is_small and self.threads > 1]

    def forget(self):
        pass

    def build(self, case, figure, variant):
        threads = 1 if variant.endswith("1 thread") else self.threads
        if figure.kind == "inference":
            return Inference(case, threads)
        return BoundStep(case, threads) if variant.startswith("IO") else Step(case, threads)


if __name__ == "__main__":
    rivals.main(ONNXRuntime)
