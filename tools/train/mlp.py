# SPDX-License-Identifier: GPL-2.0-only
"""A multi-layer perceptron with ReLU, trained by Adam, in numpy alone."""

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
AVERAGE = 0.999  # decay of the running mean of the weights
SMOOTH = 0.05  # of each label's mass, spread over all classes


class Mlp:
    """Weights, their running mean, and Adam's moments, as flat f32 vectors.

    Layer i is y = x @ w[i] + b[i]; all but the last end in ReLU. w and b are
    views of one vector, so an update is a handful of whole-vector passes.
    """

    def __init__(self, rng, sizes, dropout):
        self.rng = rng
        self.sizes = sizes
        self.dropout = dropout
        count = sum(m * n + n for m, n in zip(sizes, sizes[1:]))
        self.flat, self.mean, self.grad, self.m1, self.m2, self.tmp = (
            np.zeros(count, np.float32) for _ in range(6))
        self.layers = self._views(self.flat)
        self.grads = self._views(self.grad)
        self.steps = 0
        for w, _ in self.layers:
            w[:] = rng.standard_normal(w.shape, np.float32)
            w *= np.sqrt(2 / len(w))

    def _views(self, flat):
        """Return [(w, b), ...] laid over @flat."""
        views, at = [], 0
        for m, n in zip(self.sizes, self.sizes[1:]):
            w = flat[at:at + m * n].reshape(m, n)
            at += m * n
            views.append((w, flat[at:at + n]))
            at += n
        return views

    def averaged(self):
        """Return [(w, b), ...] of the running mean, which tests better."""
        return self._views(self.mean / (1 - AVERAGE ** self.steps))

    def _backward(self, x, y):
        """Fill self.grad for one batch.  Return its mean loss and its hits."""
        inputs, last = [], len(self.layers) - 1
        for i, (w, b) in enumerate(self.layers):
            keep = np.float32(1 - self.dropout[i])
            if keep < 1:
                x = x * (self.rng.random(x.shape, np.float32) < keep)
                x /= keep
            inputs.append(x)
            x = x @ w
            x += b
            if i < last:
                np.maximum(x, 0, out=x)

        hits = int((x.argmax(axis=1) == y).sum())
        x -= x.max(axis=1, keepdims=True)
        logp = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        want = np.full_like(x, SMOOTH / x.shape[1])
        want[np.arange(len(y)), y] += 1 - SMOOTH
        loss = -float((want * logp).sum()) / len(y)

        d = (np.exp(logp) - want) / np.float32(len(y))
        for i in range(last, -1, -1):
            gw, gb = self.grads[i]
            np.matmul(inputs[i].T, d, out=gw)
            d.sum(axis=0, out=gb)
            if i:
                # A dropped or negative unit is 0 in inputs[i]: no gradient.
                d = d @ self.layers[i][0].T
                d *= inputs[i] > 0
                d /= np.float32(1 - self.dropout[i])
        return loss, hits

    def step(self, x, y, rate):
        """Learn from one batch: f32 [n, pixels], labels [n].

        Return the batch's mean loss and the number it had right.
        """
        out = self._backward(x, y)
        self.steps += 1
        t, tmp = self.steps, self.tmp

        self.m1 *= BETA1
        self.m1 += np.multiply(self.grad, 1 - BETA1, out=tmp)
        self.m2 *= BETA2
        np.multiply(self.grad, self.grad, out=tmp)
        tmp *= 1 - BETA2
        self.m2 += tmp

        np.multiply(self.m2, 1 / (1 - BETA2 ** t), out=tmp)
        np.sqrt(tmp, out=tmp)
        tmp += EPSILON
        np.divide(self.m1, tmp, out=tmp)
        tmp *= rate / (1 - BETA1 ** t)
        self.flat -= tmp

        self.mean *= AVERAGE
        self.mean += np.multiply(self.flat, 1 - AVERAGE, out=tmp)
        return out
