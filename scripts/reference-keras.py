"""Writes the reference for `lstm-ft verify` next to a Keras model: an input and the model's outputs.

In your own program: write_reference("reference.h5", model, x). As a program, for a whole saved model:

    python scripts/reference-keras.py model.keras reference.h5 [--steps 20] [--batch 3]
"""
import argparse

import h5py
import numpy as np


def write_reference(path, model, x):
    """x (N, T, I) features or (N, T) tokens."""
    with h5py.File(path, "w") as file:
        file["x"] = x
        file["y"] = np.asarray(model.predict(x, verbose=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("reference")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=3)
    arguments = parser.parse_args()
    import keras

    model = keras.saving.load_model(arguments.model, compile=False)
    random = np.random.default_rng(0)
    shape = [arguments.batch, model.input_shape[1] or arguments.steps] + list(model.input_shape[2:])
    embedding = next((layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)), None)
    x = random.integers(0, embedding.input_dim, shape) if embedding else random.normal(size=shape).astype("float32")
    write_reference(arguments.reference, model, x)
