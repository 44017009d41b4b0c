"""Runs the programs under Examples that start from fixtures/examples, and loads what they write in the real frameworks.

Usage: interop-examples.py PATH_OF_LSTM_FT (the programs lie beside it)

Keras' `load_model` must accept the .keras files, and PyTorch's `load_state_dict` the .pt files, in the module that `lstm-ft
export --module` writes and in the class that the model was trained in. Outputs of the frameworks must agree with `lstm-ft
predict` within 2e-6 of the largest one; Keras' in double precision, as its own float32 differs by so much after training.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np

TOOL = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "examples"
LIMIT = 2e-6
CRNN = (
    "12 features in 1 channel -> conv 8 kernel 3x3 same relu -> max pool 1x2 -> conv 16 kernel 3x3 same -> batch norm -> "
    "relu -> max pool 1x2 -> reshape -> biLSTM 20 -> dense 11")
SEQ2SEQ = "1 feature -> encoder: LSTM 24 -> last -> repeat 24 -> decoder: LSTM 24 initial from encoder -> dense 1"


def run(*arguments, folder):
    done = subprocess.run(list(map(str, arguments)), cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
    return done.stdout


def predicted(model, x, folder, *options):
    """What `lstm-ft predict` gives for arrays, of a file as a framework reads it."""
    np.savez(f"{folder}/x.npz", x=x)
    run(TOOL, "import", model, *options, "-o", "read.h5", "--overwrite", folder=folder)
    run(TOOL, "predict", "read.h5", "--data", "x.npz", "-o", "y.npy", "--overwrite", folder=folder)
    return np.load(f"{folder}/y.npy")


def compare(name, how, got, wanted):
    difference = np.abs(got - wanted).max() / np.abs(wanted).max()
    assert got.shape == wanted.shape and difference <= LIMIT, (name, how, got.shape, wanted.shape, difference)
    print(f"  {name}: {how}, largest difference {difference:.1e} of the largest output")


def keras_model(program, export, x, folder):
    import keras

    print("  " + run(TOOL.parent / program, FOLDER, folder=folder).splitlines()[0])
    model = keras.models.load_model(f"{folder}/{export}", compile=False)
    double = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "float64"}))
    double.set_weights(model.get_weights())
    for layer in double.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    wanted = keras.ops.convert_to_numpy(double(x.astype(np.float64)))
    assert wanted.dtype == np.float64
    compare(program, "Keras in double precision", predicted(export, x, folder), wanted)
    compare(program, "keras.models.load_model", keras.ops.convert_to_numpy(model(x)), wanted)


def written_module(folder):
    """read.h5 as a state_dict in the module that is written beside it."""
    import torch

    run(TOOL, "export", "read.h5", "--to", "pt", "--module", "written.py", "-o", "written.pt", "--overwrite", folder=folder)
    spec = importlib.util.spec_from_file_location("written", f"{folder}/written.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model().eval()
    model.load_state_dict(torch.load(f"{folder}/written.pt", weights_only=True))
    return model


def torch_model(program, export, x, folder, own, *options):
    """`own` maps the state_dict and x to the outputs of the class that the model was trained in."""
    import torch

    print("  " + run(TOOL.parent / program, FOLDER, folder=folder).splitlines()[0])
    wanted = predicted(export, x, folder, *options)
    state = torch.load(f"{folder}/{export}", weights_only=True)
    written = written_module(folder)
    tensor = torch.from_numpy(x)
    with torch.no_grad():
        given = own(state, tensor)
        compare(program, "load_state_dict in its own class", given.numpy(), wanted)
        # A CRF's module gives the scores of tags at each step, as its own class does.
        compare(program, "load_state_dict in the written module", written(tensor).numpy(), given.numpy())


def crnn(state, x):
    from torch import nn

    class CRNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
                nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1)))
            self.rnn = nn.LSTM(48, 20, bidirectional=True, batch_first=True)
            self.fc = nn.Linear(40, 11)

        def forward(self, images):
            return self.fc(self.rnn(self.cnn(images).permute(0, 3, 1, 2).flatten(2))[0])

    model = CRNN().eval()
    model.load_state_dict(state)
    return model(x.transpose(1, 2).unsqueeze(1))


def forecaster(state, x):
    from torch import nn

    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(1, 24, batch_first=True)
            self.decoder = nn.LSTM(24, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            _, (h, c) = self.encoder(x)
            return self.fc(self.decoder(h[-1].unsqueeze(1).expand(-1, 24, -1), (h, c))[0])

    model = Forecaster().eval()
    model.load_state_dict(state)
    return model(x)


def tagger(folder):
    """Viterbi's tags of pytorch-crf against those of `lstm-ft predict`."""
    import csv

    import torch
    from torch import nn

    print("  " + run(TOOL.parent / "TaggerExample", FOLDER, folder=folder).splitlines()[0])
    state = torch.load(f"{folder}/tagger-book.pt", weights_only=True)
    source = torch.load(FOLDER / "tagger.pt", weights_only=True)
    assert {name: value.shape for name, value in state.items()} == {name: value.shape for name, value in source.items()}
    tokens = torch.randint(1, 60, (32, 7), generator=torch.Generator().manual_seed(1))

    class BiLSTM_CRF(nn.Module):
        def __init__(self):
            super().__init__()
            self.word_embeds = nn.Embedding(60, 16, padding_idx=0)
            self.lstm = nn.LSTM(16, 16, bidirectional=True, batch_first=True)
            self.hidden2tag = nn.Linear(32, 5)
            try:
                from torchcrf import CRF

                self.crf = CRF(5, batch_first=True)
            except ImportError:
                self.crf = None

        def forward(self, tokens):
            return self.hidden2tag(self.lstm(self.word_embeds(tokens))[0])

    model = BiLSTM_CRF().eval()
    model.load_state_dict(state, strict=model.crf is not None)
    names = ["FOOD", "O", "PREP", "QTY", "UNIT"]
    np.savez(f"{folder}/x.npz", x=tokens.numpy())
    run(TOOL, "import", "tagger-book.pt", "--classes", ",".join(names), "-o", "read.h5", "--overwrite", folder=folder)
    run(TOOL, "predict", "read.h5", "--data", "x.npz", "-o", "tags.csv", "--overwrite", folder=folder)
    written = written_module(folder)
    with torch.no_grad():
        scores = model(tokens)
        compare("TaggerExample", "load_state_dict in the written module", written(tokens).numpy(), scores.numpy())
        if model.crf is None:
            print("  TaggerExample: pytorch-crf is not installed, tags are not compared")
            return
        wanted = [names[tag] for tags in model.crf.decode(scores) for tag in tags]
    with open(f"{folder}/tags.csv") as file:
        found = [row["label"] for row in csv.DictReader(file)]
    assert found == wanted, "other tags than pytorch-crf's"
    print("  TaggerExample: Viterbi's tags are pytorch-crf's")


def main():
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        keras_model("ActivityExample", "activity-wrist.keras", random.normal(size=(16, 40, 3)).astype(np.float32), folder)
        keras_model("AnomalyExample", "autoencoder-second.keras", random.normal(size=(16, 24, 3)).astype(np.float32), folder)
        with np.load(FOLDER / "meter-test.npz") as data:
            strips = (data["x"] / 255).astype(np.float32)
        torch_model("MeterExample", "crnn-meter.pt", strips, folder, crnn, "--model", CRNN)
        load = np.genfromtxt(FOLDER / "office-later.csv", delimiter=",", skip_header=1)[:, 1].astype(np.float32)
        load = (load - load.mean()) / load.std()
        windows = np.lib.stride_tricks.sliding_window_view(load, 48)[::6, :, None].copy()
        torch_model("ForecastExample", "forecaster-office.pt", windows, folder, forecaster, "--model", SEQ2SEQ)
        tagger(folder)
    print("examples: every export was loaded and agrees")


main()
