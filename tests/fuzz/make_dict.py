#!/usr/bin/env python3
"""Write the dictionary of fuzz_study: every word that a study file may hold, one entry a line.

    dcs list --json | python3 tests/fuzz/make_dict.py > tests/fuzz/study.dict
"""
import json
import sys

KEYS = """study source seed target targets schedule sampler lambda steps delta init score_error score_error_seed quantile
samples grid zip exclude metrics stop save_samples claims scale scales rel_error max_paths law levels from to factor step
name metric versus exponent bounded below log_exponent steps_to eps per where between scaled slack""".split()
SYNTAX = ["{", "}", "[", "]", ": ", ", ", "\\x0a- ", "\\x0a  ", "$d", "$k", "1.0e-2", "0.5", "\\x22", "&a", "*a", "!!str",
          "---\\x0a", "...\\x0a"]

words = {key + ": " for key in KEYS} | set(SYNTAX)
for section in json.load(sys.stdin).values():
    for entry in section:
        words.add(entry["name"])
        for parameter in entry.get("parameters", []):
            words.add(parameter["key"] + ": ")
            words.update(parameter.get("choices") or [])
for word in sorted(words):
    print(f'"{word}"')
