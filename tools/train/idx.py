# SPDX-License-Identifier: GPL-2.0-only
"""Read MNIST's IDX files, plain or gzipped."""

import gzip
import os
import struct
import sys
import zlib

import numpy as np

TYPE_U8 = 8  # the only element type that MNIST uses


def fail(what):
    """Say what went wrong on stderr and leave."""
    sys.exit(f"{os.path.basename(sys.argv[0])}: {what}")


def read(path):
    """Return the u8 array in one IDX file, in the shape its header names."""
    opener = gzip.open if path.endswith(".gz") else open
    try:
        with opener(path, "rb") as f:
            raw = f.read()
    except (OSError, EOFError, zlib.error) as e:
        fail(f"cannot read {path}: {e}")

    if len(raw) < 4 or raw[:3] != bytes((0, 0, TYPE_U8)):
        fail(f"{path} is not an IDX file of bytes; expected MNIST's format")
    rank = raw[3]
    head = 4 + 4 * rank
    if len(raw) < head:
        fail(f"{path} ends inside its header; fetch the file again")
    shape = struct.unpack(f">{rank}I", raw[4:head])
    body = np.frombuffer(raw, np.uint8, offset=head)
    if body.size != np.prod(shape, dtype=np.int64):
        fail(f"{path} holds {body.size} bytes, its header says {shape}; "
             "fetch the file again")
    return body.reshape(shape)


def find(folder, stem):
    """Return the path of @stem in @folder, with or without .gz, or None."""
    for name in (stem, stem + ".gz"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def load(folder, *sets):
    """Load images as u8 [n, pixels] and labels as u8 [n].

    The first of @sets ("train", "t10k", ...) that @folder holds is taken.
    """
    for name in sets:
        images = find(folder, f"{name}-images-idx3-ubyte")
        labels = find(folder, f"{name}-labels-idx1-ubyte")
        if images and labels:
            break
    else:
        fail(f"{folder} has no {sets[0]}-images-idx3-ubyte[.gz] with its "
             "labels; name the folder that holds MNIST's IDX files")

    x, y = read(images), read(labels)
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
        fail(f"{images} {x.shape} and {labels} {y.shape} do not belong "
             "together")
    if x.shape[1:] != (28, 28) or y.max(initial=0) > 9:
        fail(f"{images} is not MNIST: wanted 28x28 pixels and labels 0 to 9")
    return x.reshape(len(x), -1), y
