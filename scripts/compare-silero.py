"""Reads the safetensors of the package silero-vad with `lstm-ft` and compares it with ONNX Runtime over a minute of sound.

Usage: compare-silero.py PATH_OF_LSTM_FT FOLDER_OF_THE_PACKAGE'S_DATA

The safetensors has no network, so the import is told it in one line (docs/formats.md). The package's ONNX models were trained
apart, their weights are others: the reference is the package's own graph with the weights of the safetensors. What is
exported from the import runs chunk by chunk with the state carried, beside it; probabilities and states agree within 1e-5.
Needs onnx, onnxruntime, safetensors and numpy.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper
from safetensors.numpy import load_file

TOOL, DATA = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / "docs/formats.md"
NAMES = {"stft_conv": "stft.forward_basis_buffer", "lstm_cell": "decoder.rnn", "final_conv": "decoder.decoder.2"} | {
    f"conv{number + 1}": f"encoder.{number}.reparam_conv" for number in range(4)}


def session(model: object) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(*arguments: str) -> str:
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout


def replace(graph: onnx.GraphProto, weights: dict, done: set) -> None:
    """Puts the weights into a graph and those of its branches."""
    def values(name: str) -> numpy.ndarray | None:
        for short, long in NAMES.items():
            for part in ("weight", "bias", "weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                key = f"{short}.{part}"
                if key in weights and name.endswith(long if short == "stft_conv" else f"{long}.{part}"):
                    done.add(key)
                    return weights[key]
        return None

    for tensor in graph.initializer:
        if (new := values(tensor.name)) is not None:
            tensor.CopyFrom(numpy_helper.from_array(new.reshape(list(tensor.dims)).astype(numpy.float32), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                replace(attribute.g, weights, done)
            elif node.op_type == "Constant" and attribute.HasField("t") and (new := values(node.output[0])) is not None:
                attribute.t.CopyFrom(numpy_helper.from_array(new.reshape(list(attribute.t.dims)).astype(numpy.float32)))


def main() -> None:
    line = re.search(r"--model '(1 feature\s+-> conv 258 kernel 256 stride 128 .*?)'", DOCUMENT.read_text(), re.S).group(1)
    line = " ".join(line.split())
    weights = load_file(DATA / "silero_vad_16k.safetensors")
    reference = onnx.load(DATA / "silero_vad_16k_op15.onnx")
    done: set = set()
    replace(reference.graph, weights, done)
    assert done == set(weights), set(weights) - done
    with tempfile.TemporaryDirectory() as folder:
        run("import", str(DATA / "silero_vad_16k.safetensors"), "--model", line, "-o", f"{folder}/vad.h5")
        run("export", f"{folder}/vad.h5", "--to", "onnx", "--state", "-o", f"{folder}/vad.onnx")
        ours = session(f"{folder}/vad.onnx")
        theirs = session(reference.SerializeToString())
        states = [value for value in ours.get_inputs() if value.name != "input"]
        h = {value.name: numpy.zeros([size if isinstance(size, int) else 1 for size in value.shape], numpy.float32) for value in states}
        outputs = [value.name for value in ours.get_outputs()]
        count = 60 * 16000
        time = numpy.arange(count) / 16000
        random = numpy.random.default_rng(0)
        voice = numpy.sin(2 * numpy.pi * (150 + 40 * numpy.sin(2 * numpy.pi * 0.7 * time)) * time)
        sound = (0.3 * voice * (numpy.sin(2 * numpy.pi * 0.3 * time) > 0) + 0.02 * random.standard_normal(count)).astype(numpy.float32)
        state, before, worst, low, high = numpy.zeros((2, 1, 128), numpy.float32), numpy.zeros(64, numpy.float32), 0.0, 1.0, 0.0
        for start in range(0, count, 512):
            chunk = numpy.concatenate([before, sound[start : start + 512]])
            before = chunk[-64:]
            wanted, state = theirs.run(None, {"input": chunk[None], "state": state, "sr": numpy.array(16000, numpy.int64)})
            found = dict(zip(outputs, ours.run(None, {"input": chunk[None, :, None], **h})))
            answer = found.pop("output")
            h = dict(zip(h, found.values()))
            worst = max(worst, float(numpy.abs(answer.ravel() - wanted.ravel()).max()))
            low, high = min(low, float(wanted.min())), max(high, float(wanted.max()))
    assert worst <= 1e-5, worst
    print(f"probabilities from {low:.3g} to {high:.3g} of {count // 512} chunks, largest difference {worst:.2g}")


main()
