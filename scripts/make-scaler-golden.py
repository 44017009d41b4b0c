"""PyTorch's forecasts with a minimum/maximum scaler: fixtures/wild/scaler-minmax/expected.json.

The model was trained on columns scaled to 0...1 and predicts the next temp, scaled the same way, for each of the last 20
windows of 24 rows.
Needs torch and numpy.
"""

import csv
import json
import pathlib

import numpy as np
import torch

folder = pathlib.Path(__file__).parent.parent / "fixtures/wild/scaler-minmax"
weights = torch.load(folder / "mm.pt", weights_only=True)
low, high = np.load(folder / "lohi.npy")
lstm = torch.nn.LSTM(3, 16, batch_first=True)
head = torch.nn.Linear(16, 1)
lstm.load_state_dict({k.removeprefix("lstm."): v for k, v in weights.items() if k.startswith("lstm.")})
head.load_state_dict({k.removeprefix("fc."): v for k, v in weights.items() if k.startswith("fc.")})
with open(folder / "mm.csv") as file:
    rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
scaled = torch.tensor((rows - low) / (high - low), dtype=torch.float32)
with torch.no_grad():
    windows = torch.stack([scaled[end - 24 : end] for end in range(len(rows) - 19, len(rows) + 1)])
    said = head(lstm(windows)[0][:, -1])[:, 0].numpy()
scaler = {
    "inputs": {"columns": ["temp", "press", "hum"], "data_min_": list(low), "data_max_": list(high)},
    "targets": ["temp"],
}
(folder / "scaler.json").write_text(json.dumps(scaler) + "\n")
forecast = [float(y) for y in said.astype(float) * (high[0] - low[0]) + low[0]]
(folder / "expected.json").write_text(json.dumps(forecast) + "\n")
