"""The Wasserstein-2 family against steps, measures from samples beside what two samples of one law give."""

from .rates import draw_metrics

FAMILY = ("w2", "w2_coupling", "w2_sliced", "w2_sliced_floor", "w2_assignment", "w2_assignment_floor")


def draw(result):
    metrics = result.drawn(*FAMILY)
    return draw_metrics(result, metrics, "w2", plain=[m for m in metrics if m.endswith("_floor")]) if metrics else []
