"""The same cases as lstm-bench in PyTorch: median milliseconds of an inference pass and of a training step.

Usage: pytorch.py [THREADS [SECONDS]]
"""

import statistics
import sys
import time

import torch

CASES = {  # I, H, L, B, T
    "seed": (100, 1, 1, 100, 1),
    "series-64": (8, 64, 1, 32, 48),
    "series-128": (32, 128, 2, 64, 96),
    "char": (100, 128, 2, 128, 40),
    "speaker": (40, 256, 3, 16, 160),
    "512": (512, 512, 2, 32, 64),
    "512-single": (512, 512, 2, 1, 64),
    "step-256": (256, 256, 1, 1, 1),
    "step-128": (128, 128, 1, 1, 1),
}


def median(seconds: float, body) -> float:
    body()
    times, total = [], 0.0
    while total < seconds or len(times) < 5:
        began = time.perf_counter()
        body()
        times.append(time.perf_counter() - began)
        total += times[-1]
    return statistics.median(times)


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    for name, (i, h, layers, batch, steps) in CASES.items():
        module = torch.nn.LSTM(i, h, layers, batch_first=True)
        optimiser = torch.optim.Adam(module.parameters(), fused=True)
        x, y = torch.randn(batch, steps, i), torch.zeros(batch, steps, h)

        def infer() -> None:
            with torch.inference_mode():
                module(x)

        def train() -> None:
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(module(x)[0], y).backward()
            optimiser.step()

        print(f"{name:14} inference {median(seconds, infer) * 1e3:10.3f} ms   training {median(seconds, train) * 1e3:10.3f} ms", flush=True)


if __name__ == "__main__":
    main()
