"""Golden file for low-rank adapters with freezing, recipes and learning rates by part: twenty steps of each combination.

fixtures/golden-lora/plans.h5

    LSTM(2, 3), two layers, fc 3 -> 2 on the last step, MSE, AdamW, clipped; 12 sequences of 5 steps in batches of 3, in
    order, 5 epochs.
    attributes: rank, alpha, lr, weight_decay, clip_norm, epochs, batch, seed, and what the columns of `choices` choose from,
    in lists with a semicolon between two: lora_on (what gets adapters, nothing: none), freeze, recipe, rates
    x, y, initial/NAME
    choices (C, 5)     for each case its lora_on, freeze, recipe and rates, and 1 where the request makes no sense
    losses (C, 20)     before each step
    weights (C, P)     afterwards, all of them, in the order of `order`, with the adapters merged

A and B are not in the file: their initial values are drawn from the seed as in lstm-ft. Which parameters are trained, and with
which learning rate, is derived here from the documentation of the options, independently of lstm-ft's code. The runs are repeated in float64, and the differences of float32 are printed.
"""

import fnmatch
import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import golden_common as golden

EPOCHS, BATCH, COUNT = 5, 3, 12
STEPS = EPOCHS * COUNT // BATCH
RANK, ALPHA, RATE, DECAY, CLIP, SEED = 2, 3.0, 1e-2, 0.01, 0.4, 5
LORA_ON = ["", "lstm", "layer1", "head", "layer0,head", "lstm.weight_hh_*"]
FREEZE = ["", "layer0", "layer1", "head", "layer0.forget", "lstm.weight_ih_l1", "layer0,head.0.bias", "layer1.cell,layer1"]
RECIPES = ["full", "head-first", "ulmfit"]
RATES = ["", "lstm=0.004"]
HIDDEN = 3
GATES = ["input", "forget", "cell", "output"]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, num_layers=2, batch_first=True)
        self.head = nn.ModuleList([nn.Linear(HIDDEN, 2)])

    def forward(self, x):
        return self.head[0](self.lstm(x)[0][:, -1])


class RandomNumbers:
    """xoshiro256** as lstm-ft seeds it from a seed and a name."""

    MASK = (1 << 64) - 1

    def __init__(self, seed, name):
        value = 0xCBF29CE484222325
        for byte in name.encode():
            value = ((value ^ byte) * 0x100000001B3) & self.MASK
        seed ^= value
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & self.MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
            self.state.append(z ^ (z >> 31))

    def next(self):
        rotate = lambda x, k: ((x << k) | (x >> (64 - k))) & self.MASK
        s = self.state
        result = rotate((s[1] * 5) & self.MASK, 7) * 9 & self.MASK
        shifted = (s[1] << 17) & self.MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)
        return result

    def uniform(self, bound):
        unit = np.float32(self.next() >> 40) * np.float32(2**-24)
        return (np.float32(2) * unit - np.float32(1)) * bound


def first_a(name, columns):
    random = RandomNumbers(SEED, f"lora.{name}.A")
    bound = np.float32(1) / np.sqrt(np.float32(columns))
    return torch.tensor(np.array([random.uniform(bound) for _ in range(RANK * columns)], dtype=np.float32)).view(RANK, columns)


def rows_named(selector, name, rows):
    """The rows of a parameter that a selector names, as a mask; None for none."""
    part = "head" if name.startswith("head") else f"layer{name[-1]}"
    names = {name, part} | ({"lstm"} if part != "head" else {"head.0"})
    if selector in names or fnmatch.fnmatch(name, selector):
        return torch.ones(rows, dtype=torch.bool)
    base, _, gate = selector.rpartition(".")
    if gate in GATES and base in names:
        mask = torch.zeros(rows, dtype=torch.bool)
        place = GATES.index(gate) * HIDDEN
        mask[place:place + HIDDEN] = True
        return mask
    return None


def plan(start, lora_on, freeze, recipe, rates):
    """For each parameter the rows that train, whether by an adapter, its part from the top, its own rate; None when refused."""
    frozen = {name: torch.zeros(len(w), dtype=torch.bool) for name, w in start.items()}
    for selector in filter(None, freeze.split(",")):
        for name, w in start.items():
            mask = rows_named(selector, name, len(w))
            if mask is not None:
                frozen[name] |= mask
    targets = [t for t in lora_on.split(",") if t]
    adapted = []
    for name, w in start.items():
        if w.dim() == 2 and any(rows_named(t, name, len(w)) is not None for t in targets) and not frozen[name].all():
            if frozen[name].any():
                return None
            adapted.append(name)
    if targets and not adapted:
        return None
    trains = {}
    for name, w in start.items():
        if name in adapted:
            trains[name] = torch.ones(len(w), dtype=torch.bool)
        elif not targets or name.startswith("head"):
            trains[name] = ~frozen[name]
    trains = {name: rows for name, rows in trains.items() if rows.any()}
    own = {}
    for text in filter(None, rates.split(",")):
        selector, rate = text.split("=")
        named = [n for n, w in start.items() if rows_named(selector, n, len(w)) is not None]
        if not any(n in trains for n in named):
            return None
        own.update({n: float(rate) for n in named})
    depth = lambda name: 0 if name.startswith("head") else 2 - int(name[-1])
    depths = sorted({depth(n) for n in trains})
    part = {n: depths.index(depth(n)) for n in trains}
    return trains, adapted, part, own


def slanted(t, cut=0.1, ratio=32):
    turn = math.floor(STEPS * cut)
    p = t / turn if t < turn else 1 - (t - turn) / (STEPS - turn)
    return (1 + p * (ratio - 1)) / ratio


def fit(start, x, y, decided, recipe, dtype):
    trains, adapted, part, own = decided
    model = Model().to(dtype)
    fixed = {name: w.to(dtype) for name, w in start.items()}
    moving, group_of = {}, {}
    for name in trains:
        if name in adapted:
            moving[name] = [first_a(name, fixed[name].shape[1]).to(dtype), torch.zeros(len(fixed[name]), RANK, dtype=dtype)]
        else:
            moving[name] = [fixed[name].clone()]
        for p in moving[name]:
            p.requires_grad_()
    update = torch.optim.AdamW([{"params": ps, "name": name} for name, ps in moving.items()], lr=RATE, weight_decay=DECAY)

    def effective():
        result = dict(fixed)
        for name, ps in moving.items():
            if name in adapted:
                result[name] = fixed[name] + ALPHA / RANK * (ps[1] @ ps[0])
            else:
                rows = trains[name].view(-1, *[1] * (fixed[name].dim() - 1))
                result[name] = torch.where(rows, ps[0], fixed[name])
        return result

    count = max(part.values()) + 1
    losses, step = [], 0
    for epoch in range(EPOCHS):
        now = {n for n in trains if recipe == "full" or part[n] <= epoch or recipe == "head-first" and epoch > 0}
        slower = 0.1 if recipe == "head-first" and epoch > 0 and count > 1 else 1.0
        for name, ps in moving.items():
            for p in ps:
                p.requires_grad_(name in now)
        for rows in torch.arange(COUNT).split(BATCH):
            for group in update.param_groups:
                name = group["name"]
                base = own.get(name, RATE * (2.6 ** -part[name] if recipe == "ulmfit" else 1.0))
                group["lr"] = base * slower * (slanted(step) if recipe == "ulmfit" else 1.0)
            update.zero_grad(set_to_none=True)
            loss = F.mse_loss(functional_call(model, effective(), (x[rows].to(dtype),)), y[rows].to(dtype))
            loss.backward()
            nn.utils.clip_grad_norm_([p for ps in moving.values() for p in ps if p.grad is not None], CLIP)
            update.step()
            losses.append(loss.item())
            step += 1
    return losses, {name: w.detach() for name, w in effective().items()}


def main():
    folder = golden.arguments(__doc__, "golden-lora").out
    golden.deterministic()
    golden.seed("lora plans")
    start = golden.state_of(Model())
    x, y = torch.randn(COUNT, 5, 2), torch.randn(COUNT, 2)
    order = list(start)
    choices, losses, weights, noise, refused = [], [], [], 0.0, 0
    for a, b, c, d in itertools.product(*[range(len(t)) for t in (LORA_ON, FREEZE, RECIPES, RATES)]):
        decided = plan(start, LORA_ON[a], FREEZE[b], RECIPES[c], RATES[d])
        choices.append([a, b, c, d, int(decided is None)])
        if decided is None:
            refused += 1
            losses.append([0.0] * STEPS), weights.append(torch.zeros(sum(w.numel() for w in start.values())))
            continue
        made, after = fit(start, x, y, decided, RECIPES[c], torch.float32)
        _, exact = fit(start, x, y, decided, RECIPES[c], torch.float64)
        noise = max(noise, max((after[n].double() - exact[n]).abs().max().item() for n in order))
        losses.append(made), weights.append(torch.cat([after[n].flatten() for n in order]))
    print(f"  {len(choices)} cases, {refused} of them refused; float32 from float64 {noise:.2e}")
    with golden.create(folder / "plans.h5") as file:
        for key, value in dict(rank=RANK, alpha=ALPHA, lr=RATE, weight_decay=DECAY, clip_norm=CLIP, epochs=EPOCHS, batch=BATCH,
                               seed=SEED, lora_on=";".join(LORA_ON), freeze=";".join(FREEZE), recipe=";".join(RECIPES),
                               rates=";".join(RATES), order=",".join(order), optimizer="adamw",
                               torch_version=str(torch.__version__)).items():
            file.attrs[key] = value
        golden.put(file, "x", x), golden.put(file, "y", y)
        golden.put_all(file.create_group("initial"), start)
        golden.put(file, "choices", np.array(choices, dtype=np.int32))
        golden.put(file, "losses", np.array(losses, dtype=np.float32), compress=True)
        golden.put(file, "weights", torch.stack(weights), compress=True)
    golden.summary(folder, "plans.h5")


if __name__ == "__main__":
    main()
