"""Golden files for losses of whole sequences: conditional random fields (pytorch-crf) and CTC (torch.nn.CTCLoss).

fixtures/golden-crf/:

    crf.h5        a group a case: emissions (N,T,K), tags (N,T), lengths (N), transitions, and with ends start_transitions
                  and end_transitions; loss_mean, loss_token_mean, loss_sum; grad/NAME and grad/emissions of the mean;
                  tags_found (N,T), -1 at padding: the best path
    ctc.h5        a group a case: logits (N,T,K), lengths (N), y (N,S) filled up with -100, attribute blank; losses (N),
                  loss_mean, loss_sum; grad_mean, grad_sum of the logits
    tagger.h5     embedding (13, 6), biLSTM (6, 5), fc 10 -> 4, CRF: x (12,9) int64, y, lengths; initial/NAME; 21 steps
                  of Adam 0.02, batches of 4 in order, reduction token_mean: losses (21), weights/NAME, tags_found
    reader.h5     LSTM (3, 8), fc 8 -> 5, CTC with blank 0: x (12,14,3), y (12,4), lengths; 21 steps of SGD 0.05,
                  momentum 0.9, batches of 4 in order: losses (21), weights/NAME

Needs pytorch-crf (torchcrf). Where the package TorchCRF is found, too, its likelihood is compared: it has the same scores
under other names (trans_matrix, start_trans, end_trans).
"""

import torch
import torchcrf
from torch import nn
from torch.nn import functional as F

import golden_common as golden

IGNORED = -100


def mask_of(lengths, steps):
    return torch.arange(steps)[None] < lengths[:, None]


def crf_case(file, name, count, steps, tags, lengths, ends=True, scale=1.0):
    golden.seed(name)
    crf = torchcrf.CRF(tags, batch_first=True)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.uniform_(-scale, scale)
        if not ends:
            crf.start_transitions.zero_(), crf.end_transitions.zero_()
    emissions = (torch.randn(count, steps, tags) * scale).requires_grad_()
    y = torch.randint(tags, (count, steps))
    lengths = torch.tensor(lengths)
    mask = mask_of(lengths, steps)
    group = file.create_group(name)
    for reduction in ("token_mean", "sum", "mean"):
        for leaf in (emissions, *crf.parameters()):
            leaf.grad = None
        loss = -crf(emissions, y, mask=mask, reduction=reduction)
        loss.backward()
        golden.put(group, "loss_" + reduction, [loss.item()])
    compare_torch_crf(crf, emissions, y, mask)
    golden.put(group, "emissions", emissions), golden.put(group, "tags", y), golden.put(group, "lengths", lengths)
    golden.put(group, "grad/emissions", emissions.grad)
    for key, value in crf.named_parameters():
        if ends or key == "transitions":
            grad = torch.zeros_like(value) if value.grad is None else value.grad
            golden.put(group, key, value), golden.put(group, "grad/" + key, grad)
    golden.put(group, "tags_found", padded(crf.decode(emissions, mask=mask), steps))


def compare_torch_crf(crf, emissions, y, mask):
    """The same scores under the names of the package TorchCRF give the same likelihoods."""
    try:
        from TorchCRF import CRF
    except ImportError:
        return
    other = CRF(crf.num_tags, use_gpu=False)
    with torch.no_grad():
        other.trans_matrix.copy_(crf.transitions)
        other.start_trans.copy_(crf.start_transitions)
        other.end_trans.copy_(crf.end_transitions)
        ours, theirs = crf(emissions, y, mask=mask, reduction="none"), other(emissions, y, mask)
    if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4):
        raise SystemExit(f"error: TorchCRF differs: {ours} {theirs}")


def padded(lists, width):
    return torch.tensor([list(row) + [-1] * (width - len(row)) for row in lists])


def labels_of(lists, width=None):
    width = width or max(len(row) for row in lists)
    return torch.tensor([list(row) + [IGNORED] * (width - len(row)) for row in lists])


def ctc_loss(logits, y, lengths, blank, reduction, zero_infinity=False):
    # In float64: in float32 PyTorch's own sums over long sequences are good to 1e-4 only.
    log_probs = F.log_softmax(logits.double(), -1).transpose(0, 1)
    counts = (y != IGNORED).sum(1)
    return F.ctc_loss(log_probs, y.clamp(min=0), lengths, counts, blank, reduction, zero_infinity)


def ctc_case(file, name, classes, steps, lengths, labels, blank=0, scale=1.0, zero_infinity=False):
    golden.seed(name)
    logits = (torch.randn(len(labels), steps, classes) * scale).requires_grad_()
    y, lengths = labels_of(labels), torch.tensor(lengths)
    group = file.create_group(name)
    group.attrs["blank"], group.attrs["zero_infinity"] = blank, int(zero_infinity)
    golden.put(group, "logits", logits), golden.put(group, "y", y), golden.put(group, "lengths", lengths)
    golden.put(group, "losses", ctc_loss(logits, y, lengths, blank, "none", zero_infinity))
    for reduction in ("mean", "sum"):
        logits.grad = None
        loss = ctc_loss(logits, y, lengths, blank, reduction, zero_infinity)
        loss.backward()
        golden.put(group, "loss_" + reduction, [loss.item()]), golden.put(group, "grad_" + reduction, logits.grad)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(13, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(10, 4)
        self.crf = torchcrf.CRF(4, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        rows, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.fc(rows)


def tagger(folder):
    golden.seed("tagger")
    model = Tagger()
    x, y = torch.randint(13, (12, 9)), torch.randint(4, (12, 9))
    lengths = torch.tensor([9, 4, 7, 1, 9, 9, 2, 5, 8, 3, 6, 9])
    mask = mask_of(lengths, 9)
    with golden.create(folder / "tagger.h5") as file:
        golden.put(file, "x", x * mask), golden.put(file, "y", torch.where(mask, y, IGNORED))
        golden.put(file, "lengths", lengths)
        golden.put_all(file.create_group("initial"), golden.state_of(model))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        losses = []
        for step in range(21):
            rows = torch.arange(12).split(4)[step % 3]
            optimizer.zero_grad()
            loss = -model.crf(model(x[rows], lengths[rows]), y[rows], mask=mask[rows], reduction="token_mean")
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        golden.put(file, "losses", losses)
        golden.put_all(file.create_group("weights"), golden.state_of(model))
        golden.put(file, "tags_found", padded(model.crf.decode(model(x, lengths), mask=mask), 9))
    print(f"  tagger: loss {losses[0]:.4f} -> {losses[-1]:.4f}")


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.lstm(x)[0])


def reader(folder):
    golden.seed("reader")
    model = Reader()
    x = torch.randn(12, 14, 3)
    lengths = torch.tensor([14, 9, 14, 5, 8, 12, 14, 7, 6, 10, 11, 13])
    y = labels_of([torch.randint(1, 5, (int(count),)).tolist() for count in torch.randint(1, 4, (12,))], 4)
    with golden.create(folder / "reader.h5") as file:
        golden.put(file, "x", x), golden.put(file, "y", y), golden.put(file, "lengths", lengths)
        golden.put_all(file.create_group("initial"), golden.state_of(model))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        losses = []
        for step in range(21):
            rows = torch.arange(12).split(4)[step % 3]
            optimizer.zero_grad()
            loss = ctc_loss(model(x[rows]), y[rows], lengths[rows], 0, "mean")
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        golden.put(file, "losses", losses)
        golden.put_all(file.create_group("weights"), golden.state_of(model))
    print(f"  reader: loss {losses[0]:.4f} -> {losses[-1]:.4f}")


def main():
    options = golden.arguments(__doc__, "golden-crf")
    golden.deterministic()
    with golden.create(options.out / "crf.h5") as file:
        file.attrs["torch_version"] = str(torch.__version__)
        crf_case(file, "ends", 4, 7, 5, [7, 3, 1, 6])
        crf_case(file, "no_ends", 3, 6, 4, [6, 5, 2], ends=False)
        crf_case(file, "one_tag", 2, 3, 1, [3, 2])
        crf_case(file, "one_step", 3, 1, 6, [1, 1, 1])
        crf_case(file, "long", 2, 129, 9, [129, 64])
        crf_case(file, "large_scores", 3, 8, 6, [8, 8, 5], scale=30.0)
    with golden.create(options.out / "ctc.h5") as file:
        ctc_case(file, "blank_first", 6, 10, [10, 7, 4], [[1, 2, 3], [4, 4], [5]])
        ctc_case(file, "blank_last", 5, 9, [9, 9], [[0, 1, 1, 3], [2]], blank=4)
        ctc_case(file, "repeats", 3, 12, [12, 7], [[1, 1, 1, 1], [2, 2, 1, 1]], blank=0)
        ctc_case(file, "empty", 4, 6, [6, 6], [[1, 3], []])
        ctc_case(file, "long", 12, 80, [80, 55, 31], [[i % 11 + 1 for i in range(25)], [3] * 9, [11, 10, 9]], scale=3.0)
        ctc_case(file, "zero_infinity", 4, 5, [5, 2], [[1, 2], [3, 3, 3]], zero_infinity=True)
    tagger(options.out)
    reader(options.out)
    golden.summary(options.out)


if __name__ == "__main__":
    main()
