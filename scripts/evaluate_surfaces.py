#!/usr/bin/env python3
"""Compare the cut-out bodies and the canal with masks, reported heights and a cord contour.

usage: evaluate_surfaces.py volumes VOLUMES
       cargo run --example surface_trial -- SURFACES VOLUMES/*.json
       evaluate_surfaces.py report VOLUMES SURFACES

`volumes` decodes the CT series of OSTEOFLAG_DATA into what the example reads. `report` prints
Markdown: Dice, average and 95th percentile surface distance of every body that the truth calls
whole in view, with its confidence; heights against spine_report.json; the canal against the cord
contour. Masks are network output at 3 mm (totalsegmentator_*) and a mask of the source at
1.5 mm (tptbox_lumbar_crop), no person's drawing.

Needs numpy, scipy, nibabel, pydicom and its decoders for JPEG, JPEG-LS and JPEG 2000.
"""
import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

WHOLE = 0.99
BODY_MASKS = {
    # series: (mask of vertebrae, mask of parts, part labels that are body)
    "totalsegmentator_abdomen_pelvis_3mm": (
        "masks/totalseg.nii.gz", "masks/totalseg_vertebrae_body.nii.gz", [1]),
    "tptbox_lumbar_crop": (
        "sub-ct_seg-vert_label-22_msk.nii.gz", "sub-ct_seg-subreg_label-22_msk.nii.gz", [49, 50]),
}
NAMES = {
    "totalsegmentator_abdomen_pelvis_3mm": {26: "S1", 27: "L5", 28: "L4", 29: "L3", 30: "L2", 31: "L1", 32: "T12"},
    "tptbox_lumbar_crop": {21: "L2", 22: "L3", 23: "L4"},
}
CORD_SERIES = "nsclc_whole_chest_3mm"
# Denser than the content of a canal by what counts as its wall.
IN_BONE_HU = 85


def data_folder():
    data = os.environ.get("OSTEOFLAG_DATA")
    if not data:
        sys.exit("set OSTEOFLAG_DATA to the folder that holds ct/")
    return Path(data) / "ct"


def nifti(path):
    """voxels as [k][j][i] and the LPS affine"""
    import nibabel
    image = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), np.diag([-1, -1, 1, 1.0]) @ image.affine


def dicom(folder):
    """the slices of a folder that share orientation and matrix with the first, along their normal"""
    import pydicom
    slices = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            one = pydicom.dcmread(path, force=True)
            one.pixel_array
        except Exception:  # damaged and foreign files lie among them on purpose
            continue
        if "ImagePositionPatient" in one:
            slices.append(one)
    orientation = np.array(slices[0].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    slices = [s for s in slices
              if np.abs(np.array(s.ImageOrientationPatient, float) - orientation).max() < 0.01
              and s.Rows == slices[0].Rows]
    slices.sort(key=lambda s: float(normal @ np.array(s.ImagePositionPatient, float)))
    voxels = np.stack([s.pixel_array * float(getattr(s, "RescaleSlope", 1))
                       + float(getattr(s, "RescaleIntercept", 0)) for s in slices])
    spacing = [float(x) for x in slices[0].PixelSpacing]
    places = np.array([np.array(s.ImagePositionPatient, float) for s in slices])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = orientation[:3] * spacing[1], orientation[3:] * spacing[0], places[0]
    affine[:3, 2] = (places[-1] - places[0]) / (len(slices) - 1) if len(slices) > 1 else normal
    return voxels, affine


def write_volumes(out):
    out.mkdir(parents=True, exist_ok=True)
    for series in sorted(p for p in data_folder().iterdir() if (p / "truth").is_dir()):
        if (series / "dicom").is_dir():
            voxels, affine = dicom(series / "dicom")
        else:
            voxels, affine = nifti(next(p for p in series.glob("*ct.nii.gz")))
        np.clip(np.round(voxels), -32768, 32767).astype("<i2").tofile(out / f"{series.name}.raw")
        nk, nj, ni = voxels.shape
        meta = {"kind": "ct", "size": [ni, nj, nk], "origin": affine[:3, 3].tolist()}
        meta |= {f"step_{a}": affine[:3, n].tolist() for n, a in enumerate("ijk")}
        (out / f"{series.name}.json").write_text(json.dumps(meta))


def surface_distances(one, other, spacing):
    """distances of the border voxels of each mask to the border of the other, mm, both ways"""
    places = np.argwhere(one | other)
    box = tuple(slice(max(a - 2, 0), b + 3) for a, b in zip(places.min(0), places.max(0)))
    one, other = one[box], other[box]
    border = [m & ~binary_erosion(m) for m in (one, other)]
    there = distance_transform_edt(~border[1], sampling=spacing)[border[0]]
    back = distance_transform_edt(~border[0], sampling=spacing)[border[1]]
    return np.concatenate([there, back])


def markdown(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{x:.2f}" if isinstance(x, float) else str(x) for x in row) + " |")
    print()


def bodies(volumes, surfaces):
    """rows of (series, level, confidence, Dice, volume quotient, mean and 95 % distance)"""
    rows = []
    for series, (vertebrae, parts, inside) in BODY_MASKS.items():
        found_file = surfaces / f"{series}.bodies.raw"
        if not found_file.exists():
            continue
        folder = data_folder() / series
        labels, affine = nifti(folder / vertebrae)
        body = np.isin(nifti(folder / parts)[0], inside)
        found = np.fromfile(found_file, np.uint8).reshape(labels.shape)
        spacing = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
        listed = json.loads((surfaces / f"{series}.surfaces.json").read_text())["vertebrae"]
        truth = {v.get("level") or v.get("source_level"): v["fraction_in_view"]
                 for v in json.loads((folder / "truth/vertebrae.json").read_text())["vertebrae"]}
        for label, level in NAMES[series].items():
            if truth.get(level, 0) < WHOLE:
                continue
            mask = (labels == label) & body
            overlaps = np.bincount(found[mask], minlength=256)
            overlaps[0] = 0
            best = int(overlaps.argmax())
            if overlaps[best] == 0:
                rows.append((series, level, "", 0.0, "", "", ""))
                continue
            mine = found == best
            dice = 2 * float((mine & mask).sum()) / float(mine.sum() + mask.sum())
            distance = surface_distances(mine, mask, spacing)
            confidence = listed[best - 1]["body"]["confidence"]
            rows.append((series, level, float(confidence), dice, float(mine.sum() / mask.sum()),
                         float(distance.mean()), float(np.percentile(distance, 95))))
    return rows


def height_at(body, v, u=0.0):
    plate = lambda c: c[0] + c[1] * v + c[2] * u + c[3] * v * v + c[4] * v * u + c[5] * u * u
    return plate(body["upper"]) - plate(body["lower"])


def heights(surfaces):
    """rows of (level, place, reported, measured, difference, error estimate) against spine_report.json"""
    series = "totalsegmentator_abdomen_pelvis_3mm"
    report = json.loads((data_folder() / series / "spine_report.json").read_text())["results"]
    listed = json.loads((surfaces / f"{series}.surfaces.json").read_text())["vertebrae"]
    truth = json.loads((data_folder() / series / "truth/vertebrae.json").read_text())["vertebrae"]
    rows = []
    for v in truth:
        centre = np.array(v["centroid_lps_mm"])
        near = min(listed, key=lambda f: np.linalg.norm(np.array(f["centroid_lps_mm"]) - centre))
        if f"vertebrae_{v['level']}_height_middle_mm" not in report:
            continue
        measured = (near["body"] or {}).get("measurements") or {}
        for place in ("anterior", "middle", "posterior"):
            theirs = report[f"vertebrae_{v['level']}_height_{place}_mm"]
            mine = measured.get(f"height_{place}")
            if mine is None:
                rows.append((v["level"], place, theirs, "not measured", "", ""))
            else:
                rows.append((v["level"], place, theirs, mine["mm"], mine["mm"] - theirs, mine["error_mm"]))
    return rows


def nearest_sections(sections, points):
    """for each point the section whose plane passes nearest (or -1), and its place there: anterior, left"""
    axes = {k: np.array([s["frame"][k] for s in sections]) for k in ("origin", "up", "anterior", "left")}
    apart = points[:, None] - axes["origin"][None]
    off = np.abs((apart * axes["up"]).sum(2))
    off[np.linalg.norm(apart, axis=2) > 60] = np.inf
    best = off.argmin(1)
    rows = np.arange(len(points))
    v = (apart[rows, best] * axes["anterior"][best]).sum(1)
    u = (apart[rows, best] * axes["left"][best]).sum(1)
    return np.where(off[rows, best] <= 2.0, best, -1), v, u


def hounsfield_at(volumes, series, points):
    """the voxel nearest to each point (LPS mm)"""
    meta = json.loads((volumes / f"{series}.json").read_text())
    voxels = np.fromfile(volumes / f"{series}.raw", "<i2").reshape(meta["size"][::-1])
    steps = np.array([meta["step_i"], meta["step_j"], meta["step_k"]]).T
    at = np.rint((points - np.array(meta["origin"])) @ np.linalg.inv(steps).T).astype(int)
    return voxels[tuple(np.clip(at[:, axis], 0, meta["size"][axis] - 1) for axis in (2, 1, 0))]


def cord(volumes, surfaces):
    """the cord contour of the radiotherapy plan against the canal's outline"""
    import pydicom
    path = data_folder() / CORD_SERIES / "rtstruct.dcm"
    described = surfaces / f"{CORD_SERIES}.surfaces.json"
    if not described.exists():
        return
    sections = json.loads(described.read_text())["canal"] or []
    structure = pydicom.dcmread(path)
    number = next(s.ROINumber for s in structure.StructureSetROISequence if s.ROIName == "Spinal-Cord")
    contours = next(c for c in structure.ROIContourSequence if c.ReferencedROINumber == number).ContourSequence
    unseen = 0
    beyond, density, off = [], [], []
    for contour in contours:
        drawn = np.array(contour.ContourData, float).reshape(-1, 3)
        places = list(zip(*nearest_sections(sections, np.vstack([drawn, drawn.mean(0)])), strict=True))
        off.append(np.hypot(*places[-1][1:]))
        for (at, v, u), hounsfield in zip(places[:-1], hounsfield_at(volumes, CORD_SERIES, drawn), strict=True):
            outline = sections[at]["outline_mm"] if at >= 0 else None
            if outline is None:
                unseen += 1
                continue
            turn = np.arctan2(u, v) % (2 * np.pi) / (2 * np.pi) * len(outline)
            beyond.append(np.hypot(v, u) - np.interp(turn, np.arange(len(outline) + 1), outline + outline[:1]))
            density.append(hounsfield)
    beyond, density = np.array(beyond), np.array(density)
    outside = beyond > 0
    share = lambda which: f"{100 * np.mean(which):.1f} %"
    markdown(["cord contour", "value"], [
        ("contours", len(contours)),
        ("points of the contour without an outline", f"{unseen} of {unseen + len(beyond)}"),
        ("points inside the outline", share(~outside)),
        ("inside it or at most 1 mm outside", share(beyond <= 1)),
        (f"points outside that lie in bone (over {IN_BONE_HU} HU)", share(density[outside] > IN_BONE_HU)),
        ("points inside the outline or in bone", share(~outside | (density > IN_BONE_HU))),
        ("farthest point outside, mm", float(beyond.max())),
        ("95th percentile of those outside, mm", float(np.percentile(beyond[outside], 95))),
        ("contour to outline, mean distance, mm", float(np.abs(beyond).mean())),
        ("centre of the cord to the centre line, median mm", float(np.median(off))),
    ])


def report(volumes, surfaces):
    rows = bodies(volumes, surfaces)
    print("### Bodies against masks\n")
    markdown(["series", "level", "confidence", "Dice", "volume / mask", "mean distance mm", "95 % mm"], rows)
    dice = [r[3] for r in rows]
    print(f"Median Dice {np.median(dice):.3f} over {len(dice)} bodies whole in view.\n")
    print("### Heights against spine_report.json\n")
    rows = heights(surfaces)
    markdown(["level", "place", "report mm", "measured mm", "difference mm", "error estimate mm"], rows)
    off = [r[4] for r in rows if isinstance(r[4], float)]
    if off:
        print(f"Median difference {np.median(off):+.2f} mm, median of the absolute differences "
              f"{np.median(np.abs(off)):.2f} mm, largest {max(off, key=abs):+.2f} mm.\n")
    print("### Canal against the cord contour\n")
    cord(volumes, surfaces)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("volumes")
    made.add_argument("volumes", type=Path)
    compared = commands.add_parser("report")
    compared.add_argument("volumes", type=Path)
    compared.add_argument("surfaces", type=Path)
    options = parser.parse_args()
    if options.command == "volumes":
        write_volumes(options.volumes)
    else:
        report(options.volumes, options.surfaces)


if __name__ == "__main__":
    main()
