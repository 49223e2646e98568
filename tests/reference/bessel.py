#!/usr/bin/env python3
"""Writes bessel.inc: log(exp(-a) I_nu(a)) from mpmath at 40 digits."""
import pathlib

import mpmath as mp

mp.mp.dps = 40


def log_scaled(nu, a):
    nu, a = mp.mpf(nu), mp.mpf(a)
    if a > 1e5 * max(nu, 1):  # Hankel's expansion; besseli would sum a million terms
        return mp.log(mp.hyp2f0(nu + 0.5, 0.5 - nu, 1 / (2 * a)) / mp.sqrt(2 * mp.pi * a))
    return mp.log(mp.besseli(nu, a)) - a


orders = [-0.5, 0, 0.5, 1, 3, 10.5, 29, 30, 31.5, 100, 511, 4999]
arguments = [1e-3, 1, 30, 1e3, 1e6]
lines = [f"    {{{nu!r}, {a!r}, {mp.nstr(log_scaled(nu, a), 17)}}},\n" for nu in orders for a in arguments]
pathlib.Path(__file__).with_name("bessel.inc").write_text("/* nu, a, log(e^-a I_nu(a)) */\n" + "".join(lines))
