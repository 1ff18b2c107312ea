#!/usr/bin/env python3
"""Compare the vertebrae that `osteoflag screen` found with the truth beside the data.

usage: evaluate_anatomy.py RESULTS [--prototype anatomy_trial.py] [--mr-prototype mr_trial.py] [--missed]

RESULTS is a folder with one result of `osteoflag screen` for each series folder, by its name:
RESULTS/<series>/<study>/findings.json (a series folder that was screened into RESULTS itself is
found by the series' name anywhere in the path). The data folder comes from OSTEOFLAG_DATA and
holds {ct,mr}/<series>/truth/vertebrae.json.

Prints a Markdown table: bodies at least half in view, how many of them were found within 10 mm
(one to one), false vertebrae (matched to no truth body and not within 20 mm of one less than half
in view), median and largest error. With --prototype the Python prototype is run on the same series
and its numbers stand beside. Series of which several stacks were screened count with the one that
fits best, because the truth does not say which it belongs to.

Needs numpy and scipy; what the prototypes need besides (numba, pydicom, nibabel) only with them.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

HIT_MM = 10.0
NEAR_CUT_BODY_MM = 20.0
HALF_IN_VIEW = 0.5


def compare(truth, found):
    """(bodies, found, false, errors mm, levels missed) of one series"""
    centres = np.array([v["centroid_lps_mm"] for v in truth], float).reshape(-1, 3)
    points = np.array(found, float).reshape(-1, 3)
    half = [n for n, v in enumerate(truth) if v["fraction_in_view"] >= HALF_IN_VIEW]
    cut = [n for n, v in enumerate(truth) if v["fraction_in_view"] < HALF_IN_VIEW]
    distance = np.linalg.norm(centres[:, None] - points[None], axis=2)
    pairs = []
    if distance.size:
        # Far pairs cost so much that as many near ones as possible are made.
        rows, columns = linear_sum_assignment(np.where(distance <= HIT_MM, distance, 1e4))
        pairs = [(r, c) for r, c in zip(rows, columns) if distance[r, c] <= HIT_MM]
    matched = {c for _, c in pairs}
    false = [
        c for c in range(len(points))
        if c not in matched and not any(distance[r, c] <= NEAR_CUT_BODY_MM for r in cut)
    ]
    hits = {r: distance[r, c] for r, c in pairs if r in half}
    missed = [truth[r].get("level") or truth[r].get("source_level") or "?" for r in half if r not in hits]
    return len(half), len(hits), len(false), list(hits.values()), missed


def vertebrae_by_series(folder):
    """centres of the vertebrae in a result folder, one list for each series that was looked at"""
    lists = []
    for path in sorted(Path(folder).rglob("findings.json")):
        anatomy = json.loads(path.read_text()).get("anatomy") or {}
        by_series = {}
        for vertebra in anatomy.get("vertebrae", []):
            by_series.setdefault(vertebra.get("series"), []).append(vertebra["body_centroid_lps_mm"])
        lists += [by_series[key] for key in sorted(by_series, key=str)]
    return lists


def best(truth, lists):
    """the comparison of the series that fits best; of none when nothing was found"""
    outcomes = [compare(truth, found) for found in lists] or [compare(truth, [])]
    return max(outcomes, key=lambda o: (o[1] - o[2], -sum(o[3])))


def images_of(series):
    """what a prototype is run on: the DICOM folders of a series, or its one NIfTI image"""
    niftis = [p for p in sorted(series.glob("*.nii.gz")) if not p.name.endswith("msk.nii.gz")]
    folders = [p for p in sorted(series.iterdir()) if p.is_dir() and p.name not in ("truth", "masks")]
    return niftis[:1] or folders


def run_prototype(script, series):
    """lists of centres that a prototype prints, one for each image of a series"""
    lists = []
    for image in images_of(series):
        run = subprocess.run([sys.executable, script, str(image)], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            print(f"{script} failed on {image.name} of {series.name}: {run.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        out = json.loads(run.stdout)
        listed = out["vertebrae"] if isinstance(out, dict) else out
        lists.append([v["centroid_lps_mm"] for v in listed])
    return lists


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--prototype", help="the CT prototype, run on every CT series")
    parser.add_argument("--mr-prototype", help="the MR prototype, run on every MR series")
    parser.add_argument("--missed", action="store_true", help="name the levels that were missed")
    options = parser.parse_args()
    data = os.environ.get("OSTEOFLAG_DATA")
    if not data:
        sys.exit("set OSTEOFLAG_DATA to the folder that holds ct/ and mr/")

    header = ["series", "bodies", "found", "false", "median mm", "max mm"]
    compared = bool(options.prototype or options.mr_prototype)
    header += ["prototype found", "prototype false"] if compared else []
    header += ["missed"] if options.missed else []
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    total, errors, theirs = np.zeros(3, int), [], np.zeros(2, int)
    rows = 0
    for truth_file in sorted(Path(data).glob("*/*/truth/vertebrae.json")):
        series = truth_file.parents[1]
        modality = series.parent.name
        folders = sorted(p for p in options.results.rglob(series.name) if p.is_dir())
        if not folders:
            continue
        rows += 1
        truth = json.loads(truth_file.read_text())["vertebrae"]
        bodies, found, false, error, missed = best(truth, vertebrae_by_series(folders[0]))
        total += [bodies, found, false]
        errors += error
        row = [series.name, bodies, found, false]
        row += [f"{np.median(error):.1f}", f"{max(error):.1f}"] if error else ["", ""]
        if compared:
            script = options.prototype if modality == "ct" else options.mr_prototype
            lists = run_prototype(script, series) if script else []
            if not lists:
                row += ["", ""]
            else:
                other = best(truth, lists)
                theirs += [other[1], other[2]]
                row += [other[1], other[2]]
        row += [" ".join(missed)] if options.missed else []
        print("| " + " | ".join(map(str, row)) + " |")
    if rows == 0:
        sys.exit(f"no folder in {options.results} carries the name of a series in {data}")
    row = ["**all**", *total]
    row += [f"{np.median(errors):.1f}", f"{max(errors):.1f}"] if errors else ["", ""]
    row += list(theirs) if compared else []
    row += [""] if options.missed else []
    print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
