"""ONNX Runtime's C API, single steps only. The loop and the clock are in onnxruntime_step.c, which this script compiles."""

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

import rival_onnxruntime
import rivals


def compile_steps(folder: str) -> ctypes.CDLL:
    library = Path(folder) / "onnxruntime_step.so"
    source = Path(__file__).with_name("onnxruntime_step.c")
    subprocess.run(
        [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", str(source), "-o", str(library), "-ldl"], check=True
    )
    return ctypes.CDLL(str(library))


class Steps:
    def __init__(self, case, threads):
        self.folder = tempfile.TemporaryDirectory()
        self.steps = compile_steps(self.folder.name)
        model = Path(self.folder.name) / "model.onnx"
        model.write_bytes(rival_onnxruntime.build(case, True))
        runtime = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.*"))
        hidden = [layer["hidden"] for layer in case.layers]
        output = case.head[-1]["size"] if case.head else hidden[-1]
        # Kept alive here: the library keeps pointers to them.
        self.blocks = [np.zeros(case.input, np.float32), np.zeros(output, np.float32)]
        states = [np.zeros(size, np.float32) for size in hidden for _ in range(4)]
        self.rows = np.ascontiguousarray(case.stream)
        pointers = (ctypes.c_void_p * len(states))(*[state.ctypes.data for state in states])
        self.blocks += [states, pointers]
        failed = self.steps.steps_open(
            str(runtime).encode(), str(model).encode(), ctypes.c_int(threads), ctypes.c_size_t(len(hidden)),
            (ctypes.c_size_t * len(hidden))(*hidden), ctypes.c_void_p(self.blocks[0].ctypes.data),
            ctypes.c_size_t(case.input), ctypes.c_void_p(self.blocks[1].ctypes.data), ctypes.c_size_t(output), pointers,
        )
        if failed:
            raise RuntimeError("the C API did not open the model")

    def call(self, count: int, outputs: np.ndarray | None = None) -> np.ndarray:
        times = np.zeros(count)
        failed = self.steps.steps_run(
            ctypes.c_size_t(count), ctypes.c_void_p(self.rows.ctypes.data), ctypes.c_size_t(len(self.rows)),
            ctypes.c_void_p(times.ctypes.data), ctypes.c_void_p(None if outputs is None else outputs.ctypes.data),
        )
        if failed:
            raise RuntimeError("the C API did not run the model")
        return times

    def check(self):
        outputs = np.zeros((len(self.rows), len(self.blocks[1])), np.float32)
        self.call(len(self.rows), outputs)
        return rivals.Result(outputs)

    def run(self):
        self.call(1)

    def measure(self, seconds):
        self.call(20)
        times = self.call(100)
        while times.sum() < seconds:
            times = np.concatenate([times, self.call(100)])
        return times.tolist()


class ONNXRuntimeC:
    name, version = "ONNX Runtime's C API", onnxruntime.__version__

    def __init__(self, threads: int):
        self.threads = threads

    def variants(self, case, figure):
        if figure.kind != "step" or case.cell != "lstm":
            return []
        return ["C API", "C API, 1 thread"] if self.threads > 1 else ["C API"]

    def forget(self):
        pass

    def build(self, case, figure, variant):
        return Steps(case, 1 if variant.endswith("1 thread") else self.threads)


if __name__ == "__main__":
    rivals.main(ONNXRuntimeC)
