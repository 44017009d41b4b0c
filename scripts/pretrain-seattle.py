"""The demonstration's pretrained model, and the experiment that measures the benefit of transfer learning.

    pretrain-seattle.py pretrain    train on Seattle's hourly temperatures, write fixtures/demo/seattle.h5
    pretrain-seattle.py compare     zero-shot / fine-tuned / from-scratch on San Francisco, a table of MAE in deg F
    pretrain-seattle.py explore     the same over horizons, weeks, epochs and scalers (pretrains one model each)

The set-up is the one `lstm-ft finetune --target temp --window 48 --horizon K` has: one feature, standardized
(population standard deviation) with the training part's figures only; a window of 48 hours predicts the vector
of the next K; two LSTM layers of 64, the last step's output, one linear layer; MSE; Adam; a chronological
split; the best epoch by validation loss is kept.
"""

import argparse
import copy
import csv
import json
import pathlib
import time

import h5py
import numpy as np
import torch

DEMO = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "demo"
WINDOW, HIDDEN, LAYERS = 48, 64, 2


class Forecaster(torch.nn.Module):
    def __init__(self, horizon):
        super().__init__()
        self.lstm = torch.nn.LSTM(1, HIDDEN, num_layers=LAYERS, batch_first=True)
        self.fc = torch.nn.Linear(HIDDEN, horizon)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


def temperatures(path):
    """Column `temp` of a CSV file, in row order."""
    with open(path, newline="") as file:
        return np.array([float(row["temp"]) for row in csv.DictReader(file)], dtype=np.float64)


def windows(series, horizon):
    """x (N, WINDOW, 1) and y (N, horizon) of a series, every window of it."""
    rows = np.lib.stride_tricks.sliding_window_view(series.astype(np.float32), WINDOW + horizon)
    rows = torch.from_numpy(np.ascontiguousarray(rows))
    return rows[:, :WINDOW, None], rows[:, WINDOW:]


def split_windows(series, horizon, validation, scaler=None):
    """Chronological split by windows; the scaler is fitted on the rows that training windows cover."""
    count = len(series) - WINDOW - horizon + 1
    held = int(round(count * validation))
    training = count - held
    if scaler is None:
        part = series[: training + WINDOW + horizon - 1]
        scaler = (part.mean(), part.std())
    x, y = windows((series - scaler[0]) / scaler[1], horizon)
    return (x[:training], y[:training]), (x[training:], y[training:]), scaler


@torch.no_grad()
def predictions(model, x):
    model.eval()
    return torch.cat([model(x[i : i + 512]) for i in range(0, len(x), 512)])


def train(model, training, validation, *, epochs, batch, rate, seed, decay=False, patience=0, log=None):
    """Adam on MSE over shuffled batches; the weights of the best epoch by validation loss are restored."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min=rate / 50) if decay else None
    best, best_epoch, weights = float("inf"), 0, None
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(training[0]), generator=generator).split(batch):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(training[0][rows]), training[1][rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        if schedule:
            schedule.step()
        held = torch.nn.functional.mse_loss(predictions(model, validation[0]), validation[1]).item()
        if held < best:
            best, best_epoch, weights = held, epoch, copy.deepcopy(model.state_dict())
        if log:
            log(f"  epoch {epoch:3d}  training {total / len(training[0]):.6f}  validation {held:.6f}")
        if patience and epoch - best_epoch >= patience:
            break
    model.load_state_dict(weights)
    return best_epoch, best


def mae(model, series, scaler, horizon):
    """Mean absolute error in degrees over every window of a series, all K steps of each."""
    x, y = windows((series - scaler[0]) / scaler[1], horizon)
    return ((predictions(model, x) - y).abs().mean() * scaler[1]).item()


def persistence(series, horizon):
    """Errors of two naive forecasts: the last value, and the value 24 hours earlier."""
    x, y = windows(series, horizon)
    lags = [WINDOW + k - 24 * (1 + k // 24) for k in range(horizon)]
    return (y - x[:, -1]).abs().mean().item(), (y - x[:, lags, 0]).abs().mean().item()


def pretrain(horizon, epochs, batch=64, rate=2e-3, seed=20, log=print):
    torch.manual_seed(seed)
    series = temperatures(DEMO / "seattle-temps.csv")
    training, validation, scaler = split_windows(series, horizon, 0.2)
    model = Forecaster(horizon)
    started = time.time()
    epoch, loss = train(model, training, validation, epochs=epochs, batch=batch, rate=rate, seed=seed, decay=True, log=log)
    error = ((predictions(model, validation[0]) - validation[1]).abs().mean() * scaler[1]).item()
    info = dict(epoch=epoch, validation_mse=loss, validation_mae_degrees=error, seconds=time.time() - started)
    return model, scaler, info


def compare(state, pretrained_scaler, *, horizon, weeks, epochs, batch, rate, seeds, keep_scaler=False, start=0,
            test_rows=None, freeze=("l0",), validation_share=0.2):
    """One setting: zero-shot, fine-tuned with layer 0 frozen, and the same network from scratch."""
    series = temperatures(DEMO / "sf-temps.csv")
    few = series[start : start + weeks * 168]
    later = series[start + weeks * 168 :][:test_rows]
    training, validation, scaler = split_windows(few, horizon, validation_share, pretrained_scaler if keep_scaler else None)
    model = Forecaster(horizon)
    model.load_state_dict(state)
    result = dict(horizon=horizon, weeks=weeks, epochs=epochs, batch=batch, rate=rate, start=start,
                  scaler="seattle" if keep_scaler else "few weeks",
                  zero_own=mae(model, later, pretrained_scaler, horizon), zero_new=mae(model, later, scaler, horizon))
    result["hold"], result["day_before"] = persistence(later, horizon)
    for kind in ("tuned", "scratch"):
        errors, best_epochs, seconds = [], [], []
        for seed in range(seeds):
            torch.manual_seed(1000 + seed)
            model = Forecaster(horizon)
            if kind == "tuned":
                model.load_state_dict(state)
                for name, parameter in model.named_parameters():
                    parameter.requires_grad_(not any(name.endswith("_" + layer) for layer in freeze))
            started = time.time()
            epoch, _ = train(model, training, validation, epochs=epochs, batch=batch, rate=rate, seed=seed)
            seconds.append(time.time() - started)
            best_epochs.append(epoch)
            errors.append(mae(model, later, scaler, horizon))
        result[kind] = float(np.mean(errors))
        result[kind + "_all"] = [round(e, 3) for e in errors]
        result[kind + "_epoch"] = float(np.mean(best_epochs))
        result[kind + "_seconds"] = float(np.mean(seconds))
    return result


HEADING = (" K  start  weeks  epochs  batch    lr  scaler     | held  day before | zero-shot own / new scaler | "
           "fine-tuned [min-max]   | scratch [min-max]      | ratio")


def line(r):
    span = lambda kind: f"{r[kind]:5.2f} [{min(r[kind + '_all']):.2f}-{max(r[kind + '_all']):.2f}]"
    return (f"{r['horizon']:2d}  {r['start']:5d}  {r['weeks']:5d}  {r['epochs']:6d}  {r['batch']:5d}  {r['rate']:g}  {r['scaler']:<10} | "
            f"{r['hold']:4.2f}  {r['day_before']:5.2f}     | {r['zero_own']:6.2f} / {r['zero_new']:6.2f}            | "
            f"{span('tuned'):<21} | {span('scratch'):<21} | {r['scratch'] / r['tuned']:.2f}x")


def load(path):
    with h5py.File(path) as file:
        state = {name: torch.tensor(data[...]) for name, data in file.items()}
        return state, (float(file.attrs["scaler_mean"]), float(file.attrs["scaler_std"]))


def save(path, model, scaler, info, horizon):
    with h5py.File(path, "w") as file:
        for name, value in model.state_dict().items():
            file.create_dataset(name, data=value.contiguous().numpy())
        file.attrs["description"] = "hourly temperatures of Seattle, 2010: 48 hours in, the next hours out"
        file.attrs["scaler_mean"], file.attrs["scaler_std"] = scaler
        file.attrs["window"], file.attrs["horizon"] = WINDOW, horizon
        file.attrs["best_epoch"] = info["epoch"]
        file.attrs["validation_mae_degrees"] = info["validation_mae_degrees"]
        file.attrs["torch_version"] = str(torch.__version__)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", default="pretrain", choices=("pretrain", "compare", "explore"))
    parser.add_argument("--model", type=pathlib.Path, default=DEMO / "seattle.h5")
    parser.add_argument("--horizon", type=int, nargs="+", default=[24])
    parser.add_argument("--pretrain-epochs", type=int, default=25)
    parser.add_argument("--weeks", type=int, nargs="+", default=[3])
    parser.add_argument("--epochs", type=int, nargs="+", default=[10])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--scaler", nargs="+", default=["new"], choices=("new", "keep"))
    parser.add_argument("--start", type=int, nargs="+", default=[0], help="first row of the few weeks")
    parser.add_argument("--test-rows", type=int, help="rows held out after them (default: all)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="write the results to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    if options.command == "pretrain":
        model, scaler, info = pretrain(options.horizon[0], options.pretrain_epochs)
        save(options.model, model, scaler, info, options.horizon[0])
        print(f"{options.model.name}: {options.model.stat().st_size:,} bytes, {info}")
        return
    results = []
    print(HEADING)
    for horizon in options.horizon:
        path = options.model
        if options.command == "explore":
            path = options.model.with_name(f"{options.model.stem}-{horizon}.h5")
            if not path.exists():
                model, scaler, info = pretrain(horizon, options.pretrain_epochs, log=None)
                save(path, model, scaler, info, horizon)
                print(f"pretrained K={horizon}: {info}", flush=True)
        state, pretrained_scaler = load(path)
        for weeks in options.weeks:
            for start in options.start:
                for epochs in options.epochs:
                    for rate in options.rate:
                        for scaler in options.scaler:
                            result = compare(state, pretrained_scaler, horizon=horizon, weeks=weeks, epochs=epochs,
                                             batch=options.batch, rate=rate, seeds=options.seeds, start=start,
                                             keep_scaler=scaler == "keep", test_rows=options.test_rows)
                            results.append(result)
                            print(line(result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
