"""Writes the reference for `lstm-ft verify` next to a PyTorch checkpoint: an input and the module's outputs.

In your own program, with your module and your input:

    from reference_pytorch import write_reference        # or copy its ten lines
    write_reference("reference.h5", module, x)

As a program, it creates an nn.LSTM with the sizes of a state_dict:

    python scripts/reference-pytorch.py weights.pt reference.h5 [--steps 20] [--batch 3]
"""
import argparse

import h5py
import numpy as np
import torch


def write_reference(path, module, x, lengths=None):
    """x (N, T, I). `module` returns y, or (y, (h, c)) as nn.LSTM with batch_first=True does."""
    module.eval()
    with torch.no_grad():
        result = module(x)
    y, state = result if isinstance(result, tuple) else (result, None)
    with h5py.File(path, "w") as file:
        file["x"] = x.numpy()
        file["y"] = y.numpy()
        if state is not None:
            file["h"], file["c"] = state[0].numpy(), state[1].numpy()
        if lengths is not None:
            file["lengths"] = np.asarray(lengths)


def module_for(state):
    """The nn.LSTM that a state_dict fits, found under any prefix."""
    name = next(name for name in state if name.endswith("weight_ih_l0"))
    prefix = name[: -len("weight_ih_l0")]
    state = {key[len(prefix):]: value.float() for key, value in state.items() if key.startswith(prefix + "weight_")
             or key.startswith(prefix + "bias_")}
    module = torch.nn.LSTM(
        input_size=state["weight_ih_l0"].shape[1], hidden_size=state["weight_ih_l0"].shape[0] // 4,
        num_layers=1 + max(int(key.split("_l")[1].split("_")[0]) for key in state),
        bidirectional=any(key.endswith("_reverse") for key in state), bias="bias_ih_l0" in state,
        proj_size=state["weight_hr_l0"].shape[0] if "weight_hr_l0" in state else 0, batch_first=True)
    module.load_state_dict(state)
    return module


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("reference")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=3)
    arguments = parser.parse_args()
    state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    while not any(key.endswith("weight_ih_l0") for key in state):
        state = next(value for value in state.values() if isinstance(value, dict))
    module = module_for(state)
    torch.manual_seed(0)
    write_reference(arguments.reference, module, torch.randn(arguments.batch, arguments.steps, module.input_size))
