"""Golden files for truncated backpropagation through time: chunks of streams, with h and c carried from chunk to chunk.

fixtures/golden-streams/NAME.h5

    features_sgd, features_sgd_resets   LSTM(3, 8), two layers, fc 8 -> 2 at every step, MSE; four streams of 137 steps in
                                        chunks of 7 (the last has 4): 20 steps of SGD 0.1 with momentum 0.9
    tokens_adam, tokens_adam_resets     embedding (11, 6), LSTM(6, 10), fc 10 -> 11, cross-entropy of the next token; 703
                                        tokens as five streams of 140, as word_language_model's batchify cuts them, in
                                        chunks of 7: 20 steps of Adam 0.01
    x (N, T, I) or tokens (703), y (N, T, O), resets (N, T) or starts (places in the 703 where documents begin),
    initial/NAME, weights/NAME after 20 steps, losses, norms, hidden (L, N, H) and cell: the carried states at the end
    evaluation: the mean loss of the final weights over all of it, from zero states, resets kept

With resets, h and c are zero before each step that has one, also within a chunk, and gradients do not flow through. The run is repeated in float64, and the differences of float32 are printed.
"""

import torch
from torch import nn
from torch.nn import functional as F

import golden_common as golden

CHUNK = 7


class Model(nn.Module):
    def __init__(self, inputs, hidden, outputs, layers=1, vocabulary=0):
        super().__init__()
        if vocabulary:
            self.embedding = nn.Embedding(vocabulary, inputs)
        self.lstm = nn.LSTM(inputs, hidden, num_layers=layers, batch_first=True)
        self.fc = nn.Linear(hidden, outputs)

    def zero_state(self, count):
        shape = (self.lstm.num_layers, count, self.lstm.hidden_size)
        return tuple(torch.zeros(shape, dtype=self.fc.weight.dtype) for _ in range(2))

    def forward(self, x, state, resets):
        """Step by step when there are resets: a stream that has one begins the step with zeros."""
        x = self.embedding(x) if hasattr(self, "embedding") else x
        if resets is None:
            y, state = self.lstm(x, state)
            return self.fc(y), state
        steps = []
        for t in range(x.shape[1]):
            keep = (~resets[:, t]).to(x.dtype)[None, :, None]
            y, state = self.lstm(x[:, t:t + 1], tuple(part * keep for part in state))
            steps.append(y)
        return self.fc(torch.cat(steps, 1)), state


def chunks(model, x, y, resets):
    """The mean loss of each chunk, states carried and detached."""
    state = model.zero_state(len(x))
    for start in range(0, x.shape[1], CHUNK):
        rows = slice(start, start + CHUNK)
        state = tuple(part.detach() for part in state)
        output, state = model(x[:, rows], state, None if resets is None else resets[:, rows])
        target = y[:, rows]
        count = target.numel()
        loss = F.mse_loss(output, target) if y.is_floating_point() else F.cross_entropy(output.transpose(1, 2), target)
        yield loss, state, count


def fit(model, x, y, resets, optimizer, **options):
    update = getattr(torch.optim, optimizer)(model.parameters(), **options)
    losses, norms = [], []
    for loss, state, _ in chunks(model, x, y, resets):
        update.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), float("inf")).item())
        update.step()
        losses.append(loss.item())
    with torch.no_grad():
        parts = [(loss.item(), count) for loss, _, count in chunks(model, x, y, resets)]
    return losses, norms, state, sum(a * b for a, b in parts) / sum(b for _, b in parts)


def case(folder, name, make, x, y, resets, extra, optimizer, **options):
    doubled = lambda t: t.double() if t.is_floating_point() else t
    model = make()
    twin = make().double()
    start = golden.state_of(model)
    twin.load_state_dict({key: value.double() for key, value in start.items()})
    losses, norms, state, evaluation = fit(model, x, y, resets, optimizer, **options)
    fit(twin, doubled(x), doubled(y), resets, optimizer, **options)
    noise = max((a.double() - b).abs().max().item() for a, b in zip(model.parameters(), twin.parameters()))
    print(f"  {name:<20} float32 from float64 {noise:.2e}; loss {losses[0]:.6f} -> {losses[-1]:.6f}")
    with golden.create(folder / f"{name}.h5") as file:
        for key, value in (dict(chunk=CHUNK, streams=len(x), optimizer=optimizer.lower(), evaluation=evaluation,
                                torch_version=str(torch.__version__)) | options).items():
            file.attrs[key] = value
        for key, value in extra.items():
            golden.put(file, key, value)
        golden.put_all(file.create_group("initial"), start)
        golden.put_all(file.create_group("weights"), golden.state_of(model))
        golden.put(file, "losses", losses), golden.put(file, "norms", norms)
        golden.put(file, "hidden", state[0]), golden.put(file, "cell", state[1])


def batchify(data, count):
    """As in pytorch/examples/word_language_model, but batch first: (count, T)."""
    steps = data.size(0) // count
    return data.narrow(0, 0, steps * count).view(count, steps).contiguous()


def main():
    folder = golden.arguments(__doc__, "golden-streams").out
    golden.deterministic()

    for resets in (False, True):
        golden.seed("features")
        x, y = torch.randn(4, 137, 3), torch.randn(4, 137, 2)
        marks = torch.zeros(4, 137, dtype=torch.bool)
        # At the first step, at the first and last step of a chunk, twice in a chunk, at the same step of two streams, at the end.
        for stream, steps in enumerate([(0, 7, 60), (6, 10, 12, 50, 51, 52), (63, 136), (50, 69, 70)]):
            marks[stream, list(steps)] = True
        extra = {"x": x, "y": y} | ({"resets": marks.to(torch.uint8)} if resets else {})
        case(folder, "features_sgd" + ("_resets" if resets else ""), lambda: Model(3, 8, 2, layers=2), x, y,
             marks if resets else None, extra, "SGD", lr=0.1, momentum=0.9)

    for resets in (False, True):
        golden.seed("tokens")
        corpus = torch.randint(11, (703,))
        starts = torch.tensor([0, 17, 18, 140, 300, 301, 302, 420, 421, 559, 600, 699, 701])
        marks = torch.zeros(703, dtype=torch.bool)
        marks[starts] = True
        source, marked = batchify(corpus, 5), batchify(marks, 5)
        extra = {"tokens": corpus} | ({"starts": starts} if resets else {})
        case(folder, "tokens_adam" + ("_resets" if resets else ""), lambda: Model(6, 10, 11, vocabulary=11),
             source[:, :-1], source[:, 1:], marked[:, :-1] if resets else None, extra, "Adam", lr=0.01)
    golden.summary(folder)


if __name__ == "__main__":
    main()
