"""Golden files for schedules, parameter groups and recipes: PyTorch's weights after twenty steps of each.

fixtures/golden-recipes/<name>.h5:

    attributes  optimizer and its hyperparameters, lr, epochs (5), batch (10), hidden, layers, bidirectional
    x (40, 6, 3), y (40, 2), maybe lengths (40); with smoothing y is class numbers (40) or (40, 6), -100 to be ignored
    class_weights (3)            where there are any; smoothing is an attribute
    initial/NAME, weights/NAME   before and after; lstm.* and fc.* (two layers, fc on the last step; on h_n of the last
                                 layer's two directions where there are lengths)
    losses (20), rates (20)      the learning rate of fc in each step, and momenta (20) where they move

Batches are taken in order. Every run is repeated in float64, and the differences of float32 are printed.
"""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler as schedules

import golden_common as golden

EPOCHS, BATCH, COUNT = 5, 10, 40
STEPS = EPOCHS * COUNT // BATCH


class Model(nn.Module):
    def __init__(self, bidirectional=False, outputs=2):
        super().__init__()
        self.lstm = nn.LSTM(3, 7, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.fc = nn.Linear(14 if bidirectional else 7, outputs)

    def forward(self, x, lengths=None, steps=False):
        if steps:
            return self.fc(self.lstm(x)[0])
        if lengths is None:
            return self.fc(self.lstm(x)[0][:, -1])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        state = self.lstm(packed)[1][0]
        return self.fc(torch.cat([state[-2], state[-1]], dim=1) if self.lstm.bidirectional else state[-1])

    def parts(self):
        """From the head down."""
        named = dict(self.named_parameters())
        return [[p for n, p in named.items() if key in n] for key in ("fc.", "_l1", "_l0")]


def slanted(t, cut=0.1, ratio=32):
    turn = math.floor(STEPS * cut)
    p = t / turn if t < turn else 1 - (t - turn) / (STEPS - turn)
    return (1 + p * (ratio - 1)) / ratio


OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
CASES = {
    "discriminative": dict(optimizer="adam", lr=1e-2, divide=2.6),
    "own_rates": dict(optimizer="sgd", lr=0.1, momentum=0.9, own=[0.1, 0.05, 0.01]),
    "one_cycle": dict(optimizer="adamw", lr=1e-2, schedule=lambda o: schedules.OneCycleLR(o, 1e-2, total_steps=STEPS)),
    "one_cycle_sgd": dict(optimizer="sgd", lr=0.1, momentum=0.9, schedule=lambda o: schedules.OneCycleLR(o, 0.1, total_steps=STEPS)),
    "linear": dict(optimizer="adam", lr=1e-2, schedule=lambda o: schedules.LinearLR(o, 1.0, 0.1, total_iters=STEPS)),
    "cosine": dict(optimizer="adam", lr=1e-2, schedule=lambda o: schedules.CosineAnnealingLR(o, STEPS)),
    "step": dict(optimizer="sgd", lr=0.1, momentum=0.9, each_epoch=lambda o: schedules.StepLR(o, 2, 0.5)),
    "decay_of_weights": dict(optimizer="adamw", lr=1e-2, weight_decay=0.5, spare_biases=True),
    "ulmfit": dict(optimizer="adam", lr=1e-2, divide=2.6, unfreeze=True, schedule=lambda o: schedules.LambdaLR(o, slanted)),
    "lengths": dict(optimizer="adam", lr=1e-2, ragged=True),
    "lengths_bidirectional": dict(optimizer="adam", lr=1e-2, ragged=True, bidirectional=True),
    "smoothing": dict(optimizer="adam", lr=1e-2, smoothing=0.1),
    "smoothing_weights": dict(optimizer="adamw", lr=1e-2, smoothing=0.2, weights=[0.5, 2.0, 1.25]),
    "smoothing_steps": dict(optimizer="sgd", lr=0.1, momentum=0.9, smoothing=0.1, weights=[0.5, 2.0, 1.25], steps=True),
}


def fit(model, x, y, lengths, *, optimizer, lr, divide=1.0, own=None, schedule=None, each_epoch=None, spare_biases=False,
        unfreeze=False, ragged=False, bidirectional=False, smoothing=None, weights=None, steps=False, **options):
    parts = model.parts()
    groups = [{"params": part, "lr": own[k] if own else lr / divide**k} for k, part in enumerate(parts)]
    if spare_biases:
        groups = [{"params": [p for p in model.parameters() if p.dim() > 1]},
                  {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    update = OPTIMIZERS[optimizer](groups, lr=lr, **options)
    stepwise, epochwise = schedule and schedule(update), each_epoch and each_epoch(update)
    losses, rates, momenta = [], [], []
    for epoch in range(EPOCHS):
        for depth, part in enumerate(parts):
            for p in part:
                p.requires_grad_(not unfreeze or depth <= epoch)
        for rows in torch.arange(COUNT).split(BATCH):
            update.zero_grad(set_to_none=True)
            predicted = model(x[rows], lengths[rows] if ragged else None, steps)
            if smoothing is None:
                value = F.mse_loss(predicted, y[rows])
            else:
                balance = weights and torch.tensor(weights, dtype=predicted.dtype)
                value = F.cross_entropy(predicted.flatten(0, -2), y[rows].flatten(), balance, label_smoothing=smoothing)
            value.backward()
            group = update.param_groups[0]
            rates.append(group["lr"])
            momenta.append(group["momentum"] if "momentum" in group else group["betas"][0])
            update.step()
            if stepwise:
                stepwise.step()
            losses.append(value.item())
        if epochwise:
            epochwise.step()
    return losses, rates, momenta


def main():
    arguments = golden.arguments(__doc__, "golden-recipes")
    golden.deterministic()
    for name, case in CASES.items():
        golden.seed(name)
        model = Model(case.get("bidirectional", False), 3 if "smoothing" in case else 2)
        x, y = torch.randn(COUNT, 6, 3), torch.randn(COUNT, 2) + 1
        lengths = torch.randint(1, 7, (COUNT,))
        lengths[::BATCH] = 6
        if "smoothing" in case:
            shape = (COUNT, 6) if case.get("steps") else (COUNT,)
            y = torch.where(torch.rand(shape) < 0.1, -100, torch.randint(0, 3, shape))
        if case.get("steps"):  # Padding is what is ignored: the LSTM runs over it, and nothing looks at it.
            y[torch.arange(6) >= lengths[:, None]] = -100
        twin = copy.deepcopy(model).double()
        with golden.create(arguments.out / f"{name}.h5") as file:
            file.attrs["torch_version"] = str(torch.__version__)
            file.attrs["epochs"], file.attrs["batch"] = EPOCHS, BATCH
            for key, value in case.items():
                if isinstance(value, (str, float)):
                    file.attrs[key] = value
            golden.put(file, "x", x), golden.put(file, "y", y)
            if case.get("ragged") or case.get("steps"):
                golden.put(file, "lengths", lengths)
            if case.get("weights"):
                golden.put(file, "class_weights", torch.tensor(case["weights"]))
            golden.put_all(file.create_group("initial"), golden.state_of(model))
            losses, rates, momenta = fit(model, x, y, lengths, **case)
            golden.put_all(file.create_group("weights"), golden.state_of(model))
            golden.put(file, "losses", losses), golden.put(file, "rates", rates), golden.put(file, "momenta", momenta)
        fit(twin, x.double(), y if "smoothing" in case else y.double(), lengths, **case)
        stray = max((p.double() - q).abs().max().item() for p, q in zip(model.parameters(), twin.parameters()))
        print(f"  {name:<22} loss {losses[0]:.4f} -> {losses[-1]:.4f}, float32 from float64 {stray:.1e}")
    golden.summary(arguments.out)


if __name__ == "__main__":
    main()
