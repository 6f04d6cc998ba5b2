# SPDX-License-Identifier: GPL-2.0-only
"""Recall against queries a second as SVG: log both of what recall lacks and
of the speed, so that 0.95 and 0.99 stand apart."""

import html
import math

WIDTH, HEIGHT = 760, 460
LEFT, TOP, RIGHT, BOTTOM = 70, 44, 590, 400
TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999)
BEST = 0.9999  # where recall of 1 is drawn
COLOURS = {"hnswlib": "#7f7f7f", "faiss": "#222222", "vdfs": "#0b5fa5",
           "vdfs-8": "#c2282d", "vdfs-4": "#2a8a3e", "vdfs-3": "#9ab52b",
           "vdfs-2": "#8a5a2b", "vdfs-1": "#e6a117", "vdfs-f16": "#7b3fa0",
           "vdfs-i8": "#00857c"}
OTHER = "#d4579a"
MARKS = 4  # radius


def lacks(recall):
    """Return where @recall lies: 0 at 0, growing as it gets better."""
    return -math.log10(1 - min(recall, BEST))


class Axes:
    """Maps recall and speed to the drawing."""

    def __init__(self, curves):
        points = [p for c in curves.values() for p in c if p[1] > 0]
        low = min((p[0] for p in points), default=0.5)
        start = max([t for t in TICKS if t <= low], default=0)
        self.ticks = [t for t in TICKS if t >= start]
        self.x0, self.x1 = lacks(start), lacks(BEST)
        speeds = [p[1] for p in points] or [1]
        self.y0 = math.floor(math.log10(min(speeds)) * 4) / 4
        self.y1 = math.ceil(math.log10(max(speeds)) * 4) / 4
        if self.y1 <= self.y0:
            self.y1 = self.y0 + 1

    def x(self, recall):
        """Return the place of @recall."""
        part = (lacks(recall) - self.x0) / (self.x1 - self.x0)
        return LEFT + part * (RIGHT - LEFT)

    def y(self, qps):
        """Return the place of @qps."""
        part = (math.log10(qps) - self.y0) / (self.y1 - self.y0)
        return BOTTOM - part * (BOTTOM - TOP)

    def speeds(self):
        """Return the speeds that get a line: 1, 2 and 5 of each decade."""
        for power in range(math.floor(self.y0), math.ceil(self.y1) + 1):
            for step in (1, 2, 5):
                qps = step * 10 ** power
                if self.y0 <= math.log10(qps) <= self.y1:
                    yield qps


def text(x, y, what, anchor="middle", more=""):
    """Return a text element."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>'
            f"{html.escape(what)}</text>")


def frame(axes, title):
    """Return title, axes and lines behind the curves."""
    out = [text((LEFT + RIGHT) / 2, 24, title, more=' font-size="15"')]
    for tick in axes.ticks:
        x = axes.x(tick)
        label = "1" if tick == BEST else f"{tick:g}"
        out.append(f'<path d="M{x:.1f} {TOP}V{BOTTOM}" stroke="#ddd"/>')
        out.append(text(x, BOTTOM + 18, label))
    for qps in axes.speeds():
        y = axes.y(qps)
        out.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#ddd"/>')
        out.append(text(LEFT - 8, y + 4, f"{qps:,}".replace(",", " "), "end"))
    out.append(f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" '
               'stroke="#333"/>')
    out.append(text((LEFT + RIGHT) / 2, BOTTOM + 42, "recall"))
    y = (TOP + BOTTOM) / 2
    out.append(text(16, y, "queries a second",
                    more=f' transform="rotate(-90 16 {y})"'))
    return out


def svg(title, curves):
    """Return the drawing of {name: [(recall, qps), ...]}."""
    axes = Axes(curves)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12" fill="#222">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    out += frame(axes, title)
    for i, (name, points) in enumerate(curves.items()):
        colour = COLOURS.get(name, OTHER)
        places = [(axes.x(r), axes.y(q)) for r, q in points if q > 0]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline points="{line}" fill="none" '
                   f'stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARKS}" '
                f'fill="{colour}"/>' for x, y in places]
        y = TOP + 14 + 22 * i
        out.append(f'<path d="M{RIGHT + 20} {y}h26" stroke="{colour}" '
                   'stroke-width="2"/>'
                   f'<circle cx="{RIGHT + 33}" cy="{y}" r="{MARKS}" '
                   f'fill="{colour}"/>')
        out.append(text(RIGHT + 54, y + 4, name, "start"))
    return "\n".join(out + ["</svg>", ""])
