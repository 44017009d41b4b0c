"""Golden files from Keras: weights as tf_keras 2 and Keras 3 save them, and the outputs of the models.

    fixtures/golden-keras/<name>.{h5,weights.h5,keras}    the user's file
    fixtures/golden-keras/<name>.reference.h5             x float32 (N,T,I) or tokens int64 (N,T); y float32

Attributes of a reference: name, description, framework, file; options (JSON: readout, gates, activation or config, which a
user has to specify); mapping (JSON: the project's name -> dataset, if it is one to one).

Needs tensorflow, tf_keras, keras 3, h5py and numpy. Keras 1 files are made by hand as its `save_weights` did.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import tempfile
import zipfile
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import keras as keras3
import numpy as np
import tf_keras as keras2
from tf_keras.src.saving.legacy import hdf5_format

N, T = 3, 6
OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden-keras"
FRAMEWORKS = {2: keras2, 3: keras3}


def seed_for(name):
    return zlib.crc32(name.encode())


def fill(model, name):
    """Weights of a magnitude at which the gates matter, the same on every run."""
    random = np.random.default_rng(seed_for(name))
    model.set_weights([random.normal(0, 0.4, w.shape).astype(w.dtype) for w in model.get_weights()])


def reset(framework):
    framework.backend.clear_session() if framework is keras2 else framework.utils.clear_session()


def lstm(k, units, cls=None, **options):
    return (cls or k.layers.LSTM)(units, **options)


def data(name, model, vocabulary=None):
    random = np.random.default_rng(seed_for("x" + name))
    if vocabulary:
        return random.integers(1, vocabulary, (N, T))
    return random.normal(size=(N, T, model.input_shape[-1])).astype(np.float32)


def reference(name, description, framework, file, x, y, options):
    with h5py.File(OUT / f"{name}.reference.h5", "w") as out:
        out["tokens" if x.dtype.kind == "i" else "x"] = x
        out["y"] = np.asarray(y, np.float32)
        out.attrs.update(name=name, description=description, framework=framework, file=file, options=json.dumps(options))
    print(f"  {name:<28} {description}")


def case(name, major, description, build, kinds, vocabulary=None, exact=None, **options):
    """One model saved in several ways; `kinds` says how; `exact` builds the same in float32 for y."""
    k = FRAMEWORKS[major]
    reset(k)
    model = build(k, k.layers)
    fill(model, name)
    x = data(name, model, vocabulary)
    judge = model
    if exact:
        judge = exact(k, k.layers)
        judge.set_weights([w.astype(np.float32) for w in model.get_weights()])
    y = np.asarray(judge(x))
    for kind in kinds:
        file, said = SAVERS[kind](model, name)
        normalize(OUT / file)
        suffix = "" if len(kinds) == 1 else "_" + kind
        reference(name + suffix, description + " (" + kind + ")", f"Keras {k.__version__}", file, x, y, {**said, **options.get(kind, {})})


def save_full(model, name):
    model.save(OUT / f"{name}.h5")
    return f"{name}.h5", {}


def save_legacy_weights(model, name):
    file = f"{name}_w.h5"
    if "tf_keras" in type(model).__module__:
        model.save_weights(OUT / file)
    else:
        from keras.src.legacy.saving import legacy_h5_format
        with h5py.File(OUT / file, "w") as out:
            legacy_h5_format.save_weights_to_hdf5_group(out, model)
    return file, {}


def save_weights3(model, name):
    model.save_weights(OUT / f"{name}.weights.h5")
    return f"{name}.weights.h5", {}


def save_archive(model, name):
    model.save(OUT / f"{name}.keras")
    return f"{name}.keras", {}


SAVERS = {"full": save_full, "legacy": save_legacy_weights, "weights": save_weights3, "archive": save_archive}


def normalize(path):
    """Removes the dates in archives; everything else is the same on every run."""
    if path.suffix != ".keras":
        return
    with zipfile.ZipFile(path) as old:
        content = {info.filename: old.read(info) for info in old.infolist()}
    metadata = json.loads(content["metadata.json"])
    metadata["date_saved"] = "1980-01-01@00:00:00"
    content["metadata.json"] = json.dumps(metadata).encode()
    config = content["config.json"].decode()
    # Addresses of objects.
    for number, found in enumerate(sorted(set(re.findall(r'"shared_object_id": (\d+)', config)), key=config.index)):
        config = config.replace(f'"shared_object_id": {found}', f'"shared_object_id": {number}')
    content["config.json"] = config.encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, value in content.items():
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), value)


def sequential(k, *layers):
    return k.Sequential(list(layers))


def last_dense(k, L, width, *stack, units=2, activation=None):
    return sequential(k, L.Input((T, width)), *stack, L.Dense(units, activation=activation))


def to_cudnn(path, layers):
    """Turns the LSTM groups of a legacy weights file into CuDNNLSTM's, with two biases, as tf_keras converts them."""
    with h5py.File(path, "r+") as file:
        root = file["model_weights"] if "model_weights" in file else file
        for layer in layers:
            group = root[layer]
            names = list(group.attrs["weight_names"])
            for start in range(0, len(names), 3):
                kernel, recurrent, bias = (group[n][...] for n in names[start:start + 3])
                units = recurrent.shape[0]

                class CuDNNLSTM:
                    def __init__(self):
                        self.units = units

                target = CuDNNLSTM()
                made = hdf5_format._convert_rnn_weights(target, [kernel, recurrent, bias])
                # tf_keras halves the bias; unequal halves with the same sum test more.
                shift = np.random.default_rng(7).normal(0, 0.3, bias.shape).astype(np.float32)
                first = (bias + shift).astype(np.float32)
                made[2] = np.concatenate([first, (bias - first).astype(np.float32)])
                for n, value in zip(names[start:start + 3], made):
                    del group[n]
                    group[n] = value


def keras1(name, description, k, model, x, y, bidirectional, options):
    """As Keras 1 wrote weights: no keras_version, twelve arrays per LSTM, names lstm_1_W_i."""
    with h5py.File(OUT / f"{name}.h5", "w") as file:
        file.attrs["layer_names"] = np.array([l.name.encode() for l in model.layers])
        for layer in model.layers:
            group = file.create_group(layer.name)
            values, names = [], []

            def cell(weights, module):
                kernel, recurrent, bias = weights
                gates = {g: i for i, g in enumerate("ifco")}
                for g in "icfo":
                    pick = lambda v: np.split(v, 4, axis=-1)[gates[g]]
                    values.extend([pick(kernel), pick(recurrent), pick(bias)])
                    names.extend(f"{module}_{w}_{g}" for w in "WUb")

            weights = layer.get_weights()
            if isinstance(layer, k.layers.Bidirectional):
                cell(weights[:3], "forward_" + layer.name), cell(weights[3:], "backward_" + layer.name)
            elif isinstance(layer, k.layers.LSTM):
                cell(weights, layer.name)
            else:
                values, names = weights, [f"{layer.name}_{w}" for w in "Wb"[:len(weights)]]
            group.attrs["weight_names"] = np.array([n.encode() for n in names]) if names else np.array([])
            for n, v in zip(names, values):
                group[n] = v
    reference(name, description, "Keras 1's layout, computed by tf_keras " + k.__version__, f"{name}.h5", x, y, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    last, final, every = {"readout": "last"}, {"readout": "final"}, {"readout": "all"}
    described = {"config": {"input": {"vocabulary": 9, "embedding": 4}, "layers": [{"hidden": 6, "bias": "single"}],
                            "readout": "mean", "head": [{"size": 1, "activation": "sigmoid"}]}}
    both = {"legacy": last, "weights": last}

    case("k2_l1", 2, "one LSTM, dense", lambda k, L: last_dense(k, L, 3, L.LSTM(5)), ["full", "legacy", "weights", "archive"], **both)
    case("k2_l2", 2, "two LSTMs, I == H, odd H", lambda k, L: last_dense(k, L, 7, L.LSTM(7, return_sequences=True), L.LSTM(7)),
         ["full", "legacy"], **both)
    case("k2_l3", 2, "three LSTMs, dense relu and softmax, dropout and masking between",
         lambda k, L: sequential(k, L.Input((T, 4)), L.Masking(mask_value=-99.0), L.LSTM(6, return_sequences=True), L.Dropout(0.2),
                                 L.LSTM(5, return_sequences=True), L.LSTM(3), L.Dense(4, activation="relu"), L.Dense(3), L.Activation("softmax")),
         ["full", "archive"])
    case("k2_bi", 2, "bidirectional then one way, no biases",
         lambda k, L: last_dense(k, L, 3, L.Bidirectional(L.LSTM(4, return_sequences=True, use_bias=False)), L.LSTM(5, use_bias=False)),
         ["full", "legacy"], **both)
    case("k2_bi_final", 2, "bidirectional without return_sequences", lambda k, L: last_dense(k, L, 3, L.Bidirectional(L.LSTM(4))),
         ["full", "legacy", "weights", "archive"], legacy=final, weights=final)
    case("k2_hard", 2, "hard_sigmoid gates of Keras 2", lambda k, L: last_dense(k, L, 3, L.LSTM(9, recurrent_activation="hard_sigmoid")),
         ["full", "legacy"], legacy={"readout": "last", "gates": "hard_sigmoid"})
    case("k2_seq", 2, "every step, time-distributed dense",
         lambda k, L: sequential(k, L.Input((T, 3)), L.LSTM(5, return_sequences=True), L.TimeDistributed(L.Dense(2, activation="sigmoid"))),
         ["full", "archive"])
    case("k2_stacked_cells", 2, "RNN of two cells", lambda k, L: last_dense(k, L, 3, L.RNN([L.LSTMCell(4), L.LSTMCell(5)])), ["full"])
    case("k2_nested", 2, "a model within a model, its first LSTM frozen",
         lambda k, L: sequential(k, L.Input((T, 3)), sequential(k, L.Input((T, 3)), L.LSTM(4, return_sequences=True, trainable=False), L.LSTM(5)),
                                 L.Dense(2)), ["full", "archive"])

    def functional(k, L):
        x = L.Input((None,))
        h = L.Embedding(11, 4, mask_zero=True)(x)
        h = L.LSTM(5, return_sequences=True)(h)
        h = L.Bidirectional(L.LSTM(3, return_sequences=True))(h)
        return k.Model(x, L.Dense(2, activation="tanh")(L.GlobalMaxPooling1D()(h)))

    def mean(k, L):
        x = L.Input((None,))
        h = L.LSTM(6, return_sequences=True)(L.Embedding(9, 4)(x))
        return k.Model(x, L.Activation("sigmoid")(L.Dense(1)(L.GlobalAveragePooling1D()(h))))

    case("k2_functional", 2, "embedding with a mask, LSTM, bidirectional, maximum", functional, ["full", "archive"], vocabulary=11)
    case("k2_mean", 2, "embedding, LSTM, mean", mean, ["full", "legacy"], vocabulary=9, legacy=described)

    case("k3_l1", 3, "one LSTM, dense", lambda k, L: last_dense(k, L, 3, L.LSTM(5)), ["full", "legacy", "weights", "archive"], **both)
    case("k3_l3", 3, "three LSTMs, I == H, odd H",
         lambda k, L: last_dense(k, L, 7, L.LSTM(7, return_sequences=True), L.LSTM(7, return_sequences=True), L.LSTM(5), activation="relu"),
         ["full", "archive"])
    case("k3_bi", 3, "LSTM, two bidirectional without biases",
         lambda k, L: last_dense(k, L, 3, L.LSTM(4, return_sequences=True), L.Bidirectional(L.LSTM(3, return_sequences=True, use_bias=False)),
                                 L.Bidirectional(L.LSTM(4, use_bias=False))),
         ["full", "weights", "archive"], weights=final)
    case("k3_hard", 3, "hard_sigmoid gates of Keras 3", lambda k, L: last_dense(k, L, 3, L.LSTM(9, recurrent_activation="hard_sigmoid")),
         ["full", "weights", "archive"], weights={"readout": "last", "gates": "hard_sigmoid_keras3"})
    case("k3_functional", 3, "embedding with a mask, LSTM, bidirectional, maximum", functional, ["full", "archive"], vocabulary=11)
    case("k3_mean", 3, "embedding, LSTM, mean", mean, ["archive", "weights"], vocabulary=9, weights=described)
    case("k3_nested", 3, "a model within a model",
         lambda k, L: sequential(k, L.Input((T, 3)), sequential(k, L.Input((T, 3)), L.LSTM(4, return_sequences=True), L.LSTM(5)), L.Dense(2)),
         ["full", "archive"])
    case("k3_cells", 3, "RNN of two cells", lambda k, L: last_dense(k, L, 3, L.RNN([L.LSTMCell(4), L.LSTMCell(5)])), ["archive", "full"])
    case("k3_seq", 3, "every step, time-distributed dense",
         lambda k, L: sequential(k, L.Input((T, 3)), L.LSTM(5, return_sequences=True), L.TimeDistributed(L.Dense(2))), ["archive", "weights"],
         weights=every)
    for dtype in ("float16", "float64", "bfloat16"):
        case(f"k3_{dtype}", 3, f"weights of {dtype}",
             lambda k, L: last_dense(k, L, 3, L.LSTM(4, dtype=dtype, recurrent_initializer="glorot_uniform")), ["weights", "archive", "full"],
             exact=lambda k, L: last_dense(k, L, 3, L.LSTM(4)), weights=last)

    # Shards.
    reset(keras3)
    model = last_dense(keras3, keras3.layers, 3, keras3.layers.LSTM(5, return_sequences=True), keras3.layers.LSTM(5))
    fill(model, "k3_shards")
    x = data("k3_shards", model)
    model.save_weights(OUT / "k3_shards.weights.json", max_shard_size=0.0000004)
    reference("k3_shards", "shards", f"Keras {keras3.__version__}", "k3_shards.weights.json", x, np.asarray(model(x)), last)

    # CuDNN's layout, which tf_keras' LSTM loads; y is the output of the model that loaded it.
    for name, build, layers, said in [
        ("cudnn_l2", lambda k, L: last_dense(k, L, 3, L.LSTM(5, return_sequences=True, name="a"), L.LSTM(5, name="b")), ["a", "b"], last),
        ("cudnn_bi", lambda k, L: last_dense(k, L, 4, L.Bidirectional(L.LSTM(7), name="a")), ["a"], final)]:
        for full in (False, True):
            reset(keras2)
            model = build(keras2, keras2.layers)
            fill(model, name)
            x = data(name, model)
            file = name + ("_full" if full else "") + ".h5"
            model.save(OUT / file) if full else model.save_weights(OUT / file)
            to_cudnn(OUT / file, layers)
            model.load_weights(OUT / file)
            reference(file[:-3], "CuDNNLSTM's layout", f"tf_keras {keras2.__version__}", file, x, np.asarray(model(x)), {} if full else said)

    for name, wrap, said in [("keras1_l2", False, last), ("keras1_bi", True, final)]:
        reset(keras2)
        L = keras2.layers
        stack = [L.Bidirectional(L.LSTM(4, recurrent_activation="hard_sigmoid"), name="bidirectional_1")] if wrap else [
            L.LSTM(5, return_sequences=True, recurrent_activation="hard_sigmoid", name="lstm_1"),
            L.LSTM(4, recurrent_activation="hard_sigmoid", name="lstm_2")]
        model = last_dense(keras2, L, 3, *stack)
        fill(model, name)
        x = data(name, model)
        keras1(name, "Keras 1", keras2, model, x, np.asarray(model(x)), wrap, {**said, "gates": "hard_sigmoid"})

    # Names split over several attributes, as in models with many layers.
    with h5py.File(OUT / "k2_l1_w.h5") as source, h5py.File(OUT / "split.h5", "w") as target:
        for item in source:
            source.copy(item, target)
        names = [n.encode() if isinstance(n, str) else n for n in source.attrs["layer_names"]]
        for index, name in enumerate(names):
            target.attrs[f"layer_names{index}"] = np.array([name])
        target.attrs["keras_version"] = np.bytes_(source.attrs["keras_version"])
    with h5py.File(OUT / "k2_l1_legacy.reference.h5") as old:
        x, y = old["x"][...], old["y"][...]
    reference("split", "layer_names in pieces, fixed-length strings", "h5py", "split.h5", x, y, last)

    # Keras 2.13 stored layers under another name, and numbered each twice.
    with zipfile.ZipFile(OUT / "k2_l3.keras") as archive, tempfile.TemporaryDirectory() as folder:
        archive.extractall(folder)
        with h5py.File(f"{folder}/model.weights.h5", "r+") as file:
            file.move("layers", "_layer_checkpoint_dependencies")
            group = file["_layer_checkpoint_dependencies"]
            for old, new in [("lstm_2", "lstm_4"), ("lstm_1", "lstm_2"), ("dense_1", "dense_2")]:
                group.move(old, new)
        with zipfile.ZipFile(OUT / "k213.keras", "w") as new:
            for entry in ("metadata.json", "config.json", "model.weights.h5"):
                content = pathlib.Path(folder, entry).read_bytes()
                if entry == "metadata.json":
                    content = content.replace(keras2.__version__.encode(), b"2.13.1")
                new.writestr(zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0)), content)
    with h5py.File(OUT / "k2_l3_archive.reference.h5") as old:
        x, y = old["x"][...], old["y"][...]
    reference("k213", "Keras 2.13's archive", "made from tf_keras'", "k213.keras", x, y, {})

    # A model that only --config can describe: the LSTMs' outputs and the input are concatenated.
    reset(keras2)
    L = keras2.layers
    i = L.Input((T, 3))
    a = L.LSTM(4, return_sequences=True)(i)
    b = L.LSTM(4, return_sequences=True)(a)
    model = keras2.Model(i, L.Dense(2)(L.GlobalAveragePooling1D()(L.concatenate([i, a, b]))))
    fill(model, "branches")
    model.save(OUT / "branches.h5")
    x = data("branches", model)
    layers = [{"hidden": 4, "bias": "single"}] * 2
    reference("branches", "skip connections", f"tf_keras {keras2.__version__}", "branches.h5", x, np.asarray(model(x)),
              {"config": {"input": {"features": 3}, "layers": layers, "skip": True, "readout": "mean", "head": [{"size": 2}]}})

    # A weight whose name points to another file.
    with h5py.File(OUT / "lying_external.h5", "w") as file:
        file.attrs["layer_names"], file.attrs["keras_version"] = np.array([b"lstm"]), "2.15.0"
        group = file.create_group("lstm")
        group["elsewhere"] = h5py.ExternalLink("k2_l1.h5", "/model_weights/lstm")
        group.attrs["weight_names"] = np.array([b"elsewhere/lstm/lstm_cell/kernel:0"])
    total = sum(p.stat().st_size for p in OUT.iterdir())
    print(f"  {len(list(OUT.iterdir()))} files, {total:,} bytes")


if __name__ == "__main__":
    main()
