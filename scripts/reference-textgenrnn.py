"""Writes the outputs of textgenrnn 2.0.0 in tf_keras, to compare lstm-ft with.

Usage: reference-textgenrnn.py FOLDER OUT [--prompts 100] [--fetch] [--random]

FOLDER is the unpacked source archive of the package; with --fetch it is fetched there from PyPI first. OUT gets `x.npy`
(prompts, 40) of token numbers, `y.npy` (prompts, 465) of the next character's probabilities, `config.json` for
`lstm-ft import --config`, and `reference.h5` with x and y.

The prompts are pieces of the package's README, half of them shorter than 40 characters and padded on the left with token
0. With --random they are random tokens instead: the network then amplifies rounding differences to about 1e-3 in every
framework, tf_keras included, so such a comparison says nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import h5py
import numpy as np

WEIGHTS, VOCABULARY = "textgenrnn/textgenrnn_weights.hdf5", "textgenrnn/textgenrnn_vocab.json"
CONFIG = {
    "input": {"vocabulary": 465, "embedding": 100}, "layers": [{"hidden": 128}, {"hidden": 128}], "skip": True,
    "readout": "attention", "head": [{"size": 465, "activation": "softmax"}]}


def fetch(target):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                        "--no-build-isolation", "textgenrnn==2.0.0", "-d", folder], check=True)
        with tarfile.open(next(pathlib.Path(folder).glob("*.tar.gz"))) as archive:
            for name in (WEIGHTS, VOCABULARY, "README.md"):
                member = next(m for m in archive.getmembers() if m.name.endswith("/" + name))
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(archive.extractfile(member).read())


def model(weights):
    import tf_keras as keras
    from tf_keras import backend as K
    from tf_keras import layers as L

    class AttentionWeightedAverage(L.Layer):
        """The package's layer."""

        def build(self, shape):
            self.W = self.add_weight(shape=(shape[2], 1), name=f"{self.name}_W")

        def call(self, x):
            logits = K.reshape(K.dot(x, self.W), K.shape(x)[:2])
            ai = K.exp(logits - K.max(logits, axis=-1, keepdims=True))
            weights = ai / (K.sum(ai, axis=1, keepdims=True) + K.epsilon())
            return K.sum(x * K.expand_dims(weights), axis=1)

    x = L.Input((40,), name="input")
    e = L.Embedding(465, 100, name="embedding")(x)
    a = L.LSTM(128, return_sequences=True, recurrent_activation="sigmoid", name="rnn_1")(e)
    b = L.LSTM(128, return_sequences=True, recurrent_activation="sigmoid", name="rnn_2")(a)
    c = L.concatenate([e, a, b], name="rnn_concat")
    y = L.Dense(465, activation="softmax", name="output")(AttentionWeightedAverage(name="attention")(c))
    made = keras.Model(x, y)
    # tf_keras converts CuDNN's blocks and adds its two biases.
    made.load_weights(weights, by_name=True)
    return made


def prompts(folder, count, is_random):
    random = np.random.default_rng(2000)
    if is_random:
        return random.integers(1, 465, (count, 40)).astype(np.int64)
    vocabulary = json.loads((folder / VOCABULARY).read_text())
    tokens = [vocabulary.get(c, 0) for c in (folder / "README.md").read_text()]
    x = np.zeros((count, 40), np.int64)
    for row in range(count):
        length = int(random.integers(4, 41)) if row % 2 else 40
        start = int(random.integers(0, len(tokens) - 40))
        x[row, 40 - length:] = tokens[start:start + length]
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--fetch", action="store_true", help="fetch the package first")
    parser.add_argument("--random", action="store_true", help="random tokens instead of text")
    options = parser.parse_args()
    if options.fetch:
        fetch(options.folder)
    options.out.mkdir(parents=True, exist_ok=True)
    x = prompts(options.folder, options.prompts, options.random)
    y = np.asarray(model(options.folder / WEIGHTS)(x), np.float32)
    np.save(options.out / "x.npy", x)
    np.save(options.out / "y.npy", y)
    (options.out / "config.json").write_text(json.dumps(CONFIG) + "\n")
    with h5py.File(options.out / "reference.h5", "w") as file:
        file["x"], file["y"] = x, y
    print(f"{len(x)} prompts, probabilities {y.shape}")


if __name__ == "__main__":
    main()
