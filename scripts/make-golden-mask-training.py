"""Golden files of training with masks: models of Keras 3 before and after 20 steps of SGD on the mean squared error.

    fixtures/mask-training/<name>.keras, <name>-after.keras    (packed again with compression)
    fixtures/mask-training/<name>.npz    x (float32 or int32), t the targets, losses (20)

Needs tensorflow, keras 3, h5py and numpy.
"""

import importlib.util
import os
import pathlib

os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("graphs", HERE / "make-golden-keras-graph.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

import keras
import numpy as np

L = keras.layers
OUT = HERE.parent / "fixtures" / "mask-training"


def tagger():
    return graphs.chain(keras, (7,), L.Embedding(9, 4, mask_zero=True), L.Bidirectional(L.LSTM(3, return_sequences=True)),
                        L.BatchNormalization(momentum=0.9), L.Dense(3), dtype="int32")


def pools():
    x = keras.Input((7,), dtype="int32")
    s = L.LSTM(4, return_sequences=True)(L.Embedding(9, 4, mask_zero=True)(x))
    d = L.BatchNormalization(momentum=0.9)(s)
    return keras.Model(x, L.Dense(2)(L.Concatenate()([L.GlobalMaxPooling1D()(d), L.GRU(3)(d), L.GlobalAveragePooling1D()(s)])))


def front():
    x = keras.Input((7,), dtype="int32")
    e = L.Embedding(9, 4, mask_zero=True)(x)
    c = L.GlobalMaxPooling1D()(L.Conv1D(4, 2, activation="tanh")(e))
    f = L.Flatten()(L.Bidirectional(L.GRU(2, return_sequences=True))(e))
    return keras.Model(x, L.Dense(2)(L.Concatenate()([c, f])))


def rows():
    return graphs.chain(keras, (7, 3), L.Masking(), L.GRU(4, return_sequences=True), L.Conv1D(3, 3, padding="same", activation="tanh"),
                        L.LSTM(3, return_sequences=True), L.Dense(2))


def save(model, name):
    model.save(OUT / f"{name}.keras")
    graphs.pack(OUT / f"{name}.keras")


OUT.mkdir(exist_ok=True)
for build in (tagger, pools, front, rows):
    name = build.__name__
    keras.utils.clear_session()
    model = build()
    graphs.fill(model, name)
    x = graphs.data(name, model, None if name == "rows" else [9], "every")[0]
    y = model(x)
    t = np.random.default_rng(3).normal(size=y.shape).astype(np.float32)
    save(model, name)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    losses = []
    for _ in range(20):
        # Otherwise it gives the mean of all steps so far.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, t)))
    save(model, name + "-after")
    np.savez_compressed(OUT / f"{name}.npz", x=x, t=t, losses=np.asarray(losses, np.float32))
    print(name, losses[0], losses[-1])
