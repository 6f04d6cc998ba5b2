#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py OUT: the page OUT/RESULTS.md of what was measured.

Made of OUT/results, which bench printed, and OUT/blobs.md. Draws OUT/SET.svg
for each set of vectors: recall against queries a second.
"""

import collections
import datetime
import math
import os
import sys

import curves

LEVELS = (0.95, 0.99)
BASE = "hnswlib"
TURNOVER = 20000  # vectors at most, in turnover.c

HEAD = """# Results of `make bench-vdfs`

{when}; {machine}, {cpus} processors, Debian 13; load at the end {load:.1f}.

## Vectors

All engines in one program, taking turns at every step; M = 16, efConstruction
= 200, the ten nearest wanted, ef from 10 to 400. Queries are never among the
vectors; the true neighbours come from a scan that no engine shares; one as
near as the tenth counts. QPS is the best of three rounds{clock}, between two
values of ef log-linear in what recall lacks. Threads are pinned. Bytes are
what the process grew by, for each vector.

`hnswlib` is 0.8 from Debian's headers, compiled here with -O3 -march=native.
`faiss` is Debian's HNSW of faiss 1.11, built for every amd64 processor, so
without AVX: a build for this one would be two to three times as fast. It
answers many queries a call, the others one. `vdfs` keeps f32 and walks on it;
`vdfs-8`, `-4`, `-3`, `-2` and `-1` walk on codes of so many bits and rank the
best by the f32 they keep; `vdfs-f16` keeps half precision; `vdfs-i8` keeps a
byte an element and nothing else, so where the vectors are no bytes its recall
has a ceiling.
"""

Point = collections.namedtuple("Point", "ef recall qps p50 p99")


class Set:
    """What was measured on one set of vectors."""

    def __init__(self, name, n, queries, dim, metric, lid):
        self.name, self.metric = name, metric
        self.n, self.queries, self.dim = int(n), int(queries), int(dim)
        self.lid = float(lid)
        self.builds = {}
        self.curves = collections.defaultdict(list)
        self.filters = collections.defaultdict(list)
        self.turns = collections.defaultdict(dict)

    def engines(self):
        """Return names in the order they were measured."""
        names = [e for e, _ in self.curves]
        return list(dict.fromkeys(list(self.builds) + names))


def read(path):
    """Return {name: Set}; of a set measured twice, the last figures count."""
    sets = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            kind, *word = line.split() or [""]
            if kind == "set":
                sets.setdefault(word[0], Set(*word))
                continue
            if kind not in ("build", "curve", "filter", "turnover"):
                continue
            s, engine = sets[word[0]], word[1]
            if kind == "build":
                s.builds[engine] = [float(x) for x in word[2:]]
            elif kind == "curve":
                row = s.curves[engine, int(word[2])]
                row[:] = [p for p in row if p.ef != int(word[3])]
                row.append(Point(int(word[3]), *map(float, word[4:])))
            elif kind == "filter":
                key = (word[1], int(word[2]))
                s.filters[key].append((word[3], word[4], int(word[5]),
                                       float(word[6]), float(word[7])))
            elif kind == "turnover":
                s.turns[engine][word[2]] = float(word[3])
    return sets


def at_recall(points, level):
    """Return (qps, p50, p99) at @level, or None where no ef reaches it.

    Between two measured points, log QPS is taken to be linear in the log of
    what recall lacks. Below the first one that one counts.
    """
    points = sorted(points)
    for a, b in zip([None] + points, points):
        if b.recall < level:
            continue
        if a is None or b.recall <= a.recall:
            return b.qps, b.p50, b.p99
        miss = [math.log(max(1 - x, 0.00001))
                for x in (a.recall, level, b.recall)]
        w = (miss[1] - miss[0]) / (miss[2] - miss[0])
        return tuple(math.exp((1 - w) * math.log(x) + w * math.log(y))
                     for x, y in zip(a[2:], b[2:]))
    return None


def number(x):
    """Return @x with three digits that mean something."""
    if x is None:
        return "-"
    if x >= 1000:
        digits = 3 - len(str(int(x)))
        return f"{round(x, digits):,.0f}".replace(",", " ")
    return f"{x:.3g}"


def table(head, rows):
    """Return lines of a Markdown table, all but the first column right."""
    lines = ["| " + " | ".join(head) + " |",
             "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return lines + [""]


def speed_table(s):
    """Queries a second at each level of recall, build rate and memory."""
    threads = sorted({t for _, t in s.curves})
    head = ["engine"]
    for t in threads:
        for level in LEVELS:
            head += [f"QPS at {level:.2f}, {t} thread{'s' * (t > 1)}", "ratio"]
    head += ["p50 us at 0.95", "p99", "build /s", "bytes each"]
    rows = []
    for e in s.engines():
        row = [f"`{e}`"]
        for t in threads:
            for level in LEVELS:
                got = at_recall(s.curves.get((e, t), []), level)
                base = at_recall(s.curves.get((BASE, t), []), level)
                row.append(number(got and got[0]))
                row.append(f"{got[0] / base[0]:.2f}" if got and base else "-")
        got = at_recall(s.curves.get((e, threads[0]), []), LEVELS[0])
        build = s.builds.get(e)
        row += [number(got and got[1]), number(got and got[2]),
                number(build and build[3]), number(build and build[4])]
        rows.append(row)
    return table(head, rows)


def filter_cell(measured):
    """The best speed at 0.95 recall of some figures, or what recall is."""
    good = [r[4] for r in measured if r[3] >= LEVELS[0]]
    if good:
        return number(max(good))
    most = max((r[3] for r in measured), default=None)
    return "-" if most is None else f"recall {most:.3f}"


def filter_table(s):
    """The best speed with at least 0.95 recall of each way to filter."""
    ways = dict.fromkeys((r[0], r[1]) for rows in s.filters.values()
                         for r in rows)
    words = {"inside": "filter", "scan": "scan", "after": "afterwards"}
    head = ["engine"] + [f"{percent} % {kind}" for kind, percent in s.filters]
    rows = []
    for way in ways:
        rows.append([f"`{way[0]}`, {words[way[1]]}"])
        for measured in s.filters.values():
            rows[-1].append(filter_cell([r for r in measured
                                         if (r[0], r[1]) == way]))
    return table(head, rows)


def turn_table(s):
    """Recall while vectors come and go."""
    turns = ["0", "1", "2", "5", "10", "fresh"]
    head = ["engine", "at first", "after 1", "2", "5", "10", "fresh index"]
    rows = []
    for engine, recall in s.turns.items():
        row = [f"`{engine}`"]
        for turn in turns:
            row.append(f"{recall[turn]:.4f}" if turn in recall else
                       "failed" if "failed" in recall else "-")
        rows.append(row)
    return table(head, rows)


def thousands(n):
    """Return @n with spaces."""
    return f"{n:,}".replace(",", " ")


def section(s, out):
    """Return the lines about one set; draw its curves."""
    metric = "cosine" if s.metric == "cosine" else "Euclidean distance"
    lines = [f"### {s.name}", "",
             f"{thousands(s.n)} vectors of {s.dim}, {s.queries} queries, "
             f"{metric}, local intrinsic dimension {s.lid:.1f}.", ""]
    if s.builds:
        threads = int(next(iter(s.builds.values()))[0])
        lines[2] += (f" Built by {threads} "
                     f"thread{'s' if threads > 1 else ''}.")
    if s.curves:
        first = min(t for _, t in s.curves)
        draw = {e: [(p.recall, p.qps) for p in sorted(points)]
                for (e, t), points in s.curves.items() if t == first}
        path = os.path.join(out, s.name + ".svg")
        title = (f"{s.name}: {thousands(s.n)} vectors, recall of 10, "
                 f"{first} thread")
        with open(path, "w", encoding="utf-8") as f:
            f.write(curves.svg(title, draw))
        lines += [f"![Recall against queries a second]({s.name}.svg)", ""]
        lines += speed_table(s)
    if s.filters:
        lines += ["Queries a second with a filter, at a recall of at least "
                  "0.95. What matches is drawn at random, or all near one "
                  "place, far from most queries:", ""] + filter_table(s)
    if s.turns:
        lines += [f"Recall at ef 100 of {thousands(min(s.n, TURNOVER))} of "
                  "them, ten thirteenths inside, while three tenths of these "
                  "are replaced in every turn:", ""] + turn_table(s)
    return lines


def machine():
    """Return what the processor calls itself."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[0])
    out = sys.argv[1]
    results, blobs = os.path.join(out, "results"), os.path.join(out, "blobs.md")
    clock = ", in processor time" \
        if os.environ.get("BENCH_VDFS_CLOCK") == "cpu" else ""
    lines = HEAD.format(when=datetime.date.today(), machine=machine(),
                        cpus=os.cpu_count(), load=os.getloadavg()[2],
                        clock=clock).splitlines() + [""]
    if os.path.exists(results):
        for s in read(results).values():
            lines += section(s, out)
    if os.path.exists(blobs):
        with open(blobs, encoding="utf-8") as f:
            lines += f.read().splitlines()
    with open(os.path.join(out, "RESULTS.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
