#!/usr/bin/env python3
"""Compares `osteoflag evaluate` with picai_eval, scipy and scikit-learn on random cases.

usage: check_evaluate.py OSTEOFLAG [--rounds N] [--seed S]

Makes findings and truths at random (ties in score, lesions that touch, empty scans, missed and
false vertebrae), runs the program on them, and computes the same numbers with the other tools:

  overlap matching, FROC points   picai_eval.Metrics over scipy's linear_sum_assignment
  sensitivity at 1/8 .. 8, mean   numpy.interp over the counted curve, as the LUNA16 script
  ROC area by patient             sklearn.metrics.roc_auc_score
  vertebrae found, false, errors  scipy's linear_sum_assignment
  bias and limits of agreement    numpy
  Dice, surface distances         scipy.ndimage erosion and scipy.spatial.cKDTree, as medpy

Exits with an error when any number differs by more than 1e-9. Needs numpy scipy scikit-learn
picai_eval nibabel.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from picai_eval.metrics import Metrics
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score

RATES = (0.125, 0.25, 0.5, 1, 2, 4, 8)
KIND = "sclerotic_density"
worst = {}


def same(what, ours, theirs):
    """Compares two numbers; both may be undefined."""
    if ours is None or theirs is None:
        assert ours is None and theirs is None, f"{what}: {ours} against {theirs}"
        return
    worst[what] = max(worst.get(what, 0.0), abs(ours - theirs))
    assert abs(ours - theirs) <= 1e-9 * max(1.0, abs(theirs)), f"{what}: {ours!r} against {theirs!r}"


def radius(volume):
    return np.cbrt(max(volume, 0.0) * 3 / (4 * np.pi))


def overlap(a, b):
    """Intersection over union of two spheres (centre, volume), by integrating the lens."""
    (ca, va), (cb, vb) = a, b
    ra, rb, d = radius(va), radius(vb), float(np.linalg.norm(np.subtract(ca, cb)))
    if d >= ra + rb:
        return 0.0
    if d <= abs(ra - rb):
        shared = 4 / 3 * np.pi * min(ra, rb) ** 3
    else:
        # Two caps; heights from the plane of the common circle.
        x = (d * d + ra * ra - rb * rb) / (2 * d)
        cap = lambda r, h: np.pi * h * h * (3 * r - h) / 3
        shared = cap(ra, ra - x) + cap(rb, rb - (d - x))
    whole = 4 / 3 * np.pi * (ra**3 + rb**3) - shared
    return shared / whole


def vertebra(number, place, level):
    return {"id": f"5e/v{number}", "series": "5e", "level": level, "level_candidates": [], "body_centroid_lps_mm": place, "fraction_in_view": 1.0, "confidence": 1.0}


def finding(number, place, volume, score, status):
    return {
        "id": f"f{number}", "kind": KIND, "status": status, "score": score, "measurements": [],
        **({"reason": "between_limits"} if status == "indeterminate" else {}),
        "site": {"parts": [], "centroid_lps_mm": place, "volume_mm3": volume},
        "evidence": [{"series": "5e", "slices": [1, 1], "pictures": []}],
        "speaks_for": [], "speaks_against": [], "limitations": [],
    }


def document(study, vertebrae, findings):
    return {
        "schema": "osteoflag-findings/1",
        "tool": {"name": "osteoflag", "version": "0", "decoders": [], "settings": []},
        "study": {"id": study, "modalities": ["CT"]},
        "series": [{"id": "5e", "role": "ct_soft", "role_confidence": 1.0, "role_evidence": [], "contrast_medium": "unknown", "choice": "chosen", "problems": []}],
        "anatomy": {"provider": "heuristic", "vertebrae": vertebrae},
        "findings": findings,
        "coverage": [{"feature": KIND, "series": "5e", "vertebra": v["id"], "status": "absent", "absence_rules_out": False} for v in vertebrae],
        "sites": [], "limitations": [],
    }


def random_case(rng, study):
    place = lambda: [round(float(x), 2) for x in rng.uniform(-25, 25, 3)]
    volume = lambda: round(float(rng.uniform(100, 9000)), 1)
    # A first vertebra far from all others, so that every scan has an answer.
    vertebrae = [vertebra(0, [0.0, 0.0, 500.0], None)]
    vertebrae += [vertebra(n + 1, [round(float(rng.uniform(-4, 4)), 2), 0.0, round(float(rng.uniform(-60, 60)), 2)], None) for n in range(rng.integers(0, 5))]
    bodies = [{"level": None, "centroid_lps_mm": [0, 0, 501], "fraction_in_view": 1}]
    bodies += [{"level": None, "centroid_lps_mm": [0, 0, round(float(rng.uniform(-60, 60)), 2)], "fraction_in_view": float(rng.choice([0.3, 1]))} for _ in range(rng.integers(0, 5))]
    lesions = [{"feature": KIND, "centroid_lps_mm": place(), "volume_mm3": volume()} for _ in range(rng.integers(0, 4))]
    found = [finding(n, place(), volume(), float(rng.choice([0.2, 0.4, 0.6, 0.8])), str(rng.choice(["present", "present", "indeterminate"]))) for n in range(rng.integers(0, 6))]
    return document(study, vertebrae, found), {"study_id": study, "vertebrae": bodies, "lesions": lesions}


def run(program, results, truth, *more):
    out = subprocess.run([program, "evaluate", str(results), "--truth", str(truth), "--json", "--bootstrap", "0", *more], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def check_lesions(ours, cases, rule):
    """FROC by either rule, from plain counting, picai_eval and numpy."""
    results, errors = {}, []
    for name, (document_, truth) in cases.items():
        present = [f for f in document_["findings"] if f["status"] == "present"]
        lesions = truth["lesions"]
        entries = []
        if rule == "overlap":
            matrix = np.array([[overlap((l["centroid_lps_mm"], l["volume_mm3"]), (f["site"]["centroid_lps_mm"], f["site"]["volume_mm3"])) for f in present] for l in lesions]).reshape(len(lesions), len(present))
            matrix[matrix < 0.1] = 0
            lifted = np.where(matrix > 0, matrix + 1, 0)
            rows, columns = linear_sum_assignment(lifted, maximize=True)
            hits = {r: c for r, c in zip(rows, columns) if lifted[r, c] > 0}
            on_lesion = (matrix > 0).any(axis=0) if len(lesions) else np.zeros(len(present), bool)
        else:
            matrix = np.array([[np.linalg.norm(np.subtract(l["centroid_lps_mm"], f["site"]["centroid_lps_mm"])) - radius(l["volume_mm3"]) for f in present] for l in lesions]).reshape(len(lesions), len(present))
            hits = {}
            for r in range(len(lesions)):
                near = [c for c in range(len(present)) if matrix[r, c] <= 3.0]
                if near:
                    hits[r] = min(near, key=lambda c: (-present[c]["score"], matrix[r, c]))
            on_lesion = (matrix <= 3.0).any(axis=0) if len(lesions) else np.zeros(len(present), bool)
        for r, lesion in enumerate(lesions):
            entries.append((1, present[hits[r]]["score"] if r in hits else 0.0, 0.0))
            if r in hits:
                errors.append(present[hits[r]]["site"]["volume_mm3"] - lesion["volume_mm3"])
        entries += [(0, f["score"], 0.0) for c, f in enumerate(present) if not on_lesion[c]]
        results[name] = entries
    flat = [e for entries in results.values() for e in entries]
    lesions = sum(e[0] for e in flat)
    curve = next(c for c in ours["lesions"]["froc"] if c["feature"] is None and c["findings"] == "present")["froc"]
    assert curve["lesions"] == lesions and curve["scans"] == len(cases)
    if lesions:
        # A score of 0 at the end, because picai_eval overwrites its last threshold.
        padded = dict(results)
        padded["pad"] = [(0, 0.0, 0.0)]
        metrics = Metrics(lesion_results=padded, case_target={k: 0 for k in padded}, case_pred={k: 0.0 for k in padded}, case_weight={k: 1.0 for k in padded})
        counted = metrics.calculate_counts()
        for n, point in enumerate(curve["points"][1:]):
            same(f"FROC sensitivity ({rule}, picai_eval)", point["sensitivity"], float(counted["TP"][n]) / lesions)
            same(f"FROC false per scan ({rule}, picai_eval)", point["false_per_scan"], float(counted["FP"][n]) / len(cases))
        x, y = [0.0], [0.0]
        for limit in sorted({e[1] for e in flat if e[1] > 0}, reverse=True):
            x.append(sum(1 for e in flat if not e[0] and e[1] >= limit) / len(cases))
            y.append(sum(1 for e in flat if e[0] and e[1] >= limit) / lesions)
        at = np.interp(RATES, x, y)
        for mine, theirs in zip(curve["at"], at):
            same(f"sensitivity at a rate ({rule}, numpy)", mine["interpolated"]["value"], float(theirs))
        same(f"mean of seven ({rule}, numpy)", curve["mean_sensitivity"]["value"], float(at.mean()))
    else:
        same("mean of seven without lesions", curve["mean_sensitivity"]["value"], None)
    agreement = [a for a in ours["agreement"] if a["name"] == "volume_mm3"]
    if errors:
        same("bias (numpy)", agreement[0]["bias"]["value"], float(np.mean(errors)))
        if len(errors) > 1:
            limit = np.mean(errors) + 1.96 * np.std(errors, ddof=1)
            same("upper limit (numpy)", agreement[0]["upper_limit"]["value"], float(limit))
    else:
        assert not agreement


def check_patients(ours, cases):
    """Area by patient with unanswered as absent: the highest present score, else lowest."""
    curve = next((c for c in ours["roc"] if c["unit"] == "patient" and c["feature"] is None), None)
    truth = [bool(t["lesions"]) for _, t in cases.values()]
    score = [max([f["score"] for f in d["findings"] if f["status"] == "present"], default=-1.0) for d, _ in cases.values()]
    theirs = float(roc_auc_score(truth, score)) if len(set(truth)) == 2 else None
    same("area by patient (sklearn)", curve["roc"]["auc_declined_as_absent"]["value"], theirs)


def check_vertebrae(ours, cases):
    expected = found = false = 0
    errors = []
    for document_, truth in cases.values():
        centres = np.array([b["centroid_lps_mm"] for b in truth["vertebrae"]], float)
        points = np.array([v["body_centroid_lps_mm"] for v in document_["anatomy"]["vertebrae"]], float)
        asked = np.array([b["fraction_in_view"] >= 0.5 for b in truth["vertebrae"]])
        distance = np.linalg.norm(centres[:, None] - points[None], axis=2)
        rows, columns = linear_sum_assignment(np.where(distance <= 10, distance, 1e4))
        pairs = [(r, c) for r, c in zip(rows, columns) if distance[r, c] <= 10]
        used = {c for _, c in pairs}
        expected += int(asked.sum())
        found += sum(bool(asked[r]) for r, _ in pairs)
        false += sum(1 for c in range(len(points)) if c not in used and not (distance[~asked, c] <= 20).any())
        errors += [distance[r, c] for r, c in pairs if asked[r]]
    v = ours["vertebrae"]
    same("vertebrae expected (scipy)", v["expected"], expected)
    same("vertebrae found (scipy)", v["found"], found)
    same("vertebrae false (scipy)", v["false_vertebrae"], false)
    same("median error (numpy)", v["median_error_mm"]["value"], float(np.median(errors)) if errors else None)


def check_masks(program, rng, folder):
    """Two label maps of lumpy blobs on a grid with thick slices."""
    size, spacing = (24, 20, 12), np.array([0.8, 1.1, 3.0])
    blob = lambda: ndimage.gaussian_filter(rng.normal(size=size), 2.5)
    base = blob()
    truth = (base > np.percentile(base, 80)).astype(np.uint16)
    moved = base + 0.3 * base.std() * rng.normal(size=size)
    found = (ndimage.gaussian_filter(moved, 0.7) > np.percentile(base, 82)).astype(np.uint16)
    affine = np.diag([*-spacing[:2], spacing[2], 1.0])
    (folder / "r" / "label_maps").mkdir(parents=True)
    (folder / "t").mkdir()
    nibabel.save(nibabel.Nifti1Image(found, affine), folder / "r" / "label_maps" / "5e.nii.gz")
    nibabel.save(nibabel.Nifti1Image(truth, affine), folder / "t" / "vertebrae.nii.gz")
    (folder / "r" / "findings.json").write_text(json.dumps(document("57", [], [])))
    ours = run(program, folder / "r", folder / "t" / "vertebrae.nii.gz")["cases"][0]["masks"]["masks"][0]
    a, b = truth > 0, found > 0
    same("Dice (numpy)", ours["dice"], float(2 * (a & b).sum() / (a.sum() + b.sum())))
    border = lambda m: np.argwhere(m & ~ndimage.binary_erosion(m, ndimage.generate_binary_structure(3, 1))) * spacing
    pa, pb = border(a), border(b)
    ab, ba = cKDTree(pb).query(pa)[0], cKDTree(pa).query(pb)[0]
    # The header holds the spacing in single precision.
    for what, mine, theirs in [
        ("average surface distance (scipy)", ours["average_mm"], (ab.mean() + ba.mean()) / 2),
        ("95 % Hausdorff (scipy)", ours["hausdorff_95_mm"], np.percentile(np.hstack([ab, ba]), 95)),
    ]:
        worst[what + ", single precision header"] = max(worst.get(what + ", single precision header", 0), abs(mine - theirs))
        assert abs(mine - theirs) < 1e-6, f"{what}: {mine} against {theirs}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for round_ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            cases = {}
            for n in range(int(rng.integers(1, 9))):
                study = f"{round_:04x}{n:04x}"
                cases[study] = random_case(rng, study)
                (folder / "r" / study).mkdir(parents=True)
                (folder / "t" / study).mkdir(parents=True)
                (folder / "r" / study / "findings.json").write_text(json.dumps(cases[study][0]))
                (folder / "t" / study / "truth.json").write_text(json.dumps(cases[study][1]))
            for rule in ("distance", "overlap"):
                ours = run(options.program, folder / "r", folder / "t", "--match", rule)
                check_lesions(ours, cases, rule)
            check_patients(ours, cases)
            check_vertebrae(ours, cases)
        with tempfile.TemporaryDirectory() as name:
            check_masks(options.program, rng, Path(name))
    print(f"{options.rounds} rounds, seed {options.seed}; greatest differences:")
    for what, value in sorted(worst.items()):
        print(f"  {what:<60} {value:.1e}")


if __name__ == "__main__":
    main()
