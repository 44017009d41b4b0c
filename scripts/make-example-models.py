"""Makes fixtures/examples: five small pretrained models, and for each the data that its example fine-tunes it on.

    make-example-models.py activity autoencoder         with Keras 3
    make-example-models.py crnn tagger forecaster       with PyTorch and pytorch-crf

Every model is trained on data of the same kind as the example's, made here and not kept, that differ as a second site, font
or machine does. The examples under Examples/ start from these files.
"""

import json
import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "examples"


def write_csv(name, header, rows):
    FOLDER.joinpath(name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def trained_torch(model, loss, batches, epochs, rate=5e-3, seed=1):
    """Adam with a falling rate on `batches(generator)` of each epoch."""
    import torch

    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        total, count = 0.0, 0
        for batch in batches(generator):
            optimizer.zero_grad()
            value = loss(model, *batch)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total, count = total + value.item(), count + 1
        schedule.step()
    print(f"{type(model).__name__}: training loss {total / count:.4f}")
    return model.eval()


# Activities from an accelerometer: a phone in a pocket, and then a watch on a wrist.

ACTIVITIES = ["running", "sitting", "stairs", "walking"]


def accelerations(activity, generator, *, wrist, steps=40):
    """(steps, 3) in g, 20 a second."""
    t = np.arange(steps) / 20 + generator.uniform(0, 2)
    pace = {"running": 2.7, "sitting": 0.3, "stairs": 1.5, "walking": 1.9}[activity] * generator.uniform(0.92, 1.08)
    force = {"running": 0.9, "sitting": 0.02, "stairs": 0.4, "walking": 0.33}[activity] * generator.uniform(0.8, 1.2)
    beat = np.sin(2 * np.pi * pace * t)
    up = force * (beat + (0.5 * np.sin(4 * np.pi * pace * t + 0.8) if activity == "stairs" else 0.2 * beat**2))
    ahead = 0.4 * force * np.cos(2 * np.pi * pace * t + 0.5)
    side = 0.3 * force * np.sin(np.pi * pace * t)
    gravity = np.array([0.1, 0.97, 0.2])
    if wrist:  # an arm swings once for two steps, and hangs another way
        side = side + 1.6 * force * np.sin(np.pi * pace * t + 0.3)
        gravity = np.array([0.85, -0.2, 0.45])
        up, ahead = 0.7 * ahead, 0.8 * up
    values = np.stack([side, up, ahead], 1) + gravity + generator.normal(0, 0.1, 3)
    return values + generator.normal(0, 0.06, (steps, 3))


def activity():
    import keras

    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 4, 1200)
    x = np.stack([accelerations(ACTIVITIES[k], generator, wrist=False) for k in labels]).astype(np.float32)
    layers = keras.layers
    scale = layers.Normalization(name="normalization")
    scale.adapt(x)
    model = keras.Sequential(
        [
            layers.Input((40, 3)), scale, layers.Conv1D(12, 5, padding="same", name="conv1"),
            layers.BatchNormalization(name="norm1"), layers.Activation("relu", name="relu1"), layers.MaxPooling1D(2, name="pool1"),
            layers.Conv1D(16, 5, padding="same", activation="relu", name="conv2"), layers.LSTM(20, name="lstm"),
            layers.Dropout(0.2, name="dropout"), layers.Dense(4, activation="softmax", name="activity"),
        ],
        name="activity")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, labels, epochs=20, batch_size=32, verbose=0, validation_split=0.1)
    print("activity: accuracy in a pocket", history.history["val_accuracy"][-1])
    # Without the optimizer, whose state is twice the size of the model.
    model.compile()
    model.save(FOLDER / "activity.keras")
    number = 0
    for name, count in (("activity-wrist.csv", 48), ("activity-wrist-test.csv", 60)):
        rows = []
        for _ in range(count):
            number += 1
            kind = ACTIVITIES[number % 4]
            for values in accelerations(kind, generator, wrist=True):
                rows.append([number, *(f"{v:.2f}" for v in values), kind])
        write_csv(name, "recording,x,y,z,activity", rows)
    held = np.stack([accelerations(ACTIVITIES[k % 4], generator, wrist=True) for k in range(400)]).astype(np.float32)
    print("activity: accuracy on a wrist", (model.predict(held, verbose=0).argmax(1) == np.arange(400) % 4).mean())


# A pump's sensors: an autoencoder that was trained on one pump, and another pump with three faults.


def pump(rows, generator, *, other):
    """Pressure in bar, flow in l/s and current in A, one row for ten minutes."""
    t = np.arange(rows)
    load = 0.6 + 0.25 * np.sin(2 * np.pi * t / 24) + (0.12 if other else 0.05) * np.sin(2 * np.pi * t / (8 if other else 12))
    load = load + np.convolve(generator.normal(0, 0.03, rows + 4), np.ones(5) / 5, "valid")
    pressure = (6.2 if other else 4.0) + (-1.4 if other else 0.9) * load + generator.normal(0, 0.04, rows)
    flow = (24 if other else 15) * load**0.8 + generator.normal(0, 0.3, rows)
    current = (9 if other else 5) + (11 if other else 7) * load ** (2 if other else 1) + generator.normal(0, 0.15, rows)
    return np.stack([pressure, flow, current], 1)


def autoencoder():
    import keras

    keras.utils.set_random_seed(5)
    generator = np.random.default_rng(5)
    data = pump(1500, generator, other=False)
    data = (data - data.mean(0)) / data.std(0)
    x = np.lib.stride_tricks.sliding_window_view(data, 24, axis=0).transpose(0, 2, 1).astype(np.float32)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((24, 3)), layers.LSTM(24, name="encoder"), layers.RepeatVector(24, name="repeat"),
            layers.LSTM(24, return_sequences=True, name="decoder"), layers.TimeDistributed(layers.Dense(3), name="output"),
        ],
        name="autoencoder")
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    history = model.fit(x, x, epochs=40, batch_size=64, verbose=0)
    print("autoencoder: loss on its own pump", history.history["loss"][-1])
    model.compile()
    model.save(FOLDER / "autoencoder.keras")
    data = pump(1000, generator, other=True)
    # A stuck sensor, a blocked pipe, and a bearing that runs hot for two hours.
    data[730:742, 1] = data[730, 1]
    data[820:826, 0] += 0.9
    data[820:826, 1] *= 0.6
    data[910:922, 2] += np.linspace(0, 4.5, 12)
    start = np.datetime64("2024-03-01T00:00")
    rows = [[str(start + 10 * k).replace("T", " "), *(f"{v:.2f}" for v in values)] for k, values in enumerate(data)]
    write_csv("pump.csv", "time,pressure,flow,current", rows[:600])
    write_csv("pump-later.csv", "time,pressure,flow,current", rows[600:])


# Strips of digits: printed ones, and then the seven segments of a meter.

PRINTED = {
    "0": "01110 10001 10011 10101 11001 10001 01110", "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111", "3": "01110 10001 00001 00110 00001 10001 01110",
    "4": "00010 00110 01010 10010 11111 00010 00010", "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110", "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110", "9": "01110 10001 10001 01111 00001 00010 01100",
}
SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcfgd",
}


def glyph(digit, segments):
    """(9, 5), the printed ones with an empty row above and below."""
    if not segments:
        rows = [[int(c) for c in row] for row in PRINTED[digit].split()]
        return np.pad(np.array(rows, float), ((1, 1), (0, 0)))
    image = np.zeros((9, 5))
    places = dict(a=(0, slice(1, 4)), d=(8, slice(1, 4)), g=(4, slice(1, 4)), f=(slice(1, 4), 0), b=(slice(1, 4), 4), e=(slice(5, 8), 0), c=(slice(5, 8), 4))
    for name in SEGMENTS[digit]:
        image[places[name]] = 1
    return image


def strip(generator, segments, height=12, width=40):
    """An image (height, width) of 0 to 255, and the number that stands on it."""
    text = "".join(generator.choice(list("0123456789"), generator.integers(3, 6)))
    image = np.zeros((height, width))
    column = int(generator.integers(1, 4))
    for digit in text:
        row = int(generator.integers(0, 4))
        image[row : row + 9, column : column + 5] = np.maximum(image[row : row + 9, column : column + 5], glyph(digit, segments))
        column += 5 + int(generator.integers(1, 4))
    image = image * generator.uniform(0.6, 1.0) + generator.uniform(0, 0.15) + generator.normal(0, 0.06, image.shape)
    return (np.clip(image, 0, 1) * 15).round() * 17, text


def crnn():
    import torch
    from torch import nn

    class CRNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
                nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1)))
            self.rnn = nn.LSTM(48, 20, bidirectional=True, batch_first=True)
            self.fc = nn.Linear(40, 11)

        def forward(self, images):  # (N, 1, height, width)
            columns = self.cnn(images).permute(0, 3, 1, 2).flatten(2)
            return self.fc(self.rnn(columns)[0])

    def strips(generator, count, segments):
        made = [strip(generator, segments) for _ in range(count)]
        return np.stack([image for image, _ in made]), [text for _, text in made]

    def batches(generator):
        for _ in range(25):
            images, texts = strips(generator, 32, False)
            yield torch.tensor(images / 255, dtype=torch.float32).unsqueeze(1), texts

    def loss(model, images, texts):
        scores = model(images).log_softmax(2).transpose(0, 1)
        labels = torch.tensor([int(c) + 1 for text in texts for c in text])
        lengths = torch.tensor([len(text) for text in texts])
        return nn.functional.ctc_loss(scores, labels, torch.full((len(texts),), len(scores)), lengths)

    torch.manual_seed(7)
    model = trained_torch(CRNN(), loss, batches, 30)
    torch.save(model.state_dict(), FOLDER / "crnn.pt")
    generator = np.random.default_rng(8)
    for name, count in (("meter.npz", 80), ("meter-test.npz", 60)):
        images, texts = strips(generator, count, True)
        y = np.full((count, 5), -100, np.int8)
        for row, text in zip(y, texts):
            row[: len(text)] = [int(c) + 1 for c in text]
        # Columns are the steps.
        np.savez_compressed(FOLDER / name, x=images.transpose(0, 2, 1).astype(np.uint8), y=y)


# Ingredients of recipes: American ones, and then those of a book that names the food first.

FOOD = "flour sugar butter garlic basil onion salt pepper rice milk oil cream cheese parsley tomato lemon clove ginger honey thyme".split()
PREPARED = "chopped fresh ground sifted melted grated dried minced large ripe".split()
UNITS = "cup cups g ml tablespoon teaspoon clove can pinch kg".split()
AMOUNTS = "1 2 3 4 100 200 250 500 half".split()
OTHERS = "of a , some or and to taste for frying".split()
TAGS = ["FOOD", "O", "PREP", "QTY", "UNIT"]


def ingredient(generator, *, other):
    pick = lambda words: str(generator.choice(words))
    food = [(pick(FOOD), "FOOD")]
    if generator.random() < 0.25:
        food = [(pick(FOOD), "FOOD"), *food]
    prepared = [(pick(PREPARED), "PREP")] if generator.random() < 0.6 else []
    amount = [(pick(AMOUNTS), "QTY"), (pick(UNITS), "UNIT")] if generator.random() < 0.85 else [(pick(AMOUNTS), "QTY")]
    if other:  # flour , sifted 200 g
        comma = [(",", "O")] if prepared and generator.random() < 0.7 else []
        words = [*food, *comma, *prepared, *amount]
        if generator.random() < 0.3:
            words += [("for", "O"), ("frying", "O")]
        return words
    of = [("of", "O")] if len(amount) == 2 and generator.random() < 0.3 else []
    words = [*amount, *of, *prepared, *food]
    if generator.random() < 0.2:
        words += [("to", "O"), ("taste", "O")]
    return words


def tagger():
    import torch
    from torch import nn
    from torchcrf import CRF

    words = ["<pad>", "<unk>", *dict.fromkeys([*FOOD, *PREPARED, *UNITS, *AMOUNTS, *OTHERS])]
    numbers = {word: k for k, word in enumerate(words)}

    class BiLSTM_CRF(nn.Module):
        def __init__(self):
            super().__init__()
            self.word_embeds = nn.Embedding(len(words), 16, padding_idx=0)
            self.lstm = nn.LSTM(16, 16, bidirectional=True, batch_first=True)
            self.hidden2tag = nn.Linear(32, len(TAGS))
            self.crf = CRF(len(TAGS), batch_first=True)

        def forward(self, tokens):
            return self.hidden2tag(self.lstm(self.word_embeds(tokens))[0])

    def batches(generator):
        for _ in range(20):
            made = [ingredient(generator, other=False) for _ in range(16)]
            steps = max(map(len, made))
            tokens = torch.zeros(len(made), steps, dtype=torch.long)
            tags, mask = torch.zeros_like(tokens), torch.zeros(len(made), steps, dtype=torch.bool)
            for row, sentence in enumerate(made):
                tokens[row, : len(sentence)] = torch.tensor([numbers[word] for word, _ in sentence])
                tags[row, : len(sentence)] = torch.tensor([TAGS.index(tag) for _, tag in sentence])
                mask[row, : len(sentence)] = True
            yield tokens, tags, mask

    torch.manual_seed(9)
    loss = lambda model, tokens, tags, mask: -model.crf(model(tokens), tags, mask=mask, reduction="mean")
    model = trained_torch(BiLSTM_CRF(), loss, batches, 20)
    torch.save(model.state_dict(), FOLDER / "tagger.pt")
    FOLDER.joinpath("tagger-words.json").write_text(json.dumps(words) + "\n")
    generator = np.random.default_rng(10)
    number = 0
    for name, count in (("ingredients.csv", 60), ("ingredients-test.csv", 80)):
        rows = []
        for _ in range(count):
            number += 1
            rows += [[number, '","' if word == "," else word, tag] for word, tag in ingredient(generator, other=True)]
        write_csv(name, "line,word,tag", rows)


# Hourly load of homes, and then of an office.


def load_of(rows, generator, *, office):
    t = np.arange(rows)
    hour = (t + (0 if office else generator.integers(0, 3))) % 24
    # Every day is busier or quieter than the last, which shows in its first hours.
    days = np.repeat(generator.uniform(0.7, 1.3, rows // 24 + 1), 24)[:rows]
    bump = lambda at, width: np.exp(-(((hour - at) / width) ** 2))
    if office:
        shape = 1.3 / (1 + np.exp(-(hour - 8) * 1.8)) / (1 + np.exp((hour - 18) * 1.5)) + 0.3 * bump(13, 1.5)
    else:
        shape = generator.uniform(0.4, 1) * bump(generator.uniform(6.5, 9), 2.2) + generator.uniform(0.6, 1.3) * bump(generator.uniform(18, 21), 2.7)
    drift = np.cumsum(generator.normal(0, 0.01, rows))
    drift -= np.linspace(0, drift[-1], rows)
    return (110 if office else 3) * (0.4 + days * shape + drift + generator.normal(0, 0.03, rows))


def forecaster():
    import torch
    from torch import nn

    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(1, 24, batch_first=True)
            self.decoder = nn.LSTM(24, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            _, (h, c) = self.encoder(x)
            read = h[-1].unsqueeze(1).expand(-1, 24, -1)
            return self.fc(self.decoder(read, (h, c))[0])

    torch.manual_seed(11)
    generator = np.random.default_rng(11)
    homes = [load_of(24 * 14, generator, office=False) for _ in range(16)]
    scaled = [((home - home.mean()) / home.std()).astype(np.float32) for home in homes]
    windows = torch.from_numpy(np.concatenate([np.lib.stride_tricks.sliding_window_view(home, 72) for home in scaled]))

    def batches(generator):
        for rows in torch.from_numpy(generator.permutation(len(windows))).split(64):
            yield windows[rows, :48, None], windows[rows, 48:, None]

    model = trained_torch(Forecaster(), lambda model, x, y: nn.functional.mse_loss(model(x), y), batches, 25)
    torch.save(model.state_dict(), FOLDER / "forecaster.pt")
    series = load_of(24 * 7 * 8, generator, office=True)
    start = np.datetime64("2024-03-04T00:00")
    rows = [[str(start + 60 * k).replace("T", " "), f"{value:.1f}"] for k, value in enumerate(series)]
    write_csv("office.csv", "time,kW", rows[: 24 * 42])
    write_csv("office-later.csv", "time,kW", rows[24 * 42 :])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    made = {"activity": activity, "autoencoder": autoencoder, "crnn": crnn, "tagger": tagger, "forecaster": forecaster}
    for name in sys.argv[1:] or sys.exit(__doc__):
        made[name]()
