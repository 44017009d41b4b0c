"""Shared by the generators of golden data of single layers: cases, each a group of one file.

A file has an attribute `cases`, a JSON list of

    { "name": ..., "configuration": the model as the native file has it, "lengths": valid steps of each sequence or null,
      "training": whether it is a training pass }

and for each case a group: x (N, T, I), parameters/, y, and from PyTorch dy, dx and gradients/, those of sum(y dy). Padded
steps are zero. `after/` has the statistics after the training steps in xs (20, N, T, I).
"""

import json

import h5py
import numpy as np
import torch

import golden_common as golden

N, T = 4, 6
RAGGED = [6, 3, 1, 5]


class File:
    """The cases of one framework."""

    def __init__(self, path):
        # The compact form: most datasets are small.
        self.file = h5py.File(path, "w", libver="latest")
        self.cases = []

    def add(self, name, layers, arrays, features, channels=None, lengths=None, training=False):
        source = {"features": features}
        if channels:
            source["channels"] = channels
        self.cases.append(
            {
                "name": name,
                "configuration": {"input": source, "layers": layers},
                "lengths": lengths,
                "training": training,
            }
        )
        group = self.file.create_group(name)
        for key, value in arrays.items():
            golden.put(group, key, np.asarray(golden.array(value), dtype=np.float32), compress=True)

    def close(self):
        self.file.attrs["cases"] = json.dumps(self.cases)
        self.file.close()


def layer(name, kind, **settings):
    return {"name": name, "kind": kind, **settings}


def random(*shape, scale=1.0):
    return torch.randn(*shape) * scale


def mask_of(lengths):
    return torch.arange(T)[None, :] < torch.tensor(lengths or [T] * N)[:, None]
