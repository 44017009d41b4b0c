"""Golden files for low-rank adapters: twenty steps of torch.nn.LSTM on W = W0 + (alpha / r) B A.

fixtures/golden-lora/NAME.h5

    head_and_layer1   only A and B are trained, on layer 1 and the head; Adam
    lstm_clip         A and B on both layers, and all biases and the head without adapters; AdamW, clipped

    LSTM(5, 8), two layers, fc 8 -> 3 on the last step, MSE, a batch of 12 x 7 steps, the same one in every step.
    attributes: rank, alpha, targets (as lstm-ft names them), trainable (names that train themselves, or none),
    optimizer, lr, weight_decay, clip_norm (0: none), steps
    x, y, initial/NAME, lora/NAME.A and lora/NAME.B at the start,
    losses (steps), norms (steps): before each step, norms of all trainable gradients, before clipping,
    step{1,2,20}/NAME the weights W after it, lora20/NAME.A and .B

The run is repeated in float64, and the differences of float32 are printed.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import golden_common as golden

STEPS = 20


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 8, num_layers=2, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


def fit(start, adapters, x, y, adapted, scale, dtype, *, optimizer, trainable, clip, **options):
    """Returns losses, norms, the weights after each step, and A and B at the end."""
    model = Model().to(dtype)
    weights = {name: value.to(dtype).requires_grad_(name in trainable) for name, value in start.items()}
    pairs = {name: value.to(dtype).requires_grad_() for name, value in adapters.items()}
    moving = [w for w in weights.values() if w.requires_grad] + list(pairs.values())
    update = getattr(torch.optim, optimizer)(moving, **options)

    def effective():
        return {name: w + scale * (pairs[name + ".B"] @ pairs[name + ".A"]) if name in adapted else w
                for name, w in weights.items()}

    losses, norms, after = [], [], []
    for _ in range(STEPS):
        update.zero_grad()
        value = F.mse_loss(functional_call(model, effective(), (x.to(dtype),)), y.to(dtype))
        value.backward()
        assert all(p.grad is not None for p in moving)
        norms.append(nn.utils.clip_grad_norm_(moving, clip or float("inf")).item())
        update.step()
        losses.append(value.item())
        after.append({name: w.detach().clone() for name, w in effective().items()})
    return losses, norms, after, {name: p.detach().clone() for name, p in pairs.items()}


def case(folder, name, *, rank, alpha, targets, adapted, trainable, optimizer, lr, weight_decay, clip):
    golden.seed("lora " + name)
    start = golden.state_of(Model())
    x, y = torch.randn(12, 7, 5), torch.randn(12, 3)
    adapters = {}
    for key in adapted:
        rows, columns = start[key].shape
        adapters[key + ".A"] = torch.empty(rank, columns)
        nn.init.kaiming_uniform_(adapters[key + ".A"], a=5**0.5)
        adapters[key + ".B"] = torch.zeros(rows, rank)
    copy = lambda tensors: {key: value.clone() for key, value in tensors.items()}
    options = dict(optimizer=optimizer, trainable=trainable, clip=clip, lr=lr, weight_decay=weight_decay)
    losses, norms, after, ends = fit(copy(start), copy(adapters), x, y, adapted, alpha / rank, torch.float32, **options)
    exact = fit(copy(start), copy(adapters), x, y, adapted, alpha / rank, torch.float64, **options)
    noise = max((a.double() - b).abs().max().item() for a, b in zip(after[-1].values(), exact[2][-1].values()))
    print(f"  {name:<18} float32 from float64 {noise:.2e}; loss {losses[0]:.6f} -> {losses[-1]:.6f}")
    if clip and min(norms) <= clip:
        raise SystemExit(f"error: {name}: clipping at {clip} does not engage: {norms}")
    with golden.create(folder / f"{name}.h5") as file:
        for key, value in dict(rank=rank, alpha=alpha, targets=",".join(targets), trainable=",".join(trainable) or "none",
                               optimizer=optimizer.lower(), lr=lr, weight_decay=weight_decay, clip_norm=clip, steps=STEPS,
                               torch_version=str(torch.__version__)).items():
            file.attrs[key] = value
        golden.put(file, "x", x), golden.put(file, "y", y)
        golden.put_all(file.create_group("initial"), start)
        golden.put_all(file.create_group("lora"), adapters)
        golden.put(file, "losses", losses), golden.put(file, "norms", norms)
        for step in (1, 2, STEPS):
            golden.put_all(file.create_group(f"step{step}"), after[step - 1])
        golden.put_all(file.create_group(f"lora{STEPS}"), ends)


def main():
    folder = golden.arguments(__doc__, "golden-lora").out
    golden.deterministic()
    layer = lambda k: [f"lstm.weight_ih_l{k}", f"lstm.weight_hh_l{k}"]
    case(folder, "head_and_layer1", rank=3, alpha=6.0, targets=["layer1", "head"], adapted=[*layer(1), "fc.weight"],
         trainable=[], optimizer="Adam", lr=1e-2, weight_decay=0.0, clip=0.0)
    case(folder, "lstm_clip", rank=2, alpha=5.0, targets=["lstm"], adapted=[*layer(0), *layer(1)],
         trainable=[f"lstm.bias_{kind}_l{k}" for k in (0, 1) for kind in ("ih", "hh")] + ["fc.weight", "fc.bias"],
         optimizer="AdamW", lr=1e-2, weight_decay=0.01, clip=0.05)
    golden.summary(folder)


if __name__ == "__main__":
    main()
