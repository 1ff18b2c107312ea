"""Draws the bones and levels that `examples/anatomy_trial` found over projections of a volume.

    cargo run --example anatomy_trial -- --labels OUT VOLUME.json ... > OUT/trial.jsonl
    python scripts/draw_levels_and_bones.py OUT/trial.jsonl OUT VOLUME.json ...

Writes OUT/<name>.bones.png: coronal, sagittal and axial maximum intensity, each region in a colour
(the right side darker), each vertebra with its level or `?`. Needs numpy, scipy and pillow.
"""

import json
import os
import sys

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import map_coordinates

COLOURS = {
    "sacrum": (255, 80, 80),
    "ilium": (80, 200, 255),
    "ischium": (255, 200, 0),
    "pubis": (255, 0, 255),
    "pubic_ramus": (160, 80, 255),
    "acetabulum": (0, 255, 120),
    "femur": (255, 140, 0),
    "rib": (120, 255, 120),
    "sternum": (255, 255, 80),
    "shoulder_girdle": (80, 120, 255),
    "other": (150, 150, 150),
}
SCALE = 2


def on_grid(path, about):
    """The volume at the voxels of the coarse grid, nearest in z, linear elsewhere."""
    meta = json.load(open(path))
    columns, rows, slices = meta["size"]
    voxels = np.fromfile(path[:-5] + ".raw", "<i2").reshape(slices, rows, columns)
    steps = np.array([meta["step_i"], meta["step_j"], meta["step_k"]], float).T
    back = np.linalg.inv(steps)
    x, y, z = [about["origin"][a] + about["spacing_mm"] * np.arange(about["size"][a]) for a in range(3)]
    voxels = voxels.astype(np.float32)
    yy, xx = np.meshgrid(y, x, indexing="ij")
    out = np.empty((len(z), len(y), len(x)), np.float32)
    for k, height in enumerate(z):
        places = np.stack([xx.ravel(), yy.ravel(), np.full(xx.size, height)])
        i, j, s = back @ (places - np.array(meta["origin"])[:, None])
        out[k] = map_coordinates(voxels, [s, j, i], order=1, mode="nearest").reshape(xx.shape)
    return out


def projection(hu, labels, regions, axis):
    bright = np.clip(np.where(hu > 120, hu, 0).max(axis) / 900 * 255, 0, 255)
    picture = np.stack([bright] * 3, -1)
    seen = np.where(labels > 0, hu + 3000, 0).argmax(axis)
    top = np.take_along_axis(labels, np.expand_dims(seen, axis), axis).squeeze(axis)
    for n, region in enumerate(regions):
        colour = np.array(COLOURS.get(region["region"], (200, 200, 200)), float)
        if region["side"] == "right":
            colour = colour * 0.65
        here = top == n + 1
        picture[here] = 0.45 * picture[here] + 0.55 * colour
    return picture.clip(0, 255).astype(np.uint8)


def draw(found, folder, path):
    name = found["name"]
    about = json.load(open(f"{folder}/{name}.bones.json"))
    columns, rows, slices = about["size"]
    labels = np.fromfile(f"{folder}/{name}.bones.raw", np.uint8).reshape(slices, rows, columns)
    hu = on_grid(path, about)
    panels = []
    for axis in (1, 2, 0):
        picture = projection(hu, labels, found["bones"], axis)
        if axis:
            picture = picture[::-1]
        image = Image.fromarray(picture)
        image = image.resize((image.width * SCALE, image.height * SCALE))
        pen = ImageDraw.Draw(image)
        for vertebra in found["vertebrae"] if axis else []:
            at = (np.array(vertebra["body_centroid_lps_mm"]) - about["origin"]) / about["spacing_mm"]
            across = at[0] + 8 if axis == 1 else at[1] - 14
            pen.text((SCALE * across, SCALE * (slices - at[2]) - 5), vertebra["level"] or "?", fill=(255, 255, 0))
        panels.append(image)
    sheet = Image.new("RGB", (sum(p.width for p in panels) + 8, max(p.height for p in panels)))
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width + 4
    sheet.save(f"{folder}/{name}.bones.png")


def draw_all(kind, draw):
    """draws every volume of the command line whose label map `kind` was written"""
    trial, folder, *volumes = sys.argv[1:]
    found = {line["name"]: line for line in map(json.loads, open(trial))}
    for path in volumes:
        name = os.path.basename(path)[:-5]
        if os.path.exists(f"{folder}/{name}.{kind}.json"):
            draw(found[name], folder, path)
        else:
            print(f"{name}: no {kind}")


if __name__ == "__main__":
    draw_all("bones", draw)
