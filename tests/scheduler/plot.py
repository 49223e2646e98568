#!/usr/bin/env python3
"""Parallel efficiency against ranks, from the CSV of simulate_scheduler: plot.py scheduler.csv scheduler.png"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SCENARIOS = {"even": ("all ranks alike", "#0072B2", "o"), "slow": ("a tenth at half speed", "#D55E00", "s"),
             "dying": ("a job that dies half way", "#009E73", "^")}


def main(source, picture):
    with open(source, newline="") as stream:
        rows = list(csv.DictReader(stream))
    figure, axes = plt.subplots(figsize=(5, 3.4))
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        label, colour, marker = SCENARIOS.get(scenario, (scenario, "black", "D"))
        of = [row for row in rows if row["scenario"] == scenario]
        axes.plot([int(r["ranks"]) for r in of], [float(r["efficiency"]) for r in of], color=colour, marker=marker, label=label)
    even = [row for row in rows if row["scenario"] == "even"]
    axes.plot([int(r["ranks"]) for r in even], [float(r["limit"]) for r in even], color="0.4", ls="--",
              label="possible: the longest chain of blocks")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("ranks")
    axes.set_ylabel("parallel efficiency")
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, dpi=200)


if __name__ == "__main__":
    main(*sys.argv[1:])
