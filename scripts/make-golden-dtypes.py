"""Golden files for dtypes and storage: a small state_dict, written to HDF5 in many ways.

    fixtures/golden-dtypes/<variant>.h5    root datasets lstm.weight_ih_l0, ..., fc.weight, fc.bias; two layers LSTM(5, 7), fc 7 -> 2
    fixtures/golden-dtypes/expected.h5     <variant>/<name>: the float32 values expected after import

f8 holds values that float32 cannot represent (narrowing rounds to nearest, ties to even); some values are subnormal
in f2. bfloat16 is a 16-bit HDF5 float type of 8 exponent bits, 7 mantissa bits and bias 127, as no predefined
type of older libraries has it.
"""

import h5py
import numpy as np
import torch
from torch import nn

import golden_common as golden


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 7, num_layers=2, batch_first=True)
        self.fc = nn.Linear(7, 2)


def values():
    """The weights as float64, none of them exactly a float32, with a few tiny ones."""
    golden.seed("dtypes")
    state = {name: value.double() for name, value in golden.state_of(Model()).items()}
    state = {name: value * (1 + torch.randn(value.shape, dtype=torch.float64) * 1e-8) for name, value in state.items()}
    state["lstm.weight_ih_l0"][0, :3] = torch.tensor([3.1e-6, -5.9e-7, 6.1e-5], dtype=torch.float64)
    state["fc.bias"][0] = -2.3e-5
    return state


def bfloat16_type(big=False):
    kind = (h5py.h5t.IEEE_F16BE if big else h5py.h5t.IEEE_F16LE).copy()
    kind.set_fields(15, 7, 8, 0, 7)  # sign at bit 15, exponent at 7 of 8 bits, mantissa at 0 of 7 bits
    kind.set_ebias(127)
    return kind


def put_bfloat16(file, name, value, big=False):
    """Write a tensor as bfloat16, then check the bytes in the file. Returns the values as float32."""
    narrow = value.bfloat16().contiguous()  # rounds to nearest, ties to even
    bits = narrow.view(torch.int16).numpy().view(np.uint16).astype(">u2" if big else "<u2")
    kind = bfloat16_type(big)
    space = h5py.h5s.create_simple(bits.shape)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)  # the same bytes on every run
    dataset = h5py.h5d.create(file.id, name.encode(), kind, space, properties)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, mtype=kind)
    file.flush()
    with open(file.filename, "rb") as raw:
        raw.seek(dataset.get_offset())
        if raw.read(bits.nbytes) != bits.tobytes():
            raise SystemExit(f"error: {name}: bfloat16 bytes differ in the file")
    stored = dataset.get_type()
    if (stored.get_size(), stored.get_fields(), stored.get_ebias()) != (2, (15, 7, 8, 0, 7), 127):
        raise SystemExit(f"error: {name}: not stored as bfloat16")
    converted = np.empty(bits.shape, dtype="<f4")
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, converted, mtype=h5py.h5t.IEEE_F32LE)
    if not np.array_equal(converted, narrow.float().numpy()):
        raise SystemExit(f"error: {name}: the library reads other values than torch's")
    return narrow.float().numpy()


def main():
    folder = golden.arguments(__doc__, "golden-dtypes").out
    golden.deterministic()
    double = values()
    single = {name: value.float().numpy() for name, value in double.items()}
    plain = {"f4": "<f4", "f2": "<f2", "f8": "<f8", "f4_be": ">f4", "f8_be": ">f8", "f2_be": ">f2"}

    def odd(shape):  # chunks that do not divide the shape
        return tuple(min(n, 5 if axis == 0 else 3) for axis, n in enumerate(shape))

    expected = {}
    for variant, dtype in plain.items():
        with golden.create(folder / f"{variant}.h5") as file:
            for name, value in double.items():
                stored = (value.numpy() if "f8" in dtype else single[name]).astype(dtype)
                file.create_dataset(name, data=stored)
                expected[f"{variant}/{name}"] = stored.astype("<f4")
    for variant, filters in {"chunked": {}, "gzip": dict(compression="gzip", shuffle=True, fletcher32=True)}.items():
        with golden.create(folder / f"{variant}.h5") as file:
            for name, value in single.items():
                file.create_dataset(name, data=value, chunks=odd(value.shape), **filters)
                expected[f"{variant}/{name}"] = value
    for variant, big in {"bfloat16": False, "bfloat16_be": True}.items():
        with golden.create(folder / f"{variant}.h5") as file:
            for name, value in double.items():
                expected[f"{variant}/{name}"] = put_bfloat16(file, name, value.float(), big)
    with golden.create(folder / "expected.h5") as file:
        golden.put_all(file, expected)
    for variant in sorted({key.split("/")[0] for key in expected}):
        error = max(np.abs(expected[f"{variant}/{n}"] - double[n].numpy()).max() for n in double)
        print(f"  {variant:<12} largest difference from the float64 values {error:.3e}")
    golden.summary(folder)


if __name__ == "__main__":
    main()
