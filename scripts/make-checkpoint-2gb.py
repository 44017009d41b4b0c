"""Writes a 2 GB HDF5 checkpoint with the shapes of nn.LSTM (4 layers of 4096), to time `lstm-ft inspect`.

    make-checkpoint-2gb.py big.h5             real data, about as fast as the disk
    make-checkpoint-2gb.py big.h5 --sparse    only the structure is written: a sparse file on systems that have them
"""

import argparse
import pathlib
import time

import h5py
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--sparse", action="store_true")
    options = parser.parse_args()
    hidden, started = options.hidden, time.time()
    # One block of random rows, written repeatedly: the values do not matter.
    block = np.random.default_rng(2).uniform(-0.02, 0.02, (1024, hidden)).astype("<f4")
    shapes = {}
    for layer in range(options.layers):
        for kind in ("ih", "hh"):
            shapes[f"lstm.weight_{kind}_l{layer}"] = (4 * hidden, hidden)
            shapes[f"lstm.bias_{kind}_l{layer}"] = (4 * hidden,)
    shapes |= {"fc.weight": (1, hidden), "fc.bias": (1,)}
    with h5py.File(options.path, "w") as file:
        for name, shape in shapes.items():
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), properties)
            if options.sparse:
                continue
            dataset = file[name]
            for row in range(0, shape[0], len(block)):
                count = min(len(block), shape[0] - row)
                dataset[row : row + count] = block[:count] if len(shape) == 2 else block.ravel()[:count]
    print(f"{options.path.name}: {len(shapes)} tensors, {options.path.stat().st_size:,} bytes, {time.time() - started:.1f} s")


if __name__ == "__main__":
    main()
