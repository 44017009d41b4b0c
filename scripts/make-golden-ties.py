"""Golden files for tied parameters and padding rows: twenty training steps in PyTorch.

fixtures/golden-ties/:

    tied_<optimizer>.h5      embedding (13, 6), LSTM(6, 6), decoder 6 -> 13 whose weight is the embedding's; every step is
                             scored with cross-entropy
    padding_<optimizer>.h5   embedding (13, 5) with padding_idx=0, LSTM(5, 7), fc 7 -> 4 on the last step, cross-entropy
    both_<optimizer>.h5      the tied model with padding_idx=2: the row gets the decoder's gradient alone
    stray_<optimizer>.h5     the padded model whose padding row is not zero: weight decay moves it, nothing else
    attributes               optimizer and its hyperparameters, clip_norm (0: none), padding_idx (-1: none)
    datasets                 x, y (int64); initial/NAME; losses (20), norms (20, before clipping); after/NAME: the state_dict
                             after the last step
fixtures/wild/:

    tied, padding-row        small files as people have them, with inputs and outputs
    tied/tied.onnx           the tied model of tied.pt as torch.onnx.export writes it without constant folding
    tied/clone.pt            its state_dict with a copy of each tensor: nothing is shared
    tied/half.safetensors    the same in float16, saved without metadata
    tied/once.safetensors    decoder.weight left away, as tools do that keep tied weights once
    tied/flattened.pt        an LSTM whose weights are views of one storage, as cuDNN wants them: nothing is tied
    tied/triple.pt           the decoder registered under a second name

The first of these are copied by hand; the others are made here of them.
"""

import copy
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

import golden_common as golden


class Tied(nn.Module):
    def __init__(self, vocabulary=13, size=6, padding=None):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=padding)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.decoder = nn.Linear(size, vocabulary)
        self.decoder.weight = self.embedding.weight

    def forward(self, x):
        return self.decoder(self.lstm(self.embedding(x))[0]).transpose(1, 2)


class Padded(nn.Module):
    def __init__(self, padding=0):
        super().__init__()
        self.embedding = nn.Embedding(13, 5, padding_idx=padding)
        self.lstm = nn.LSTM(5, 7, batch_first=True)
        self.fc = nn.Linear(7, 4)

    def forward(self, x):
        return self.fc(self.lstm(self.embedding(x))[0][:, -1])


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.2, momentum=0.9), 0.0),
    "adam": (torch.optim.Adam, dict(lr=1e-2), 0.0),
    "adamw": (torch.optim.AdamW, dict(lr=1e-2, weight_decay=0.1), 0.25),
}


def train(model, x, y, make, options, clip):
    optimizer = make(model.parameters(), **options)
    losses, norms = [], []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip or float("inf")).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def case(folder, kind, model, x, y, padding):
    for name, (make, options, clip) in OPTIMIZERS.items():
        trained = copy.deepcopy(model)
        with golden.create(folder / f"{kind}_{name}.h5") as file:
            file.attrs["optimizer"] = name
            for key, value in options.items():
                file.attrs[key] = value
            file.attrs["clip_norm"], file.attrs["padding_idx"] = clip, -1 if padding is None else padding
            file.attrs["torch_version"] = str(torch.__version__)
            golden.put(file, "x", x), golden.put(file, "y", y)
            golden.put_all(file.create_group("initial"), golden.state_of(trained))
            losses, norms = train(trained, x, y, make, options, clip)
            golden.put(file, "losses", torch.tensor(losses, dtype=torch.float64))
            golden.put(file, "norms", torch.tensor(norms, dtype=torch.float64))
            golden.put_all(file.create_group("after"), golden.state_of(trained))
        twin = copy.deepcopy(model).double()
        train(twin, x, y, make, options, clip)
        noise = max((p.double() - q).abs().max().item() for p, q in zip(trained.parameters(), twin.parameters()))
        if clip and max(norms) <= clip:
            raise SystemExit(f"error: {kind}_{name}: clipping never engages: {norms}")
        print(f"  {kind}_{name:<8} float32 from float64 {noise:.1e}, loss {losses[0]:.4f} -> {losses[-1]:.4f}")


class Wild(nn.Module):
    """What wild/tied/tied.pt is the state_dict of."""

    def __init__(self, state):
        super().__init__()
        vocabulary, size = state["embedding.weight"].shape
        self.embedding = nn.Embedding(vocabulary, size)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.decoder = nn.Linear(size, vocabulary)
        self.decoder.weight = self.embedding.weight
        self.load_state_dict(state)

    def forward(self, x):
        return self.decoder(self.lstm(self.embedding(x))[0])


def wild(folder):
    state = torch.load(folder / "tied.pt", weights_only=True)
    torch.onnx.export(
        Wild(state).eval(), (torch.zeros(2, 5, dtype=torch.long),), str(folder / "tied.onnx"), dynamo=False,
        do_constant_folding=False, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "n", 1: "t"}, "y": {0: "n", 1: "t"}})
    torch.save({key: value.clone() for key, value in state.items()}, folder / "clone.pt")
    save_file({key: value.half().clone() for key, value in state.items()}, folder / "half.safetensors")
    save_file({key: value.clone() for key, value in state.items() if key != "decoder.weight"},
              folder / "once.safetensors")
    flat = {key: value.clone() for key, value in state.items()}
    names = [key for key in flat if key.startswith("lstm.")]
    storage = torch.cat([flat[key].reshape(-1) for key in names])
    at = 0
    for key in names:
        flat[key] = storage[at:at + flat[key].numel()].view(flat[key].shape)
        at += flat[key].numel()
    torch.save({key: value for key, value in flat.items() if not key.startswith(("embedding", "decoder"))},
               folder / "flattened.pt")
    torch.save(state | {"lm_head.weight": state["decoder.weight"], "lm_head.bias": state["decoder.bias"]},
               folder / "triple.pt")


def main():
    folder = golden.arguments(__doc__, "golden-ties").out
    golden.deterministic()
    golden.seed("ties")
    tokens = torch.randint(13, (6, 9))
    tokens[:, :2] = torch.tensor([0, 2])
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    labels = torch.randint(4, (6,))
    case(folder, "tied", Tied(), x, y, None)
    case(folder, "both", Tied(padding=2), x, y, 2)
    case(folder, "padding", Padded(), x, labels, 0)
    stray = Padded()
    with torch.no_grad():
        stray.embedding.weight[0] = torch.randn(5)
    case(folder, "stray", stray, x, labels, 0)
    golden.summary(folder)
    wild(golden.FIXTURES / "wild/tied")


if __name__ == "__main__":
    main()
