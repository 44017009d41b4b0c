"""Imports every golden Keras model, exports it in Keras' formats, and loads the exports into tf_keras and Keras 3.

Usage: interop-keras.py PATH_OF_LSTM_FT

`load_model` and `load_weights` must accept the files, and the frameworks' outputs must agree with `lstm-ft predict` within 2e-6,
also for golden PyTorch models that Keras can express. textgenrnn, if its source archive can be fetched, must give tf_keras'
probabilities within 1e-5 and be byte-identical after a round trip.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import keras as keras3
import numpy as np
import tf_keras as keras2

TOOL = str(pathlib.Path(sys.argv[1]).resolve())
SCRIPTS = pathlib.Path(__file__).resolve().parent
FIXTURES = SCRIPTS.parent / "fixtures"
LIMIT = 2e-6


def attempt(*arguments, folder):
    return subprocess.run([TOOL, *map(str, arguments), *(["--overwrite"] if arguments[0] in ("export", "predict") else [])], cwd=folder, capture_output=True, text=True)


def run(*arguments, folder):
    done = attempt(*arguments, folder=folder)
    if done.returncode != 0:
        raise SystemExit(f"lstm-ft {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")


def scramble(model):
    """Changes all weights, so that those which are not loaded are noticed."""
    model.set_weights([np.full_like(w, 0.123) for w in model.get_weights()])
    return model


def loaded(framework, path):
    return framework.models.load_model(path, compile=False)


def compare(name, how, model, x, y):
    got = np.asarray(model(x), np.float32)
    difference = np.abs(got - y).max()
    assert got.shape == y.shape and difference <= LIMIT, (name, how, got.shape, y.shape, difference)
    return difference


def exports(name, x, folder, hard, dual, low, counts):
    """Every format that holds the model `model.h5` of the folder."""
    np.save(f"{folder}/x.npy", x)
    run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
    y = np.load(f"{folder}/y.npy")
    bias = ["--bias", "single"] if dual else []
    layout = ["--layout", "keras"] if dual else []

    def count(how, model):
        if low:
            # Frameworks compute in the file's type.
            same = all(np.asarray(w).dtype == model.weights[i].dtype for i, w in enumerate(model.get_weights()))
            assert same, (name, how)
            counts[how] = counts.get(how, 0) + 1
            return
        compare(name, how, model, x, y)
        counts[how] = counts.get(how, 0) + 1

    # Keras' HDF5 has no bfloat16: exporting it is refused.
    if low == "bfloat16":
        assert attempt("export", "model.h5", "--to", "keras-h5", *layout, *bias, "-o", "out.h5", folder=folder).returncode == 64
    if hard != 3 and low != "bfloat16":
        run("export", "model.h5", "--to", "keras-h5", *layout, *bias, "-o", "out.h5", folder=folder)
        with h5py.File(f"{folder}/out.h5") as file:
            whole = "model_config" in file.attrs
        if whole:
            model = loaded(keras2, f"{folder}/out.h5")
            count("tf_keras load_model", model)
            scramble(model).load_weights(f"{folder}/out.h5")
            count("tf_keras load_weights", model)
            if hard != 2 and not (dual and not bias):
                count("Keras 3 load_model of HDF5", loaded(keras3, f"{folder}/out.h5"))
        if dual and whole:
            run("export", "model.h5", "--to", "keras-h5", "--layout", "keras-cudnn", "-o", "cudnn.h5", folder=folder)
            with h5py.File(f"{folder}/cudnn.h5") as file:
                described = "model_config" in file.attrs
            model = loaded(keras2, f"{folder}/{'cudnn' if described else 'out'}.h5")
            if described:
                count("tf_keras load_model of CuDNN's layout", model)
            scramble(model).load_weights(f"{folder}/cudnn.h5")
            count("tf_keras load_weights of CuDNN's layout", model)
    if hard != 2:
        run("export", "model.h5", "--to", "keras", *layout, *bias, "-o", "out.keras", folder=folder)
        model = loaded(keras3, f"{folder}/out.keras")
        count("Keras 3 load_model", model)
        # Without the source's structure, the names are those of a newly built model.
        run("import", "out.keras", "-o", "again.h5", folder=folder)
        run("export", "again.h5", "--to", "keras-weights", "-o", "out.weights.h5", folder=folder)
        scramble(model).load_weights(f"{folder}/out.weights.h5")
        count("Keras 3 load_weights", model)


def golden_keras(counts):
    for path in sorted((FIXTURES / "golden-keras").glob("*.reference.h5")):
        with h5py.File(path) as golden, tempfile.TemporaryDirectory() as folder:
            said = json.loads(golden.attrs["options"])
            if said.get("config", {}).get("skip"):
                continue
            flags = [f for key in ("readout", "gates") if key in said for f in ("--" + key, said[key])]
            if "config" in said:
                pathlib.Path(folder, "config.json").write_text(json.dumps(said["config"]))
                flags += ["--config", "config.json"]
            run("import", FIXTURES / "golden-keras" / golden.attrs["file"], *flags, folder=folder)
            name = golden.attrs["name"]
            x = golden["x" if "x" in golden else "tokens"][...]
            hard = 2 if "hard" in name and name.startswith("k2") or name.startswith("keras1") else 3 if "hard" in name else 0
            low = next((t for t in ("bfloat16", "float16", "float64") if t in name), None)
            exports(name, x, folder, hard, name.startswith("cudnn"), low, counts)


def golden_pytorch(counts):
    for path in sorted((FIXTURES / "golden-models").glob("*.reference.h5")):
        with h5py.File(path) as golden, tempfile.TemporaryDirectory() as folder:
            name, readout = golden.attrs["name"], golden.attrs["readout"]
            activations = json.loads(golden.attrs["activations"])
            if golden.attrs["proj_size"] or readout == "last" and golden.attrs["bidirectional"]:
                continue
            flags = ["--activation", activations[0]] if len(activations) > 1 else []
            flags += ["--allow", "unexpected=optimizer/*", "--allow", "unexpected=step", "--allow", "unexpected=bn.*"]
            run("import", FIXTURES / "golden-models" / f"{name}.h5", "--readout", readout, *flags, folder=folder)
            x = golden["x" if "x" in golden else "tokens"][...]
            exports(name, x, folder, 0, bool(golden.attrs["bias"]), None, counts)


def wild_kinds(counts):
    """Masks, scalers and layers for training only, through each format of whole models and back into the framework."""
    kinds = FIXTURES / "wild" / "keras-kinds"
    for path in sorted(kinds.glob("mask_*")) + sorted(kinds.glob("n*.keras")) + [kinds / "rescaling.keras"]:
        if path.suffix == ".npz":
            continue
        given = np.load(kinds / (path.name.split(".")[0] + ".npz"))
        x, y = given["x"], given["y"]
        with tempfile.TemporaryDirectory() as folder:
            run("import", path, folder=folder)
            np.save(f"{folder}/x.npy", x)
            run("predict", "model.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
            difference = np.abs(np.load(f"{folder}/y.npy") - y).max()
            assert difference <= LIMIT * max(1, np.abs(y).max()), (path.name, difference)
            run("export", "model.h5", "--to", "keras", "-o", "out.keras", folder=folder)
            run("export", "model.h5", "--to", "keras-h5", "-o", "out.h5", folder=folder)
            for how, framework, name in [("Keras 3", keras3, "out.keras"), ("Keras 3", keras3, "out.h5"), ("tf_keras", keras2, "out.h5")]:
                got = np.asarray(loaded(framework, f"{folder}/{name}")(x))
                difference = np.abs(got - y).max()
                assert difference <= LIMIT * max(1, np.abs(y).max()), (path.name, how, name, difference)
            counts["masks, scalers and noise"] = counts.get("masks, scalers and noise", 0) + 1


def names(counts):
    """Weights that were trained elsewhere are found by the names of layers."""
    source = FIXTURES / "wild" / "keras-names" / "k3.keras"
    x = np.load(FIXTURES / "wild" / "keras-names" / "x.npz")["x"]
    y = np.load(FIXTURES / "wild" / "keras-names" / "k3.npy")
    with tempfile.TemporaryDirectory() as folder:
        run("import", source, folder=folder)
        run("export", "model.h5", "--to", "keras-h5", "-o", "out.h5", folder=folder)
        model = scramble(loaded(keras3, source))
        model.load_weights(f"{folder}/out.h5", by_name=True)
        compare("keras-names", "Keras 3 load_weights(by_name=True)", model, x, y)
        # Layers that act only in training are there again.
        again = loaded(keras3, f"{folder}/out.h5")
        assert [l.name for l in again.layers] == [l.name for l in model.layers], [l.name for l in again.layers]
        assert [l.rate for l in again.layers if "Dropout" in type(l).__name__] == [
            l.rate for l in model.layers if "Dropout" in type(l).__name__]
        run("export", "model.h5", "--to", "keras", "--dtype", "float16", "-o", "half.keras", folder=folder)
        half = loaded(keras3, f"{folder}/half.keras")
        run("import", "half.keras", "-o", "half.h5", folder=folder)
        np.save(f"{folder}/x.npy", x)
        run("predict", "half.h5", "--data", "x.npy", "-o", "y.npy", folder=folder)
        compare("keras-names", "float16 computes the same", half, x, np.load(f"{folder}/y.npy"))
        counts["load_weights by name, float16"] = 2


def graphs(counts):
    """Every kind of layer that Keras has around recurrent ones, into each format and back into the frameworks."""
    folder_of, own_layers = FIXTURES / "keras-graph", FIXTURES / "keras-own"
    for path in sorted([*folder_of.glob("*.keras"), *folder_of.glob("*.h5"), *own_layers.glob("*_sum_of_products.keras")]):
        given = np.load(path.parent / f"{path.name.split('.')[0]}.npz")
        x, y = ([given[f"{key}{i}"] for i in range(9) if f"{key}{i}" in given] for key in "xy")
        own = {"2": keras2, "3": keras3}[path.name[1]]

        def inputs(model):
            return [value.name.split(":")[0] for value in model.inputs]

        source = inputs(loaded(own, path)) if len(x) > 1 else []

        def check(how, model):
            # An input that hides steps comes first.
            names = inputs(model)
            places = [source.index(name) for name in names] if sorted(source) == sorted(names) else range(len(x))
            given = [x[place] for place in places]
            got = model(given if len(given) > 1 else given[0])
            for a, b in zip(got if isinstance(got, (list, tuple)) else [got], y, strict=True):
                difference = np.abs(np.asarray(a, np.float32) - b).max()
                assert difference <= LIMIT * max(1, np.abs(b).max()), (path.name, how, difference)
            counts[how] = counts.get(how, 0) + 1

        with tempfile.TemporaryDirectory() as folder:
            run("import", path, folder=folder)
            # A hard sigmoid has another slope in Keras 3, and a product whose factors have not all a mask has none.
            if own is keras3 or not any(word in path.name for word in ("hard", "hidden_again")):
                run("export", "model.h5", "--to", "keras", "-o", "out.keras", folder=folder)
                # Keras' own loading into the model that the weights came from.
                run("export", "model.h5", "--to", "keras-weights", "-o", "out.weights.h5", folder=folder)
                check("graphs: Keras 3 load_model", loaded(keras3, f"{folder}/out.keras"))
                if own is keras3 and path.parent == folder_of:
                    model = scramble(loaded(own, path))
                    model.load_weights(f"{folder}/out.weights.h5")
                    check("graphs: Keras 3 load_weights", model)
            if "hard" in path.name and own is keras3:
                continue
            run("export", "model.h5", "--to", "keras-h5", "-o", "out.h5", folder=folder)
            check("graphs: tf_keras load_model", loaded(keras2, f"{folder}/out.h5"))
            # Layers of models within models, and stacks of cells, are layers of their own there.
            # Layers of somebody's own no framework loads without their code.
            if path.parent == folder_of and not any(word in path.name for word in ("nested", "cells", "through_models")):
                model = scramble(loaded(own, path))
                model.load_weights(f"{folder}/out.h5", by_name=True)
                check("graphs: load_weights by name", model)


def textgenrnn():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / "reference-textgenrnn.py"), f"{folder}/package", f"{folder}/ref", "--fetch"],
            capture_output=True, text=True)
        if done.returncode != 0:
            return "textgenrnn not fetched"
        weights = f"{folder}/package/textgenrnn/textgenrnn_weights.hdf5"
        run("import", weights, "--config", "ref/config.json", folder=folder)
        run("predict", "model.h5", "--data", "ref/x.npy", "-o", "y.npy", folder=folder)
        difference = np.abs(np.load(f"{folder}/y.npy") - np.load(f"{folder}/ref/y.npy")).max()
        assert difference <= 1e-5, difference
        run("export", "model.h5", "--to", "keras-h5", "-o", "back.h5", folder=folder)
        with h5py.File(weights) as a, h5py.File(f"{folder}/back.h5") as b:
            names = {}
            for key, file in (("a", a), ("b", b)):
                file.visititems(lambda n, o: names.setdefault(key, []).append(n) if isinstance(o, h5py.Dataset) else None)
            assert names["a"] == names["b"], names
            assert all(a[n][...].tobytes() == b[n][...].tobytes() for n in names["a"])
        return f"textgenrnn's probabilities within {difference:.1e}, its weights back byte for byte"


def main():
    counts = {}
    golden_keras(counts)
    golden_pytorch(counts)
    wild_kinds(counts)
    names(counts)
    graphs(counts)
    for how, number in counts.items():
        print(f"  {number:>3} x {how}")
    print(f"tf_keras {keras2.__version__}, Keras {keras3.__version__}: all within {LIMIT}; {textgenrnn()}")


if __name__ == "__main__":
    main()
