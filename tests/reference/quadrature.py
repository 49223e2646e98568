"""Divergences of one-dimensional mixtures by plain numerics that share nothing with the program but the definitions.

Densities: dense sums on 4001 nodes at every level (the kernel of the hardest row is twice as wide as their spacing, and a
trapezoid sum is then exact to rounding). Deterministic samplers: bisection of every map. W2: quantile functions, from
distribution functions that are sums of normal ones, linear between 40001 points. kl_chain: the probability flow in one
dimension is the map between quantiles, by bisection on the nearer tail.
Run: /usr/bin/python3 quadrature.py > quadrature.csv"""
import numpy as np
from scipy.special import ndtr

TARGETS = {"two-point": ([-1, 1], [0.5, 0.5], 0.0), "asymmetric": ([-1, 1], [0.4, 0.6], 0.2)}
SAMPLERS = ["ddpm-posterior", "ddpm-big", "jain-zhang", "moment-2", "moment-3", "ei-ode", "ddim"]
SIGMA_MAX, SIGMA_MIN, STEPS, NODES = 20.0, 0.1, 32, 4001


class Mixture:
    def __init__(self, means, weights, stddev):
        self.mu, self.w, self.s2 = np.array(means, float), np.array(weights), stddev**2

    def posterior(self, x, sigma):
        """log q, m, variance and third central moment of X_0"""
        v = self.s2 + sigma**2
        log = np.log(self.w) - 0.5 * np.log(2 * np.pi * v) - (x[:, None] - self.mu) ** 2 / (2 * v)
        top = log.max(1)
        r = np.exp(log - top[:, None])
        total = r.sum(1)
        r /= total[:, None]
        mj, vj = (self.s2 * x[:, None] + sigma**2 * self.mu) / v, self.s2 * sigma**2 / v
        m = (r * mj).sum(1)
        e = mj - m[:, None]
        return top + np.log(total), m, (r * (e**2 + vj)).sum(1), (r * (e**3 + 3 * e * vj)).sum(1)

    def below(self, x, sigma):
        return (self.w * ndtr((x[:, None] - self.mu) / np.sqrt(self.s2 + sigma**2))).sum(1)

    def above(self, x, sigma):
        return (self.w * ndtr((self.mu - x[:, None]) / np.sqrt(self.s2 + sigma**2))).sum(1)

    def grid(self, sigma):
        reach = 1 + 10 * np.sqrt(self.s2 + sigma**2)
        return np.linspace(-reach, reach, NODES)


def levels():
    return SIGMA_MAX * (SIGMA_MIN / SIGMA_MAX) ** (np.arange(STEPS + 2) / STEPS)


def coefficients(sampler, s, t, after):
    """B, c^2 and u^2 of the step from s to t"""
    h = 0.5 * np.log((1 + s * s) / (1 + t * t))
    tau = s * s / (1 + s * s)
    if sampler == "ddim":
        return 1 - t / s, 0.0, t * t
    if sampler == "ei-ode":
        return (1 - np.exp(-h)) / tau, 0.0, t * t
    if sampler == "jain-zhang":
        h += 0.5 * np.log((1 + t * t) / (1 + after * after))
        return (1 - np.exp(-h)) / tau, t * t - after * after, after * after
    b = 1 - t * t / (s * s)
    if sampler == "ddpm-big":
        return b, s * s - t * t, 2 * t * t - s * s
    return b, t * t * (s * s - t * t) / (s * s), t**4 / s**2


def kernels(law, sampler, x, p, s, b, c2):
    """Means, variances and weights whose normal densities sum to the law after a step."""
    _, m, c, third = law.posterior(x, s)
    f, w = x + b * (m - x), (x[1] - x[0]) * p
    if sampler == "moment-2":
        return f, c2 + b * b * c, w
    if sampler == "moment-3":
        c = np.maximum(c, 1e-300)
        a = third / (2 * c)
        root = np.sqrt(a * a + c)
        up = np.where(a > 0, a + root, c / (root - a))
        down = -c / up
        share = -down / (up - down)
        return np.r_[f + b * up, f + b * down], np.full(2 * len(x), c2), np.r_[w * share, w * (1 - share)]
    return f, np.full(len(x), c2), w


def noisy(law, sampler):
    sigma = levels()
    x = law.grid(sigma[0])
    p = np.exp(law.posterior(x, sigma[0])[0])
    for k in range(STEPS):
        b, c2, _ = coefficients(sampler, sigma[k], sigma[k + 1], sigma[k + 2])
        mean, v, w = kernels(law, sampler, x, p, sigma[k], b, c2)
        x = law.grid(sigma[k + 1])
        p = np.concatenate(
            [np.exp(-((y[:, None] - mean) ** 2) / (2 * v)) @ (w / np.sqrt(2 * np.pi * v)) for y in np.array_split(x, 16)]
        )
    y = np.linspace(x[0], x[-1], 40001)
    below = np.concatenate([ndtr((z[:, None] - mean) / np.sqrt(v)) @ w for z in np.array_split(y, 200)])
    return x, np.log(p), y, below


def bisect(f, lo, hi):
    """x with f(x) = 0 for increasing f, elementwise"""
    for _ in range(200):
        x = 0.5 * (lo + hi)
        up = f(x) < 0
        lo, hi = np.where(up, x, lo), np.where(up, hi, x)
    return 0.5 * (lo + hi)


def noiseless(law, sampler):
    sigma = levels()

    def start(x):
        slopes = np.zeros(len(x))
        for k in range(STEPS - 1, -1, -1):
            s = sigma[k]
            b, _, _ = coefficients(sampler, s, sigma[k + 1], sigma[k + 2])
            goal, reach = x, 10 * (np.abs(x) + 2)
            x = bisect(lambda z: z + b * (law.posterior(z, s)[1] - z) - goal, -reach, reach)
            slopes += np.log(1 - b + b * law.posterior(x, s)[2] / s**2)
        return x, slopes

    x = np.linspace(-2.2 - 2 * np.sqrt(law.s2), 2.2 + 2 * np.sqrt(law.s2), NODES)
    top, slopes = start(x)
    y = np.linspace(x[0], x[-1], 40001)
    return x, law.posterior(top, sigma[0])[0] - slopes, y, law.below(start(y)[0], sigma[0])


def w2(x, p, q):
    """both distribution functions are linear between the points x"""
    u = np.unique(np.concatenate([p, q]))
    u = u[(u > max(p[0], q[0])) & (u < min(p[-1], q[-1]))]
    keep = lambda f: np.r_[True, np.diff(f) > 0]
    d = np.interp(u, p[keep(p)], x[keep(p)]) - np.interp(u, q[keep(q)], x[keep(q)])
    return np.sqrt(np.sum(np.diff(u) * (d[1:] ** 2 + d[1:] * d[:-1] + d[:-1] ** 2) / 3))


def chain(law, sampler):
    sigma, total = levels(), 0.0
    for k in range(STEPS):
        s = sigma[k]
        b, c2, u2 = coefficients(sampler, s, sigma[k + 1], sigma[k + 2])
        u, reach = np.sqrt(u2), 1 + 10 * np.sqrt(law.s2 + s * s)
        x = np.linspace(-reach, reach, 64001)
        log_q, m, _, _ = law.posterior(x, s)
        low, high = law.below(x, s), law.above(x, s)
        left = bisect(lambda z: law.below(z, u) - low, np.full(len(x), -reach), np.full(len(x), reach))
        right = bisect(lambda z: high - law.above(z, u), np.full(len(x), -reach), np.full(len(x), reach))
        phi = np.where(low < 0.5, left, right)
        total += (x[1] - x[0]) * np.sum(np.exp(log_q) * (phi - x - b * (m - x)) ** 2) / (2 * c2)
    return total


print("target,sampler,sigma_max,sigma_min,steps,kl_q_p,kl_p_q,w2,kl_chain")
for name, law in ((n, Mixture(*t)) for n, t in TARGETS.items()):
    for sampler in SAMPLERS:
        if (name, sampler) == ("two-point", "moment-3"):
            continue  # its noise has the two-point posterior's own law: the divergence is zero
        x, log_p, y, below = (noiseless if sampler in ("ddim", "ei-ode") else noisy)(law, sampler)
        log_q, h = law.posterior(x, SIGMA_MIN)[0], x[1] - x[0]
        p, q, delta = np.exp(log_p), np.exp(log_q), log_p - log_q
        assert abs(h * p.sum() - 1) < 1e-9
        kl, rev = h * np.sum(p - q - q * delta), h * np.sum(p * delta - p + q)
        path = "" if sampler[:6] == "moment" or sampler in ("ddim", "ei-ode") else f"{chain(law, sampler):.8e}"
        print(f"{name},{sampler},{SIGMA_MAX:g},{SIGMA_MIN:g},{STEPS},{kl:.9e},{rev:.9e},{w2(y, below, law.below(y, SIGMA_MIN)):.6e},{path}", flush=True)
