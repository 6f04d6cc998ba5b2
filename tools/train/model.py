# SPDX-License-Identifier: GPL-2.0-only
"""What every ONNX file written here has in common."""

import os

import onnx
from onnx import helper

import idx

OPSET = 13  # the first with a DequantizeLinear that scales by column
IR_VERSION = 7  # what opset 13 came with: ONNX Runtime 1.7 and later


def finish(graph, note):
    """Wrap @graph in a checked model with the project's versions."""
    proto = helper.make_model(graph, producer_name="phi", doc_string=note,
                              opset_imports=[helper.make_opsetid("", OPSET)])
    proto.ir_version = IR_VERSION
    onnx.checker.check_model(proto, full_check=True)
    return proto


def save(proto, path):
    """Write @proto to @path and say how large it came out."""
    try:
        onnx.save(proto, path)
    except OSError as e:
        idx.fail(f"cannot write {path}: {e}")
    print(f"{path}: {os.path.getsize(path)} bytes")
