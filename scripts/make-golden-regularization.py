"""Golden files for regularization: AWD-LSTM's and PyTorch's dropouts, AR and TAR, label smoothing and class weights.

fixtures/golden-regularization/:

    awd.h5      tokens (13) -> embedding 5 -> LSTM 7 -> LSTM 5 -> fc 13 on every step, cross-entropy; 4 sequences of 6 steps,
                with all of AWD-LSTM's regularization, in its own order (model.py and main.py of salesforce/awd-lstm-lm)
    stack.h5    3 features -> bidirectional LSTM 4 -> bidirectional LSTM 3 -> fc 2 on the last step, MSE; 5 sequences of 1 to
                6 steps, packed; nn.LSTM's dropout between the layers, weight drop, AR and TAR over the valid steps
                both: seed, step, probabilities as attributes; x, y, [lengths], weights/NAME, output, and of the loss with AR
                and TAR gradients/NAME; loss, activation, temporal
    losses.h5   a group per cross-entropy: pred, target, label_smoothing, [weight], loss, grad

The masks are the project's own: `Masks` below is its generator, in Python. Everything else is torch's, in float64 from
float32 values.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import golden_common as golden

WORD = (1 << 64) - 1
LOCKED, ELEMENTS, EMBEDDING, WEIGHT = 1, 2, 3, 4


def finalize(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def numbers(seed, step, purpose, place, row):
    """xoshiro256** of one row of a mask."""
    state = seed
    for word in (step, purpose << 32 | place, row):
        state = finalize((state + word + 0x9E3779B97F4A7C15) & WORD)
    s = []
    for _ in range(4):
        state = (state + 0x9E3779B97F4A7C15) & WORD
        s.append(finalize(state))
    rotate = lambda x, k: ((x << k) | (x >> (64 - k))) & WORD
    while True:
        yield (rotate(s[1] * 5 & WORD, 7) * 9) & WORD
        shifted = s[1] << 17 & WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)


class Masks:
    """0 with probability p, else 1 / (1 - p): two from each number, the high half first."""

    def __init__(self, seed, step):
        self.key = (seed, step)

    def fill(self, stream, count, p):
        halves = []
        while len(halves) < count:
            number = next(stream)
            halves += [number >> 32, number & 0xFFFFFFFF]
        p = torch.tensor(p, dtype=torch.float32).double().item()
        return [0.0 if half < int(p * 2**32) else 1 / (1 - p) for half in halves[:count]]

    def rows(self, purpose, place, count, width, p):
        return torch.tensor([self.fill(numbers(*self.key, purpose, place, row), width, p) for row in range(count)],
                            dtype=torch.float64)

    def elements(self, place, lengths, width, p):
        mask = torch.zeros(len(lengths), max(lengths), width, dtype=torch.float64)
        for sequence, length in enumerate(lengths):
            stream = numbers(*self.key, ELEMENTS, place, sequence)
            for t in range(length):
                mask[sequence, t] = torch.tensor(self.fill(stream, width, p), dtype=torch.float64)
        return mask


def rounded(module):
    """float64, with values that float32 represents exactly."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(p.float().double())
    return module


def weight_dropped(masks, lstm, index, p):
    """The LSTM's parameters with weight_hh of each direction dropped; `index` counts directions over all layers."""
    parameters = dict(lstm.named_parameters())
    for place, suffix in enumerate(["", "_reverse"] if lstm.bidirectional else [""]):
        raw = parameters["weight_hh_l0" + suffix]
        parameters["weight_hh_l0" + suffix] = raw * masks.rows(WEIGHT, index + place, *raw.shape, p)
    return parameters


def write(path, key, rule, tensors, model, parts, named):
    sum(parts.values()).backward()
    with golden.create(path) as file:
        file.attrs["seed"], file.attrs["step"] = key
        for name, value in rule.items():
            file.attrs[name] = value
        single = lambda t: t.float() if t.is_floating_point() else t
        golden.put_all(file, {name: single(value) for name, value in tensors.items()})
        for name, value in parts.items():
            golden.put(file, name, value)
            print(f"  {path.name} {name}: {value.item():.6f}")
        golden.put_all(file.create_group("weights"), {named(n): p.float() for n, p in model.named_parameters()})
        golden.put_all(file.create_group("gradients"), {named(n): p.grad for n, p in model.named_parameters()})


def named(name):
    """layers.1.weight_hh_l0_reverse -> lstm.weight_hh_l1_reverse"""
    if name.startswith("layers."):
        _, layer, tensor = name.split(".")
        return "lstm." + tensor.replace("_l0", f"_l{layer}")
    return name.replace("fc.", "head.0.")


class Model(nn.Module):
    def __init__(self, inputs, hidden, outputs, bidirectional=False, vocabulary=0):
        super().__init__()
        if vocabulary:
            self.embedding = nn.Embedding(vocabulary, inputs)
        directions = 2 if bidirectional else 1
        widths = [inputs] + [h * directions for h in hidden]
        self.layers = nn.ModuleList(nn.LSTM(i, h, batch_first=True, bidirectional=bidirectional)
                                    for i, h in zip(widths, hidden))
        self.fc = nn.Linear(widths[-1], outputs)


def awd(folder):
    golden.seed("awd")
    key = (0xFEDCBA9876543210 >> 1, 17)
    masks = Masks(*key)
    rule = dict(input_dropout=0.3, hidden_dropout=0.25, output_dropout=0.4, embedding_dropout=0.2, weight_drop=0.5,
                alpha=2.0, beta=1.0)
    model = rounded(Model(5, [7, 5], 13, vocabulary=13))
    x, y = torch.randint(13, (4, 6)), torch.randint(13, (4, 6))
    locked = lambda h, place, p: h * masks.rows(LOCKED, place, h.shape[0], h.shape[2], p)[:, None]

    kept = masks.rows(EMBEDDING, 0, 1, 13, rule["embedding_dropout"]).T
    raw = locked(F.embedding(x, model.embedding.weight * kept), 0, rule["input_dropout"])
    for k, lstm in enumerate(model.layers):
        raw, _ = functional_call(lstm, weight_dropped(masks, lstm, k, rule["weight_drop"]), (raw,))
        h = raw
        if k + 1 < len(model.layers):
            raw = locked(raw, k + 1, rule["hidden_dropout"])
    dropped = locked(h, len(model.layers), rule["output_dropout"])
    output = model.fc(dropped)
    parts = dict(loss=F.cross_entropy(output.flatten(0, 1), y.flatten()), activation=rule["alpha"] * dropped.pow(2).mean(),
                 temporal=rule["beta"] * (h[:, 1:] - h[:, :-1]).pow(2).mean())
    write(folder / "awd.h5", key, rule, dict(x=x, y=y, output=output), model, parts, named)


def stack(folder):
    golden.seed("stack")
    key = (5, (3 << 32) | 9)
    masks = Masks(*key)
    rule = dict(dropout=0.35, weight_drop=0.2, alpha=0.7, beta=1.3)
    lengths = [4, 6, 1, 5, 2]
    model = rounded(Model(3, [4, 3], 2, bidirectional=True))
    x, y = torch.randn(5, 6, 3).double(), torch.randn(5, 2).double()
    h = x
    for k, lstm in enumerate(model.layers):
        packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
        out, _ = functional_call(lstm, weight_dropped(masks, lstm, 2 * k, rule["weight_drop"]), (packed,))
        h, _ = pad_packed_sequence(out, batch_first=True)
        if k + 1 < len(model.layers):
            h = h * masks.elements(k + 1, lengths, h.shape[2], rule["dropout"])
    output = model.fc(torch.stack([h[n, length - 1] for n, length in enumerate(lengths)]))
    valid = torch.cat([h[n, :length] for n, length in enumerate(lengths)])
    pairs = torch.cat([h[n, 1:length] - h[n, :length - 1] for n, length in enumerate(lengths)])
    parts = dict(loss=F.mse_loss(output, y), activation=rule["alpha"] * valid.pow(2).mean(),
                 temporal=rule["beta"] * pairs.pow(2).mean())
    write(folder / "stack.h5", key, rule, dict(x=x, y=y, lengths=torch.tensor(lengths), output=output), model, parts, named)


def losses(folder):
    golden.seed("smoothed losses")
    logits, labels = torch.randn(6, 5) * 3, torch.tensor([0, 1, 4, 3, 2, 1])
    logits[0, 1], logits[1, 2] = 90.0, -90.0
    steps, step_labels = torch.randn(3, 4, 7), torch.randint(7, (3, 4))
    some, some_steps = labels.clone(), step_labels.clone()
    some[2] = some[4] = -100
    some_steps[0, 2:] = some_steps[2, 0] = -100
    five, seven = torch.tensor([0.5, 2.0, 1.0, 0.0, 3.25]), torch.rand(7) * 4
    cases = {
        "smooth": (logits, labels, 0.1, None),
        "smooth_ignored": (logits, some, 0.3, None),
        "smooth_steps": (steps, some_steps, 0.1, None),
        "smooth_all": (logits, labels, 1.0, None),
        "weighted": (logits, labels, 0.0, five),
        "weighted_ignored": (logits, some, 0.0, five),
        "weighted_steps": (steps, some_steps, 0.0, seven),
        "both": (logits, labels, 0.1, five),
        "both_ignored": (logits, some, 0.25, five),
        "both_steps": (steps, some_steps, 0.2, seven),
    }
    with golden.create(folder / "losses.h5") as file:
        for name, (pred, target, smoothing, weight) in cases.items():
            leaf = pred.double().requires_grad_()
            given = leaf if leaf.dim() == 2 else leaf.transpose(1, 2)
            value = F.cross_entropy(given, target, weight=None if weight is None else weight.double(),
                                    label_smoothing=torch.tensor(smoothing).double().item(), ignore_index=-100)
            value.backward()
            group = file.create_group(name)
            golden.put_all(group, {"pred": pred, "target": target, "loss": value, "grad": leaf.grad.float()})
            if weight is not None:
                golden.put(group, "weight", weight)
            golden.put(group, "label_smoothing", torch.tensor(smoothing))
            print(f"  losses/{name:<20} {value.item():.7f}")


def main():
    folder = golden.arguments(__doc__, "golden-regularization").out
    golden.deterministic()
    awd(folder)
    stack(folder)
    losses(folder)
    golden.summary(folder)


if __name__ == "__main__":
    main()
