#!/usr/bin/env python3
"""kl_constant.csv: steps^2 KL(q || p) of one-dimensional mixtures at growing numbers of steps, and its limit (numpy).

    python3 kl_constant.py > kl_constant.csv

Geometric levels from sigma_max to sigma_min, exact initial law. The sampler's density is propagated on a grid by the
trapezoid rule (spacing c/2.5: error below rounding), KL = int q (r - 1 - log r), r = p/q. The limit is Richardson's
over 1/steps through the last three values; `error` is its difference from the one through the last two.
"""
import numpy as np

TOP, BOTTOM, STEPS = 20.0, 0.1, (256, 512, 1024, 2048)
TARGETS = {
    "two-point": ([-1, 1], [0.5, 0.5], 0.0),
    "asymmetric": ([-1, 1], [0.4, 0.6], 0.2),
    "three": ([-2, 0, 1.5], [0.2, 0.5, 0.3], 0.3),
}


def coefficients(name, a, b, after):
    """B and c^2 of the step a -> b; `after` is the level after b."""
    gap = a * a - b * b
    if name == "jain-zhang":
        decay = np.sqrt((1 + after * after) / (1 + a * a))
        return (1 - decay) * (1 + a * a) / (a * a), b * b - after * after
    return gap / (a * a), gap * (b * b / (a * a) if name == "ddpm-posterior" else (1 + b * b) / (1 + a * a))


def density_and_mean(target, sigma, x):
    mu, w, s = (np.array(v, float) for v in target)
    v = s * s + sigma * sigma
    part = w * np.exp(-0.5 * (x[:, None] - mu) ** 2 / v) / np.sqrt(2 * np.pi * v)
    q = part.sum(1)
    m = (part * (s * s * x[:, None] + sigma * sigma * mu) / v).sum(1) / q
    return q, m


def grid(target, sigma, spacing):
    reach = 9 * np.hypot(target[2], sigma)
    lo, hi = min(target[0]) - reach, max(target[0]) + reach
    return np.linspace(lo, hi, int((hi - lo) / spacing) + 2)


def divergence(target, sampler, steps):
    sigma = TOP * (BOTTOM / TOP) ** (np.arange(steps + 2) / steps)
    noise = lambda k: np.sqrt(coefficients(sampler, *sigma[k : k + 3])[1])
    x = grid(target, sigma[0], noise(0) / 2.5)
    p = density_and_mean(target, sigma[0], x)[0]
    for k in range(steps):
        b, c2 = coefficients(sampler, *sigma[k : k + 3])
        c, m = np.sqrt(c2), density_and_mean(target, sigma[k], x)[1]
        f = x + b * (m - x)
        y = grid(target, sigma[k + 1], (noise(k + 1) if k + 1 < steps else c) / 2.5)
        half = int(np.ceil(10 * c / np.diff(f).min())) if np.diff(f).min() > 0 else len(x)
        pick = np.searchsorted(f, y)[:, None] + np.arange(-min(half, 120), min(half, 120) + 1)
        inside = (pick >= 0) & (pick < len(x))
        pick = np.clip(pick, 0, len(x) - 1)
        kernel = np.exp(-0.5 * ((y[:, None] - f[pick]) / c) ** 2) * inside
        p = (kernel * p[pick]).sum(1) * (x[1] - x[0]) / (c * np.sqrt(2 * np.pi))
        x = y
    q = density_and_mean(target, sigma[steps], x)[0]
    e = p / q - 1
    return (q * (e - np.log1p(e))).sum() * (x[1] - x[0])


print("target,sampler,sigma_max,sigma_min," + ",".join(f"n2kl_{n}" for n in STEPS) + ",limit,error")
for name, target in TARGETS.items():
    for sampler in ("ddpm-posterior", "ddpm-beta", "jain-zhang"):
        v = [n * n * divergence(target, sampler, n) for n in STEPS]
        two = [2 * b - a for a, b in zip(v, v[1:])]
        limit = (4 * two[-1] - two[-2]) / 3
        print(",".join([name, sampler, "20", "0.1"] + [f"{t:.8e}" for t in v + [limit]] + [f"{abs(limit - two[-1]):.1e}"]),
              flush=True)
