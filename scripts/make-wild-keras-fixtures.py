"""Small Keras files of kinds that were once read incorrectly, each with the outputs of the framework.

    fixtures/wild/keras-kinds/<name>.{keras,h5,weights.h5}    the user's file
    fixtures/wild/keras-kinds/<name>.npz                      x, and y if the file can be read

Needs tensorflow, tf_keras, keras 3, h5py and numpy.
"""

import os
import pathlib
import re
import zipfile
import zlib
import json

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras as k3
import numpy as np
import tf_keras as k2

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "wild" / "keras-kinds"
N, T, I = 3, 6, 3


def fill(model, name):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    model.set_weights([
        np.abs(random.normal(1, 0.3, w.shape)).astype(w.dtype) if "normalization" in v.path.lower() or "variance" in v.path.lower()
        else random.normal(0, 0.4, w.shape).astype(w.dtype)
        for v, w in zip([type("V", (), {"path": getattr(v, "path", v.name)}) for v in model.weights], model.get_weights())
    ])


def normalize(path):
    if path.suffix != ".keras":
        return
    with zipfile.ZipFile(path) as old:
        content = {info.filename: old.read(info) for info in old.infolist()}
    metadata = json.loads(content["metadata.json"])
    metadata["date_saved"] = "1980-01-01@00:00:00"
    content["metadata.json"] = json.dumps(metadata).encode()
    config = content["config.json"].decode()
    for number, found in enumerate(sorted(set(re.findall(r'"shared_object_id": (\d+)', config)), key=config.index)):
        config = config.replace(f'"shared_object_id": {found}', f'"shared_object_id": {number}')
    content["config.json"] = config.encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, value in content.items():
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), value)


def save(name, model, x, kinds=("keras",), adapted=None):
    fill(model, name)
    if adapted is not None:
        adapted()
    OUT.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        path = OUT / f"{name}.{kind}"
        if kind == "weights.h5":
            model.save_weights(path)
        else:
            model.save(path)
        normalize(path)
    np.savez(OUT / f"{name}.npz", x=x, y=np.asarray(model(x)))
    print(" ", name)


def features(name):
    return np.random.default_rng(zlib.crc32(("x" + name).encode())).normal(size=(N, T, I)).astype(np.float32)


def tokens(name, vocabulary=9, pad="pre"):
    random = np.random.default_rng(zlib.crc32(("x" + name).encode()))
    x = random.integers(1, vocabulary, (N, T))
    for row, count in enumerate([0, 2, 3]):
        if pad == "pre":
            x[row, :count] = 0
        elif pad == "post":
            x[row, T - count:] = 0
        else:
            x[row, 2:2 + count] = 0
    return x


def main():
    L = k3.layers
    x = features("x")
    # Masks, with hidden steps at any position.
    for pad in ["pre", "post", "inner"]:
        save(f"mask_stack_{pad}", k3.Sequential([L.Input((None,)), L.Embedding(9, 4, mask_zero=True), L.LSTM(5, return_sequences=True),
             L.Dropout(0.2), L.Bidirectional(L.LSTM(3)), L.Dense(2, activation="softmax")]), tokens(pad, pad=pad))
        save(f"mask_mean_{pad}", k3.Sequential([L.Input((None,)), L.Embedding(9, 4, mask_zero=True),
             L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GlobalAveragePooling1D(), L.Dense(2)]), tokens(pad, pad=pad))
    for pad in ["post", "inner"]:
        save(f"mask_steps_{pad}", k3.Sequential([L.Input((None,)), L.Embedding(9, 4, mask_zero=True), L.LSTM(5, return_sequences=True),
             L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(2))]), tokens(pad, pad=pad))
    i = k3.Input((T, I))
    y = L.Dense(2)(L.LSTM(4)(L.Masking(0.5)(i)))
    masked = features("functional")
    masked[1, :2] = 0.5
    masked[2, 3] = 0.5
    save("mask_functional", k3.Model(i, y), masked)
    K = k2.layers
    save("mask_tf", k2.Sequential([K.Input((T, I)), K.Masking(0.5), K.LSTM(4, return_sequences=True), K.LSTM(4), K.Dense(2)]), masked, ("h5",))

    # Scaling within the model.
    norm = L.Normalization(axis=-1)
    norm.adapt(features("adapt") * [1.0, 5.0, 0.2] + [0.0, 3.0, -7.0])
    kept = norm.get_weights()
    save("normalization", k3.Sequential([L.Input((T, I)), norm, L.LSTM(4), L.Dense(2)]), x, ("keras", "h5"), lambda: norm.set_weights(kept))
    norm2 = K.Normalization(axis=-1)
    norm2.adapt(features("adapt") * [1.0, 5.0, 0.2] + [0.0, 3.0, -7.0])
    kept2 = norm2.get_weights()
    save("normalization_tf", k2.Sequential([K.Input((T, I)), norm2, K.LSTM(4), K.Dense(2)]), x, ("h5",), lambda: norm2.set_weights(kept2))
    save("rescaling", k3.Sequential([L.Input((T, I)), L.Rescaling(0.25, offset=-0.5), L.LSTM(4), L.Dense(2), L.Rescaling(3.0, offset=1.0)]), x)

    # Layers without effect in inference.
    save("noise", k3.Sequential([L.Input((T, I), name="series"), L.GaussianNoise(0.1, name="noise"), L.SpatialDropout1D(0.2, name="drop"),
         L.LSTM(4, name="memory", dropout=0.1), L.ActivityRegularization(l2=0.01, name="reg"), L.Flatten(name="flat"), L.Dense(2, name="out")]), x, ("keras", "h5"))

    # Layers that compute and have no counterpart.
    refused = {
        "softmax_steps": [L.LSTM(4, return_sequences=True), L.Dense(2), L.Softmax(axis=1)],
        "pooling": [L.MaxPooling1D(2), L.LSTM(4), L.Dense(2)],
        "layer_norm": [L.LSTM(4), L.LayerNormalization(), L.Dense(2)],
        "merge_sum": [L.Bidirectional(L.LSTM(3), merge_mode="sum"), L.Dense(2)],
        "backwards": [L.LSTM(4, go_backwards=True), L.Dense(2)],
        "elu_gates": [L.LSTM(4, recurrent_activation="elu"), L.Dense(2)],
        "simple_rnn": [L.SimpleRNN(4), L.Dense(2)],
        "dense_before": [L.Dense(3, activation="relu"), L.LSTM(4), L.Dense(2)],
        "leaky": [L.LSTM(4), L.Dense(3), L.LeakyReLU(), L.Dense(2)],
        "repeat": [L.LSTM(3), L.RepeatVector(T), L.LSTM(3, return_sequences=True), L.Dense(2)],
        "conv": [L.Conv1D(3, 2, padding="same"), L.LSTM(4), L.Dense(2)],
        "batch_norm": [L.LSTM(4), L.BatchNormalization(), L.Dense(2)],
    }
    for name, layers in refused.items():
        save(name, k3.Sequential([L.Input((T, I)), *layers]), x, ("keras", "weights.h5"))
    i = k3.Input((T, I))
    s = L.LSTM(4, return_sequences=True)(i)
    save("attention", k3.Model(i, L.Dense(2)(L.GlobalAveragePooling1D()(L.Attention()([s, s])))), x, ("keras", "weights.h5"))
    i = k3.Input((T, I))
    s = L.LSTM(3, return_sequences=True)(i)
    save("residual", k3.Model(i, L.Dense(2)(L.LSTM(4)(L.Add()([i, s])))), x, ("keras", "weights.h5"))


main()
