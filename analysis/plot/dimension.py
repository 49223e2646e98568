"""A metric against the dimension."""

from .curves import KL_FAMILY, attach, csv_header, csv_rows, curves_of, exponents
from .style import Table
from .sweep import draw_pages

LEAST = 3  # dimensions of one curve


def draw(result):
    table, figures = Table("dimension.csv", csv_header("d"), []), []
    found = [(curves_of(result, result.drawn(*metrics), "d", least=LEAST), power) for metrics, power in
             ((KL_FAMILY, 1), (("kl_constant",), 1), (("w2",), 0.5))]
    found = [(curves, power) for curves, power in found if curves]
    for curves, power in found:
        attach(result, curves, "d")
        table.rows += csv_rows(result, curves)
        figures += draw_pages(
            result, "dimension", curves, table, "dimension d",
            ("{what} against the dimension",
             "{what} against the dimension d ({where}). Grey line: the power to compare with, which is that of "
             "independent coordinates.",
             "Double logarithmic plot of {what} against dimension, {panels} panels, {curves} curves."),
            lambda panel, power=power: [power], exponents=lambda page: exponents(page, "d"), share=len(found))
    return figures
