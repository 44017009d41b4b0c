"""The four networks that are copied most, as their tutorials write them, made small: each file as the framework saves it,
and beside it an input with the framework's own outputs, for `lstm-ft verify`.

    python scripts/make-tutorial-networks.py keras      # needs Keras 3 and TensorFlow
    python scripts/make-tutorial-networks.py pytorch    # needs PyTorch and NumPy
"""

import sys
from pathlib import Path

import numpy as np

folder = Path(__file__).parent.parent / "fixtures" / "tutorials"
folder.mkdir(exist_ok=True)
random = np.random.default_rng(7)


def keras_networks():
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    stocks = keras.Sequential([
        keras.Input((60, 1)),
        layers.LSTM(32, activation="relu", return_sequences=True),
        layers.Dropout(0.2),
        layers.LSTM(32, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(1),
    ])
    x = np.cumsum(random.normal(0, 0.02, (4, 60, 1)), axis=1).astype("float32") + 0.5
    save_keras(stocks, "stock-price", x)

    reviews = keras.Sequential([
        keras.Input((80,)),
        layers.Embedding(500, 16, mask_zero=True),
        layers.LSTM(24),
        layers.Dense(1, activation="sigmoid"),
    ])
    x = np.zeros((4, 80), "int32")
    for row, length in enumerate([80, 33, 57, 5]):
        x[row, 80 - length:] = random.integers(1, 500, length)  # pad_sequences pads in front
    save_keras(reviews, "imdb", x)


def save_keras(model, name, x):
    for layer in model.layers:  # what training would have moved
        layer.set_weights([w + random.normal(0, 0.05, w.shape).astype("float32") for w in layer.get_weights()])
    model.save(folder / f"{name}.keras")
    np.savez(folder / f"{name}.npz", x=x, y=model.predict(x, verbose=0))


def pytorch_networks():
    import torch
    from torch import nn

    torch.manual_seed(7)

    class Relu(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 32, 2, batch_first=True)
            self.relu = nn.ReLU()
            self.fc = nn.Linear(32, 1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.fc(self.relu(out[:, -1]))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 24, batch_first=True, bidirectional=True)
            self.attention = nn.Linear(48, 1)
            self.fc = nn.Linear(48, 3)

        def forward(self, x):
            out, _ = self.lstm(x)
            weights = torch.softmax(self.attention(out), dim=1)
            return self.fc((weights * out).sum(dim=1))

    for name, model in [("fc-relu-last", Relu()), ("attention-pooling", Attention())]:
        torch.save(model.state_dict(), folder / f"{name}.pt")
        x = torch.randn(4, 20, 8)
        with torch.no_grad():
            np.savez(folder / f"{name}.npz", x=x.numpy(), y=model.eval()(x).numpy())


{"keras": keras_networks, "pytorch": pytorch_networks}[sys.argv[1]]()
