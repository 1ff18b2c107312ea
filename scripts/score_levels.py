#!/usr/bin/env python3
"""Count right and wrong names of vertebrae, and how often the true level is among the candidates.

usage: score_levels.py TRIAL.jsonl ... [--phantoms FOLDER]

TRIAL.jsonl is what `examples/anatomy_trial.rs` prints. The truth of <class>.jsonl is <class>/truth.index beside it
(`perturb_anatomy.py CACHE --keep` writes both), or, with --phantoms, FOLDER/<name>/truth.json of `osteoflag phantom`.
Only scans whose truth names every body are counted. A found vertebra counts for the nearest true body within 12 mm;
a name further off is wrong. Prints a row for each scan with something wrong, then the sums.
"""
import argparse
import json
from pathlib import Path

import numpy as np

NEAR_MM = 12.0


def score(found, truth):
    centres = np.array([v["centroid_lps_mm"] for v in truth])
    counts = dict(scans=1, bodies=0, right=0, wrong=0, unnamed=0, listed=0, length=0)
    remarks = []
    for n, vertebra in enumerate(found):
        away = np.linalg.norm(centres - vertebra["body_centroid_lps_mm"], axis=1)
        nearest, level = int(away.argmin()), vertebra["level"]
        if away[nearest] > NEAR_MM:
            if level:
                counts["wrong"] += 1
                remarks.append(f"vertebra {n}: {level}, where no body is")
            continue
        true, candidates = truth[nearest]["level"], vertebra["level_candidates"]
        counts["bodies"] += 1
        counts["unnamed" if level is None else "right" if level == true else "wrong"] += 1
        counts["listed"] += true in candidates
        counts["length"] += len(candidates)
        if level not in (None, true) or true not in candidates:
            remarks.append(f"vertebra {n}: {level or 'no name'}, candidates {' '.join(candidates)}; it is {true}")
    return counts, remarks


def told(counts):
    return ("{scans} scans, {bodies} bodies: {right} right, {wrong} wrong, {unnamed} not named; the true level is among the candidates of {listed}, "
            "{mean:.1f} candidates on average").format(**counts, mean=counts["length"] / max(counts["bodies"], 1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("trials", nargs="+", type=Path)
    arguments.add_argument("--phantoms", type=Path)
    arguments = arguments.parse_args()
    total = {}
    for trial in arguments.trials:
        index = None if arguments.phantoms else json.loads((trial.with_suffix("") / "truth.index").read_text())
        for line in map(json.loads, trial.read_text().splitlines()):
            name = line["name"]
            truth = index[name] if index else json.loads((arguments.phantoms / name / "truth.json").read_text())["vertebrae"]
            if not truth or not all(v.get("level") for v in truth):
                continue
            counts, remarks = score(line["vertebrae"], truth)
            total = {key: total.get(key, 0) + value for key, value in counts.items()}
            if remarks:
                print(f"{trial.stem} {name}: {told(counts)}")
                print("".join(f"    {remark}\n" for remark in remarks), end="")
    print(told(total) if total else "nothing to score")


if __name__ == "__main__":
    main()
