"""DIR/figures.json: what was drawn, for programs that put the figures on a page.

    {"result": "quick.h5",
     "figures": [
       {"kind": "rates",
        "stem": "kl-rates-1",
        "title": "KL against the number of steps (1 of 2)",
        "caption": "What is drawn, what the bars are, which instrument measured it.",
        "alt": "Short text for those who do not see the picture.",
        "csv": "kl-rates.csv",
        "exponents": [{"curve": "target=gaussian sampler=ddim", "metric": "kl", "versus": "steps",
                       "slope": -2.001, "lo": -2.001, "hi": -2.001, "exact": true}]},
       ...]}

result     name of the result file without its folder
figures    in the order in which a page shows them; empty when there was nothing to draw. One entry for each page.
kind       one of rates, steps, collapse, logpower, dimension, heatmap, lambda, profile, w2, envelope
stem       DIR/STEM.png (200 dpi, 7 inches wide) and DIR/STEM.pdf
title      one line of plain text; pages of one kind end in "(1 of 2)"
caption    one to four sentences of plain text
alt        one sentence of plain text
csv        file in DIR with every plotted number; pages of one kind share it
exponents  only where `dcs fit` (kinds rates, w2, dimension) or `dcs check` (kinds steps, logpower) has fitted a curve
           of the page: the fitted exponent with its 95% interval; lo and hi are null where there is none. versus is
           steps, d, delta (power of log(1/delta)), or eps (power of 1/eps).

All texts are plain UTF-8 and may hold what a study file holds (names of targets): whoever writes HTML escapes them.
With -m METRIC the manifest holds the pages of that one figure. Equal results give equal bytes.
"""

import json


def write(path, result, figures):
    """`figures`: dictionaries as above."""
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        json.dump({"result": result, "figures": figures}, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
