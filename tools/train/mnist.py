#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Train the demo's digit classifier on MNIST and write it as ONNX.

The model takes u8 pixels as they lie in MNIST's files, [batch, 784] named
"image", and gives f32 scores, [batch, 10] named "logits". It learns from the
60 000 training images only; --test scores the finished model and changes
nothing. The same seed on the same machine gives the same file.

Needs numpy (with OpenBLAS, or it takes far longer) and onnx: on Debian,
apt install python3-numpy python3-onnx libopenblas0-pthread
"""

import argparse
import concurrent.futures
import os
import sys
import time

# How BLAS splits a sum between threads shows in its last bits: one thread, so
# that the file does not depend on the number of CPUs. Warping takes another.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

try:
    import numpy as np

    import augment
    import idx
    import mlp
    import model
    import quantise
except ImportError as e:
    sys.exit(f"mnist.py: {e}; apt install python3-numpy python3-onnx")

DROPOUT_IN, DROPOUT_HIDDEN = 0.0, 0.1
RATE_PEAK = 1.5e-3
WARM_UP = 0.03  # part of the run in which the rate climbs
CHUNK = 4096  # images warped at a time, while the last ones are learnt


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="where train-images-idx3-ubyte[.gz] and "
                   "train-labels-idx1-ubyte[.gz] are")
    p.add_argument("output", help="the .onnx file to write")
    p.add_argument("--test", metavar="FOLDER", help="afterwards, score on the "
                   "t10k or t3k IDX files in FOLDER")
    p.add_argument("--epochs", type=int, default=80, help="default %(default)s")
    p.add_argument("--batch", type=int, default=256, help="default %(default)s")
    p.add_argument("--seed", type=int, default=1, help="default %(default)s")
    p.add_argument("--hidden", default="512,256", metavar="N,N...",
                   help="sizes of the hidden layers, default %(default)s")
    p.add_argument("--holdout", type=int, default=0, metavar="N",
                   help="keep the last N training images out of training and "
                   "score on them: for tuning, as the test set is not")
    args = p.parse_args()
    try:
        args.hidden = [int(n) for n in args.hidden.split(",")]
    except ValueError:
        p.error(f"--hidden {args.hidden}: want whole numbers, as in 512,256")
    if min(args.hidden + [args.epochs, args.batch]) < 1 or args.holdout < 0:
        p.error("sizes and counts must be positive")
    return args


def rate(done):
    """Return the learning rate when part @done (0..1) of the run is over."""
    if done < WARM_UP:
        return RATE_PEAK * done / WARM_UP
    turn = np.pi * (done - WARM_UP) / (1 - WARM_UP)
    return RATE_PEAK * 0.5 * (1 + np.cos(turn))


def chunks(seed, epoch, x, y):
    """Yield (warped images, labels) until each image was seen once.

    One chunk ahead is warped by a second thread. Only that thread draws from
    this epoch's generator, in order, so the result does not depend on timing.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(x))
    parts = [order[i:i + CHUNK] for i in range(0, len(x), CHUNK)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(augment.warp, rng, x[parts[0]])
        for i, part in enumerate(parts):
            images = ahead.result()
            if i + 1 < len(parts):
                ahead = pool.submit(augment.warp, rng, x[parts[i + 1]])
            yield images, y[part]


def train(args, x, y):
    """Return the trained f32 layers, [(w, b), ...]."""
    sizes = [x.shape[1]] + args.hidden + [10]
    dropout = [DROPOUT_IN] + [DROPOUT_HIDDEN] * len(args.hidden)
    net = mlp.Mlp(np.random.default_rng(args.seed), sizes, dropout)
    start = time.monotonic()

    for epoch in range(args.epochs):
        loss = hits = seen = 0
        for images, labels in chunks(args.seed, epoch, x, y):
            for i in range(0, len(labels), args.batch):
                part = labels[i:i + args.batch]
                done = (epoch + seen / len(x)) / args.epochs
                got = net.step(images[i:i + args.batch], part, rate(done))
                loss += got[0] * len(part)
                hits += got[1]
                seen += len(part)
        spent = time.monotonic() - start
        left = spent / (epoch + 1) * (args.epochs - epoch - 1)
        print(f"epoch {epoch + 1}/{args.epochs}: loss {loss / seen:.4f}, "
              f"{100 * hits / seen:.2f} % of the warped images right, "
              f"{spent:.0f} s spent, {left:.0f} s left", flush=True)
    return net.averaged()


def score(name, net, x, y):
    """Print how many of @x the quantised @net has right."""
    hits = int((quantise.logits(net, x).argmax(axis=1) == y).sum())
    print(f"{name}: {hits} of {len(y)} right, {100 * hits / len(y):.2f} %")


def main():
    args = arguments()
    x, y = idx.load(args.folder, "train")
    test = idx.load(args.test, "t10k", "t3k") if args.test else None
    if args.holdout >= len(x):
        idx.fail(f"--holdout {args.holdout} leaves none of {len(x)} images")
    cut = len(x) - args.holdout
    folder = os.path.dirname(args.output) or "."
    if not os.access(folder, os.W_OK):
        idx.fail(f"cannot write into {folder}; name another output")

    layers = train(args, x[:cut], y[:cut])
    net = quantise.quantise(layers, x[:cut])
    sizes = "-".join(str(n) for n in [x.shape[1]] + args.hidden + [10])
    note = (f"MNIST digits, MLP {sizes}, int8, by tools/train/mnist.py: "
            f"seed {args.seed}, {args.epochs} epochs")
    model.save(quantise.to_onnx(net, note), args.output)

    score("training images", net, x[:cut], y[:cut])
    if args.holdout:
        score("held out", net, x[cut:], y[cut:])
    if test:
        score(f"test images in {args.test}", net, *test)


if __name__ == "__main__":
    main()
