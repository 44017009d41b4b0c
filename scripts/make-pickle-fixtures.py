#!/usr/bin/env python3
"""Writes fixtures/pickle/: checkpoints with all kinds of Python objects besides the tensors, written by the real libraries.

Run from anywhere: python scripts/make-pickle-fixtures.py
Needs torch, numpy, pandas and scikit-learn. `state.npz` has the tensors of the model in all files called
`model-*`; `whole.npz` those of the whole modules by file. `scalers.json` has, for each file called `scaler-*`, the key of its
scalers and the columns' mean and deviation, computed by calling the scaler.
"""
import argparse
import collections
import dataclasses
import datetime
import enum
import functools
import io
import json
import pathlib
import pickle
import sys
import types
import warnings

import numpy
import pandas
import sklearn.compose
import sklearn.pipeline
import sklearn.preprocessing
import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "pickle"
OUT.mkdir(parents=True, exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
torch.manual_seed(5)
numpy.random.seed(5)
warnings.simplefilter("ignore")


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 2, batch_first=True)
        self.fc = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(x)[0][:, -1])


model = Model()
state = model.state_dict()
numpy.savez(OUT / "state.npz", **{name: value.numpy() for name, value in state.items()})


def both(name: str, value: object) -> None:
    """As an archive and as the older stream."""
    torch.save(value, OUT / f"model-{name}.pt")
    try:
        torch.save(value, OUT / f"model-{name}-legacy.pt", _use_new_zipfile_serialization=False)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        print(f"{name}: no legacy stream: {error}")
        (OUT / f"model-{name}-legacy.pt").unlink(missing_ok=True)


def beside(name: str, *values: object) -> None:
    both(name, {"epoch": 3, "state_dict": state} | {f"other{n}": value for n, value in enumerate(values)})


# Classes of libraries that need not be installed: only their names are in the files.
def library(module: str, *names: str) -> list[type]:
    made = types.ModuleType(module)
    sys.modules[module] = made
    parts = module.split(".")
    for end in range(1, len(parts)):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    for name in names:
        setattr(made, name, type(name, (), {"__module__": module}))
    return [getattr(made, name) for name in names]


def instance(type_: type, **attributes: object) -> object:
    made = type_.__new__(type_)
    made.__dict__.update(attributes)
    return made


class Color(enum.Enum):
    RED = 1


class Flags(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Config:
    hidden: int = 2
    inner: object = None


class Slots:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, numpy.arange(3)


class Named:
    """Pickled by NEWOBJ_EX."""

    def __new__(cls, *, size: int = 0):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"size": 3}


class Reduced:
    """Made by a function, completed with a state, items and elements."""

    def __reduce__(self):
        return (make_reduced, (1, "two"), {"state": [1.5]})


def make_reduced(*_):
    return Reduced()


class AttrDict(dict):
    pass


class History(list):
    pass


class Step:
    def run(self) -> None:
        pass


Point = collections.namedtuple("Point", "x y")

# What torch.load(weights_only=True) accepts.
beside("counter", collections.Counter("abca"), collections.Counter())
beside("defaultdict", collections.defaultdict(list, {"a": [1]}), collections.defaultdict(int), collections.defaultdict(None))
beside("ordered", collections.OrderedDict([("a", 1), (2, "b")]))
beside("sets", {1, 2, 3}, frozenset({"a"}), set())
beside("sizes", torch.Size([2, 3]), torch.Size([]))
beside("devices", torch.device("cpu"), torch.device("cuda", 1), torch.strided, torch.sparse_coo)
beside("dtypes", *[torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.uint16])
beside("numbers", 1 << 70, -(1 << 90), 1 << 33, -1, 2**31, 1e300, float("nan"), True, None, complex(1, -2), 255, 65536)
beside("bytes", b"", b"\x00\xff", bytearray(b"ab\xfe"), bytearray(), bytes(range(256)))
beside("texts", "\udc80half", "ü", "", "\U0001f600", "a" * 300)
parameter = torch.nn.Parameter(torch.arange(3.0))
marked = torch.nn.Parameter(torch.arange(3.0))
marked.note = "kept"
tensor = torch.arange(3.0)
tensor.note = "kept"
beside("parameters", parameter, marked, torch.nn.Buffer(torch.arange(3.0)), tensor)
beside("storages", torch.arange(3.0).untyped_storage(), torch.arange(3.0).storage())
beside("views", *torch.arange(24.0).reshape(2, 3, 4).unbind(0))
beside("complex", torch.ones(2, dtype=torch.complex64), torch.ones(2, dtype=torch.complex128))
beside("float8", torch.ones(2).to(torch.float8_e5m2), torch.ones(2).to(torch.float8_e4m3fn))
beside("unsigned", *[torch.ones(2, dtype=type_) for type_ in (torch.uint16, torch.uint32, torch.uint64)])
beside("quantized", torch.quantize_per_tensor(torch.ones(2), 0.1, 3, torch.qint8))
beside("quantized-channels", torch.quantize_per_channel(torch.ones(2, 2), torch.ones(2), torch.zeros(2), 0, torch.quint8))
beside("sparse", torch.eye(3).to_sparse())
beside("sparse-csr", torch.eye(3).to_sparse_csr())
beside("meta", torch.empty(2, 3, device="meta"))
beside("conjugate", torch.ones(2, dtype=torch.complex64).conj())

# numpy.
beside("numpy-scalars", *[getattr(numpy, name)(1) for name in (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool_",
    "complex64", "longdouble", "str_", "bytes_", "datetime64")[:-1]], numpy.datetime64("2026-01-01"))
beside("numpy-arrays", numpy.arange(6.0).reshape(2, 3), numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)),
       numpy.arange(3, dtype=">f4"), numpy.array(["a", "bc"]), numpy.array([1, "x", None], dtype=object),
       numpy.zeros((0, 3)), numpy.float64(2).reshape(()), numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
       numpy.ma.masked_array([1.0, 2.0], [True, False]), numpy.arange("2026-01", "2026-04", dtype="datetime64[M]"))
beside("numpy-types", numpy.dtype("float32"), numpy.dtype(">i4"), numpy.dtype([("a", "f4")]), numpy.float32,
       numpy.random.default_rng(1).bit_generator.state, numpy.random.get_state())
beside("numpy-generator", numpy.random.default_rng(1), numpy.random.RandomState(1))

# Objects of Python and of other libraries.
beside("dates", datetime.datetime(2026, 1, 2), datetime.date(2026, 1, 2), datetime.timedelta(1), datetime.timezone.utc)
beside("paths", pathlib.PurePosixPath("/a/b"), range(3), slice(1, 2), Ellipsis, NotImplemented, int, list)
beside("enums", Color.RED, Flags.A | Flags.B)
beside("dataclass", Config(inner=Config()), Point(1, 2.0))
beside("slots", Slots(), Named(), Reduced())
beside("partial", functools.partial(dict, a=1), Step().run, torch.nn.functional.relu, print)
beside("namespace", argparse.Namespace(lr=0.1, inner=argparse.Namespace(a=[1])), types.SimpleNamespace(a=1))
beside("containers", History([1, 2]), AttrDict(a=1), collections.deque([1, 2], 3), collections.ChainMap({"a": 1}))
beside("pandas", pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), pandas.Series([1, 2]), pandas.Timestamp("2026-01-02"))
beside("optimizer", torch.optim.Adam(model.parameters()), torch.optim.lr_scheduler.StepLR(torch.optim.SGD(model.parameters(), 0.1), 3))
beside("loss", torch.nn.MSELoss(), torch.nn.CrossEntropyLoss(torch.ones(2)))
selfish = Config()
selfish.inner = selfish
loop: list = []
loop.append(loop)
beside("self-reference", selfish, instance(Config, inner=loop))
both("attributes", AttrDict(epoch=1, net=AttrDict(state)))

DictConfig, ListConfig = library("omegaconf.dictconfig", "DictConfig", "ListConfig")
(Metadata,) = library("omegaconf.base", "ContainerMetadata")
AnyNode, = library("omegaconf.nodes", "AnyNode")
config = instance(DictConfig, _metadata=instance(Metadata, optional=True, key=None, ref_type=dict), _parent=None)
config._content = {"hidden": instance(AnyNode, _parent=config, _val=2, _metadata=instance(Metadata, key="hidden"))}
(Specifications,) = library("pyannote.audio.core.task", "Specifications")
(Problem,) = library("pyannote.audio.core.problem", "Problem")
lightning = {
    "epoch": 1, "global_step": 20, "pytorch-lightning_version": "2.5.0",
    "state_dict": {"net." + key: value for key, value in state.items()},
    "callbacks": {"ModelCheckpoint{}": {"best_model_score": torch.tensor(0.5), "best": numpy.float32(0.5)}},
    "optimizer_states": [torch.optim.Adam(model.parameters()).state_dict()],
    "lr_schedulers": [{"milestones": collections.Counter([3]), "last_epoch": 1}],
    "hparams_name": "config", "hyper_parameters": {"config": config, "args": argparse.Namespace(a=1)},
    "hparams_type": DictConfig,
    "pyannote.audio": {"versions": {"torch": torch.__version__}, "architecture": {"class": "PyanNet"},
                       "specifications": instance(Specifications, problem=instance(Problem), duration=5.0)},
}
both("lightning", lightning)
for protocol in (3, 4, 5):
    torch.save({"state_dict": state, "args": argparse.Namespace(a=1), "array": numpy.arange(3.0), "bytes": bytearray(b"x"),
                "scalar": numpy.float64(2), "named": Named(), "sets": [{1}, frozenset({2})]},
               OUT / f"model-protocol{protocol}.pt", pickle_protocol=protocol)

# Whole modules. Their tensors are in whole.npz by the name of the file.
whole: dict[str, numpy.ndarray] = {}


class Activated(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = torch.nn.LSTM(3, 2, num_layers=2, batch_first=True, dropout=0.1, bidirectional=True)
        self.drop = torch.nn.Dropout(0.2)
        self.act = torch.nn.ReLU()
        self.out = torch.nn.Linear(4, 1)
        self.squash = torch.nn.Sigmoid()
        self.loss = torch.nn.MSELoss()
        self.register_buffer("scratch", torch.zeros(5), persistent=False)
        self.nothing = None
        self.rates = [0.1, 0.2]


class Trainer:
    def __init__(self, net: torch.nn.Module) -> None:
        self.net, self.history = net, [1.0, 0.5]


class Opaque:
    def __init__(self, net: torch.nn.Module) -> None:
        self.net = net

    def __reduce__(self):
        return (make_opaque, (self.net.state_dict(),))


def make_opaque(*_):
    return Opaque(model)


def keep(name: str, module: torch.nn.Module, prefix: str = "") -> None:
    for key, value in module.state_dict().items():
        whole[f"{name}/{prefix}{key}"] = value.numpy()


def no_source(*_):
    raise OSError("the sources of modules are no part of this test")


torch.serialization.get_source_lines_and_file = no_source
activated = Activated()
for name, value, module, prefix in [
    ("whole", model, model, ""), ("whole-activated", activated, activated, ""),
    ("whole-parallel", torch.nn.DataParallel(model), torch.nn.DataParallel(model), ""),
    ("whole-in-dictionary", {"model": model, "epoch": 3}, model, "model."),
    ("whole-in-object", Trainer(model), model, "net."),
    ("whole-in-inner-object", {"trainer": Trainer(model), "epoch": 3}, model, "trainer.net."),
]:
    for suffix, options in [("", {}), ("-legacy", {"_use_new_zipfile_serialization": False})]:
        torch.save(value, OUT / f"{name}{suffix}.pt", **options)
        keep(f"{name}{suffix}.pt", module, prefix)
    with open(OUT / f"{name}.pkl", "wb") as file:
        pickle.dump(value, file, protocol=4)
    keep(f"{name}.pkl", module, prefix)
numpy.savez(OUT / "whole.npz", **whole)

# Python's own pickle.
for protocol in (2, 3, 4, 5):
    for name, value in {"tensors": dict(state), "arrays": {key: value.numpy() for key, value in state.items()},
                        "both": {"epoch": 3, "weights": dict(state), "args": argparse.Namespace(a=1)}}.items():
        with open(OUT / f"model-{name}-{protocol}.pkl", "wb") as file:
            pickle.dump(value, file, protocol=protocol)

# What is refused.
torch.save({"epoch": 1, "learner": Opaque(model)}, OUT / "refused-opaque.pt")
torch.save({"epoch": 1, "learner": Opaque(model)}, OUT / "refused-opaque-legacy.pt", _use_new_zipfile_serialization=False)
with open(OUT / "refused-no-tensors.pkl", "wb") as file:
    pickle.dump({"a": [1, 2], "b": argparse.Namespace(c=3)}, file)
import joblib  # noqa: E402
joblib.dump({"w": numpy.arange(4.0)}, OUT / "refused-joblib.pkl")

# Scalers, whose factors follow from two points: they are affine.
data = numpy.random.randn(50, 3) * [1.0, 20.0, 0.01] + [5.0, 1000.0, -3.0]
scalers: dict[str, list] = {}


def affine(transform, columns: int) -> tuple[list[float], list[float]]:
    zero, one = (transform(numpy.full((1, columns), value))[0] for value in (0.0, 1.0))
    deviation = 1 / (one - zero)
    return (-zero * deviation).tolist(), deviation.tolist()


def scaler(name: str, value: dict, *expected: tuple) -> None:
    torch.save({"state_dict": state, **value}, OUT / f"scaler-{name}.pt")
    scalers[f"scaler-{name}.pt"] = [
        {"key": key, "mean": numpy.ravel(mean).tolist(), "deviation": numpy.ravel(deviation).tolist()}
        for key, mean, deviation in expected]


pre = sklearn.preprocessing
for name, made in {
    "standard": pre.StandardScaler(), "standard-no-mean": pre.StandardScaler(with_mean=False),
    "standard-no-std": pre.StandardScaler(with_std=False), "minmax": pre.MinMaxScaler(),
    "minmax-range": pre.MinMaxScaler((-1, 1)), "robust": pre.RobustScaler(),
    "robust-no-centering": pre.RobustScaler(with_centering=False), "maxabs": pre.MaxAbsScaler(),
}.items():
    fitted = made.fit(data)
    scaler(name, {"scaler": fitted}, ("scaler", *affine(fitted.transform, 3)))
frame = pre.StandardScaler().fit(pandas.DataFrame(data, columns=["a", "b", "c"]))
scaler("of-a-table", {"scaler": frame}, ("scaler", *affine(lambda x: frame.transform(pandas.DataFrame(x, columns=["a", "b", "c"])), 3)))
inputs, targets = pre.MinMaxScaler().fit(data), pre.StandardScaler().fit(data[:, :1])
scaler("two", {"scaler_x": inputs, "scaler_y": targets}, ("scaler_x", *affine(inputs.transform, 3)),
       ("scaler_y", *affine(targets.transform, 1)))
scaler("nested", {"preprocessing": {"scalers": [inputs, targets]}},
       ("preprocessing.scalers.0", *affine(inputs.transform, 3)), ("preprocessing.scalers.1", *affine(targets.transform, 1)))


class Scaler:
    def __init__(self, mean, std) -> None:
        self.mean, self.std = mean, std


mean, std = data.mean(0), data.std(0)
scaler("own-class", {"scaler": Scaler(mean, std)}, ("scaler", mean, std))
scaler("dictionary", {"scaler": {"mean": mean, "std": std}}, ("scaler", mean, std))
scaler("lists", {"norm": {"mean": mean.tolist(), "std": tuple(std.tolist())}}, ("norm", mean, std))
scaler("tensors", {"stats": {"mean": torch.tensor(mean), "std": torch.tensor(std)}}, ("stats", mean, std))
scaler("float32", {"stats": {"mean": torch.tensor(mean).float()[None], "std": torch.tensor(std).float()[None]}},
       ("stats", mean.astype("float32"), std.astype("float32")))
scaler("flat", {"mean": mean, "std": std}, ("mean", mean, std))
scaler("named", {"x_mean": mean, "x_std": std, "y_mean": 2.5, "y_std": 0.5}, ("x_mean", mean, std), ("y_mean", 2.5, 0.5))
scaler("range", {"data_min": data.min(0), "data_max": data.max(0)}, ("data_min", data.min(0), data.max(0) - data.min(0)))
scaler("lone", {"scaler": {"mean": 2.5, "scale": 0.5}}, ("scaler", 2.5, 0.5))
scaler("none", {"power": pre.PowerTransformer().fit(data), "quantile": pre.QuantileTransformer(n_quantiles=10).fit(data),
                "zero": {"mean": mean, "std": std * 0}, "uneven": {"mean": mean, "std": std[:2]},
                "running": {"mean": "a", "std": "b"}})
pipe = sklearn.pipeline.make_pipeline(pre.StandardScaler(), pre.MinMaxScaler()).fit(data)
scaler("pipeline", {"pipe": pipe})
(OUT / "scalers.json").write_text(json.dumps(scalers, indent=1, sort_keys=True))
