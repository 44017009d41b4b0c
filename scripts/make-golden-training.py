"""Golden files for training: optimizers, losses, the seed example, fine-tuning with frozen layers.

fixtures/golden-training/:

    optim_<name>[_clip].h5     LSTM(3, 7) + fc 7 -> 2 on the last step, MSE, one batch of 8 x 6 steps, ten optimizer steps.
                               attributes: optimizer and its hyperparameters, clip_norm (0: none), steps
                               x, y, initial/NAME, losses (10, float64 of the float32 loss before each step),
                               norms (10, float64, global gradient norm before clipping), step{1..10}/NAME
    seed_example_weights.h5    a bare LSTM(100, 1)'s state_dict; seed_example_data.h5: x (1000,1,100), y (1000,1,1);
    seed_example_expected.h5   losses (50), weights/NAME: batches of 100 in order, Adam 1e-3, MSE, 5 epochs
                               (weight_hh never moves: one step from a zero state)
    freeze_layer0_weights.h5   lstm.* of two layers LSTM(4, 12), fc 12 -> 1; freeze_layer0_data.h5: x (96,10,4), y (96,1);
    freeze_layer0_expected.h5  3 epochs, batches of 16 in order, Adam 1e-3, MSE, layer 0 frozen: losses (18), norms, weights/NAME
    freeze_layer0_adamw_expected.h5   the same with AdamW (weight_decay 0.01) and clipping at 1.0
    classify_*.h5              embedding (11, 6), LSTM(6, 10), fc 10 -> 3; x int64 (64,9), y int64 (64); embedding frozen;
                               2 epochs of 4 batches in order, SGD 0.1, momentum 0.9, cross-entropy
    classify_bce_*.h5          fc 10 -> 1, y float32 (64,1), binary cross-entropy on the logit
    losses.h5                  a group per loss: pred, target, loss, grad; attributes loss, delta or beta, ignore_index

Every run is repeated in float64 from the same values; the differences of float32 are printed and stored (noise.json).
"""

import copy
import json

import torch
from torch import nn
from torch.nn import functional as F

import golden_common as golden


class Model(nn.Module):
    """[embedding] -> LSTM -> fc on the last step."""

    def __init__(self, inputs, hidden, outputs, layers=1, vocabulary=0):
        super().__init__()
        if vocabulary:
            self.embedding = nn.Embedding(vocabulary, inputs)
        self.lstm = nn.LSTM(inputs, hidden, num_layers=layers, batch_first=True)
        self.fc = nn.Linear(hidden, outputs)

    def forward(self, x):
        x = self.embedding(x) if hasattr(self, "embedding") else x
        return self.fc(self.lstm(x)[0][:, -1])


class Bare(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.lstm = nn.LSTM(*sizes, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def fit(model, x, y, loss, *, optimizer, epochs, batch, clip=0.0, frozen=(), each=None, **options):
    """Batches in order. Returns the losses and the gradient norms before clipping; `each` is called after every step."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(part in name for part in frozen))
    parameters = [p for p in model.parameters() if p.requires_grad]
    update = OPTIMIZERS[optimizer](parameters, **options)
    losses, norms = [], []
    for _ in range(epochs):
        for rows in torch.arange(len(x)).split(batch):
            update.zero_grad()
            value = loss(model(x[rows]), y[rows])
            value.backward()
            norms.append(nn.utils.clip_grad_norm_(parameters, clip or float("inf")).item())
            update.step()
            losses.append(value.item())
            if each:
                each(len(losses), model)
    return losses, norms


def doubled(t):
    return t.double() if t.is_floating_point() else t


def noise_of(name, model, twin, losses, exact_losses):
    """The differences of the float32 run from the float64 one: weights (absolute) and losses (relative)."""
    weights = max((p.double() - q).abs().max().item() for p, q in zip(model.parameters(), twin.parameters()))
    loss = max(abs(a - b) / max(abs(b), 1e-30) for a, b in zip(losses, exact_losses))
    print(f"  {name:<26} float32 from float64: weights {weights:.2e}, losses {loss:.2e} relative; loss {losses[0]:.6f} -> {losses[-1]:.6f}")
    return {"weights": weights, "losses_relative": loss}


def optimizers(folder, noise):
    table = {
        "sgd_momentum": dict(optimizer="sgd", lr=0.05, momentum=0.9),
        "sgd_nesterov": dict(optimizer="sgd", lr=0.05, momentum=0.9, nesterov=True),
        "sgd_dampening": dict(optimizer="sgd", lr=0.05, momentum=0.9, dampening=0.1, weight_decay=1e-2),
        "adam": dict(optimizer="adam", lr=1e-2),
        "adam_decay": dict(optimizer="adam", lr=1e-2, weight_decay=1e-2),
        "adam_amsgrad": dict(optimizer="adam", lr=1e-2, amsgrad=True),
        "adamw": dict(optimizer="adamw", lr=1e-2, weight_decay=0.01),
    }
    defaults = {"sgd": dict(momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False),
                "adam": dict(beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, amsgrad=False)}
    defaults["adamw"] = defaults["adam"]
    golden.seed("optimizers")
    start = Model(3, 7, 2)
    x, y = torch.randn(8, 6, 3), torch.randn(8, 2) * 2 + 1
    for name, options in table.items():
        for clip in (0.0, 0.25):
            full = name + ("_clip" if clip else "")
            model, twin = copy.deepcopy(start), copy.deepcopy(start).double()
            with golden.create(folder / f"optim_{full}.h5") as file:
                for key, value in (dict(clip_norm=clip, steps=10) | defaults[options["optimizer"]] | options).items():
                    file.attrs[key] = int(value) if isinstance(value, bool) else value
                file.attrs["torch_version"] = str(torch.__version__)
                golden.put(file, "x", x), golden.put(file, "y", y)
                golden.put_all(file.create_group("initial"), golden.state_of(model))
                losses, norms = fit(model, x, y, F.mse_loss, epochs=10, batch=8, clip=clip, **options,
                                    each=lambda n, m: golden.put_all(file.create_group(f"step{n}"), golden.state_of(m)))
                golden.put(file, "losses", losses), golden.put(file, "norms", norms)
            exact, _ = fit(twin, x.double(), y.double(), F.mse_loss, epochs=10, batch=8, clip=clip, **options)
            noise["optim_" + full] = noise_of("optim_" + full, model, twin, losses, exact)
            if clip and min(norms) <= clip:
                raise SystemExit(f"error: {full}: clipping at {clip} never engages: {norms}")


def finetune(folder, noise, name, model, x, y, loss, *, stem=None, user=lambda key: key, **options):
    """Write NAME_weights, NAME_data (unless `stem` names files that exist) and NAME_expected."""
    if stem is None:
        with golden.create(folder / f"{name}_weights.h5") as file:
            golden.put_all(file, {user(key): value for key, value in golden.state_of(model).items()})
        with golden.create(folder / f"{name}_data.h5") as file:
            golden.put(file, "x", x), golden.put(file, "y", y)
    before = golden.state_of(model)
    model, twin = copy.deepcopy(model), copy.deepcopy(model).double()
    losses, norms = fit(model, x, y, loss, **options)
    exact, _ = fit(twin, doubled(x), doubled(y), loss, **options)
    with golden.create(folder / f"{name}_expected.h5") as file:
        golden.put(file, "losses", torch.tensor(losses)), golden.put(file, "norms", norms)
        golden.put_all(file.create_group("weights"), {user(key): value for key, value in golden.state_of(model).items()})
        for key, value in (dict(clip=0.0) | options).items():
            file.attrs[key] = ",".join(value) if key == "frozen" else value
        file.attrs["torch_version"] = str(torch.__version__)
    for key, value in model.state_dict().items():
        if any(part in key for part in options.get("frozen", ())):
            if not torch.equal(value, before[key]):
                raise SystemExit(f"error: {name}: {key} moved though frozen")
        elif torch.equal(value, before[key]):
            print(f"  {name}: {key} is trained but does not move (no gradient reaches it)")
    noise[name] = noise_of(name, model, twin, losses, exact)


def losses(folder):
    golden.seed("losses")
    regression = (torch.randn(6, 4) * 1.5, torch.randn(6, 4))
    regression[0][0, 0] = regression[1][0, 0]  # no difference at all: L1's gradient is 0 there
    regression[0][1, 1], regression[1][1, 1] = 1.5, 0.5  # on Huber's corner (delta = 1)
    logits, labels = torch.randn(6, 5) * 3, torch.randint(5, (6,))
    logits[0, 1], logits[1, 2] = 90.0, -90.0  # beyond what a plain exponential can hold
    steps, step_labels = torch.randn(3, 4, 5), torch.randint(5, (3, 4))
    some, some_steps = labels.clone(), step_labels.clone()
    some[2] = some[4] = -100
    some_steps[0, 2:] = some_steps[2, 0] = -100
    binary, truth = torch.randn(6, 2) * 3, torch.randint(2, (6, 2)).float()
    binary[0, 0], binary[0, 1], truth[1, 1] = 95.0, -95.0, 0.3
    entropy = lambda p, t: F.cross_entropy(p if p.dim() == 2 else p.transpose(1, 2), t, ignore_index=-100)
    cases = {
        "mse": (F.mse_loss, *regression, {}),
        "l1": (F.l1_loss, *regression, {}),
        "huber": (lambda p, t: F.huber_loss(p, t, delta=1.0), *regression, dict(delta=1.0)),
        "huber_half": (lambda p, t: F.huber_loss(p, t, delta=0.5), *regression, dict(delta=0.5)),
        "smooth_l1": (lambda p, t: F.smooth_l1_loss(p, t, beta=1.0), *regression, dict(beta=1.0)),
        "smooth_l1_half": (lambda p, t: F.smooth_l1_loss(p, t, beta=0.5), *regression, dict(beta=0.5)),
        "cross_entropy": (entropy, logits, labels, {}),
        "cross_entropy_ignored": (entropy, logits, some, dict(ignore_index=-100)),
        "cross_entropy_steps": (entropy, steps, step_labels, {}),
        "cross_entropy_steps_ignored": (entropy, steps, some_steps, dict(ignore_index=-100)),
        "binary_cross_entropy": (F.binary_cross_entropy_with_logits, binary, truth, {}),
    }
    with golden.create(folder / "losses.h5") as file:
        for name, (function, pred, target, attributes) in cases.items():
            leaf = pred.clone().requires_grad_()
            value = function(leaf, target)
            value.backward()
            group = file.create_group(name)
            golden.put_all(group, {"pred": pred, "target": target, "loss": value, "grad": leaf.grad})
            group.attrs["loss"] = name.replace("_ignored", "").replace("_steps", "").replace("_half", "")
            for key, number in attributes.items():
                group.attrs[key] = number
            print(f"  losses/{name:<28} {value.item():.7f}")


def main():
    folder = golden.arguments(__doc__, "golden-training").out
    golden.deterministic()
    noise = {}
    optimizers(folder, noise)

    golden.seed("seed example")
    x, y = torch.randn(1000, 1, 100), torch.randn(1000, 1, 1)
    finetune(folder, noise, "seed_example", Bare(100, 1), x, y, F.mse_loss, user=lambda key: key.removeprefix("lstm."),
             optimizer="adam", lr=1e-3, epochs=5, batch=100)

    golden.seed("freeze layer0")
    model = Model(4, 12, 1, layers=2)
    x = torch.randn(96, 10, 4)
    y = x[:, -3:, :2].sum((1, 2))[:, None] * 0.5 + torch.randn(96, 1) * 0.1
    common = dict(epochs=3, batch=16, frozen=("_l0",), lr=1e-3)
    finetune(folder, noise, "freeze_layer0", model, x, y, F.mse_loss, optimizer="adam", **common)
    finetune(folder, noise, "freeze_layer0_adamw", model, x, y, F.mse_loss, stem="freeze_layer0", optimizer="adamw",
             weight_decay=0.01, clip=1.0, **common)

    golden.seed("classify")
    tokens = torch.randint(11, (64, 9))
    common = dict(epochs=2, batch=16, frozen=("embedding",), optimizer="sgd", lr=0.1, momentum=0.9)
    finetune(folder, noise, "classify", Model(6, 10, 3, vocabulary=11), tokens, tokens.sum(1) % 3, F.cross_entropy, **common)
    finetune(folder, noise, "classify_bce", Model(6, 10, 1, vocabulary=11), tokens, (tokens[:, -1:] > 5).float(),
             F.binary_cross_entropy_with_logits, **common)

    losses(folder)
    (folder / "noise.json").write_text(json.dumps(noise, indent=1) + "\n")
    golden.summary(folder)


if __name__ == "__main__":
    main()
