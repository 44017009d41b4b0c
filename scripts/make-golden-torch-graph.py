"""Makes fixtures/torch-graph: state_dicts of PyTorch's models that are more than an LSTM with a head, and what they compute.

NAME.pt is the state_dict, NAME.npz has x (and more inputs x2, ...) and y, NAME.json describes the model where the tensors
alone do not tell it. Everything is small and seeded.
"""

import json
import pathlib

import numpy
import torch
import torch.nn.functional as F
import torch.nn.utils as old
from torch import nn
from torch.nn.utils import parametrizations as new

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures/torch-graph"


def features(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


class Chain(nn.Module):
    """Registered in order; `run` says what is done with them."""

    def __init__(self, run, **modules) -> None:
        super().__init__()
        self.run = run
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.run(self, *inputs)


def lively(model: nn.Module) -> nn.Module:
    """Statistics and gains as after training."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(17)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.normal_(module.weight, 1, 0.3)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.3)
        if isinstance(module, nn.MultiheadAttention):
            nn.init.normal_(module.in_proj_bias, 0, 0.3)
            nn.init.normal_(module.out_proj.bias, 0, 0.3)
    return model.eval()


def channels(layer, x):
    return layer(x.transpose(1, 2)).transpose(1, 2)


CASES: dict = {}


def case(name: str, model: nn.Module, *inputs: torch.Tensor, described: dict | None = None) -> None:
    CASES[name] = (lively(model), inputs, described)


def linear(size: int, activation: str | None = None, bias: bool = True, **more) -> dict:
    layer = {"kind": "dense", "size": size} | more
    if activation:
        layer["activation"] = activation
    if not bias:
        layer["bias"] = False
    return layer


def make() -> None:
    last = lambda out: out[0][:, -1]
    case("gru", Chain(lambda m, x: m.fc(last(m.gru(x))), gru=nn.GRU(3, 5, 2, batch_first=True, bidirectional=True), fc=nn.Linear(10, 2)), features(4, 7, 3))
    case("rnn", Chain(lambda m, x: m.fc(last(m.rnn(x))), rnn=nn.RNN(3, 6, batch_first=True), fc=nn.Linear(6, 2)), features(4, 7, 3))
    case(
        "linear_before", Chain(lambda m, x: m.out(last(m.lstm(m.embed(x)))), embed=nn.Linear(6, 4), lstm=nn.LSTM(4, 5, batch_first=True), out=nn.Linear(5, 2)),
        features(4, 7, 6))
    case(
        "batch_norm", Chain(lambda m, x: m.fc(m.bn(last(m.lstm(channels(m.bn0, x))))), bn0=nn.BatchNorm1d(3), lstm=nn.LSTM(3, 5, batch_first=True), bn=nn.BatchNorm1d(5), fc=nn.Linear(5, 2)),
        features(4, 7, 3))
    case(
        "layer_norm", Chain(lambda m, x: m.fc(last((m.norm(m.lstm(m.ln_in(x))[0]),))), ln_in=nn.LayerNorm(3), lstm=nn.LSTM(3, 5, batch_first=True), norm=nn.LayerNorm(5), fc=nn.Linear(5, 2)),
        features(4, 7, 3))
    case(
        "embedding_gru", Chain(lambda m, x: m.decoder(m.norm(last(m.rnn(m.encoder(x))))), encoder=nn.Embedding(11, 4, padding_idx=0), rnn=nn.GRU(4, 6, batch_first=True), norm=nn.LayerNorm(6), decoder=nn.Linear(6, 3)),
        torch.randint(0, 11, (4, 7)))

    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h0 = nn.Parameter(torch.randn(4, 1, 5))
            self.c0 = nn.Parameter(torch.randn(4, 1, 5))
            self.lstm = nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(10, 2)

        def forward(self, x):
            state = self.h0.expand(-1, len(x), -1).contiguous(), self.c0.expand(-1, len(x), -1).contiguous()
            return self.fc(self.lstm(x, state)[0][:, -1])

    case("learned_state", Learned(), features(4, 7, 3))

    def attend(m, x):
        out, _ = m.lstm(x)
        return m.fc((F.softmax(m.attention(out), dim=1) * out).sum(1))

    case(
        "attention_tanh", Chain(attend, lstm=nn.LSTM(3, 5, batch_first=True, bidirectional=True), attention=nn.Sequential(nn.Linear(10, 4), nn.Tanh(), nn.Linear(4, 1)), fc=nn.Linear(10, 2)),
        features(4, 7, 3))

    class Omega(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w_omega = nn.Parameter(torch.randn(6, 6) * 0.5)
            self.u_omega = nn.Parameter(torch.randn(6, 1) * 0.5)
            self.lstm = nn.LSTM(3, 6, batch_first=True)
            self.fc = nn.Linear(6, 2)

        def forward(self, x):
            out, _ = self.lstm(x)
            scores = torch.tanh(out @ self.w_omega) @ self.u_omega
            return self.fc((F.softmax(scores, dim=1) * out).sum(1))

    case("attention_omega", Omega(), features(4, 7, 3))

    def attend_features(m, x):
        out, _ = m.lstm(x)
        return m.fc((F.softmax(torch.tanh(m.attention(out)), dim=1) * out).sum(1))

    case("attention_feature", Chain(attend_features, lstm=nn.LSTM(3, 5, batch_first=True), attention=nn.Linear(5, 5), fc=nn.Linear(5, 2)), features(4, 7, 3))

    from torchcrf import CRF
    case(
        "crf", Chain(lambda m, x: m.hidden2tag(m.lstm(m.word_embeds(x))[0]), word_embeds=nn.Embedding(11, 4), lstm=nn.LSTM(4, 3, batch_first=True, bidirectional=True), hidden2tag=nn.Linear(6, 5), crf=CRF(5, batch_first=True)),
        torch.randint(0, 11, (4, 7)))
    case("flatten", Chain(lambda m, x: m.fc(m.lstm(x)[0].reshape(len(x), -1)), lstm=nn.LSTM(3, 5, batch_first=True), fc=nn.Linear(35, 2)), features(4, 7, 3))
    case("relu_head", Chain(lambda m, x: m.fc2(F.relu(m.fc1(last(m.gru(x))))), gru=nn.GRU(3, 5, batch_first=True), fc1=nn.Linear(5, 6), fc2=nn.Linear(6, 2)), features(4, 7, 3))

    # What only a description tells.
    case("conv_same", Chain(lambda m, x: m.fc(last(m.lstm(F.relu(channels(m.conv, x))))), conv=nn.Conv1d(3, 4, 5, padding=2), lstm=nn.LSTM(4, 5, batch_first=True), fc=nn.Linear(5, 2)), features(4, 7, 3))
    case(
        "conv_stack",
        Chain(
            lambda m, x: m.fc(last(m.lstm(channels(lambda v: F.max_pool1d(F.relu(m.bn(m.conv1(v))), 2), x)))),
            conv1=nn.Conv1d(3, 4, 3, stride=2, padding=1), bn=nn.BatchNorm1d(4), lstm=nn.LSTM(4, 5, batch_first=True, bidirectional=True), fc=nn.Linear(10, 2)),
        features(4, 21, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "conv1", "kind": "convolution", "size": 4, "kernel": 3, "stride": 2, "pad": [1, 1]}, {"name": "norm1", "kind": "batch_norm"},
                {"name": "act", "kind": "activation", "activation": "relu"}, {"name": "pool1", "kind": "max_pooling", "window": 2},
                {"name": "layer0", "kind": "lstm", "size": 5, "bidirectional": True}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "head.0", **linear(2)}]})
    case(
        "crnn",
        Chain(
            lambda m, x: m.fc(m.lstm(F.relu(m.cnn(x.transpose(1, 2).unsqueeze(1))).permute(0, 3, 1, 2).flatten(2))[0]),
            cnn=nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)), lstm=nn.LSTM(24, 5, batch_first=True, bidirectional=True), fc=nn.Linear(10, 4)),
        features(2, 6, 8),
        described={
            "input": {"features": 8, "channels": 1},
            "layers": [
                {"name": "conv1", "kind": "convolution", "size": 3, "kernel": [3, 3], "pad": [1, 1, 1, 1]}, {"name": "norm1", "kind": "batch_norm"},
                {"name": "act", "kind": "activation", "activation": "relu"}, {"name": "reshape1", "kind": "reshape"},
                {"name": "layer0", "kind": "lstm", "size": 5, "bidirectional": True}, {"name": "head.0", **linear(4)}]})
    # Steps are the first axis of the kernel here, the last in this model.
    model, inputs, described = CASES["crnn"]

    def attend_heads(m, x):
        out, _ = m.lstm(x)
        return m.fc(m.attn(out, out, out)[0].mean(1))

    case(
        "self_attention", Chain(attend_heads, lstm=nn.LSTM(3, 4, batch_first=True, bidirectional=True), attn=nn.MultiheadAttention(8, 2, batch_first=True), fc=nn.Linear(8, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 4, "bidirectional": True}, {"name": "attention", "kind": "self_attention", "heads": 2},
                {"name": "readout", "kind": "readout", "take": "mean"}, {"name": "head.0", **linear(2)}]})
    case(
        "parallel", Chain(lambda m, x: m.fc(torch.cat([last(m.a(x)), last(m.b(x))], dim=1)), a=nn.LSTM(3, 4, batch_first=True), b=nn.GRU(3, 6, batch_first=True), fc=nn.Linear(10, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 4}, {"name": "layer1", "kind": "gru", "size": 6, "from": "input"},
                {"name": "both", "kind": "concatenate", "from": ["layer0", "layer1"]}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "head.0", **linear(2)}]})
    case(
        "two_heads", Chain(lambda m, x: torch.cat([m.policy(last(m.lstm(x))), m.value(last(m.lstm(x)))], dim=1), lstm=nn.LSTM(3, 4, batch_first=True), policy=nn.Linear(4, 3), value=nn.Linear(4, 1)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 4}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "policy", **linear(3)}, {"name": "value", **linear(1), "from": "readout"},
                {"name": "both", "kind": "concatenate", "from": ["policy", "value"]}]})

    def translate(m, x, y):
        _, state = m.encoder(x)
        return m.fc(m.decoder(y, state)[0])

    case(
        "encoder_decoder", Chain(translate, encoder=nn.LSTM(3, 5, batch_first=True), decoder=nn.LSTM(2, 5, batch_first=True), fc=nn.Linear(5, 2)),
        features(4, 7, 3), features(4, 7, 2),
        described={
            "inputs": [{"name": "input1", "features": 3}, {"name": "input2", "features": 2}],
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 5, "from": "input1"},
                {"name": "layer1", "kind": "lstm", "size": 5, "from": "input2", "initial_from": "layer0"}, {"name": "head.0", **linear(2)}]})

    def cells(m, x):
        h = c = x.new_zeros(len(x), 5)
        for t in range(x.shape[1]):
            h, c = m.cell(x[:, t], (h, c))
        return m.fc(F.relu(m.bn(h)))

    case("cell", Chain(cells, cell=nn.LSTMCell(3, 5), bn=nn.BatchNorm1d(5), fc=nn.Linear(5, 2)), features(4, 7, 3), described={
        "input": {"features": 3},
        "layers": [
            {"name": "layer0", "kind": "lstm", "size": 5}, {"name": "readout", "kind": "readout", "take": "last"}, {"name": "norm1", "kind": "batch_norm"},
            {"name": "act", "kind": "activation", "activation": "relu"}, {"name": "head.0", **linear(2)}]})

    # Weights as factors.
    def lively_norm(layer: nn.Module) -> nn.Module:
        layer.train()
        for _ in range(3):
            layer(torch.randn(3, 5) if isinstance(layer, nn.Linear) else torch.randn(3, 3, 9))
        return layer

    normed = nn.LSTM(3, 5, batch_first=True)
    for weight in ("weight_ih_l0", "weight_hh_l0"):
        normed = old.weight_norm(normed, weight)
    case("weight_norm", Chain(lambda m, x: m.fc(last(m.lstm(x))), lstm=normed, fc=old.weight_norm(nn.Linear(5, 2))), features(4, 7, 3))
    normed = new.weight_norm(nn.LSTM(3, 5, batch_first=True), "weight_hh_l0")
    case(
        "weight_norm_parametrized", Chain(lambda m, x: m.fc(last(m.lstm(x))), lstm=normed, fc=new.weight_norm(nn.Linear(5, 2), dim=1)), features(4, 7, 3))
    case("weight_norm_whole", Chain(lambda m, x: m.fc(last(m.gru(x))), gru=nn.GRU(3, 5, batch_first=True), fc=old.weight_norm(nn.Linear(5, 2), dim=None)), features(4, 7, 3))
    case(
        "spectral_norm", Chain(lambda m, x: m.out(F.relu(m.fc(last(m.lstm(x))))), lstm=nn.LSTM(3, 5, batch_first=True), fc=lively_norm(old.spectral_norm(nn.Linear(5, 4))), out=nn.Linear(4, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 5}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "head.0", **linear(4, "relu")}, {"name": "head.1", **linear(2)}]})
    case(
        "spectral_norm_parametrized",
        Chain(
            lambda m, x: m.fc(last(m.lstm(F.relu(channels(m.conv, x))))), conv=lively_norm(new.spectral_norm(nn.Conv1d(3, 4, 3, padding=1))),
            lstm=nn.LSTM(4, 5, batch_first=True), fc=nn.Linear(5, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "conv", "kind": "convolution", "size": 4, "kernel": 3, "pad": [1, 1], "activation": "relu"},
                {"name": "layer0", "kind": "lstm", "size": 5}, {"name": "readout", "kind": "readout", "take": "last"}, {"name": "head.0", **linear(2)}]})

    # Attention of several matrices.
    def attend_last(m, x, score, join=None):
        out, (h, _) = m.lstm(x)
        weights = F.softmax(score(h[-1], out), dim=1)
        context = (weights.unsqueeze(-1) * out).sum(1)
        return m.fc(context if join is None else torch.cat([context, h[-1]], dim=1))

    class Named(nn.Module):
        def __init__(self, **modules) -> None:
            super().__init__()
            for name, module in modules.items():
                setattr(self, name, module)

    case(
        "attention_bahdanau",
        Chain(
            lambda m, x: attend_last(m, x, lambda q, o: m.attn.Va(torch.tanh(m.attn.Wa(q).unsqueeze(1) + m.attn.Ua(o))).squeeze(-1)),
            lstm=nn.LSTM(3, 5, batch_first=True), attn=Named(Wa=nn.Linear(5, 5), Ua=nn.Linear(5, 5), Va=nn.Linear(5, 1)), fc=nn.Linear(5, 2)),
        features(4, 7, 3))
    case(
        "attention_bahdanau_joined",
        Chain(
            lambda m, x: attend_last(m, x, lambda q, o: m.attention.V(torch.tanh(m.attention.W1(q).unsqueeze(1) + m.attention.W2(o))).squeeze(-1), "join"),
            lstm=nn.LSTM(3, 5, batch_first=True), attention=Named(W1=nn.Linear(5, 4, bias=False), W2=nn.Linear(5, 4, bias=False), V=nn.Linear(4, 1, bias=False)), fc=nn.Linear(10, 2)),
        features(4, 7, 3))
    case(
        "attention_luong",
        Chain(
            lambda m, x: attend_last(m, x, lambda q, o: (m.attn(q).unsqueeze(1) * o).sum(-1), "join"),
            lstm=nn.LSTM(3, 5, batch_first=True), attn=nn.Linear(5, 5, bias=False), fc=nn.Linear(10, 2)),
        features(4, 7, 3))

    def attend_all(m, x, heads, query, key, value, out):
        steps, _ = m.lstm(x)
        q, k, v = (part(steps).unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
        shares = F.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        return m.fc(out((shares @ v).transpose(1, 2).flatten(2))[:, -1])

    case(
        "attention_qkv",
        Chain(
            lambda m, x: attend_all(m, x, 1, m.query, m.key, m.value, nn.Identity()), lstm=nn.LSTM(3, 5, batch_first=True), query=nn.Linear(5, 4),
            key=nn.Linear(5, 4), value=nn.Linear(5, 5), fc=nn.Linear(5, 2)),
        features(4, 7, 3))
    case(
        "attention_qkv_heads",
        Chain(
            lambda m, x: attend_all(m, x, 2, m.attn.q_proj, m.attn.k_proj, m.attn.v_proj, m.attn.out_proj), lstm=nn.LSTM(3, 8, batch_first=True),
            attn=Named(**{f"{part}_proj": nn.Linear(8, 8) for part in ("q", "k", "v", "out")}), fc=nn.Linear(8, 2)),
        features(4, 7, 3))
    case(
        "attention_vector",
        Chain(
            lambda m, x: m.fc((F.softmax(m.lstm(x)[0] @ m.attention_vector, dim=1) * m.lstm(x)[0]).sum(1)), attention_vector=nn.Parameter(torch.randn(5, 1)),
            lstm=nn.LSTM(3, 5, batch_first=True), fc=nn.Linear(5, 2)),
        features(4, 7, 3))

    # Layers that are registered together, not in the order of use.
    case(
        "norms_together",
        Chain(
            lambda m, x: m.fc(last((m.ln2(m.lstm2(m.ln1(m.lstm1(x)[0]))[0]),))), lstm1=nn.LSTM(3, 6, batch_first=True), lstm2=nn.LSTM(6, 6, batch_first=True),
            ln1=nn.LayerNorm(6), ln2=nn.LayerNorm(6), fc=nn.Linear(6, 2)),
        features(4, 7, 3))
    case(
        "dense_between",
        Chain(
            lambda m, x: m.fc2(last(m.lstm2(F.relu(m.fc1(m.lstm1(x)[0]))))), lstm1=nn.LSTM(3, 6, batch_first=True), fc1=nn.Linear(6, 5),
            lstm2=nn.LSTM(5, 4, batch_first=True), fc2=nn.Linear(4, 2)),
        features(4, 7, 3))
    case(
        "input_beside",
        Chain(lambda m, x, s: m.fc(torch.cat([last(m.lstm(x)), s], dim=1)), lstm=nn.LSTM(3, 5, batch_first=True), fc=nn.Linear(9, 2)), features(4, 7, 3),
        features(4, 4))


    # A spectrum in front, as of speech models: windows of 16 of one signal, strides that no tensor tells.
    def spectrum(m, x):
        v = m.stft_conv(F.pad(x.transpose(1, 2), (0, 4), mode="reflect"))
        v = F.relu(m.conv1(torch.sqrt(v[:, :9] ** 2 + v[:, 9:] ** 2)))
        v = F.relu(m.conv2(v)).transpose(1, 2)
        return torch.sigmoid(m.final_conv(F.relu(m.lstm(v)[0]).transpose(1, 2))).transpose(1, 2)

    case(
        "spectrum",
        Chain(
            spectrum, stft_conv=nn.Conv1d(1, 18, 16, stride=8, bias=False), conv1=nn.Conv1d(9, 6, 3, padding=1),
            conv2=nn.Conv1d(6, 6, 3, stride=2, padding=1), lstm=nn.LSTM(6, 6, batch_first=True), final_conv=nn.Conv1d(6, 1, 1)),
        features(2, 64, 1),
        described={
            "input": {"features": 1},
            "layers": [
                {"name": "conv1", "kind": "convolution", "size": 18, "kernel": 16, "stride": 8, "pad": [0, 4], "reflect": True, "bias": False},
                {"name": "magnitude1", "kind": "magnitude"},
                {"name": "conv2", "kind": "convolution", "size": 6, "kernel": 3, "pad": [1, 1], "activation": "relu"},
                {"name": "conv3", "kind": "convolution", "size": 6, "kernel": 3, "stride": 2, "pad": [1, 1], "activation": "relu"},
                {"name": "layer0", "kind": "lstm", "size": 6},
                {"name": "activation1", "kind": "activation", "activation": "relu"},
                linear(1, "sigmoid", name="head.0")]})

    # Names that count from 0, where the project's count from 1.
    case(
        "counted_from_zero",
        Chain(
            lambda m, x: m.fc(last(m.lstm(channels(lambda v: F.relu(m.conv2(F.relu(m.conv1(F.relu(m.conv0(v)))))), x)))),
            conv0=nn.Conv1d(4, 4, 3, padding=1), conv1=nn.Conv1d(4, 4, 3, padding=1), conv2=nn.Conv1d(4, 4, 3, padding=1),
            lstm=nn.LSTM(4, 5, batch_first=True), fc=nn.Linear(5, 2)),
        features(3, 9, 4))

    # Tags for the start and the end of a sequence, scores from column to row.
    transitions = torch.randn(6, 6)
    transitions[4, :] = -10000.0
    transitions[:, 5] = -10000.0
    case(
        "crf_start_stop",
        Chain(
            lambda m, x: m.hidden2tag(m.lstm(m.word_embeds(x))[0]), transitions=nn.Parameter(transitions), word_embeds=nn.Embedding(11, 4),
            lstm=nn.LSTM(4, 3, batch_first=True, bidirectional=True), hidden2tag=nn.Linear(6, 6)),
        torch.randint(0, 11, (4, 7)))

    # Rows of layers side by side.
    def fcn(m, x):
        v = x.transpose(1, 2)
        v = F.relu(m.bn2(m.conv2(F.relu(m.bn1(m.conv1(v))))))
        return m.fc(torch.cat([last(m.lstm(x)), v.mean(2)], dim=1))

    case(
        "lstm_fcn",
        Chain(
            fcn, lstm=nn.LSTM(3, 5, batch_first=True), conv1=nn.Conv1d(3, 8, 3, padding=1), bn1=nn.BatchNorm1d(8),
            conv2=nn.Conv1d(8, 6, 3, padding=1), bn2=nn.BatchNorm1d(6), fc=nn.Linear(11, 2)),
        features(4, 12, 3))
    case(
        "two_embeddings",
        Chain(
            lambda m, x, tags: m.fc(last(m.lstm(torch.cat([m.word_emb(x), m.tag_emb(tags)], dim=-1)))), word_emb=nn.Embedding(11, 4),
            tag_emb=nn.Embedding(6, 3), lstm=nn.LSTM(7, 5, batch_first=True), fc=nn.Linear(5, 3)),
        torch.randint(0, 11, (4, 7)), torch.randint(0, 6, (4, 7)))
    case(
        "static_dense",
        Chain(
            lambda m, x, s: m.fc(torch.cat([last(m.lstm(x)), F.relu(m.static_fc(s))], dim=1)), lstm=nn.LSTM(3, 5, batch_first=True),
            static_fc=nn.Linear(4, 6), fc=nn.Linear(11, 2)),
        features(4, 7, 3), features(4, 4))

    def autoencoder(m, x):
        state = m.encoder(x)[1][0][-1]
        return m.output(m.decoder(state.unsqueeze(1).repeat(1, x.shape[1], 1))[0])

    case(
        "autoencoder_repeat",
        Chain(autoencoder, encoder=nn.LSTM(3, 5, batch_first=True), decoder=nn.LSTM(5, 6, batch_first=True), output=nn.Linear(6, 3)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 5}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "repeat", "kind": "repeat", "count": 7}, {"name": "layer1", "kind": "lstm", "size": 6}, linear(3, name="head.0")]})

    # One vector of an attention, behind tanh; a learned slope; a gain without an offset; heads.
    case(
        "attention_alone",
        Chain(
            lambda m, x: (lambda h: m.fc((F.softmax(torch.tanh(h) @ m.w, dim=1).unsqueeze(-1) * h).sum(1)))(m.lstm(x)[0]),
            lstm=nn.LSTM(3, 5, batch_first=True, bidirectional=True), w=nn.Parameter(torch.randn(10)), fc=nn.Linear(10, 2)),
        features(4, 7, 3))
    case(
        "prelu",
        Chain(
            lambda m, x: m.fc2(m.act(m.fc1(last(m.lstm(x))))), lstm=nn.LSTM(3, 5, batch_first=True), fc1=nn.Linear(5, 6), act=nn.PReLU(init=0.37),
            fc2=nn.Linear(6, 2)),
        features(4, 7, 3))
    gain = nn.LayerNorm(6, bias=False)
    case("norm_without_bias", Chain(lambda m, x: m.fc(m.norm(last(m.lstm(x)))), lstm=nn.LSTM(3, 6, batch_first=True), norm=gain, fc=nn.Linear(6, 2)), features(4, 7, 3))
    case(
        "attention_heads",
        Chain(
            lambda m, x: (lambda h: m.fc(m.attention(h, h, h)[0].mean(1)))(m.lstm(x)[0]), lstm=nn.LSTM(3, 16, batch_first=True),
            attention=nn.MultiheadAttention(16, 8, batch_first=True), fc=nn.Linear(16, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 16}, {"name": "attention", "kind": "self_attention", "heads": 8},
                {"name": "readout", "kind": "readout", "take": "mean"}, linear(2, name="head.0")]})
    case(
        "attention_kdim",
        Chain(
            lambda m, x: m.fc(m.attn(m.lstm(x)[0], x, x)[0][:, -1]), lstm=nn.LSTM(3, 8, batch_first=True),
            attn=nn.MultiheadAttention(8, 2, batch_first=True, kdim=3, vdim=3), fc=nn.Linear(8, 2)),
        features(4, 7, 3))
    case(
        "attention_dot",
        Chain(
            lambda m, x: (lambda h: m.fc(torch.cat([(F.softmax((h * h[:, -1:]).sum(-1, keepdim=True), dim=1) * h).sum(1), h[:, -1]], dim=1)))(m.lstm(x)[0]),
            lstm=nn.LSTM(3, 5, batch_first=True), fc=nn.Linear(10, 2)),
        features(4, 7, 3),
        described={
            "input": {"features": 3},
            "layers": [
                {"name": "layer0", "kind": "lstm", "size": 5}, {"name": "readout", "kind": "readout", "take": "last"},
                {"name": "attention", "kind": "dot_attention", "from": ["readout", "layer0"]},
                {"name": "concatenate1", "kind": "concatenate", "from": ["attention", "readout"]}, linear(2, name="head.0")]})
    # A table that no word calls an embedding, as wide as what the LSTM gives: alone, and tied to the head.
    case(
        "table_by_order", Chain(lambda m, x: m.fc(last(m.lstm(m.vocab(x)))), vocab=nn.Embedding(11, 5), lstm=nn.LSTM(5, 5, batch_first=True), fc=nn.Linear(5, 3)),
        torch.randint(0, 11, (4, 7)))
    tied = Chain(
        lambda m, x: m.head(last(m.lstm(m.tok(x)))), tok=nn.Embedding(11, 4), lstm=nn.LSTM(4, 6, batch_first=True, proj_size=4), head=nn.Linear(4, 11, bias=False))
    tied.head.weight = tied.tok.weight
    case("tied_projection", tied, torch.randint(0, 11, (4, 7)))

    def translate_tokens(m, x, y):
        _, state = m.encoder(m.src_emb(x))
        return m.out(last(m.decoder(m.tgt_emb(y), state)))

    case(
        "tables_beside",
        Chain(
            translate_tokens, src_emb=nn.Embedding(11, 4), tgt_emb=nn.Embedding(9, 4), encoder=nn.GRU(4, 6, batch_first=True),
            decoder=nn.GRU(4, 6, batch_first=True), out=nn.Linear(6, 9)),
        torch.randint(0, 11, (4, 7)), torch.randint(0, 9, (4, 5)))
    case(
        "log_softmax",
        Chain(
            lambda m, x: F.log_softmax(m.hidden2tag(m.lstm(m.embeds(x))[0]), dim=-1), embeds=nn.Embedding(11, 4),
            lstm=nn.LSTM(4, 5, batch_first=True), hidden2tag=nn.Linear(5, 3)),
        torch.randint(0, 11, (4, 7)),
        described={
            "input": {"tokens": 11},
            "layers": [
                {"name": "embedding", "kind": "embedding", "size": 4}, {"name": "layer0", "kind": "lstm", "size": 5},
                {"name": "readout", "kind": "readout", "take": "all"}, linear(3, "log_softmax", name="head.0")]})

    case(
        "prelu_each",
        Chain(
            lambda m, x: m.fc2(m.act(m.fc1(last(m.lstm(x))))), lstm=nn.LSTM(3, 5, batch_first=True), fc1=nn.Linear(5, 6), act=nn.PReLU(6), fc2=nn.Linear(6, 2)),
        features(4, 7, 3))
    nn.init.normal_(CASES["prelu_each"][0].act.weight, 0, 0.4)

    # What widths leave one arrangement of: an LSTM, then a GRU, of which two readouts lie side by side.
    def both(m, x):
        steps = m.gru(m.lstm(m.embedding(x))[0])[0]
        return m.out(F.relu(m.linear(torch.cat([steps.mean(1), steps.max(1)[0]], 1))))

    case(
        "lstm_gru_mean_max",
        Chain(
            both, embedding=nn.Embedding(11, 5), lstm=nn.LSTM(5, 4, bidirectional=True, batch_first=True), gru=nn.GRU(8, 3, bidirectional=True, batch_first=True),
            linear=nn.Linear(12, 5), out=nn.Linear(5, 2)),
        torch.randint(0, 11, (4, 7)))
    case(
        "states_of_layers",
        Chain(
            lambda m, x: m.linear_2(m.lstm(m.linear_1(x))[1][0].permute(1, 0, 2).reshape(len(x), -1)), linear_1=nn.Linear(3, 6),
            lstm=nn.LSTM(6, 6, 2, batch_first=True), linear_2=nn.Linear(12, 2)),
        features(4, 7, 3))
    case(
        "group_norm", Chain(lambda m, x: m.fc(m.gn(last(m.lstm(x)))), lstm=nn.LSTM(3, 12, batch_first=True), gn=nn.GroupNorm(4, 12), fc=nn.Linear(12, 2)),
        features(4, 7, 3))
    case(
        "group_norm_front",
        Chain(
            lambda m, x: m.fc(last(m.lstm(F.relu(m.group_norm(m.conv(x.transpose(1, 2)))).transpose(1, 2)))), conv=nn.Conv1d(3, 12, 3, padding=1),
            group_norm=nn.GroupNorm(4, 12), lstm=nn.LSTM(12, 5, batch_first=True), fc=nn.Linear(5, 2)),
        features(4, 7, 3))
    case(
        "both_ways",
        Chain(
            lambda m, x: m.fc(torch.cat([last(m.lstm_fw(x)), last(m.lstm_bw(x.flip(1)))], 1)), lstm_fw=nn.LSTM(3, 5, batch_first=True),
            lstm_bw=nn.LSTM(3, 5, batch_first=True), fc=nn.Linear(10, 2)),
        features(4, 7, 3))
    case(
        "window_of_one",
        Chain(lambda m, x: channels(m.conv, m.lstm(x)[0])[:, -1], lstm=nn.LSTM(3, 5, batch_first=True), conv=nn.Conv1d(5, 2, 1)), features(4, 7, 3))
    # An image (height, width) of 8 rows, read along its width.
    case(
        "crnn_pooled",
        Chain(
            lambda m, x: m.fc(m.rnn(m.cnn(x.transpose(1, 2).unsqueeze(1)).permute(0, 3, 1, 2).flatten(2))[0])[:, -1],
            cnn=nn.Sequential(
                nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d((2, 1)), nn.Conv2d(3, 4, (3, 5), padding=(1, 2)), nn.ReLU(),
                nn.MaxPool2d((2, 1))),
            rnn=nn.LSTM(8, 5, batch_first=True, bidirectional=True), fc=nn.Linear(10, 4)),
        features(2, 6, 8))
    for name in ["group_norm", "group_norm_front"]:
        norm = next(layer for layer in CASES[name][0].modules() if isinstance(layer, nn.GroupNorm))
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)


def main() -> None:
    torch.manual_seed(7)
    make()
    FOLDER.mkdir(exist_ok=True)
    for name, (model, inputs, described) in CASES.items():
        with torch.no_grad():
            y = model(*inputs)
        torch.save(model.state_dict(), FOLDER / f"{name}.pt")
        numbers = {"x" if index == 0 else f"x{index + 1}": value.numpy() for index, value in enumerate(inputs)}
        numpy.savez(FOLDER / f"{name}.npz", y=y.numpy(), **numbers)
        if described:
            (FOLDER / f"{name}.json").write_text(json.dumps(described) + "\n")


main()
