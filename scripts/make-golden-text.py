"""Golden files for texts: a character model in PyTorch, its perplexity on a text, and the text that it generates.

fixtures/golden-text/:

    text.txt           four lines, of which the model has learned the characters; "Z" is not in the vocabulary
    vocabulary.json    textgenrnn's form: character -> number from 1, 0 is padding
    steps.h5           state_dict: embedding (V, 8), LSTM(8, 16), fc 16 -> V; every step says the next character
    window.h5          the same sizes; the last step of a window of 8 says the next character
    expected.h5        attributes: steps_loss, steps_accuracy over pieces of 16 from zero states; window_loss,
                       window_accuracy over every place, windows padded on the left by Keras' pad_sequences (both
                       float64, means; what "Z" should be does not count, as ignore_index); prompt, steps_greedy,
                       window_greedy (60 characters of argmax each)
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import golden_common as golden

TEXT = "the cat sat on the mat. the dog ate the hat.\nwho sat? the cat sat on the dog, and the dog sat on the mat.\n" \
       "no cat eats a hat.\nZ the end, said the cat to the dog on the mat.\n"
WINDOW, PIECE, PROMPT = 8, 16, "the dog sa"


class Model(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.fc = nn.Linear(16, vocabulary)

    def forward(self, x, state=None):
        y, state = self.lstm(self.embedding(x), state)
        return self.fc(y), state


def windows(tokens, ends):
    return torch.tensor(keras.utils.pad_sequences([tokens[:end] for end in ends], maxlen=WINDOW).astype(np.int64))


def train(model, run, steps=300):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        logits, targets = run(model)
        F.cross_entropy(logits, targets, ignore_index=0).backward()
        optimizer.step()


def measure(model, run):
    with torch.no_grad():
        logits, targets = run(model.double())
        counts = targets != 0
        result = F.cross_entropy(logits, targets, ignore_index=0), (logits.argmax(1) == targets)[counts].double().mean()
        model.float()
        return [float(value) for value in result]


def main():
    options = golden.arguments(__doc__, "golden-text")
    golden.deterministic()
    letters = sorted(set(TEXT) - {"Z"})
    numbers = {letter: place + 1 for place, letter in enumerate(letters)}
    names = {number: letter for letter, number in numbers.items()}
    tokens = [numbers.get(letter, 0) for letter in TEXT]
    targets = torch.tensor(tokens[1:])

    def by_steps(model):
        pieces = [tokens[start:start + PIECE] for start in range(0, len(tokens) - 1, PIECE)]
        rows = [model(torch.tensor([piece]))[0][0] for piece in pieces]
        return torch.cat(rows)[:len(targets)], targets

    def by_windows(model):
        return model(windows(tokens, range(1, len(tokens))))[0][:, -1], targets

    made = {}
    for name, run in [("steps", by_steps), ("window", by_windows)]:
        torch.manual_seed(golden.seed_for("text " + name))
        model = Model(len(letters) + 1)
        train(model, run)
        made[name] = model
    attributes = {"prompt": PROMPT}
    for (name, model), run in zip(made.items(), [by_steps, by_windows]):
        attributes[name + "_loss"], attributes[name + "_accuracy"] = measure(model, run)

    # Padding is never generated: its logit is ignored.
    with torch.no_grad():
        prompt = [numbers[letter] for letter in PROMPT]
        y, state = made["steps"](torch.tensor([prompt]))
        found = []
        for _ in range(60):
            found.append(1 + int(y[0, -1, 1:].argmax()))
            y, state = made["steps"](torch.tensor([[found[-1]]]), state)
        attributes["steps_greedy"] = "".join(names[token] for token in found)
        found = list(prompt)
        for _ in range(60):
            y, _ = made["window"](windows(found, [len(found)]))
            found.append(1 + int(y[0, -1, 1:].argmax()))
        attributes["window_greedy"] = "".join(names[token] for token in found[len(prompt):])

    (options.out / "text.txt").write_text(TEXT)
    (options.out / "vocabulary.json").write_text(json.dumps(numbers) + "\n")
    for name, model in made.items():
        with golden.create(options.out / f"{name}.h5") as file:
            golden.put_all(file, golden.state_of(model))
    with golden.create(options.out / "expected.h5") as file:
        file.attrs.update(attributes)
    print(json.dumps(attributes, indent=1))
    golden.summary(options.out)


if __name__ == "__main__":
    main()
