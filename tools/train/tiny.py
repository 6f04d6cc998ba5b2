#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write the tiny ONNX models that the tests load.

identity.onnx: f32 "x" [batch, 4] to "y" [batch, 4], y = x. What goes in must
  come out at the right row, however requests were batched.
fixed.onnx: f32 "x" [1, 4] to "y" [1, 4], y = 2 x. Its batch is fixed at 1: a
  batcher must notice, and run requests one at a time.

Needs onnx: on Debian, apt install python3-onnx
"""

import argparse
import os
import sys

try:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    import model
except ImportError as e:
    sys.exit(f"tiny.py: {e}; apt install python3-numpy python3-onnx")

WIDTH = 4


def build(name, note, batch, node, consts=()):
    """Return a model of one @node from "x" to "y", f32 [@batch, WIDTH]."""
    def value(label):
        return helper.make_tensor_value_info(label, TensorProto.FLOAT,
                                             [batch, WIDTH])

    graph = helper.make_graph([node], name, [value("x")], [value("y")],
                              list(consts))
    return model.finish(graph, note)


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="where to write the files")
    folder = p.parse_args().folder

    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    for name, proto in (
            ("identity", build("identity", "y = x, any batch", "batch",
                               helper.make_node("Identity", ["x"], ["y"]))),
            ("fixed", build("fixed", "y = 2 x, batch fixed at 1", 1,
                            helper.make_node("Mul", ["x", "two"], ["y"]),
                            [two]))):
        model.save(proto, os.path.join(folder, name + ".onnx"))


if __name__ == "__main__":
    main()
