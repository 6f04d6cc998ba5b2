# SPDX-License-Identifier: GPL-2.0-only
"""Bend, turn and shift digits: new handwriting from the old.

Each image gets an affine map of its own (turn, scale, shear, shift) and a
smooth random displacement field on top, then is sampled bilinearly.
"""

import numpy as np

SIDE = 28
GRID = 6  # control points a side of the displacement field

TURN = 0.15  # radians, +-
SCALE = 0.15  # +- of the size
SHEAR = 0.15  # +-
SHIFT = 1.5  # pixels, +-
BEND = 1.2  # pixels, standard deviation at a control point


def _spread():
    """Weights [GRID * GRID, pixels] that blend control points into a field.

    Gaussian bumps, normalised so that equal control points move every
    pixel alike.
    """
    at = np.linspace(-1, SIDE, GRID)
    step = at[1] - at[0]
    line = np.exp(-0.5 * ((np.arange(SIDE)[None] - at[:, None])
                          / (0.6 * step)) ** 2)
    line /= line.sum(axis=0)
    return np.einsum("ay,bx->abyx", line, line).reshape(
        GRID * GRID, -1).astype(np.float32)


SPREAD = _spread()
_ROW, _COL = (v.reshape(-1).astype(np.float32) - (SIDE - 1) / 2
              for v in np.mgrid[:SIDE, :SIDE])


def _uniform(rng, half, n):
    return rng.uniform(-half, half, (n, 1)).astype(np.float32)


def _sources(rng, n):
    """Return rows and columns, f32 [n, pixels], to sample each pixel from."""
    turn = _uniform(rng, TURN, n)
    cos, sin = np.cos(turn), np.sin(turn)
    high = 1 + _uniform(rng, SCALE, n)
    wide = 1 + _uniform(rng, SCALE, n)
    lean = _uniform(rng, SHEAR, n)

    field = rng.standard_normal((2, n, GRID * GRID), np.float32) * BEND
    row, col = field @ SPREAD
    centre = (SIDE - 1) / 2
    row += (cos * high) * _ROW + (sin * high) * _COL
    row += centre + _uniform(rng, SHIFT, n)
    col += (lean * cos - sin) * wide * _ROW + (lean * sin + cos) * wide * _COL
    col += centre + _uniform(rng, SHIFT, n)
    return row, col


def warp(rng, images):
    """Return warped copies of @images, u8 [n, pixels], as f32 in 0..1.

    Points outside read the nearest edge, which is blank in MNIST.
    """
    n = len(images)
    row, col = _sources(rng, n)
    limit = np.float32(SIDE - 1.001)
    np.clip(row, 0, limit, out=row)
    np.clip(col, 0, limit, out=col)

    top, left = row.astype(np.int32), col.astype(np.int32)
    row -= top
    col -= left
    at = top * SIDE + left
    at += (np.arange(n, dtype=np.int32) * (SIDE * SIDE))[:, None]

    flat = images.reshape(-1).astype(np.float32) / 255
    upper = flat[at]
    upper += (flat[at + 1] - upper) * col
    lower = flat[at + SIDE]
    lower += (flat[at + SIDE + 1] - lower) * col
    upper += (lower - upper) * row
    return upper
