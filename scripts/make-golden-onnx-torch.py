"""Golden ONNX models of both of PyTorch's exporters, with ONNX Runtime's outputs, beside those of make-golden-onnx-graph.py.

    fixtures/onnx-graph/torch_<name>[_dynamo].onnx            the model
    fixtures/onnx-graph/torch_<name>[_dynamo].reference.h5    each input under its name, and y; attributes inputs and kinds

Needs torch, onnx, onnxscript, onnxruntime, numpy and h5py.
"""

import argparse
import pathlib
import zlib

import h5py
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "onnx-graph"
N, T = 3, 9


class Normed(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 6, 3, padding=1), norm
        self.lstm, self.out = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        return self.out(self.lstm(y)[0].mean(1))


class RMS(nn.Module):
    """As people write it, where a version of PyTorch has none."""

    def __init__(self, size, epsilon=1e-3):
        super().__init__()
        self.gain, self.epsilon = nn.Parameter(torch.ones(size)), epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.gain


class AfterLSTM(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.lstm, self.norm, self.out = nn.LSTM(4, 5, batch_first=True), norm, nn.Linear(5, 2)

    def forward(self, x):
        return self.out(self.norm(self.lstm(x)[0])[:, -1])


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.LSTM(4, 5, batch_first=True), nn.LSTM(5, 5, batch_first=True)
        self.out = nn.Linear(5, 4)

    def forward(self, x):
        h = self.encoder(x)[1][0][-1].unsqueeze(1).repeat(1, x.size(1), 1)
        return self.out(self.decoder(h)[0])


RMS_NORMED = "lstm slice rescale concatenate l2 slice rescale readout dense"
REPEATED = "lstm readout concatenate slice lstm dense"
NORMED = "convolution group_norm activation lstm readout dense"
# name, module, kinds, whether the sizes are open, which exporters
CASES = [
    ("group_norm", lambda: Normed(nn.GroupNorm(2, 6)), NORMED, False, "old dynamo"),
    ("group_norm_open", lambda: Normed(nn.GroupNorm(3, 6)), NORMED, True, "old dynamo"),
    ("instance_norm", lambda: Normed(nn.InstanceNorm1d(6, affine=True)), NORMED, True, "old dynamo"),
    ("rms_norm", lambda: AfterLSTM(RMS(5)), RMS_NORMED, True, "old dynamo"),
    ("rms_norm_of_torch", lambda: AfterLSTM(nn.RMSNorm(5, eps=1e-6)), RMS_NORMED, False, "dynamo"),
    ("autoencoder_open", Autoencoder, REPEATED, True, "old"),
    ("instance_norm_plain", lambda: Normed(nn.InstanceNorm1d(6)), NORMED, False, "old dynamo"),
]


def make(name, build, kinds, is_open, exporter):
    seed = zlib.crc32(name.encode())
    torch.manual_seed(seed)
    module = build().eval()
    for parameter in module.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, -0.5, 0.5)
    x = torch.randn(N, T, 4)
    name = f"torch_{name}" + ("_dynamo" if exporter == "dynamo" else "")
    path = FOLDER / f"{name}.onnx"
    if exporter == "dynamo":
        shapes = {"x": {0: torch.export.Dim("batch"), 1: torch.export.Dim("time")}} if is_open else None
        torch.onnx.export(
            module, (x,), str(path), dynamo=True, opset_version=18, input_names=["x"], dynamic_shapes=shapes,
            external_data=False, verbose=False)
    else:
        axes = {"x": {0: "batch", 1: "time"}} if is_open else None
        torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=17, input_names=["x"], dynamic_axes=axes)
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.graph.value_info[:]
    path.write_bytes(model.SerializeToString(deterministic=True))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    y = session.run(None, {"x": x.numpy()})[0]
    with h5py.File(FOLDER / f"{name}.reference.h5", "w") as file:
        file["x"], file["y"] = x.numpy(), y
        file.attrs["inputs"], file.attrs["kinds"] = "x", kinds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=FIXTURES, help="the folder to write to")
    parser.add_argument("--only", default="", help="a part of a model's name")
    given = parser.parse_args()
    FOLDER = given.out
    for name, build, kinds, is_open, exporters in CASES:
        for exporter in exporters.split():
            if given.only in name:
                make(name, build, kinds, is_open, exporter)
