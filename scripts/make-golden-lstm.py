"""Golden files for torch.nn.LSTM: outputs, final states and every gradient, 20 configurations and 3 packed ones.

One file per case, fixtures/golden-lstm/<name>.h5:

    attributes       name, input_size, hidden_size, num_layers, bidirectional, proj_size, bias, packed, zero_state (ints
                     but for the name), torch_version
    weights/NAME     the state_dict under dotted names (lstm.weight_ih_l0, ...)
    x (N,T,I)  h0 (L*D,N,P or H)  c0 (L*D,N,H)  y (N,T,D*(P or H))  h_n  c_n
    gy gh gc         loss = sum(y*gy) + sum(h_n*gh) + sum(c_n*gc)
    loss             that sum, float64, from the float64 run
    grad/x  grad/h0  grad/c0  grad/weights/NAME
    lengths (N)      int64, packed cases only; y is zero at the padding

Everything stored is torch's float32 result. Each case is also computed in float64 from the same float32
inputs; the differences (torch's own rounding noise) are printed and written to noise.json.
"""

import json

import torch
from torch import nn

import golden_common as golden

#        I    H    L  bi proj bias N   T    zero initial states
CASES = [
    (1, 1, 1, 0, 0, 1, 1, 1, 0),
    (1, 1, 1, 0, 0, 1, 32, 100, 0),  # the smallest layer, the longest and widest batch
    (3, 1, 2, 1, 0, 1, 3, 5, 0),
    (5, 1, 3, 0, 0, 0, 1, 100, 0),
    (7, 7, 1, 0, 0, 1, 3, 5, 1),
    (7, 7, 2, 1, 0, 1, 32, 5, 0),
    (3, 7, 3, 1, 0, 1, 3, 100, 0),
    (10, 7, 1, 1, 0, 0, 1, 5, 0),
    (4, 7, 2, 0, 3, 1, 32, 1, 0),
    (5, 7, 2, 1, 3, 1, 3, 5, 0),  # projection in both directions, two layers
    (3, 32, 1, 0, 0, 1, 32, 5, 0),
    (32, 32, 1, 1, 0, 1, 3, 1, 0),
    (32, 32, 2, 0, 0, 1, 1, 100, 0),
    (16, 32, 3, 0, 0, 0, 32, 1, 1),
    (12, 32, 2, 1, 10, 0, 1, 5, 0),  # projection without bias
    (8, 32, 3, 1, 5, 1, 3, 5, 0),
    (129, 129, 1, 0, 0, 1, 3, 5, 0),  # H is no multiple of any vector width
    (10, 129, 1, 0, 0, 1, 1, 100, 0),
    (20, 129, 2, 0, 16, 1, 32, 5, 0),
    (6, 129, 1, 1, 0, 0, 32, 1, 0),
]
PACKED = [
    (6, 7, 2, 0, 0, 1, 5, 9, 0, (4, 9, 1, 7, 4)),
    (6, 7, 2, 1, 0, 1, 5, 9, 0, (4, 9, 1, 7, 4)),
    (3, 32, 2, 1, 0, 1, 7, 12, 0, (12, 3, 12, 1, 8, 5, 2)),
]


def name_of(case):
    inputs, hidden, layers, bidirectional, projection, bias, batch, steps, zero = case[:9]
    name = f"l{layers}_{'bi' if bidirectional else 'uni'}_i{inputs}_h{hidden}"
    name += f"_p{projection}" if projection else ""
    name += "" if bias else "_nobias"
    return ("packed_" if len(case) > 9 else "") + f"{name}_n{batch}_t{steps}" + ("_zerostate" if zero else "")


def unit(*shape):
    """Gradients at the output, scaled so that sums over them are O(1)."""
    g = torch.randn(*shape)
    return g / g.numel() ** 0.5


def run(module, tensors, lengths):
    """Forward and backward in the module's precision: outputs, loss and gradients by name."""
    dtype = next(module.parameters()).dtype
    given = {name: value.to(dtype) for name, value in tensors.items()}
    leaves = {name: given[name].clone().requires_grad_() for name in ("x", "h0", "c0")}
    module.zero_grad()
    if lengths is None:
        y, (h, c) = module(leaves["x"], (leaves["h0"], leaves["c0"]))
    else:
        packed = nn.utils.rnn.pack_padded_sequence(leaves["x"], lengths, batch_first=True, enforce_sorted=False)
        y, (h, c) = module(packed, (leaves["h0"], leaves["c0"]))
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=leaves["x"].shape[1])
    loss = (y * given["gy"]).sum() + (h * given["gh"]).sum() + (c * given["gc"]).sum()
    loss.backward()
    outputs = {"y": y, "h_n": h, "c_n": c}
    gradients = {name: leaf.grad for name, leaf in leaves.items()}
    gradients |= {"weights/lstm." + name: p.grad for name, p in module.named_parameters()}
    return {n: v.detach().clone() for n, v in outputs.items()}, loss.item(), {n: v.clone() for n, v in gradients.items()}


def differences(single, double):
    """The largest absolute difference, and the largest relative to the tensor's own largest magnitude."""
    absolute = relative = 0.0
    for name, value in single.items():
        difference = (value.double() - double[name]).abs().max().item()
        absolute = max(absolute, difference)
        relative = max(relative, difference / max(double[name].abs().max().item(), 1e-30))
    return absolute, relative


def make(case, folder):
    inputs, hidden, layers, bidirectional, projection, bias, batch, steps, zero = case[:9]
    lengths = torch.tensor(case[9]) if len(case) > 9 else None
    name = name_of(case)
    golden.seed(name)
    module = nn.LSTM(inputs, hidden, layers, bias=bool(bias), batch_first=True, bidirectional=bool(bidirectional),
                     proj_size=projection)
    directions, out = 1 + bidirectional, projection or hidden
    tensors = {"x": torch.randn(batch, steps, inputs), "h0": torch.randn(layers * directions, batch, out) * 0.5,
               "c0": torch.randn(layers * directions, batch, hidden) * 0.5}
    if zero:
        tensors["h0"].zero_(), tensors["c0"].zero_()
    tensors |= {"gy": unit(batch, steps, directions * out), "gh": unit(layers * directions, batch, out),
                "gc": unit(layers * directions, batch, hidden)}

    outputs, _, gradients = run(module, tensors, lengths)
    weights = golden.state_of(module, "lstm.")
    exact, loss, exact_gradients = run(module.double(), tensors, lengths)

    with golden.create(folder / f"{name}.h5") as file:
        for key, value in dict(name=name, input_size=inputs, hidden_size=hidden, num_layers=layers, bidirectional=bidirectional,
                               proj_size=projection, bias=bias, packed=int(lengths is not None), zero_state=zero,
                               torch_version=str(torch.__version__)).items():
            file.attrs[key] = value
        golden.put_all(file.create_group("weights"), weights)
        golden.put_all(file, tensors | outputs, compress=True)
        golden.put(file, "loss", loss)
        for key, value in gradients.items():
            golden.put(file, "grad/" + key, value, compress=True)
        if lengths is not None:
            golden.put(file, "lengths", lengths)

    y, states = {"y": outputs["y"]}, {k: outputs[k] for k in ("h_n", "c_n")}
    noise = {"y": differences(y, exact)[0], "states": differences(states, exact)[0]}
    noise["gradient"], noise["gradient_relative"] = differences(gradients, exact_gradients)
    noise["largest_gradient"] = max(g.abs().max().item() for g in gradients.values())
    return name, noise


def main():
    options = golden.arguments(__doc__, "golden-lstm")
    golden.deterministic()
    table = {}
    print(f"{'float32 against float64':<40} {'y':>9} {'h_n, c_n':>9} {'gradient':>9} {'relative':>9} {'largest':>9}")
    for case in CASES + PACKED:
        name, noise = make(case, options.out)
        table[name] = noise
        print(f"{name:<40} " + " ".join(f"{v:9.2e}" for v in noise.values()))
    worst = {k: max(row[k] for row in table.values()) for k in next(iter(table.values()))}
    print(f"{'worst':<40} " + " ".join(f"{v:9.2e}" for v in worst.values()))
    (options.out / "noise.json").write_text(json.dumps({"cases": table, "worst": worst}, indent=1) + "\n")
    golden.summary(options.out)


if __name__ == "__main__":
    main()
