#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""hidden.py FOLDER OUT: what a classifier of digits makes of MNIST.

Runs the images of FOLDER through the two hidden layers of the committed
model and writes 256 numbers each, in OUT/base.fvecs and OUT/query.fvecs. The
model is quantised; its weights are used as the real numbers they stand for.
"""

import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(TOP, "tools/train"))
import idx  # noqa: E402

MODEL = os.path.join(TOP, "selftests/data/mnist/mnist_mlp.onnx")


def layers():
    """Yield (w, b) of each hidden layer, and the scale of the input."""
    model = onnx.load(MODEL)
    have = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for i in range(2):
        w = have[f"w{i}_q"].astype(np.float32) * have[f"w{i}_scale"]
        b = have[f"b{i}_q"].astype(np.float32) * have[f"b{i}_scale"]
        if i == 0:
            w = w * have["x0_scale"]
        yield w, b


def write(path, x):
    """Write the rows of f32 @x as .fvecs."""
    out = np.empty((len(x), 1 + x.shape[1]), np.int32)
    out[:, 0] = x.shape[1]
    out[:, 1:] = x.view(np.int32)
    out.tofile(path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    folder, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    sets = {"base": ("train",), "query": ("t10k", "t3k")}
    for name, stems in sets.items():
        x = idx.load(folder, *stems)[0].astype(np.float32)
        for w, b in layers():
            x = np.maximum(x @ w + b, 0)
        write(os.path.join(out, name + ".fvecs"), np.ascontiguousarray(x))
        print(f"{out}/{name}.fvecs: {len(x)} of {x.shape[1]}")


if __name__ == "__main__":
    main()
