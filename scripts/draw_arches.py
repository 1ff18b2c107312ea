"""Draws the pedicles and posterior elements that `examples/anatomy_trial` found over cuts of a volume.

    cargo run --release --example anatomy_trial -- --labels OUT VOLUME.json ... > OUT/trial.jsonl
    python scripts/draw_arches.py OUT/trial.jsonl OUT VOLUME.json ...

Writes OUT/<name>.arches.png: cuts along the canal in its middle and 16 and 24 mm to the right, and axial cuts 4 mm above the centres of the
bodies; the arches of neighbours in different colours, pedicles yellow. Needs numpy, scipy and pillow.
"""
import json
import os
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.dirname(__file__))
from draw_levels_and_bones import draw_all, on_grid

COLOURS = np.array([[0, 0, 0], [255, 80, 80], [80, 255, 80], [90, 140, 255]], float)
PEDICLE = np.array([255, 230, 50], float)
SCALE = 4
AXIAL = 60


def paint(hu, labels, number, is_pedicle):
    grey = np.clip((hu + 150) / 850 * 255, 0, 255)[..., None].repeat(3, -1)
    colour = COLOURS[np.where(labels > 0, (number[labels] - 1) % 3 + 1, 0)]
    colour[is_pedicle[labels]] = PEDICLE
    return np.where((labels > 0)[..., None], 0.55 * grey + 0.45 * colour, grey).astype(np.uint8)


def draw(found, folder, path):
    name = found["name"]
    about = json.load(open(f"{folder}/{name}.arches.json"))
    columns, rows, slices = about["size"]
    labels = np.fromfile(f"{folder}/{name}.arches.raw", np.uint8).reshape(slices, rows, columns)
    hu = on_grid(path, about)
    order = [v["id"] for v in found["vertebrae"]]
    number = np.array([0] + [order.index(owner) + 1 for owner, _ in about["parts"]])
    is_pedicle = np.array([False] + ["pedicle" in part for _, part in about["parts"]])
    origin, spacing = np.array(about["origin"]), about["spacing_mm"]
    canal = np.array(sorted(found["canal"], key=lambda p: p[2]))
    z = origin[2] + np.arange(slices) * spacing
    across, back = (np.interp(z, canal[:, 2], canal[:, axis]) for axis in (0, 1))
    first, last = (int(np.clip((edge - origin[1]) / spacing, 0, rows)) for edge in (back.min() - 60, back.max() + 80))
    cuts = []
    for aside in (0, -16, -24):
        i = np.clip(np.rint((across + aside - origin[0]) / spacing).astype(int), 0, columns - 1)
        k = np.arange(slices)
        cuts.append(paint(hu[k, :, i], labels[k, :, i], number, is_pedicle)[::-1, first:last])
    axial = []
    for vertebra in found["vertebrae"]:
        x, y, k = np.rint((np.array(vertebra["body_centroid_lps_mm"]) + [0, 0, 4] - origin) / spacing).astype(int)
        if 0 <= k < slices:
            x, y = max(x - AXIAL // 2, 0), max(y - AXIAL // 4, 0)
            part = np.s_[k, y:y + AXIAL, x:x + AXIAL]
            cut = np.zeros((AXIAL, AXIAL, 3), np.uint8)
            painted = paint(hu[part], labels[part], number, is_pedicle)
            cut[:painted.shape[0], :painted.shape[1]] = painted
            axial.append(cut)
    width = max(sum(c.shape[1] for c in cuts), 6 * AXIAL)
    lines = [np.concatenate(cuts, 1)] + [np.concatenate(axial[n:n + 6], 1) for n in range(0, len(axial), 6)]
    sheet = np.concatenate([np.pad(line, ((0, 2), (0, width - line.shape[1]), (0, 0))) for line in lines])
    Image.fromarray(sheet).resize((sheet.shape[1] * SCALE, sheet.shape[0] * SCALE), 0).save(f"{folder}/{name}.arches.png")


if __name__ == "__main__":
    draw_all("arches", draw)
