#!/usr/bin/env python3
"""Compare pedicles and posterior elements with masks of vertebrae.

usage: evaluate_surfaces.py volumes VOLUMES
       cargo run --release --example anatomy_trial -- --labels LABELS VOLUMES/NAME.json ... > RESULTS
       evaluate_arches.py LABELS RESULTS

Prints Markdown for the series whose truth tells bodies from arches: for each vertebra the volume of its arch by truth (vertebra without
body), Dice of the arch, the share of what was labelled that belongs to this vertebra, to another one, to none (body, rib, marrow of the hip, or
bone that the mask leaves out), and centres of the pedicles. Masks are those of evaluate_surfaces.py: network output at 3 mm, and a mask of the source at 1.5 mm;
no person's drawing. Everything is compared on the 2 mm grid of the labels. Needs numpy, scipy, nibabel and OSTEOFLAG_DATA.
"""
import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

sys.path.insert(0, str(Path(__file__).parent))
from evaluate_surfaces import BODY_MASKS, NAMES, data_folder, nifti


def on_grid(mask, affine, about):
    """a mask at the voxels of the label grid, by the nearest voxel"""
    ni, nj, nk = about["size"]
    k, j, i = np.meshgrid(np.arange(nk), np.arange(nj), np.arange(ni), indexing="ij")
    places = np.stack([i, j, k], -1) * about["spacing_mm"] + np.array(about["origin"])
    inverse = np.linalg.inv(affine)
    index = places @ inverse[:3, :3].T + inverse[:3, 3]
    return map_coordinates(mask, [index[..., 2], index[..., 1], index[..., 0]], order=0, mode="constant", cval=0)


def compare(series, labels, result):
    vertebrae, parts, body = BODY_MASKS[series]
    folder = data_folder() / series
    about = json.loads((labels / f"{series}.arches.json").read_text())
    ni, nj, nk = about["size"]
    own = np.fromfile(labels / f"{series}.arches.raw", "u1").reshape(nk, nj, ni)
    whose = on_grid(*nifti(folder / vertebrae), about)
    arch = np.where(np.isin(on_grid(*nifti(folder / parts), about), body), 0, whose)
    centres = {label: np.argwhere((whose == label) & (arch == 0)).mean(0) for label in NAMES[series] if (whose == label).any()}
    for vertebra in result["vertebrae"]:
        at = (np.array(vertebra["body_centroid_lps_mm"]) - about["origin"]) / about["spacing_mm"]
        label = min(centres, key=lambda n: np.linalg.norm(centres[n] - at[::-1]))
        mine = [n for n, (name, _) in enumerate(about["parts"], 1) if name == vertebra["id"]]
        found = np.isin(own, mine)
        if not mine:
            continue
        true = arch == label
        shares = [(arch[found] == label).mean(), ((arch[found] > 0) & (arch[found] != label)).mean(), (arch[found] == 0).mean()]
        dice = 2 * (found & true).sum() / (found.sum() + true.sum())
        both = (own > 0) & (arch == label)
        right = (found & true).sum() / max(both.sum(), 1)
        pedicles = [part for n, (_, part) in enumerate(about["parts"], 1) if n in mine and "pedicle" in part]
        print("| %s | %s | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | %s |" % (
            series, NAMES[series][label], true.sum() * about["spacing_mm"] ** 3 / 1000, dice, right, *shares,
            ", ".join(p.split("_")[0] for p in pedicles) or "none"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    results = {r["name"]: r for r in map(json.loads, Path(sys.argv[2]).read_text().splitlines())}
    print("| series | vertebra | true arch, ml | Dice | of its voxels that are labelled, to this vertebra | labelled: this vertebra | another | none | pedicles |")
    print("|---|---|---|---|---|---|---|---|---|")
    for series in BODY_MASKS:
        compare(series, Path(sys.argv[1]), results[series])


if __name__ == "__main__":
    main()
