"""Golden files from Keras 3 and tf_keras: models that are more than a stack of LSTM layers, and their outputs.

    fixtures/keras-graph/k3_<name>.keras, k2_<name>.keras (packed again with compression), or .h5
    fixtures/keras-own/...                 with layers of somebody's own
    fixtures/keras-weights/...             weights alone: .weights.h5 of Keras 3, .h5 of tf_keras
    fixtures/keras-graph/<file's stem>.npz    x0, x1, ... (float32 or int32); y0, y1, ... float32

Needs tensorflow, tf_keras, keras 3, h5py and numpy.
"""

import io
import os
import pathlib
import sys
import tempfile
import zipfile
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras as keras3
import numpy as np
import tensorflow as tf
import tf_keras as keras2

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "keras-graph"
N = 2
CASES = {}
# Models with layers of somebody's own, which no framework loads without their code.
OWN = {"sum_of_products", "last_of_lambda", "own_attention"}


def case(*majors, ending=".keras", tokens=None, pad=None):
    def add(build):
        CASES[build.__name__] = (majors or (2, 3), ending, tokens, pad, build)
        return build
    return add


# Each gets the framework and its layers, and gives a model.

def chain(k, shape, *layers, dtype=None):
    return k.Sequential([k.Input(shape, dtype=dtype), *layers])


@case()
def conv_causal(k, L):
    return chain(k, (8, 3), L.Conv1D(4, 3, padding="causal", activation="relu"), L.LSTM(5), L.Dense(2))


@case()
def conv_forms(k, L):
    return chain(k, (12, 3), L.Conv1D(4, 3, strides=2, padding="same"), L.Conv1D(6, 2, dilation_rate=2, groups=2, use_bias=False),
                 L.BatchNormalization(), L.ReLU(), L.MaxPooling1D(2, padding="same"), L.GRU(4), L.Dense(2))


@case()
def conv_separable(k, L):
    return chain(k, (10, 3), L.SeparableConv1D(4, 3, depth_multiplier=2, padding="same", activation="tanh"),
                 L.DepthwiseConv1D(2, depth_multiplier=2), L.AveragePooling1D(3, strides=2), L.LSTM(3), L.Dense(1))


@case()
def norms(k, L):
    return chain(k, (6, 4), L.LayerNormalization(), L.LSTM(5, return_sequences=True), L.BatchNormalization(scale=False),
                 L.Dropout(0.2), L.LSTM(4), L.UnitNormalization(), L.Dense(3, activation="softmax"))


@case()
def gru_before(k, L):
    return chain(k, (6, 3), L.GRU(4, reset_after=False, return_sequences=True), L.GRU(3, use_bias=False), L.Dense(2))


@case()
def merge_sum(k, L):
    return chain(k, (6, 3), L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"),
                 L.Bidirectional(L.LSTM(3), merge_mode="ave"), L.Dense(2))


@case()
def merge_mul(k, L):
    return chain(k, (6, 3), L.Bidirectional(L.SimpleRNN(4, return_sequences=True, activation="relu"), merge_mode="mul"),
                 L.Bidirectional(L.SimpleRNN(3), merge_mode="concat"), L.Dense(2))


@case()
def directions_apart(k, L):
    x = k.Input((5, 3))
    a, b = L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode=None)(x)
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.Subtract()([a, b]))))


@case()
def backwards(k, L):
    return chain(k, (6, 3), L.LSTM(4, go_backwards=True, return_sequences=True), L.Dense(3, activation="elu"),
                 L.GRU(4, go_backwards=True, return_sequences=True), L.LSTM(3, go_backwards=True), L.Dense(2))


@case()
def activations(k, L):
    return chain(k, (5, 3), L.Dense(4, activation="gelu"), L.LSTM(4, activation="relu", return_sequences=True),
                 L.Dense(4, activation="swish"), L.LeakyReLU(), L.GRU(4, activation="elu", recurrent_activation="softsign"),
                 L.Dense(4, activation="selu"), L.ELU(0.5), L.Dense(4, activation="mish"), L.ReLU(6.0),
                 L.Dense(4, activation="softplus"), L.Dense(4, activation="leaky_relu"), L.Activation("exponential"),
                 L.Dense(3, activation="log_softmax"))


@case()
def hard_gates(k, L):
    return chain(k, (5, 3), L.GRU(4, recurrent_activation="hard_sigmoid", return_sequences=True),
                 L.LSTM(4, recurrent_activation="hard_sigmoid", activation="softsign"), L.Dense(2, activation="hard_sigmoid"))


@case()
def residual(k, L):
    x = k.Input((6, 4))
    a = L.LSTM(4, return_sequences=True)(x)
    b = L.LSTM(4, return_sequences=True)(L.Add()([x, a]))
    c = L.Concatenate()([x, a, b, L.Multiply()([a, b]), L.Average()([a, b]), L.Maximum()([x, b])])
    return k.Model(x, L.Dense(2)(L.GlobalMaxPooling1D()(L.SpatialDropout1D(0.1)(c))))


@case()
def inputs_and_outputs(k, L):
    x, s = k.Input((6, 3), name="series"), k.Input((4,), name="static")
    h = L.LSTM(5, name="encoder")(x)
    j = L.Dense(6, activation="relu", name="joint")(L.Concatenate()([h, L.Dense(3, activation="tanh")(s)]))
    return k.Model([x, s], [L.Dense(2, name="mean")(j), L.Dense(2, activation="softplus", name="deviation")(j)])


@case()
def parallel(k, L):
    x = k.Input((6, 3))
    return k.Model(x, L.Dense(2)(L.Add()([L.LSTM(4)(x), L.GRU(4)(x), L.Dense(4)(L.GlobalAveragePooling1D()(x))])))


@case()
def repeat_vector(k, L):
    return chain(k, (6, 3), L.LSTM(4), L.RepeatVector(5), L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(2)))


@case(tokens=[9, 7])
def encoder_decoder(k, L):
    x, y = k.Input((None,), dtype="int32"), k.Input((None,), dtype="int32")
    _, h, c = L.LSTM(4, return_state=True)(L.Embedding(9, 3)(x))
    d = L.LSTM(4, return_sequences=True)(L.Embedding(7, 5)(y), initial_state=[h, c])
    return k.Model([x, y], L.Dense(7, activation="softmax")(d))


@case()
def states(k, L):
    x = k.Input((6, 3))
    s, h = L.GRU(4, return_sequences=True, return_state=True)(x)
    d = L.GRU(4)(L.Dense(3)(s), initial_state=h)
    b = L.Bidirectional(L.LSTM(3, return_state=True))(x)
    return k.Model(x, L.Dense(2)(L.Concatenate()([h, d, b[1], b[3]])))


@case()
def luong(k, L):
    x, y = k.Input((6, 3)), k.Input((5, 2))
    e, h, c = L.LSTM(4, return_sequences=True, return_state=True)(x)
    d = L.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    w = L.Activation("softmax")(L.Dot(axes=[2, 2])([d, e]))
    context = L.Dot(axes=[2, 1])([w, e])
    return k.Model([x, y], L.Dense(2, activation="tanh")(L.Concatenate()([context, d])))


@case()
def attention_layers(k, L):
    x = k.Input((6, 3))
    s = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    a = L.Attention(use_scale=True)([s, s])
    b = L.AdditiveAttention()([s, a, s])
    c = L.MultiHeadAttention(2, 3)(s, s)
    d = L.MultiHeadAttention(3, 2, use_bias=False)(c, c, use_causal_mask=True)
    e = L.LayerNormalization()(L.Add()([s, d]))
    return k.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(L.Concatenate()([a, b, e]))))


@case()
def joined_states(k, L):
    """Layers that begin from both directions of another, side by side; what is joined is read, too."""
    x = k.Input((6, 3))
    e, fh, fc, bh, bc = L.Bidirectional(L.LSTM(2, return_sequences=True, return_state=True))(x)
    h, c = L.Concatenate()([fh, bh]), L.Concatenate()([fc, bc])
    d = L.LSTM(4, return_sequences=True)(e, initial_state=[h, c])
    f, gh, gb = L.Bidirectional(L.GRU(2, return_sequences=True, return_state=True))(d)
    s = L.Concatenate()([gh, gb])
    g = L.GRU(4)(f, initial_state=s)
    return k.Model(x, L.Dense(2)(L.Concatenate()([g, s])))


@case()
def heads_apart(k, L):
    """Heads whose sizes are not the width divided, of other sequences, and with a key of its own."""
    x = k.Input((6, 3))
    s, g = L.LSTM(4, return_sequences=True)(x), L.GRU(5, return_sequences=True)(x)
    a = L.MultiHeadAttention(2, 3, value_dim=2)(g, s)
    b = L.MultiHeadAttention(3, 4, output_shape=4, use_bias=False)(a, s, use_causal_mask=True)
    c = L.MultiHeadAttention(2, 3)(b, value=s, key=g)
    d = L.MultiHeadAttention(1, 8)(c, c)
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.Concatenate()([a, b, d]))))


@case()
def attention_of_steps(k, L):
    x = k.Input((6, 3))
    h = L.Bidirectional(L.GRU(3, return_sequences=True))(x)
    a = L.Dot(axes=1)([L.Softmax(axis=1)(L.Dense(1, activation="tanh")(h)), h])
    b = L.Dot(axes=1)([h, L.Softmax(axis=1)(L.Dense(1, use_bias=False)(L.Dense(4, activation="tanh")(h)))])
    return k.Model(x, L.Dense(2)(L.Concatenate()([L.Flatten()(a), L.Flatten()(b)])))


@case(3)
def operations(k, L):
    x = k.Input((6, 3))
    h = L.GRU(4, return_sequences=True)(x) + L.Dense(4)(x)
    w = k.ops.softmax(L.Dense(1)(h), axis=1)
    back = k.ops.flip(L.LSTM(4, return_sequences=True)(k.ops.flip(h, axis=1)), axis=1)
    rows = [k.ops.sum(h * w, axis=1), k.ops.mean(back, axis=1), k.ops.max(k.ops.tanh(h) * back, axis=1), back[:, 0]]
    return k.Model(x, L.Dense(2)(k.ops.concatenate(rows, axis=-1)))


@case(pad="rows")
def mask_merged(k, L):
    x = k.Input((7, 3))
    m = L.Masking()(x)
    s = L.LSTM(4, return_sequences=True)(m)
    t = L.TimeDistributed(L.Dense(4, activation="relu"))(s)
    j = L.Concatenate()([L.Add()([s, t]), m])
    return k.Model(x, L.Dense(2)(L.Bidirectional(L.LSTM(3))(L.Dropout(0.1)(L.LayerNormalization()(j)))))


@case()
def crnn_height_first(k, L):
    return chain(k, (8, 12, 1), L.Conv2D(3, 3, padding="same", activation="relu"), L.MaxPooling2D(2),
                 L.Conv2D(4, (3, 2)), L.BatchNormalization(), L.Activation("relu"), L.Permute((2, 1, 3)), L.Reshape((5, 8)),
                 L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Dense(5, activation="softmax"))


@case()
def crnn_time_first(k, L):
    return chain(k, (12, 8, 2), L.Conv2D(3, (3, 2), strides=(1, 2), padding="same"), L.LeakyReLU(0.1), L.AveragePooling2D((2, 2)),
                 L.Dense(4), L.Reshape((6, 8)), L.GRU(4, return_sequences=True), L.Dense(3))


@case()
def cnn_lstm(k, L):
    return chain(k, (3, 8, 2), L.TimeDistributed(L.Conv1D(4, 3, activation="relu")), L.TimeDistributed(L.MaxPooling1D(2)),
                 L.TimeDistributed(L.Flatten()), L.LSTM(4), L.Dense(1))


@case()
def flattened(k, L):
    return chain(k, (5, 3), L.LSTM(4, return_sequences=True), L.Flatten(), L.Dense(6), L.Reshape((3, 2)), L.GRU(3, return_sequences=True),
                 L.Permute((2, 1)), L.Flatten(), L.Dense(2))


@case()
def reshaped(k, L):
    return chain(k, (12,), L.Reshape((6, 2)), L.Conv1D(4, 1), L.Reshape((-1, 2)), L.LSTM(3, return_sequences=True), L.Permute((2, 1)),
                 L.Dense(5, activation="softmax"), L.Permute((2, 1)), L.LSTM(2), L.Dense(2))


@case()
def scaling(k, L):
    x = k.Input((6, 3))
    n = L.Normalization(mean=[1.0, -2.0, 0.5], variance=[4.0, 0.25, 1.0])(x)
    r = L.LSTM(4, return_sequences=True)(n)
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.Rescaling(2.0, 0.5)(r))))


@case()
def slices(k, L):
    x = k.Input((6, 4))
    s = L.LSTM(4, return_sequences=True)(x)
    return k.Model(x, L.Dense(2)(L.Concatenate()([s[:, -1, :], s[:, 0], x[:, -1, 1:3]])))


@case()
def nested(k, L):
    inner = chain(k, (6, 3), L.Conv1D(4, 3, padding="same"), L.BatchNormalization(), L.GRU(4, return_sequences=True))
    x = k.Input((6, 3))
    return k.Model(x, L.Dense(2)(L.LSTM(3)(inner(x))))


@case(2, ending=".h5")
def nested_old(k, L):
    inner = chain(k, (6, 3), L.Conv1D(4, 3, padding="same"), L.BatchNormalization(), L.GRU(4, return_sequences=True))
    x = k.Input((6, 3))
    return k.Model(x, L.Dense(2)(L.LSTM(3)(inner(x))))


@case()
def siamese(k, L):
    a, b = k.Input((6, 3)), k.Input((6, 3))
    lstm, dense = L.LSTM(4), L.Dense(3, activation="tanh")
    return k.Model([a, b], L.Dense(1)(L.Subtract()([dense(lstm(a)), dense(lstm(b))])))


@case()
def cells(k, L):
    return chain(k, (5, 3), L.RNN([L.GRUCell(4), L.SimpleRNNCell(3)], return_sequences=True), L.RNN(L.LSTMCell(3)), L.Dense(2))


@case(tokens=[9], pad="both")
def masked(k, L):
    x = k.Input((None,), dtype="int32")
    e = L.Embedding(9, 4, mask_zero=True)(x)
    s = L.Bidirectional(L.GRU(3, return_sequences=True))(e)
    s = L.BatchNormalization()(L.Dense(4, activation="relu")(s))
    return k.Model(x, L.Dense(2)(L.Concatenate()([L.GRU(4)(s), L.GlobalAveragePooling1D()(s)])))


@case(2, tokens=[9], pad="both")
def mask_multiplied(k, L):
    """In Keras 3 the product of masked steps is zero."""
    x = k.Input((7,), dtype="int32")
    e = L.Embedding(9, 4, mask_zero=True)(x)
    return k.Model(x, L.Dense(2)(L.GlobalMaxPooling1D()(L.Multiply()([e, L.BatchNormalization()(e)]))))


@case(2, pad="rows")
def hidden_again(k, L):
    """In Keras 2 a product has the mask that one of its factors has; the model gives every step."""
    x = k.Input((7, 3))
    m = L.Masking()(x)
    return k.Model(x, L.Dense(2)(L.ReLU()(L.Multiply()([m, L.MaxPooling1D(2, strides=1, padding="same")(L.LSTM(3, return_sequences=True)(m))]))))


@case(tokens=[9], pad="both")
def mask_lost(k, L):
    return chain(k, (7,), L.Embedding(9, 4, mask_zero=True), L.Conv1D(4, 3, padding="same"), L.LSTM(3), L.Dense(2), dtype="int32")


@case(pad="rows")
def masking(k, L):
    return chain(k, (7, 3), L.Masking(), L.GRU(4, return_sequences=True), L.SimpleRNN(3), L.Dense(2))


@case(2, 3, ending=".h5")
def gru_whole(k, L):
    return chain(k, (6, 3), L.Bidirectional(L.GRU(4, return_sequences=True)), L.Conv1D(3, 2, activation="tanh"), L.GRU(3), L.Dense(2))


@case()
def adapted(k, L):
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(0).normal([5e4, -3, 1e-3], [3, 1, 1e-4], (50, 6, 3)).astype(np.float32))
    return chain(k, (6, 3), layer, L.Conv1D(4, 2), L.GRU(4), L.Dense(2))


@case()
def adapted_alike(k, L):
    layer = L.Normalization(axis=None)
    layer.adapt(np.random.default_rng(0).normal(5e4, 3, (50, 6, 3)).astype(np.float32))
    return chain(k, (6, 3), layer, L.LSTM(4, return_sequences=True), L.GRU(4), L.Dense(2))


@case()
def scaling_undone(k, L):
    return chain(k, (6, 3), L.Rescaling(-2.0, offset=1.0), L.GRU(4), L.Dense(2),
                 L.Normalization(mean=[100.0, -20.0], variance=[4.0, 9.0], invert=True))


@case()
def frames_through_models(k, L):
    rows = chain(k, (8, 2), L.Conv1D(3, 3, activation="relu"), L.MaxPooling1D(2), L.Flatten())
    dense = chain(k, (9,), L.Dense(5, activation="relu"), L.Dropout(0.1), L.Dense(4))
    return chain(k, (4, 8, 2), L.TimeDistributed(rows), L.TimeDistributed(dense), L.LSTM(3), L.Dense(2))


@case()
def frames_pooled(k, L):
    x = k.Input((3, 8, 2))
    h = L.TimeDistributed(L.Conv1D(4, 3, activation="relu"))(x)
    both = [L.TimeDistributed(pool)(h) for pool in (L.GlobalAveragePooling1D(), L.GlobalMaxPooling1D())]
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.Concatenate()(both))))


@case()
def squeeze_and_excite(k, L):
    x = k.Input((6, 3))
    h = L.Conv1D(4, 3, padding="same")(x)
    s = L.Reshape((1, 4))(L.GlobalAveragePooling1D()(h))
    s = L.Dense(4, activation="sigmoid", use_bias=False)(L.Dense(2, activation="relu", use_bias=False)(s))
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.Multiply()([h, s]))))


@case()
def other_steps(k, L):
    return chain(k, (8, 3), L.ZeroPadding1D((2, 1)), L.Conv1D(4, 3), L.Cropping1D((1, 2)), L.LSTM(4, return_sequences=True),
                 L.UpSampling1D(2), L.GRU(3), L.Dense(2))


@case()
def least(k, L):
    x = k.Input((6, 4))
    h = L.LSTM(4, return_sequences=True)(x)
    return k.Model(x, L.Dense(2)(L.GRU(3)(L.Minimum()([x, h]))))


@case()
def sum_of_products(k, L):
    x = k.Input((6, 3))
    h = L.LSTM(4, return_sequences=True)(x)
    a = L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(h)))
    h = L.Multiply()([h, L.Permute([2, 1])(L.RepeatVector(4)(a))])
    return k.Model(x, L.Dense(2)(L.Lambda(lambda z: tf.reduce_sum(z, axis=1), output_shape=(4,))(h)))


@case()
def last_of_lambda(k, L):
    return chain(k, (6, 3), L.LSTM(4, return_sequences=True), L.Lambda(lambda z: z[:, -1, :], output_shape=(4,)), L.Dense(2))


def own_layer(k, name, *shapes):
    """The attention of tutorials: W, and perhaps b and u, of a score of each step."""
    class Own(k.layers.Layer):
        def build(self, shape):
            width = shape[-1]
            self.parts = [self.add_weight(name=n, shape=[width if s == "H" else s for s in sizes], initializer="uniform")
                          for n, sizes in shapes]
            super().build(shape)

        def call(self, x):
            if len(self.parts) == 1:
                score = tf.matmul(x, self.parts[0])[..., 0]
            else:
                w, b, u = self.parts
                score = tf.reduce_sum(tf.tanh(tf.matmul(x, w) + b) * u, -1)
            return tf.reduce_sum(x * tf.nn.softmax(score, axis=1)[..., None], axis=1)

        def compute_output_shape(self, shape):
            return (shape[0], shape[-1])
    Own.__name__ = name
    return Own()


@case()
def own_attention(k, L):
    x = k.Input((6, 3))
    h = L.LSTM(4, return_sequences=True)(x)
    a = own_layer(k, "AttentionWeightedAverage", ("W", ["H", 1]))(h)
    b = own_layer(k, "AttentionWithContext", ("W", ["H", "H"]), ("b", ["H"]), ("u", ["H"]))(h)
    return k.Model(x, L.Dense(2)(L.Concatenate()([a, b])))


# Layers that read the steps that a mask hides, and outputs of every step.

@case(tokens=[9], pad="every")
def hidden_tagger(k, L):
    return chain(k, (7,), L.Embedding(9, 4, mask_zero=True), L.Bidirectional(L.GRU(3, return_sequences=True)),
                 L.TimeDistributed(L.Dense(4, activation="softmax")), dtype="int32")


@case(tokens=[9], pad="every")
def hidden_tagger_stack(k, L):
    x = k.Input((None,), dtype="int32")
    e = L.Dropout(0.2)(L.Embedding(9, 4, mask_zero=True)(x))
    b = L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum")(e)
    s = L.LSTM(4, return_sequences=True)(L.BatchNormalization()(b))
    return k.Model(x, L.Dense(3)(L.Concatenate()([L.Add()([b, s]), L.LayerNormalization()(e)])))


@case(tokens=[9], pad="every")
def hidden_maximum(k, L):
    return chain(k, (7,), L.Embedding(9, 4, mask_zero=True), L.LSTM(5, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(2),
                 dtype="int32")


@case(tokens=[9], pad="every")
def hidden_pools(k, L):
    x = k.Input((7,), dtype="int32")
    s = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.Embedding(9, 4, mask_zero=True)(x))
    d = L.BatchNormalization()(L.Dense(4, activation="relu")(s))
    return k.Model(x, L.Dense(2)(L.Concatenate()([L.GlobalMaxPooling1D()(d), L.GlobalAveragePooling1D()(d), L.GRU(3)(d)])))


@case(pad="every")
def hidden_flat(k, L):
    return chain(k, (7, 3), L.Masking(), L.SimpleRNN(4, return_sequences=True), L.GRU(3, return_sequences=True), L.Flatten(), L.Dense(2))


@case(pad="every")
def hidden_conv(k, L):
    return chain(k, (7, 3), L.Masking(), L.LSTM(4, return_sequences=True), L.Conv1D(4, 3, padding="same", activation="relu"),
                 L.MaxPooling1D(2), L.LSTM(3), L.Dense(2))


@case(pad="minus")
def hidden_value(k, L):
    return chain(k, (7, 3), L.Masking(-1.0), L.Conv1D(4, 2, activation="tanh"), L.LSTM(3), L.Dense(2))


@case(pad="minus")
def hidden_branches(k, L):
    x = k.Input((7, 3))
    m = L.Masking(-1.0)(x)
    c = L.GlobalMaxPooling1D()(L.Conv1D(4, 2)(m))
    return k.Model(x, L.Dense(2)(L.Concatenate()([L.LSTM(3)(m), c])))


@case(tokens=[9], pad="every")
def hidden_tokens(k, L):
    x = k.Input((7,), dtype="int32")
    e = L.Embedding(9, 4, mask_zero=True)(x)
    c = L.GlobalMaxPooling1D()(L.Conv1D(4, 2)(e))
    return k.Model(x, L.Dense(2)(L.Concatenate()([L.Bidirectional(L.LSTM(3))(e), c])))


@case(tokens=[9], pad="every")
def hidden_zeros(k, L):
    return chain(k, (7,), L.Embedding(9, 4, mask_zero=True), L.LSTM(4, return_sequences=True, zero_output_for_mask=True),
                 L.GRU(3, zero_output_for_mask=True), L.Dense(2), dtype="int32")


@case(tokens=[9], pad="every")
def hidden_zeros_given(k, L):
    return chain(k, (7,), L.Embedding(9, 4, mask_zero=True), L.LSTM(4, return_sequences=True, zero_output_for_mask=True),
                 L.TimeDistributed(L.Dense(2)), dtype="int32")


@case()
def group_norm(k, L):
    return chain(k, (8, 3), L.Conv1D(6, 3, padding="same"), L.GroupNormalization(groups=3), L.LSTM(4, return_sequences=True),
                 L.GroupNormalization(groups=-1, scale=False, epsilon=1e-2), L.LSTM(4), L.GroupNormalization(groups=2), L.Dense(2))


@case()
def group_norm_grid(k, L):
    return chain(k, (6, 5, 2), L.Conv2D(4, 2), L.GroupNormalization(groups=2), L.TimeDistributed(L.Flatten()), L.LSTM(4), L.Dense(2))


@case()
def pad_before_lstm(k, L):
    return chain(k, (6, 3), L.ZeroPadding1D((2, 1)), L.LSTM(4, return_sequences=True), L.ZeroPadding1D(1),
                 L.GRU(5, return_sequences=True), L.ZeroPadding1D((0, 2)), L.Conv1D(4, 3), L.LSTM(3), L.Dense(2))


@case()
def pad_read_twice(k, L):
    x = k.Input((7, 3))
    p = L.ZeroPadding1D((2, 0))(x)
    h = L.add([L.Conv1D(4, 3, padding="same")(p), L.LSTM(4, return_sequences=True)(p)])
    return k.Model(x, L.Dense(2)(L.LSTM(3)(L.MaxPooling1D(2)(L.ZeroPadding1D(1)(h)))))


# Captions of pictures: the second input is the one that has steps, and hides some.
@case(tokens=[None, 9])
def masked_second(k, L):
    a, b = k.Input((5,)), k.Input((7,), dtype="int32")
    f = L.Dense(4, activation="relu")(a)
    h = L.LSTM(4)(L.Embedding(9, 3, mask_zero=True)(b))
    return k.Model([a, b], L.Dense(9, activation="softmax")(L.Dense(4, activation="relu")(L.add([f, h]))))


# Slopes of each step and feature, of each feature, and one.
@case()
def prelu(k, L):
    return chain(k, (8, 3), L.Conv1D(4, 3, padding="same"), L.PReLU(), L.LSTM(5, return_sequences=True), L.PReLU(shared_axes=[1]),
                 L.LSTM(4), L.PReLU(shared_axes=[1]), L.Dense(6), L.PReLU(), L.Dense(2))


@case(tokens=[9], pad="every")
def hidden_attention(k, L):
    x = k.Input((7,), dtype="int32")
    s = L.LSTM(4, return_sequences=True)(L.Embedding(9, 4, mask_zero=True)(x))
    a = L.Attention()([s, s])
    return k.Model(x, [L.Dense(3)(L.Concatenate()([s, a])), L.Dense(2)(L.GlobalAveragePooling1D()(a))])


@case(tokens=[9], pad="every")
def hidden_query(k, L):
    """Attention whose query has lost the mask that its value has."""
    x = k.Input((7,), dtype="int32")
    e = L.Embedding(9, 4, mask_zero=True)(x)
    s = L.LSTM(4, return_sequences=True)(e)
    c = L.Conv1D(4, 2, padding="same")(s)
    a = L.Attention()([c, s])
    b = L.AdditiveAttention()([L.GRU(4, return_sequences=True)(c), s, e])
    d = L.Attention()([L.Conv1D(4, 1)(e), e])
    return k.Model(x, [L.Dense(3)(a), L.Dense(2)(L.Concatenate()([L.GlobalMaxPooling1D()(d), L.LSTM(3)(a), L.GlobalAveragePooling1D()(b)]))])


# Files of weights alone, read by the names and shapes of their tensors.

@case(ending=".weights.h5")
def weights_gru(k, L):
    return chain(k, (6, 3), L.GRU(4, return_sequences=True), L.Dropout(0.2), L.Bidirectional(L.GRU(3, return_sequences=True)),
                 L.GlobalAveragePooling1D(), L.Dense(2))


@case(ending=".weights.h5")
def weights_rnn(k, L):
    return chain(k, (6, 3), L.SimpleRNN(4, return_sequences=True), L.SimpleRNN(5), L.Dense(2))


@case(ending=".weights.h5")
def weights_conv(k, L):
    return chain(k, (10, 3), L.Conv1D(4, 3, activation="relu", padding="same"), L.BatchNormalization(), L.MaxPooling1D(2), L.LSTM(5),
                 L.Dense(2))


@case(ending=".weights.h5")
def weights_flat(k, L):
    return chain(k, (6, 3), L.LSTM(4, return_sequences=True), L.Flatten(), L.Dense(8, activation="relu"), L.Dropout(0.3), L.Dense(2))


# Keras 3 has no place for a layer without weights.
@case(2, ending=".weights.h5")
def weights_repeat(k, L):
    return chain(k, (6, 3), L.LSTM(4), L.RepeatVector(5), L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(2)))


@case(ending=".weights.h5")
def weights_functions(k, L):
    return chain(k, (12, 3), L.Conv1D(4, 3, padding="same"), L.BatchNormalization(), L.Activation("relu"), L.MaxPooling1D(2), L.LSTM(5),
                 L.Dense(3), L.Activation("softmax"))


@case(ending=".weights.h5")
def weights_relu(k, L):
    return chain(k, (6, 3), L.LSTM(5), L.Dense(4), L.LeakyReLU(), L.Dense(1))


@case(ending=".weights.h5")
def weights_pools(k, L):
    x = k.Input((6, 3))
    h = L.Bidirectional(L.GRU(4, return_sequences=True))(x)
    return k.Model(x, L.Dense(1, activation="sigmoid")(L.Concatenate()([L.GlobalAveragePooling1D()(h), L.GlobalMaxPooling1D()(h)])))


@case(ending=".weights.h5")
def weights_attention(k, L):
    x = k.Input((6, 3))
    h = L.LSTM(5, return_sequences=True)(x)
    return k.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(L.Attention()([h, h]))))


@case(ending=".weights.h5")
def weights_conv_flat(k, L):
    return chain(k, (12, 3), L.Conv1D(4, 3, activation="relu"), L.LSTM(5, return_sequences=True), L.Flatten(), L.Dense(1))


@case(ending=".weights.h5")
def weights_conv_behind(k, L):
    return chain(k, (8, 3), L.LSTM(5, return_sequences=True), L.Conv1D(4, 3), L.GlobalMaxPooling1D(), L.Dense(1))


@case(ending=".weights.h5")
def weights_steps_first(k, L):
    return chain(k, (6, 3), L.TimeDistributed(L.Dense(4, activation="relu")), L.LSTM(5), L.Dense(3, activation="softmax"))


@case(tokens=[9], ending=".weights.h5")
def weights_words(k, L):
    return chain(k, (7,), L.Embedding(9, 4), L.LSTM(5, return_sequences=True), L.LSTM(5, return_sequences=True),
                 L.Dense(9, activation="softmax"), dtype="int32")


@case(ending=".weights.h5")
def weights_residual(k, L):
    x = k.Input((6, 4))
    h = L.LSTM(4, return_sequences=True)(L.add([x, L.LSTM(4, return_sequences=True)(x)]))
    return k.Model(x, L.Dense(2, activation="softmax")(L.Dropout(0.2)(L.GlobalMaxPooling1D()(h))))


@case(ending=".weights.h5")
def weights_two_inputs(k, L):
    a, b = k.Input((6, 4)), k.Input((3,))
    z = L.concatenate([L.LSTM(5)(a), L.Dense(4, activation="relu")(b)])
    return k.Model([a, b], L.Dense(1)(L.Dense(6, activation="relu")(z)))


@case(tokens=[11, 7], ending=".weights.h5")
def weights_tagger(k, L):
    a, b = k.Input((6,), dtype="int32"), k.Input((6,), dtype="int32")
    e = L.Dropout(0.2)(L.concatenate([L.Embedding(11, 4)(a), L.Embedding(7, 3)(b)]))
    h = L.Bidirectional(L.LSTM(4, return_sequences=True))(e)
    return k.Model([a, b], L.TimeDistributed(L.Dense(5, activation="softmax"))(h))


@case(tokens=[11, 11], ending=".weights.h5")
def weights_siamese(k, L):
    a, b = k.Input((6,), dtype="int32"), k.Input((6,), dtype="int32")
    shared = k.Sequential([k.Input((6,), dtype="int32"), L.Embedding(11, 4), L.LSTM(5)])
    return k.Model([a, b], L.Dense(1, activation="sigmoid")(L.concatenate([shared(a), shared(b)])))


@case(ending=".weights.h5")
def weights_two_outputs(k, L):
    x = k.Input((6, 4))
    h = L.LSTM(5)(x)
    return k.Model(x, [L.Dense(1)(h), L.Dense(3, activation="softmax")(h)])


@case(ending=".weights.h5")
def weights_slopes(k, L):
    return chain(k, (10, 3), L.Conv1D(8, 3, padding="same"), L.PReLU(shared_axes=[1]), L.GroupNormalization(groups=4),
                 L.LSTM(4), L.Dense(2, activation="softmax"))


@case(ending=".weights.h5")
def weights_merged(k, L):
    return chain(k, (6, 3), L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"), L.GRU(3), L.Dense(2, activation="softmax"))


@case(ending=".weights.h5")
def weights_written_attention(k, L):
    x = k.Input((6, 3))
    h = L.LSTM(5, return_sequences=True)(x)
    a = L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(h)))
    m = L.multiply([h, L.Permute([2, 1])(L.RepeatVector(5)(a))])
    return k.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(m)))


@case(ending=".weights.h5")
def weights_branches(k, L):
    x = k.Input((8, 4))
    c = L.Activation("relu")(L.BatchNormalization()(L.Conv1D(6, 3, padding="same")(x)))
    z = L.concatenate([L.LSTM(5)(x), L.GlobalAveragePooling1D()(c)])
    return k.Model(x, L.Dense(3, activation="softmax")(z))


@case(2, ending=".weights.h5")
def weights_norm(k, L):
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(0).normal(5e4, 3, (50, 6, 3)).astype(np.float32))
    return chain(k, (6, 3), layer, L.GRU(4, return_sequences=True), L.LayerNormalization(), L.GRU(3), L.Dense(2))


def data(name, model, tokens, pad):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    inputs = []
    for place, tensor in enumerate(model.inputs):
        shape = [5 if pad in ("every", "minus") else N] + [size or 7 if pad == "every" else size or 6 for size in tensor.shape[1:]]
        if tokens and tokens[place]:
            x = random.integers(1, tokens[place], shape).astype(np.int32)
            if name.endswith("masked_second"):
                x[0, :3] = x[1, 4:] = 0
        else:
            x = random.normal(size=shape).astype(np.float32)
            if "adapted" in name or "weights_norm" in name:
                x = (x * 3 + 5e4).astype(np.float32)
        if pad == "both":
            x[0, :2] = 0
            x[1, -2:] = 0
        elif pad == "rows":
            x[0, :2] = 0
            x[1, 3:5] = 0
        elif pad in ("every", "minus"):
            # Before, within, after and both; the last has all of its steps.
            value = 0 if pad == "every" else -1
            x[0, :2] = x[1, 3:5] = x[2, -3:] = x[3, 0] = x[3, 2] = x[3, 5:] = value
        inputs.append(x)
    return inputs


def fill(model, name):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    weights = []
    for w, value in zip(model.weights, model.get_weights()):
        made = random.normal(0, 0.4, value.shape).astype(value.dtype)
        path = getattr(w, "path", w.name)
        # Statistics of data stay what they are.
        if path.split("/")[-1].split(":")[0] in ("mean", "variance", "count"):
            weights.append(value)
            continue
        weights.append(abs(made) + 0.5 if "variance" in path or "gamma" in path else made)
    model.set_weights(weights)


def pack(path):
    """The same archive, compressed."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in ("metadata.json", "config.json", "model.weights.h5")}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)
    path.write_bytes(buffer.getvalue())


def make(name):
    majors, ending, tokens, pad, build = CASES[name]
    for major in majors:
        k = {2: keras2, 3: keras3}[major]
        k.backend.clear_session() if major == 2 else k.utils.clear_session()
        model = build(k, k.layers)
        stem = f"k{major}_{name}"
        fill(model, stem)
        x = data(stem, model, tokens, pad)
        y = model(x if len(x) > 1 else x[0])
        y = y if isinstance(y, (list, tuple)) else [y]
        folder = OUT.parent / "keras-own" if name in OWN else OUT.parent / "keras-weights" if "weights" in ending else OUT
        folder.mkdir(exist_ok=True)
        file = folder / (stem + ending)
        if ending != ".weights.h5":
            model.save(file)
        elif major == 3:
            model.save_weights(file)
        else:
            # tf_keras writes the older form under any other ending.
            file = folder / (stem + ".h5")
            model.save_weights(file)
        if ending == ".keras":
            pack(file)
        arrays = {f"x{i}": v for i, v in enumerate(x)} | {f"y{i}": np.asarray(v, np.float32) for i, v in enumerate(y)}
        np.savez_compressed(folder / f"{stem}.npz", **arrays)
        print(f"  {stem:<28} {file.stat().st_size:>7}  {[v.shape for v in x]} -> {[tuple(v.shape) for v in y]}")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or CASES:
        make(name)
