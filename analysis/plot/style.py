"""How figures look: size, text, colours, markers, bars, guides, ticks, legends, pages."""

import csv
import math
import sys
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter

# Okabe and Ito's palette, told apart by colour-blind readers; without the yellow, which is too light on paper.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = "os^Dv<>Pph"  # 10 and 7 have no common factor: 70 distinct pairs
LINES = ["-", "--", ":", "-.", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3))]
WIDTH = 7  # inches
PANELS = 3  # side by side
PAGES = 8  # of one kind
LEAST = 0.05  # bars that go below this fraction of the value end in an arrow
GREY = "0.35"
LINE = 8.5  # points between labels above each other

matplotlib.rcParams.update({
    "font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 8, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42,
    "lines.markeredgewidth": 0.9, "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
})


@dataclass(eq=False)
class Table:
    """The CSV of one kind of figure."""
    name: str
    header: list
    rows: list

    def write(self, path):
        with open(path, "w", newline="", encoding="utf-8") as stream:
            out = csv.writer(stream, lineterminator="\n")
            out.writerow(self.header)
            for row in self.rows:
                out.writerow(["" if v is None else repr(float(v)) if isinstance(v, (float, np.floating)) else v
                              for v in row])


@dataclass(eq=False)
class Figure:
    """One page."""
    stem: str  # numbered later when there are several pages of one stem
    title: str
    caption: str
    alt: str
    picture: Picture
    table: Table
    exponents: list = field(default_factory=list)


def styles(names):
    """Colour and marker of every name."""
    return {name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "ms": 4}
            for i, name in enumerate(dict.fromkeys(names))}


def pages(kind, groups, room, limit):
    """Pages of at most `room` panels. A group (the panels of one target) is torn only when it does not fit one page.
    Beyond `limit` pages some, evenly spaced, are kept, and the others named on the standard error."""
    result = []
    for group in groups:
        if result and len(result[-1]) + len(group) <= room:
            result[-1] = result[-1] + group
            continue
        size = -(-len(group) // -(-len(group) // room))  # 4 panels are 2 and 2
        result += [group[i:i + size] for i in range(0, len(group), size)]
    if limit is None or len(result) <= limit:
        return result
    keep = {round(k * (len(result) - 1) / (limit - 1)) for k in range(limit)}
    lost = [curves[0].panel for i, page in enumerate(result) if i not in keep for curves in page]
    shown = "; ".join(lost[:4]) + (f"; and {len(lost) - 4} more" if len(lost) > 4 else "")
    print(f"figures.sh: {kind}: {limit} of {len(result)} pages; left out: {shown}. All pages: --all; "
          "the CSV holds all numbers", file=sys.stderr)
    return [page for i, page in enumerate(result) if i in keep]


def canvas(panels, height, below=0, **options):
    """(picture, axes[row][column]): panels in rows of three, each `height` inches high; `below`: of a second axes
    under each, relative to the first. Unused places stay empty."""
    columns = min(panels, PANELS)
    if panels == 4:
        columns = 2
    rows = -(-panels // columns)
    ratios = ([1, below] if below else [1]) * rows
    picture = Picture(figsize=(WIDTH, height * sum(ratios)))
    axes = picture.subplots(len(ratios), columns, squeeze=False, gridspec_kw={"height_ratios": ratios}, **options)
    step = 2 if below else 1
    for k in range(panels, rows * columns):
        for lower in range(step):
            axes[step * (k // columns) + lower][k % columns].set_visible(False)
    upper = [axes[step * (k // columns)][k % columns] for k in range(panels)]
    lower = [axes[step * (k // columns) + step - 1][k % columns] for k in range(panels)]
    return picture, upper, lower, columns


def draw_curve(axes, c, style, line="-"):
    """Line, markers (open: bias unknown), bars. On the logarithmic axis a bar that all but reaches zero ends in an
    arrow; of a value that is not positive only the upper end of the bar is there, with an arrow."""
    colour, good = style["color"], c.y > 0
    axes.plot(c.x[good], c.y[good], lw=1, ls=line, color=colour, zorder=2)
    for chosen, face in ((good & ~c.unknown, colour), (good & c.unknown, "white")):
        axes.plot(c.x[chosen], c.y[chosen], lw=0, mfc=face, zorder=3, **style)
    bar = {"fmt": "none", "ecolor": colour, "elinewidth": 0.9, "capsize": 2, "capthick": 0.9, "zorder": 2}
    closed = good & (c.hi > c.lo) & (c.lo >= LEAST * c.y)
    open_end = good & (c.lo < LEAST * c.y)
    if np.any(closed):
        axes.errorbar(c.x[closed], c.y[closed], yerr=[(c.y - c.lo)[closed], (c.hi - c.y)[closed]], **bar)
    if np.any(open_end):
        x, y = c.x[open_end], c.y[open_end]
        axes.errorbar(x, y, yerr=[0 * y, c.hi[open_end] - y], **bar)
        axes.errorbar(x, y, yerr=0.6 * y, uplims=True, **bar)
    bound = ~good & (c.hi > 0)
    if np.any(bound):
        axes.errorbar(c.x[bound], c.hi[bound], yerr=0.6 * c.hi[bound], uplims=True, **bar)


def fan(axes, curves, powers, names=None):
    """Guides: lines of the given powers from one corner, below the curves: at the left of falling ones, at the right
    of rising ones."""
    powers = sorted((p for p in powers if p != 0), reverse=True)
    x = np.concatenate([c.x[c.y > 0] for c in curves])
    if not len(x) or not powers or x.max() <= x.min():
        return
    low, high = axes.get_ylim()
    wide, tall = math.log10(x.max() / x.min()), 1.3 * math.log10(high / low)
    inch = axes.get_window_extent().height / axes.figure.dpi * 0.9
    decade = 72 * inch / tall  # in points
    width = min(0.28 * wide, max(0.1 * wide, 0.4 * tall / max(map(abs, powers))))
    if len(powers) > 1:  # room for the labels
        width = max(width, min(0.5 * wide, LINE / decade / (powers[0] - powers[-1])))
    rising = powers[-1] > 0
    left = x.min() * 10 ** (0.88 * wide - width) if rising else x.min()
    right = left * 10 ** width
    lowest = min((beneath(c, left, right * 10 ** (0.12 * wide)) for c in curves), default=math.inf)
    gap = 10 ** (0.06 * tall)
    start = min(lowest, high) / gap / 10 ** (width * max(0, powers[0]))
    ends = [start * (right / left) ** p for p in powers]
    low = min(low, min(ends + [start]) / gap)
    axes.set_ylim(low, high)
    decade = 72 * inch / math.log10(high / low)
    places, wanted = [], [decade * math.log10(end / low) for end in ends]
    for at in wanted:
        places.append(min(at, places[-1] - LINE) if places else at)
    shift = sum(wanted) / len(wanted) - sum(places) / len(places)
    for power, end, at, moved in zip(powers, ends, wanted, places):
        axes.plot([left, right], [start, end], color=GREY, lw=0.9, zorder=1)
        name = names[power] if names else f"{power:g}".replace("-", "−")
        axes.annotate(name, (right, end), color=GREY, va="center",
                      xytext=(2, max(moved + shift, 5) - at), textcoords="offset points")


def beneath(c, left, right):
    """Lowest place of a curve and its bars between two abscissae; infinite when it has none there."""
    good = c.y > 0
    x, floor = c.x[good], np.where(c.lo[good] < LEAST * c.y[good], 0.35 * c.y[good], c.lo[good])
    inside = floor[(x >= left) & (x <= right)]
    lowest = inside.min() if len(inside) else math.inf
    if len(x) and x[0] <= right and x[-1] >= left:
        ends = np.log([max(left, x[0]), min(right, x[-1])])
        lowest = min(lowest, np.exp(np.interp(ends, np.log(x), np.log(floor))).min())
    return lowest


def tick_values(axis, values, room, words=None):
    """Ticks at the numbers of the study on a logarithmic axis, with labels as far as they do not touch: `room` is
    the number of characters along the axis. `words`: the labels, by default the numbers."""
    values = np.unique(values)
    words = [f"{v:g}" for v in values] if words is None else words
    chosen = thinned([place(v, values) for v in values], words, room)
    axis.set_major_locator(FixedLocator([values[k] for k in chosen]))
    axis.set_major_formatter(FixedFormatter([words[k] for k in chosen]))
    axis.set_minor_locator(FixedLocator([v for k, v in enumerate(values) if k not in chosen]))
    axis.set_minor_formatter(NullFormatter())


def place(value, values):
    """Where on a logarithmic axis, from 0 to 1; 0 stands left of the rest."""
    low, high = values[values > 0].min(), values.max()
    low = low / 3 if values.min() <= 0 else low
    return math.log(value / low) / math.log(high / low) if value > 0 and high > low else 0.0


def thinned(places, words, room):
    """Which labels can stand side by side, from the last one on."""
    chosen = []
    for k in reversed(range(len(places))):
        length = max(len(line) for line in words[k].split("\n"))
        if not chosen or 0.91 * room * (places[chosen[-1][0]] - places[k]) >= (length + chosen[-1][1]) / 2 + 1:
            chosen.append((k, length))
    return sorted(k for k, _ in chosen)


def room(columns):
    """Characters along the abscissa of a panel."""
    return {1: 84, 2: 40, 3: 25}[columns]


def log_y(axes):
    axes.set_yscale("log")
    label_short(axes.yaxis, axes.get_ylim, axes.set_ylim)


def log_x(axes):
    axes.set_xscale("log")
    label_short(axes.xaxis, axes.get_xlim, axes.set_xlim)


def label_short(axis, get, put):
    """A logarithmic axis has labelled ticks however short its range."""
    low, high = get()
    if high / low < 2:
        middle = math.sqrt(low * high)
        low, high = middle / 1.5, middle * 1.5
        put(low, high)
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}" if 1e-3 <= v < 1e5 else power_of_ten(v)))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value):
    exponent = math.floor(math.log10(value) + 1e-9)
    digit = f"{value / 10 ** exponent:.2g}"
    return f"$10^{{{exponent}}}$" if digit == "1" else f"${digit}\\!\\cdot\\!10^{{{exponent}}}$"


def title(axes, place, columns):
    """Target, and below it the other coordinates of the panel, in lines that fit."""
    width, lines = 96 // columns, [[]]
    target, *rest = place.split(", ")
    for word in rest:
        if lines[-1] and sum(len(w) + 2 for w in lines[-1]) + len(word) > width:
            lines.append([])
        lines[-1].append(word)
    axes.set_title(literal("\n".join([target] + [", ".join(line) for line in lines if line])))


def literal(words):
    """Dollar signs in a name are no mathematics."""
    return words.replace("$", r"\$")


def handle(style=None, **line):
    return Line2D([], [], **{"lw": 1, "color": "0.2", **line, **(style or {})})


def legend(picture, *rows):
    """Below the panels: rows of {name: handle}. The panels are fitted above them."""
    height, total = 0.06, picture.get_figheight()
    rows = [row for row in rows if row]
    lines = []
    for row in rows:
        columns = max(1, min(len(row), int(110 / (max(len(n) for n in row) + 8)), 8))
        lines.append((row, columns, -(-len(row) // columns)))
    extra = sum(0.17 * n + 0.05 for _, _, n in lines)
    picture.set_size_inches(WIDTH, total + extra)
    total += extra
    for row, columns, n in reversed(lines):
        picture.legend(list(row.values()), [literal(name) for name in row], loc="lower center", ncol=columns,
                       frameon=False, handlelength=2.6, borderaxespad=0, borderpad=0, labelspacing=0.3,
                       columnspacing=1.5, bbox_to_anchor=(0.5, height / total))
        height += 0.17 * n + 0.05
    picture.tight_layout(rect=(0, height / total, 1, 1), pad=0.4, w_pad=0.8, h_pad=1.4)


def save(picture, path):
    picture.savefig(path + ".png", dpi=200)
    picture.savefig(path + ".pdf", metadata={"CreationDate": None})
