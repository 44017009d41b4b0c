"""PyTorch's side of lstm-bench --around for whole sequences: the losses of a CRF (pytorch-crf) and of CTC, and their decoders."""

import json
import statistics

import torch
from torch import nn

import rivals

WORK = ("crf", "viterbi", "ctc", "greedy")


def measure(call, seconds: float) -> float:
    """Milliseconds, the median."""
    return statistics.median(rivals.measure(call, seconds, fewest=4)) * 1e3


def crf_of(tensors):
    from torchcrf import CRF

    crf = CRF(tensors["x"].shape[2], batch_first=True)
    with torch.no_grad():
        for parameter, name in ((crf.transitions, "transitions"), (crf.start_transitions, "start"),
                                (crf.end_transitions, "end")):
            parameter.copy_(torch.from_numpy(tensors[name]))
    return crf


def greedy(x):
    return [[label for label in torch.unique_consecutive(row).tolist() if label] for row in x.argmax(-1)]


def call_of(work, tensors, x):
    """Computes the loss of each sequence, or the paths; and the parameters."""
    if work in ("crf", "viterbi"):
        crf = crf_of(tensors).to(x.dtype)
        if work == "viterbi":
            return lambda: crf.decode(x), []
        labels = torch.from_numpy(tensors["labels"]).long()
        return lambda: -crf(x, labels, reduction="none"), list(crf.parameters())
    if work == "greedy":
        return lambda: greedy(x), []
    labels = torch.from_numpy(tensors["labels"]).long()
    count, steps = x.shape[:2]
    lengths = torch.full((count,), steps), torch.full((count,), labels.shape[1])
    return lambda: nn.functional.ctc_loss(
        x.log_softmax(-1).transpose(0, 1), labels, *lengths, reduction="none"), []


def run(case, tensors, options) -> None:
    """Prints the line of a case, with the fastest number of threads."""
    work = case["layout"]
    forward, training, difference = [], [], 0.0
    for threads in sorted({1, options.threads}):
        torch.set_num_threads(threads)
        x = torch.from_numpy(tensors["x"]).requires_grad_(work in ("crf", "ctc"))
        call, parameters = call_of(work, tensors, x)
        if work in ("viterbi", "greedy"):
            for expected, path in zip(tensors["y"], call()):
                if [int(label) for label in expected if label >= 0] != path:
                    difference = float("inf")
        else:
            def train():
                return torch.autograd.grad(call().mean(), [x, *parameters])

            # Its own float32 is off by more than the tolerance after 200 steps.
            exact = torch.from_numpy(tensors["x"]).double().requires_grad_()
            losses = call_of(work, tensors, exact)[0]()
            slopes, = torch.autograd.grad(losses.mean(), [exact])
            difference = max(difference, rivals.difference(tensors["y"], losses.detach().numpy()))
            difference = max(difference, rivals.difference(tensors["dx"], slopes.numpy()))
            training.append(measure(train, options.seconds / 2))
        with torch.inference_mode():
            forward.append(measure(call, options.seconds / 2))
    line = {"name": case["name"], "forward": min(forward), "difference": difference}
    print(json.dumps(line | ({"training": min(training)} if training else {})), flush=True)
