# SPDX-License-Identifier: GPL-2.0-only
"""Turn a trained f32 perceptron into an integer one, and write it as ONNX.

Every scale is fixed here, none is computed from the batch at run time: an
image's logits never depend on which strangers' images share its batch.

Weights are int8, one scale a column, kept within +-64: on CPUs without VNNI,
two u8 x s8 products are added in 16 bits, and 2 * 255 * 64 still fits.
Activations are u8 with zero point 0, so that ReLU costs nothing.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import model

WEIGHT_MAX = 64
PIXEL_SCALE = np.float32(1 / 255)


def _round_columns(w):
    """Return int8 weights and f32 scales [n] with least squared error."""
    peak = np.maximum(np.abs(w).max(axis=0), 1e-8)
    best, scale = np.full(w.shape[1], np.inf), peak / WEIGHT_MAX
    for part in np.linspace(0.5, 1, 26):
        s = peak * np.float32(part / WEIGHT_MAX)
        q = np.clip(np.rint(w / s), -WEIGHT_MAX, WEIGHT_MAX)
        error = ((q * s - w) ** 2).sum(axis=0)
        scale = np.where(error < best, s, scale)
        best = np.minimum(error, best)
    scale = scale.astype(np.float32)
    q = np.clip(np.rint(w / scale), -WEIGHT_MAX, WEIGHT_MAX)
    return q.astype(np.int8), scale


def _activation_scale(x):
    """Return the f32 scale that brings a layer's outputs into a u8."""
    return np.float32(np.quantile(x, 0.9999) / 255)


def quantise(layers, images):
    """Quantise @layers, [(w, b), ...], with ranges seen on @images, u8.

    Return a list of dicts: w int8 [m, n], b int32 [n], scale f32 [n] (of the
    weights), x_scale and y_scale (of the input and the output; y_scale is
    None in the last layer, whose output stays f32).
    """
    out, x_scale = [], PIXEL_SCALE
    for i, (w, b) in enumerate(layers):
        q, scale = _round_columns(w)
        bias = np.rint(b / (x_scale * scale)).astype(np.int32)
        layer = {"w": q, "b": bias, "scale": scale, "x_scale": x_scale,
                 "y_scale": None}
        out.append(layer)
        if i < len(layers) - 1:
            y = np.maximum(_dense(layer, images), 0)
            layer["y_scale"] = x_scale = _activation_scale(y)
            images = _to_u8(y, x_scale)
    return out


def _dense(layer, x):
    """Return the layer's f32 output before ReLU.

    The integer sums stay under 2**24 (784 * 255 * 64), so f32 holds them
    exactly and BLAS can do the work.
    """
    y = x.astype(np.float32) @ layer["w"].astype(np.float32) + layer["b"]
    return y * (layer["x_scale"] * layer["scale"])


def _to_u8(y, scale):
    return np.clip(np.rint(y / scale), 0, 255).astype(np.uint8)


def logits(net, images):
    """Return f32 [n, 10], computed as the ONNX model computes it."""
    for layer in net:
        y = _dense(layer, images)
        if layer["y_scale"] is not None:
            images = _to_u8(y, layer["y_scale"])
    return y


def _constant(graph, name, value):
    graph.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def to_onnx(net, note):
    """Return the ONNX model: u8 [batch, 784] "image", f32 [batch, 10] "logits".

    Written in QDQ form (DequantizeLinear, Gemm, Relu, QuantizeLinear): plain
    ONNX for any runtime, which ONNX Runtime fuses into integer GEMMs.
    """
    nodes, consts = [], []

    def op(kind, inputs, output, **attrs):
        nodes.append(helper.make_node(kind, inputs, [output], output, **attrs))
        return output

    zero = _constant(consts, "zero", np.uint8(0))
    x = "image"
    for i, layer in enumerate(net):
        x_scale = _constant(consts, f"x{i}_scale", layer["x_scale"])
        w_scale = _constant(consts, f"w{i}_scale", layer["scale"])
        b_scale = _constant(consts, f"b{i}_scale",
                            layer["x_scale"] * layer["scale"])
        w = _constant(consts, f"w{i}_q", layer["w"])
        b = _constant(consts, f"b{i}_q", layer["b"])
        w_zero = _constant(consts, f"w{i}_zero", np.zeros_like(layer["w"][0]))
        x = op("DequantizeLinear", [x, x_scale, zero], f"x{i}")
        w = op("DequantizeLinear", [w, w_scale, w_zero], f"w{i}", axis=1)
        b = op("DequantizeLinear", [b, b_scale], f"b{i}", axis=0)
        if layer["y_scale"] is None:
            op("Gemm", [x, w, b], "logits")
            break
        x = op("Relu", [op("Gemm", [x, w, b], f"y{i}")], f"relu{i}")
        y_scale = _constant(consts, f"y{i}_scale", layer["y_scale"])
        x = op("QuantizeLinear", [x, y_scale, zero], f"y{i}_q")

    graph = helper.make_graph(
        nodes, "mnist_mlp",
        [helper.make_tensor_value_info("image", TensorProto.UINT8,
                                       ["batch", len(net[0]["w"])])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT,
                                       ["batch", len(net[-1]["b"])])],
        consts)
    return model.finish(graph, note)
