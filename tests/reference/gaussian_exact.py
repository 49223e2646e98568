#!/usr/bin/env python3
"""gaussian_exact.csv: the rows of gaussian.csv recomputed with 40 digits (standard library only).

    python3 gaussian_exact.py gaussian.csv > gaussian_exact.csv

Levels are geometric, sigma_k = sigma_max r^k with r = (sigma_min/sigma_max)^(1/N). One eigenvalue lambda:
V <- g^2 V + c^2, g = 1 - B sigma^2/(lambda + sigma^2); KL(q || p) = (e - log(1 + e))/2, e = Q/V - 1; W2 = |sqrt V - sqrt Q|.
"""
import csv
import sys
from decimal import Decimal as D, getcontext

getcontext().prec = 40


def coefficients(name, a, b, after):
    """B and c^2 of the step a -> b; `after` is the level after b. e^{-h} = sqrt((1 + b^2)/(1 + a^2))."""
    if name in ("ddpm-posterior", "ddpm-beta", "ddpm-big"):
        c2 = a * a - b * b
        if name == "ddpm-posterior":
            c2 *= b * b / (a * a)
        elif name == "ddpm-beta":
            c2 *= (1 + b * b) / (1 + a * a)
        return 1 - b * b / (a * a), c2
    if name == "ddim":
        return 1 - b / a, D(0)
    tau = a * a / (1 + a * a)
    if name == "jain-zhang":
        return (1 - ((1 + after * after) / (1 + a * a)).sqrt()) / tau, b * b - after * after
    b_coefficient = (1 - ((1 + b * b) / (1 + a * a)).sqrt()) / tau
    return (2 * b_coefficient, a * a - b * b) if name == "ei-sde" else (b_coefficient, D(0))


def row(name, init, variance, sigma_max, sigma_min, steps):
    lam, top, bottom, n = D(variance), D(sigma_max), D(sigma_min), int(steps)
    ratio = ((bottom / top).ln() / n).exp()
    sigma = [top]
    for _ in range(n + 1):
        sigma.append(sigma[-1] * ratio)
    v = top * top + (lam if init == "exact" else 1)
    for a, b, after in zip(sigma, sigma[1:], sigma[2:]):
        big_b, c2 = coefficients(name, a, b, after)
        g = 1 - big_b * a * a / (lam + a * a)
        v = g * g * v + c2
    q = lam + bottom * bottom
    e = q / v - 1
    return (e - (1 + e).ln()) / 2, abs(v.sqrt() - q.sqrt())


keys = ["sampler", "init", "variance", "sigma_max", "sigma_min", "steps"]
print(",".join(keys + ["kl_q_p", "w2"]))
for given in csv.DictReader(open(sys.argv[1])):
    kl, w2 = row(*(given[k] for k in keys))
    print(",".join([given[k] for k in keys] + [f"{kl:.20e}", f"{w2:.20e}"]))
