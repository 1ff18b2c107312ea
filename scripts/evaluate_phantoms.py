#!/usr/bin/env python3
"""Where the CT anatomy breaks on phantoms, and how well it measures heights there.

usage: evaluate_phantoms.py breaks  WORK --binary osteoflag --trial surface_trial [--seeds 1 2] [--only WORD]
       evaluate_phantoms.py heights WORK --binary osteoflag --trial surface_trial [--seeds 1 2 3]

`osteoflag phantom` makes the studies in WORK (what lies there already is kept), the example `surface_trial` finds and
cuts out the vertebrae, and both are compared with the phantom's own truth. Prints Markdown.

breaks: one spine (T10 to S1, 2.5 mm slices, soft kernel, a person of 55), with one thing changed at a time. Found = within 10 mm of a
body at least half in view, one to one; false = matched to no body and not within 20 mm of one less than half in view.
Named = found bodies with a level; wrong = named otherwise than the truth. A height counts where the body is whole in view.

heights: three persons (25, 55 and 80 years; the seeds) in slices of 1, 2.5 and 3 mm; bias and 95 % limits of agreement (mean and mean plus or minus 1.96
standard deviations of measured minus true) of the anterior, middle and posterior height of T10 to L5. Truth and measurement
take heights at the same places (docs/PHANTOMS.md), the truth on the surface itself.

Needs numpy and scipy.
"""
import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from evaluate_anatomy import HALF_IN_VIEW, HIT_MM, compare

PLACES = ("anterior", "middle", "posterior")
WHOLE = 1.0
LEVELS = ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
CERVICAL = ["C2", "C3", "C4", "C5", "C6", "C7", "T1"]
CHEST = [f"T{n}" for n in range(1, 13)] + ["L1"]


def person(age):
    """marrow and cortex of an age as `osteoflag phantom cohort` draws them, without its scatter"""
    return {"marrow": round(226 - 2.05 * (age - 25), 1), "cortex": round(1 - 0.008 * max(age - 40, 0), 3),
            "disc_height": round(1 - 0.005 * max(age - 40, 0), 3)}


BASE = {"base": "ct_osteoporosis", "levels": LEVELS, "size": [200, 200], "pixel_spacing_mm": 1.1, "in_plane_fwhm_mm": 1.3,
        "slice_thickness_mm": 2.5, "slice_spacing_mm": 2.5, "noise": 12.0, "curvature": 1.0, "deformities": [],
        "surroundings": ["vessels", "ribs", "body_outline", "couch"], **person(55)}


def slices(thickness, spacing=None):
    # The same dose: noise goes with the root of the thickness.
    return {"slice_thickness_mm": thickness, "slice_spacing_mm": spacing or thickness,
            "noise": round(12.0 * (2.5 / thickness) ** 0.5, 1)}


def cobb(degrees):
    return {"scoliosis": {"cobb_deg": degrees, "apex_station": 12.0, "half_length": 3.0}}


def lost(kind, share):
    return {"deformities": [{"level": "L1", "kind": kind, "loss": share}, {"level": "L4", "kind": kind, "loss": share}]}


VARIATIONS = [
    ("as it is", "", {}),
    *[("age", f"{age}", person(age)) for age in (25, 40, 70, 85)],
    *[("marrow, HU", f"{hu}", {"marrow": float(hu)}) for hu in (10, 40, 80, 220, 300)],
    *[("cortex", f"{share}", {"cortex": share}) for share in (0.4, 0.7)],
    *[("discs, share of height", f"{share}", {"disc_height": share}) for share in (0.4, 0.6, 1.25)],
    *[("size", f"{share}", {"size_factor": share}) for share in (0.85, 1.15)],
    *[("lordosis, share", f"{share}", {"curvature": share}) for share in (0.4, 1.6)],
    *[("scoliosis, degrees", f"{degrees}", cobb(degrees)) for degrees in (20.0, 40.0)],
    *[("height lost in L1, L4", f"{kind} {share}", lost(kind, share))
      for kind, share in (("wedge", 0.4), ("biconcave", 0.4), ("crush", 0.5), ("crush", 0.8))],
    *[("slices, mm", f"{t}", slices(t)) for t in (1.0, 3.0, 5.0)],
    ("slices, mm", "5 every 2.5", slices(5.0, 2.5)),
    ("kernel", "bone, noise 40", {"kernel": "bone", "noise": 40.0, "in_plane_fwhm_mm": 0.9}),
    ("kernel", "lung, noise 50", {"kernel": "lung", "noise": 50.0, "in_plane_fwhm_mm": 0.9}),
    ("noise, HU", "40, soft", {"noise": 40.0}),
    ("field", "410 mm", {"size": [256, 256], "pixel_spacing_mm": 1.6, "in_plane_fwhm_mm": 1.8}),
    ("field", "130 mm", {"size": [130, 130], "pixel_spacing_mm": 1.0}),
    ("field", "90 mm", {"size": [90, 90], "pixel_spacing_mm": 1.0}),
    ("field", "30 mm to the side", {"field_shift_mm": [30.0, 0.0, 0.0], "size": [130, 130], "pixel_spacing_mm": 1.0}),
    ("field", "T12 to L2 alone", {"levels": ["T12", "L1", "L2"]}),
    ("field", "neck", {"levels": CERVICAL, "slice_thickness_mm": 1.25, "slice_spacing_mm": 1.25}),
    ("field", "chest", {"levels": CHEST, "size": [256, 256], "pixel_spacing_mm": 1.4, "in_plane_fwhm_mm": 1.6}),
    *[("pose", pose, {"pose": pose}) for pose in ("hfp", "hfdl", "hfdr", "ffs", "ffp")],
    *[("turned, degrees", f"{degrees}", {"turn_deg": degrees}) for degrees in (15.0, 30.0, 45.0)],
    *[("tilted, degrees", f"{degrees}", {"tilt_deg": degrees}) for degrees in (10.0, 20.0)],
    ("plane", "sagittal, 2 mm", {"plane": "sagittal", "size": [200, 300], "slices": 60, **slices(2.0)}),
    ("contrast medium", "", {"surroundings": ["vessels", "contrast_medium", "vascular_calcium", "ribs", "body_outline", "couch"]}),
    ("myelography", "", {"surroundings": ["vessels", "intrathecal_contrast", "ribs", "body_outline", "couch"]}),
    *[("variant", name, {"anatomy": anatomy, "levels": levels}) for name, anatomy, levels in (
        ("L6", {"lumbar": 6}, [*LEVELS[:-1], "L6", "S1"]),
        ("L4 last", {"lumbar": 4}, [level for level in LEVELS if level != "L5"]),
        ("T13", {"thoracic": 13}, [*LEVELS[:3], "T13", *LEVELS[3:]]),
        ("T11 last", {"thoracic": 11}, ["T9", *(level for level in LEVELS if level != "T12")]),
        ("last ribs are stubs", {"last_rib_share": 0.15}, LEVELS),
        ("ribs at L1", {"lumbar_rib_share": 0.6}, LEVELS))],
]

HEIGHTS = [(t, age, seed) for t in (1.0, 2.5, 3.0) for seed, age in enumerate((25, 55, 80), 1)]
# People differ in size as well.
SIZE_OF_AGE = {25: 1.06, 55: 1.0, 80: 0.94}


class Case:
    """A phantom with what was found in it."""

    def __init__(self, folder, spec, seed, binary, trial):
        if not (folder / "truth.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            path = folder.with_suffix(".spec.json")
            path.write_text(json.dumps({**spec, "name": folder.name, "seed": seed}))
            subprocess.run([binary, "phantom", path, "-o", folder, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        out = folder.parent / "surfaces"
        subprocess.run([trial, out, folder], check=True, stdout=subprocess.DEVNULL)
        self.truth = json.loads((folder / "truth.json").read_text())["vertebrae"]
        self.found = json.loads((out / f"{folder.stem}.surfaces.json").read_text())["vertebrae"]

    def counts(self):
        """bodies, found, false, errors in mm, as scripts/evaluate_anatomy.py counts"""
        return compare(self.truth, [v["centroid_lps_mm"] for v in self.found])[:4]

    def pairs(self):
        """true vertebrae at least half in view with the found one nearest to them, within 10 mm"""
        for true in self.truth:
            if true["fraction_in_view"] < HALF_IN_VIEW or not self.found:
                continue
            apart = [np.linalg.norm(np.subtract(v["centroid_lps_mm"], true["centroid_lps_mm"])) for v in self.found]
            if min(apart) <= HIT_MM:
                yield true, self.found[int(np.argmin(apart))]

    def levels(self):
        """named, named wrongly"""
        named = [(true["level"], found["level"]) for true, found in self.pairs() if found["level"]]
        return len(named), sum(a != b for a, b in named)

    def heights(self):
        """(place, measured minus true or None, error estimate) for free bodies whole in view"""
        for true, found in self.pairs():
            if true["fraction_in_view"] < WHOLE or true["level"] in ("C2", "S1"):
                continue
            measured = (found["body"] or {}).get("measurements") or {}
            for place in PLACES:
                one = measured.get(f"height_{place}")
                exact = true["measurements"][f"{place}_height_mm"]
                yield place, one and one["mm"] - exact, one and one["error_mm"]


def markdown(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(x) for x in row) + " |")
    print()


def limits(differences):
    """bias and both 95 % limits as text"""
    if len(differences) < 2:
        return ["", ""]
    bias, spread = np.mean(differences), np.std(differences, ddof=1)
    return [f"{bias:+.2f}", f"{bias - 1.96 * spread:+.2f} to {bias + 1.96 * spread:+.2f}"]


def breaks(options):
    rows, total = [], np.zeros(5, int)
    for name, value, change in VARIATIONS:
        if options.only and options.only not in f"{name} {value}":
            continue
        sums, errors, heights = np.zeros(5, int), [], []
        for seed in options.seeds:
            folder = "".join(c if c.isalnum() else "_" for c in f"{name} {value} {seed}")
            case = Case(options.work / folder, {**BASE, **change}, seed, options.binary, options.trial)
            bodies, found, false, error = case.counts()
            sums += [bodies, found, false, *case.levels()]
            errors += error
            heights += [d for _, d, _ in case.heights() if d is not None]
        total += sums
        worst = [f"{np.median(errors):.1f}", f"{max(errors):.1f}"] if errors else ["", ""]
        rows.append([name, value, *sums, *worst, *limits(heights)])
        print(rows[-1], flush=True) if options.verbose else None
    rows.append(["**all**", "", *total, "", "", "", ""])
    markdown(["changed", "to", "bodies", "found", "false", "named", "wrong", "median mm", "max mm",
              "heights: bias mm", "95 % limits mm"], rows)


def heights(options):
    rows, cases = [], {}
    for thickness, age, seed in HEIGHTS:
        if seed not in options.seeds:
            continue
        spec = {**BASE, **person(age), **slices(thickness), "size_factor": SIZE_OF_AGE[age]}
        case = Case(options.work / f"heights_{thickness:g}mm_{age}_years".replace(".", "_"), spec, seed, options.binary, options.trial)
        cases.setdefault(thickness, []).extend((age, *one) for one in case.heights())
    for thickness, found in cases.items():
        for place in PLACES:
            here = [d for _, p, d, _ in found if p == place]
            seen = [d for d in here if d is not None]
            estimate = [e for _, p, d, e in found if p == place and e is not None]
            rows.append([f"{thickness:g}", place, len(here), len(seen), *limits(seen), f"{max(seen, key=abs):+.2f}",
                         f"{np.mean(estimate):.2f}"])
    markdown(["slices mm", "place", "heights", "measured", "bias mm", "95 % limits mm", "farthest off mm", "mean error estimate mm"], rows)
    rows = []
    for thickness, found in cases.items():
        for age in sorted({one[0] for one in found}):
            rows.append([f"{thickness:g}", age] + [
                " ".join(limits([d for a, p, d, _ in found if a == age and p == place and d is not None])) for place in PLACES])
    markdown(["slices mm", "age", *(f"{place}: bias, limits mm" for place in PLACES)], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("breaks", "heights"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--binary", type=Path, required=True, help="target/release/osteoflag")
    parser.add_argument("--trial", type=Path, required=True, help="target/release/examples/surface_trial")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", help="only variations with this word")
    parser.add_argument("--verbose", action="store_true", help="print each row as it comes")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    breaks(options) if options.what == "breaks" else heights(options)


if __name__ == "__main__":
    main()
