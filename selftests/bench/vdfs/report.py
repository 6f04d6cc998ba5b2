#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py RESULTS OUT: tables and curves of what bench printed.

Writes OUT/vectors.md, and OUT/SET.svg for each set of vectors: recall
against queries a second, one thread.
"""

import collections
import math
import os
import sys

import curves

LEVELS = (0.95, 0.99)
BASE = "hnswlib"

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
    """Return (qps, p99) at @level, or None where no ef reaches it.

    Between two measured points, log QPS is taken to be linear in the log of
    what recall lacks. Below the first one that one counts.
    """
    points = sorted(points)
    for a, b in zip([None] + points, points):
        if b.recall < level:
            continue
        if a is None or b.recall <= a.recall:
            return b.qps, b.p99
        miss = [math.log(max(1 - x, 0.00001))
                for x in (a.recall, level, b.recall)]
        w = (miss[1] - miss[0]) / (miss[2] - miss[0])
        return tuple(math.exp((1 - w) * math.log(x) + w * math.log(y))
                     for x, y in ((a.qps, b.qps), (a.p99, b.p99)))
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
    head += ["p99 us at 0.95", "build /s", "bytes each"]
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
        row += [number(got and got[1]),
                number(build and build[3]), number(build and build[4])]
        rows.append(row)
    return table(head, rows)


def filter_table(s):
    """The best speed with at least 0.95 recall of each way to filter."""
    ways = []
    for rows in s.filters.values():
        ways += [(r[0], r[1]) for r in rows if (r[0], r[1]) not in ways]
    words = {"inside": "", "scan": " scan", "after": " after"}
    head = ["matching"] + [f"`{e}`{words[m]}" for e, m in ways]
    rows = []
    for (kind, percent), measured in s.filters.items():
        row = [f"{percent} % {'at random' if kind == 'random' else kind}"]
        for way in ways:
            good = [r[4] for r in measured
                    if (r[0], r[1]) == way and r[3] >= LEVELS[0]]
            most = max([r[3] for r in measured if (r[0], r[1]) == way],
                       default=None)
            row.append(number(max(good)) if good else
                       "-" if most is None else f"recall {most:.3f}")
        rows.append(row)
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
                  "0.95:", ""] + filter_table(s)
    if s.turns:
        lines += ["Recall at ef 100 of 20 000 of them, while three tenths "
                  "are replaced in every turn:", ""] + turn_table(s)
    return lines


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    lines = []
    for s in read(sys.argv[1]).values():
        lines += section(s, sys.argv[2])
    with open(os.path.join(sys.argv[2], "vectors.md"), "w",
              encoding="utf-8") as f:
        f.write("\n".join(lines))


if __name__ == "__main__":
    main()
