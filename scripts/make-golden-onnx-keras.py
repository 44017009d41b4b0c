"""Golden ONNX models as tf2onnx and Keras write them, with ONNX Runtime's outputs, beside those of make-golden-onnx-graph.py.

    fixtures/onnx-graph/keras_<name>.onnx            the model
    fixtures/onnx-graph/keras_<name>.reference.h5    x, and y as lstm-ft gives it; attributes inputs and kinds (of the layers, in order)

Needs tensorflow, tf_keras, keras 3, tf2onnx, onnxruntime, numpy and h5py.
"""

import argparse
import os
import pathlib
import tempfile
import zlib

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_USE_LEGACY_KERAS="0", KERAS_BACKEND="tensorflow")

import h5py
import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
import tf_keras

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "onnx-graph"
N, T = 3, 9
VOCABULARY = 12


def fused_norm(L, steps):
    x = L.Input((steps, 4))
    return x, L.Dense(2)(L.LayerNormalization(center=False)(L.LSTM(5)(L.LayerNormalization()(x)))), "layer_norm lstm readout layer_norm dense"


def norm(L, steps):
    x = L.Input((steps, 4))
    y = L.LayerNormalization(epsilon=1e-6)(L.LSTM(5, return_sequences=True)(x))
    y = L.LayerNormalization(center=False, epsilon=1e-5)(L.GRU(3, return_sequences=True)(y))
    return x, L.LayerNormalization(scale=False, epsilon=1e-5)(L.LSTM(4)(y)), "lstm layer_norm gru layer_norm lstm readout layer_norm"


def plain_recurrent(L, steps):
    x = L.Input((steps, 4))
    y = L.SimpleRNN(5, return_sequences=True, activation="relu")(x)
    return x, L.Dense(2)(L.SimpleRNN(6)(y)), "rnn rnn readout dense"


def gru_before(L, steps):
    x = L.Input((steps, 4))
    return x, L.Dense(2)(L.GRU(5, reset_after=False, return_sequences=True)(x)), "gru dense"


def repeated_shares(L, steps):
    x = L.Input((steps, 4))
    y = L.LSTM(5, return_sequences=True)(x)
    shares = L.Permute((2, 1))(L.RepeatVector(5)(L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(y)))))
    return x, L.Dense(2)(L.Lambda(lambda v: tf.reduce_sum(v, axis=1))(L.Multiply()([y, shares]))), "lstm attention dense"


def unit_length(L, steps):
    x = L.Input((steps, 4))
    return x, L.UnitNormalization()(L.Dense(3)(L.LSTM(5)(L.UnitNormalization()(x)))), "l2 lstm readout dense l2"


def both_directions(L, steps):
    x = L.Input((steps, 4))
    return x, L.Dense(2)(L.Bidirectional(L.GRU(4, return_sequences=True))(x)), "gru gru concatenate dense"


def distributed(L, steps):
    x = L.Input((steps, 8, 1))
    y = L.TimeDistributed(L.Conv1D(4, 3, activation="relu"))(x)
    y = L.TimeDistributed(L.Flatten())(L.TimeDistributed(L.MaxPooling1D(2))(y))
    return x, L.Dense(2)(L.LSTM(5)(y)), "reshape convolution max_pooling reshape lstm readout dense"


# Name, model, the library, opset, whether the number of steps is left open.
def words(L, steps, **settings):
    x = L.Input((steps,), dtype="int32")
    return x, L.Embedding(VOCABULARY, 4, mask_zero=True, **settings)(x)


def mask_stack(L, steps):
    x, y = words(L, steps)
    y = L.Dropout(0.2)(L.LSTM(5, return_sequences=True)(y))
    return x, L.Dense(2, activation="softmax")(L.GRU(4)(y)), "embedding lstm gru readout dense"


def mask_directions(L, steps):
    x, y = words(L, steps)
    y = L.Bidirectional(L.GRU(3))(L.Bidirectional(L.LSTM(4, return_sequences=True))(y))
    kinds = "embedding lstm gru readout dense"
    return x, L.Dense(1, activation="sigmoid")(y), kinds


def mask_tagger(L, steps):
    x, y = words(L, steps)
    y = L.Dense(3, activation="softmax")(L.Bidirectional(L.LSTM(4, return_sequences=True))(y))
    return x, y, "embedding lstm dense"


def mask_max(L, steps):
    x, y = words(L, steps)
    y = L.GlobalMaxPooling1D()(L.SimpleRNN(4, return_sequences=True)(y))
    return x, L.Dense(2)(y), "embedding rnn unmask readout dense"


def mask_mean(L, steps):
    x, y = words(L, steps)
    return x, L.Dense(2)(L.GlobalAveragePooling1D()(L.LSTM(4, return_sequences=True)(y))), "embedding lstm readout dense"


def masking(L, steps):
    x = L.Input((steps, 3))
    return x, L.Dense(2)(L.LSTM(5)(L.Dense(4, activation="relu")(L.Masking(-1.0)(x)))), "dense lstm readout dense"


CASES = [
    ("norm_fused", fused_norm, "tf_keras", 13, True),
    ("norm_fused_later", fused_norm, "tf_keras", 18, False),
    ("norm_written_out", norm, "keras", 17, True),
    ("norm_pooled", norm, "keras", 13, False),
    ("rnn_loops", plain_recurrent, "tf_keras", 15, False),
    ("rnn_loops_open", plain_recurrent, "tf_keras", 17, True),
    ("gru_before", gru_before, "tf_keras", 13, False),
    ("repeated_shares", repeated_shares, "tf_keras", 13, False),
    ("unit_length", unit_length, "tf_keras", 13, False),
    ("unit_length_of_keras_3", unit_length, "keras", 15, True),
    ("both_directions", both_directions, "keras", 15, False),
    ("distributed", distributed, "tf_keras", 18, False),
    ("mask_stack", mask_stack, "tf_keras", 13, False),
    ("mask_stack_of_keras_3", mask_stack, "keras", 18, True),
    ("mask_directions", mask_directions, "tf_keras", 15, True),
    ("mask_tagger", mask_tagger, "tf_keras", 17, True),
    ("mask_tagger_of_keras_3", mask_tagger, "keras", 15, False),
    ("mask_max", mask_max, "tf_keras", 18, False),
    ("mask_mean", mask_mean, "tf_keras", 13, True),
    ("mask_mean_of_keras_3", mask_mean, "keras", 17, False),
    ("masking", masking, "tf_keras", 15, True),
    ("masking_of_keras_3", masking, "keras", 18, False),
]


def make(name, build, library, opset, is_open):
    module = dict(tf_keras=tf_keras, keras=keras)[library]
    module.backend.clear_session()
    random = np.random.default_rng(zlib.crc32(name.encode()))
    x, y, kinds = build(module.layers, None if is_open else T)
    model = module.Model(x, y)
    for weight in model.weights:
        shape = tuple(weight.shape)
        low, high = (0.5, 1.5) if "gamma" in weight.name else (-0.5, 0.5)
        weight.assign(random.uniform(low, high, shape).astype(np.float32))
    signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype, name="x")]
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "model.onnx")
        tf2onnx.convert.from_function(tf.function(lambda x: model(x)), input_signature=signature, opset=opset, output_path=path)
        converted = onnx.load(path)
    for node in converted.graph.node:
        node.doc_string = ""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = random.standard_normal([N] + [T if d is None else int(d) for d in x.shape[1:]]).astype(np.float32)
    if "int" in str(x.dtype):
        given = random.integers(1, VOCABULARY, [N, T]).astype(np.int32)
    if "mask" in name:
        # At the end, at the beginning and in between.
        hidden = -1 if "masking" in name else 0
        given[0, 6:], given[1, :3], given[2, 4], given[0, 1] = hidden, hidden, hidden, hidden
    result = session.run(None, {"x": given})[0]
    (FOLDER / f"keras_{name}.onnx").write_bytes(converted.SerializeToString(deterministic=True))
    with h5py.File(FOLDER / f"keras_{name}.reference.h5", "w") as file:
        file["x"], file["y"] = given if given.ndim == 2 else given.reshape(given.shape[0], given.shape[1], -1), result
        file.attrs["inputs"], file.attrs["kinds"] = "x", kinds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=FIXTURES, help="the folder to write to")
    parser.add_argument("--only", default="", help="a part of a model's name")
    given = parser.parse_args()
    FOLDER = given.out
    for case in CASES:
        if given.only in case[0]:
            make(*case)
