#!/usr/bin/env bash
# The optimal assignment against other people's solvers, scipy's linear_sum_assignment and POT's emd2, on the same clouds.
# What is not installed is skipped, and said so.
#   test_assignment_peers.sh DRIVER
set -euo pipefail

driver=$1
program='
import subprocess, sys, time
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
try:
    import ot
except ImportError:
    ot = None
    print("POT: skipped, not installed")

def ours(x, y):
    data = np.concatenate([np.array(x.shape, dtype=float), x.ravel(), y.ravel()]).tobytes()
    answer = subprocess.run([sys.argv[1]], input=data, stdout=subprocess.PIPE, check=True).stdout.split()
    return float(answer[0]), float(answer[1])

def timed(solve):
    start = time.process_time()
    return solve(), time.process_time() - start

def scipys(x, y):
    cost = cdist(x, y, "sqeuclidean")
    return cost[linear_sum_assignment(cost)].mean()

def pots(x, y):
    weight = np.full(len(x), 1 / len(x))
    return ot.emd2(weight, weight, cdist(x, y, "sqeuclidean"), numItermax=10**7)

def modes(random, n, centres, spread):
    return centres[random.integers(0, len(centres), n)] + spread * random.standard_normal((n, centres.shape[1]))

random = np.random.default_rng(5)
cube = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T.astype(float)
far = 3 * random.standard_normal((50, 16))
grid = random.integers(0, 7, (2, 900, 2)).astype(float)
cases = {
    "normal, n = 4000, d = 16": (random.standard_normal((4000, 16)), random.standard_normal((4000, 16))),
    "normal, unequal widths, n = 1500, d = 2": (random.standard_normal((1500, 2)), 1.3 * random.standard_normal((1500, 2))),
    "normal, n = 1001, d = 64": (random.standard_normal((1001, 64)), random.standard_normal((1001, 64))),
    "shifted, n = 777, d = 1": (random.standard_normal((777, 1)), 5 + random.standard_normal((777, 1))),
    "eight narrow modes, n = 1500, d = 3": (modes(random, 1500, cube, 0.01), modes(random, 1500, cube, 0.01)),
    "fifty far modes, n = 1500, d = 16": (modes(random, 1500, far, 0.1), modes(random, 1500, far, 0.1)),
    "points of a grid, many times each, n = 900, d = 2": (grid[0], grid[1]),
    "all points the same, n = 300, d = 3": (np.ones((300, 3)), np.ones((300, 3))),
}
for name, (x, y) in cases.items():
    value, seconds = ours(x, y)
    peers = {"scipy": scipys} | ({"POT": pots} if ot else {})
    for peer, solve in peers.items():
        theirs, their_seconds = timed(lambda: solve(x, y))
        print(f"{name}: {value:.15g} in {seconds:.3f} s, {peer} {theirs:.15g} in {their_seconds:.3f} s")
        # sums of n terms, each with d rounding errors
        assert abs(value - theirs) <= 1e-13 * (1 + abs(theirs)), (name, peer, value, theirs)
'
for python in /usr/bin/python3 python3; do
  if "$python" -c "import numpy, scipy.optimize" 2> /dev/null; then
    exec "$python" -c "$program" "$driver"
  fi
done
echo "scipy: skipped, python module scipy not installed"
