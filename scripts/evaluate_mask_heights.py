#!/usr/bin/env python3
"""Heights of vertebral bodies against a label mask of whole vertebrae, along each body's own axis.

usage: anatomy_trial VOLUME.json > TRIAL.jsonl
       evaluate_mask_heights.py MASK TRIAL.jsonl [TRIAL.jsonl ...]

MASK is any image that SimpleITK reads, with one label for each vertebra, in the frame of the volume; the arch may be part of it,
since only nine lines through the middle of the body count (4 mm apart, along the axis that was found). Prints one line of Markdown for each body that was
measured: height of the mask, measured height, by how much the middle between the endplates lies above that of the mask, and whether the outline
was called sure; then bias, standard deviation and the medians of absolute values. A network mask is no truth: what several programs share
cancels between two trials. Needs numpy and SimpleITK.
"""
import argparse
import json

import numpy as np
import SimpleITK as sitk

STEP_MM = 0.25
REACH_MM = 25.0
GRID_MM = (-4.0, 0.0, 4.0)
# Labels are told by the middle of the body.
MIDDLE_MM = 5.0


def labels_at(mask):
    values = sitk.GetArrayFromImage(mask)
    origin = np.array(mask.GetOrigin())
    to_index = np.linalg.inv(np.array(mask.GetDirection()).reshape(3, 3) * np.array(mask.GetSpacing()))

    def at(points):
        index = np.rint((points - origin) @ to_index.T).astype(int)
        inside = ((index >= 0) & (index < np.array(values.shape)[::-1])).all(-1)
        i, j, k = np.where(inside[:, None], index, 0).T
        return np.where(inside, values[k, j, i], 0).astype(int)
    return at


def compared(at, vertebra):
    """(height of the mask, measured height, middle of ours over that of the mask), mm"""
    height = (vertebra["sizes_mm"] or [None])[0]
    if height is None:
        return None
    centre, up = np.array(vertebra["body_centroid_lps_mm"]), np.array(vertebra["up"])
    one = np.cross(up, [1.0, 0, 0])
    one /= np.linalg.norm(one)
    other = np.cross(up, one)
    t = np.arange(-REACH_MM, REACH_MM, STEP_MM)
    heights, middles = [], []
    for x in GRID_MM:
        for y in GRID_MM:
            labels = at(centre + x * one + y * other + t[:, None] * up)
            label = np.bincount(labels[np.abs(t) < MIDDLE_MM]).argmax()
            if label:
                heights.append((labels == label).sum() * STEP_MM)
                middles.append(t[labels == label].mean())
    return (np.median(heights), height, -np.median(middles)) if heights else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mask")
    parser.add_argument("trials", nargs="+")
    options = parser.parse_args()
    at = labels_at(sitk.ReadImage(options.mask))
    for trial in options.trials:
        rows = []
        print(f"\n{trial}\n\n| vertebra | mask mm | measured mm | difference mm | middle over that of the mask mm | outline |\n|---|---|---|---|---|---|")
        for line in open(trial):
            for vertebra in json.loads(line)["vertebrae"]:
                row = compared(at, vertebra)
                if row:
                    rows.append((row[1] - row[0], row[2]))
                    sure = "sure" if vertebra["outline_is_sure"] else "unsure"
                    print(f"| {vertebra['id']} | {row[0]:.1f} | {row[1]:.1f} | {row[1] - row[0]:+.1f} | {row[2]:+.1f} | {sure} |")
        for name, values in zip(("heights", "middles"), np.array(rows).T):
            print(f"\n{name}: {len(values)} bodies, bias {values.mean():+.2f} mm, standard deviation {values.std():.2f}, median of absolute values {np.median(np.abs(values)):.2f}")


if __name__ == "__main__":
    main()
