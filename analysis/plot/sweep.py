"""Pages of panels with curves on logarithmic axes: what logpower, dimension, lambda, steps and collapse share."""

import numpy as np

from .curves import bars, capital, instruments, label, listed, panels, said, symbolic
from .style import (LINES, PANELS, Figure, canvas, draw_curve, fan, handle, legend, log_y, pages, room, styles,
                    tick_values, title)


def draw_pages(result, stem, curves, table, x_label, words, guides=lambda panel: [], powers=None, ticks=None,
               y_label=None, exponents=lambda curves: [], close=None, look=None, share=1):
    """`words`: (title, what the caption says is drawn, what the alternative text says); guides(panel): powers to
    compare with, `powers` their labels; ticks(axes, panel, columns): of the abscissa; exponents(curves): for the
    manifest; `close`: end of the caption (default: what the bars are and which instruments measured); look(curves):
    ({name: style, perhaps with a `line`}, [rows of the legend]), by default one style for each name; share: of the
    pages that one kind may have, 1/share are for these."""
    limit = result.max_pages and max(2, result.max_pages // share)
    metrics = list(dict.fromkeys(c.metric for c in curves))
    names = [c.name for c in curves]
    style = styles(result.series if set(names) <= set(result.series) else names)
    lines = dict(zip(metrics, LINES))
    result_pages = []
    for page in pages(stem, panels(curves).values(), 2 * PANELS, limit):
        picture, axes, _, columns = canvas(len(page), 2.4 if len(page) > 1 else 3.2)
        shown = [c for panel in page for c in panel]
        own, rows = look(shown) if look else (style, [{symbolic(n): handle(style[n]) for n in style
                                                       if any(c.name == n for c in shown)}])
        for n, (panel, a) in enumerate(zip(page, axes)):
            for c in panel:
                own_look = dict(own[c.name])
                line = own_look.pop("line", lines[c.metric])
                draw_curve(a, c, own_look, line)
            a.set_xscale("log")
            a.set_yscale("log")
            (ticks or plain_ticks)(a, panel, columns)
            fan(a, panel, guides(panel), powers)
            log_y(a)
            title(a, said(panel[0].place), columns)
            a.set_xlabel(x_label)
            if n % columns == 0:
                a.set_ylabel(y_label or (label(metrics[0]) if len(metrics) == 1 else "KL") + result.unit(metrics[0]))
        legend(picture, *rows, {label(m): handle(ls=lines[m]) for m in metrics} if len(metrics) > 1 else {})
        what, where = listed(label(m) for m in metrics), listed(dict.fromkeys(c.target for c in shown))
        caption = (capital(words[1].format(what=what, where=where)),
                   close or f"{bars(shown)} {instruments(result, shown)}")
        alt = words[2].format(what=what, panels=len(page), curves=len(shown))
        result_pages.append(Figure(stem, capital(words[0].format(what=what)), " ".join(caption), alt, picture, table,
                                   exponents(shown)))
    return result_pages


def plain_ticks(axes, panel, columns):
    tick_values(axes.xaxis, np.concatenate([c.x for c in panel]), room(columns))
