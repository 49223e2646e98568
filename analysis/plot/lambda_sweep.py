"""KL against the noise parameter lambda of a sampler."""

import numpy as np

from .curves import KL_FAMILY, csv_header, csv_rows, curves_of
from .style import Table, room, tick_values
from .sweep import draw_pages

LEAST = 3  # values of lambda on one curve


def draw(result):
    curves = curves_of(result, result.drawn(*KL_FAMILY), "lambda", ("sampler", "steps"), LEAST, log=False)
    if not curves:
        return []
    return draw_pages(
        result, "lambda", curves, Table("lambda.csv", csv_header("lambda"), list(csv_rows(result, curves))),
        "noise parameter λ",
        ("{what} against the noise parameter λ",
         "{what} against the noise parameter λ ({where}): 0 adds no noise, 1 is that of the posterior. The axis is "
         "linear up to the smallest positive λ, logarithmic from there.",
         "Plot of {what} against the noise parameter lambda, {panels} panels, {curves} curves."), ticks=ticks)


def ticks(axes, panel, columns):
    values = np.unique(np.concatenate([c.x for c in panel]))
    if values[0] <= 0:
        least = values[values > 0][0]
        axes.set_xscale("symlog", linthresh=least, linscale=0.6)
        axes.set_xlim(-0.12 * least, values[-1] * 1.15)
    tick_values(axes.xaxis, values, room(columns))
