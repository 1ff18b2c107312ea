#!/usr/bin/env python3
"""Find the vertebrae in perturbed copies of the CT series with truth, and print how many are found.

usage: perturb_anatomy.py CACHE [--binary target/debug/examples/anatomy_trial] [--dumps FOLDER]
                          [--prototype anatomy_trial.py] [--classes NAME ...] [--series NAME ...]
                          [--confidence] [--each] [--keep] [--sensitivity] [--set NAME=VALUE]

The series come from OSTEOFLAG_DATA (ct/<series>/dicom or one NIfTI, ct/<series>/truth/vertebrae.json);
with --dumps they are read from <series>.json and <series>.raw in that folder instead (as
`examples/anatomy_trial.rs` reads them). Copies are written to CACHE/<class>/ and removed after the
run unless --keep is given; what was found is kept in CACHE/<class>.jsonl.

Build first: cargo build --release --example anatomy_trial

Prints one Markdown row for each class: scans, bodies at least half in view, how many were found within
10 mm (one to one), false vertebrae (matched to no body and not within 20 mm of one less than half in
view), the most false ones in one scan, the median and the largest error. With --prototype the Python
prototype runs on the same copies. With --confidence a table of the confidence against the truth
follows, over all classes that were run. With --each every scan with a miss or a false one is listed.
With --sensitivity every parameter of the search is varied on the classes named, a row each; copies are kept.

Copies are not new patients: they show what a change of pose, field or noise costs, no more.
Needs numpy scipy numba; pydicom and nibabel to read series; what the prototype needs with --prototype.
"""
import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba as nb
import numpy as np
from scipy import ndimage as ndi

sys.path.insert(0, str(Path(__file__).parent))
from evaluate_anatomy import compare  # noqa: E402

PADDING = -3024           # HU written where a copy has nothing; anything below -1500 is padding
LOWEST = -1500


# ---------------------------------------------------------------- series
def read_dicom(folder):
    import pydicom
    slices = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        try:
            d = pydicom.dcmread(file)
        except pydicom.errors.InvalidDicomError:
            continue
        if "PixelData" in d and "ImagePositionPatient" in d:
            slices.append(d)
    directions = np.array([float(x) for x in slices[0].ImageOrientationPatient])
    slices = [d for d in slices if np.abs(np.array([float(x) for x in d.ImageOrientationPatient]) - directions).max() < 0.01]
    normal = np.cross(directions[:3], directions[3:])
    slices.sort(key=lambda d: float(normal @ [float(x) for x in d.ImagePositionPatient]))
    places = np.array([[float(x) for x in d.ImagePositionPatient] for d in slices])
    hu = [d.pixel_array * float(getattr(d, "RescaleSlope", 1)) + float(getattr(d, "RescaleIntercept", 0)) for d in slices]
    spacing = [float(x) for x in slices[0].PixelSpacing]
    to_lps = np.eye(4)
    to_lps[:3, 0], to_lps[:3, 1], to_lps[:3, 3] = directions[:3] * spacing[1], directions[3:] * spacing[0], places[0]
    to_lps[:3, 2] = (places[-1] - places[0]) / (len(slices) - 1) if len(slices) > 1 else normal
    return np.stack(hu), to_lps


def read_nifti(file):
    import nibabel
    image = nibabel.load(file)
    return np.asarray(image.dataobj).transpose(2, 1, 0), np.diag([-1, -1, 1, 1]) @ image.affine


def read_dump(file):
    meta = json.loads(file.read_text())
    volume = np.fromfile(file.with_suffix(".raw"), "<i2").reshape(meta["size"][::-1])
    to_lps = np.eye(4)
    for column, name in enumerate(["step_i", "step_j", "step_k", "origin"]):
        to_lps[:3, column] = meta[name]
    return volume, to_lps


def series_with_truth(data, dumps, names):
    """(name, HU int16 [k, j, i], 4x4 from (i, j, k) to LPS mm, truth) of every CT series"""
    for truth_file in sorted(Path(data).glob("ct/*/truth/vertebrae.json")):
        series = truth_file.parents[1]
        if names and series.name not in names:
            continue
        truth = json.loads(truth_file.read_text())["vertebrae"]
        if dumps and (dumps / f"{series.name}.json").exists():
            volume, to_lps = read_dump(dumps / f"{series.name}.json")
        elif (series / "dicom").is_dir():
            volume, to_lps = read_dicom(series / "dicom")
        else:
            volume, to_lps = read_nifti(next(f for f in sorted(series.glob("*.nii.gz")) if "msk" not in f.name))
        volume = np.ascontiguousarray(np.clip(np.round(volume), -32768, 32767).astype(np.int16))
        yield series.name, volume, to_lps, truth


# ---------------------------------------------------------------- resampling
@nb.njit(cache=True)
def resampled(volume, matrix, offset, size):
    """trilinear; padding where one of the eight neighbours is none or padding"""
    nk, nj, ni = volume.shape
    out = np.full((size[2], size[1], size[0]), PADDING, np.int16)
    for k in range(size[2]):
        for j in range(size[1]):
            for i in range(size[0]):
                x = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + offset[0]
                y = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + offset[1]
                z = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + offset[2]
                if x < 0 or y < 0 or z < 0 or x > ni - 1 or y > nj - 1 or z > nk - 1:
                    continue
                a, b, c = min(int(x), ni - 2), min(int(y), nj - 2), min(int(z), nk - 2)
                if a < 0 or b < 0 or c < 0:
                    continue
                u, v, w = x - a, y - b, z - c
                total, bad = 0.0, False
                for dz in range(2):
                    for dy in range(2):
                        for dx in range(2):
                            value = volume[c + dz, b + dy, a + dx]
                            weight = (u if dx else 1 - u) * (v if dy else 1 - v) * (w if dz else 1 - w)
                            if value < LOWEST and weight > 0:
                                bad = True
                            total += weight * value
                if not bad:
                    out[k, j, i] = int(np.round(total))
    return out


def onto(volume, to_lps, target, size):
    change = np.linalg.inv(to_lps) @ target
    return resampled(volume, change[:3, :3].copy(), change[:3, 3].copy(), np.array(size))


def corners(volume, to_lps):
    n = np.array(volume.shape[::-1]) - 1
    index = np.array([[i, j, k, 1] for i in (0, n[0]) for j in (0, n[1]) for k in (0, n[2])])
    return (index @ to_lps.T)[:, :3]


def spine_box(volume, to_lps, truth):
    """the field, cut to 110 mm beside, 110 mm in front of and 80 mm behind the bodies: what a turned copy must hold"""
    box = corners(volume, to_lps)
    low, high = box.min(0), box.max(0)
    if truth:
        c = np.array([v["centroid_lps_mm"] for v in truth])
        low[:2], high[:2] = np.maximum(low[:2], c.min(0)[:2] - 110), np.minimum(high[:2], c.max(0)[:2] + [110, 80])
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def moved(truth, move):
    return [{**v, "centroid_lps_mm": move(np.array([v["centroid_lps_mm"]], float))[0].tolist()} for v in truth]


def rotation(axis, degrees):
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    m = np.eye(3)
    p, q = [(1, 2), (0, 2), (0, 1)][axis]
    m[p, p], m[q, q], m[p, q], m[q, p] = c, c, -s, s
    return m


def turned(volume, to_lps, truth, axis, degrees):
    """the patient rotated about an LPS axis; sampled on an axis-aligned grid as wide as before"""
    if volume.shape[0] < 2:
        return None
    m, pivot = rotation(axis, degrees), corners(volume, to_lps).mean(0)
    if truth:
        pivot = np.mean([v["centroid_lps_mm"] for v in truth], axis=0)
    rigid = np.eye(4)
    rigid[:3, :3], rigid[:3, 3] = m, pivot - m @ pivot
    spine = (spine_box(volume, to_lps, truth) - pivot) @ m.T + pivot
    box = corners(volume, to_lps)
    low, high = np.minimum(box.min(0), spine.min(0)), np.maximum(box.max(0), spine.max(0))
    if axis != 2:
        low[2], high[2] = spine[:, 2].min(), spine[:, 2].max()
    steps = np.linalg.norm(to_lps[:3, :3], axis=0)
    along = [int(np.abs(to_lps[a, :3]).argmax()) for a in range(3)]
    target = np.eye(4)
    target[:3, :3], target[:3, 3] = np.diag(steps[along]), low
    size = (np.floor((high - low) / steps[along]) + 1).astype(int)
    copy = onto(volume, rigid @ to_lps, target, size)
    return copy, target, moved(truth, lambda p: (p - pivot) @ m.T + pivot)


def scoliotic(volume, to_lps, truth, cobb):
    """a sideways bow of one half wave over the field whose ends lean by cobb / 2 degrees; sheared, not rotated"""
    box = corners(volume, to_lps)
    low, high = box[:, 2].min(), box[:, 2].max()
    length = max(high - low, 1.0)
    height = np.tan(np.radians(cobb / 2)) * length / np.pi
    shift = lambda z: height * np.sin(np.pi * (z - low) / length)
    if np.abs(to_lps[2, :2]).max() > 1e-6 or np.abs(to_lps[:2, 2]).max() > 1e-6:
        return None
    copy = np.empty_like(volume)
    step = to_lps[0, 0]
    for k in range(len(volume)):
        z = to_lps[2, 2] * k + to_lps[2, 3]
        one = np.ascontiguousarray(volume[k:k + 1].repeat(2, 0))
        matrix, offset = np.eye(3), np.array([-shift(z) / step, 0.0, 0.0])
        matrix[2, 2] = 0.0
        copy[k] = resampled(one, matrix, offset, np.array([volume.shape[2], volume.shape[1], 1]))[0]
    return copy, to_lps, moved(truth, lambda p: p + np.array([1.0, 0, 0]) * shift(p[:, 2:]))


# ---------------------------------------------------------------- cutting
def cut_to(volume, to_lps, truth, low, high):
    """the part between two LPS corners (None: unbounded) of a volume whose axes are nearly those of LPS"""
    along = [int(np.abs(to_lps[a, :3]).argmax()) for a in range(3)]
    first, last = [0, 0, 0], list(volume.shape[::-1])
    for axis, index in enumerate(along):
        centres = to_lps[axis, 3] + to_lps[axis, index] * np.arange(last[index])
        keep = np.ones(len(centres), bool)
        if low[axis] is not None:
            keep &= centres >= low[axis]
        if high[axis] is not None:
            keep &= centres <= high[axis]
        if keep.sum() < 2:
            return None
        inside = np.flatnonzero(keep)
        first[index], last[index] = inside[0], inside[-1] + 1
    copy = volume[first[2]:last[2], first[1]:last[1], first[0]:last[0]]
    target = to_lps.copy()
    target[:3, 3] += to_lps[:3, :3] @ first
    return np.ascontiguousarray(copy), target, truth


def body_heights(truth):
    """height of each body along z, mm: 0.8 of the distance to its neighbours"""
    z = np.array([v["centroid_lps_mm"][2] for v in truth])
    return [0.8 * np.min(np.abs(z - z[n])[np.arange(len(z)) != n]) if len(z) > 1 else 26.0 for n in range(len(z))]


def window(volume, to_lps, truth, low, high):
    """the slices between two z; a body that is cut has its centre in the middle of what is left"""
    kept = []
    for v, height in zip(truth, body_heights(truth)):
        z = v["centroid_lps_mm"][2]
        height *= v["fraction_in_view"]
        a, b = max(low, z - height / 2), min(high, z + height / 2)
        if b <= a:
            continue
        part = (b - a) / height
        kept.append({**v, "centroid_lps_mm": [*v["centroid_lps_mm"][:2], (a + b) / 2], "fraction_in_view": v["fraction_in_view"] * part})
    return cut_to(volume, to_lps, kept, (None, None, low), (None, None, high))


def windows(volume, to_lps, truth, length, places):
    if not truth:
        return []
    box = corners(volume, to_lps)
    low, high = box[:, 2].min(), box[:, 2].max()
    if high - low < length + 20:
        return []
    return [window(volume, to_lps, truth, a, a + length) for a in np.linspace(low, high - length, places)]


def in_plane(volume, to_lps, truth, off_centre):
    if not truth:
        return None
    c = np.array([v["centroid_lps_mm"] for v in truth])
    low, high = c.min(0), c.max(0)
    return cut_to(volume, to_lps, truth, (low[0] - 40 + off_centre, low[1] - 40, None), (high[0] + 40 + off_centre, high[1] + 55, None))


def without_spine(volume, to_lps, truth, where):
    if not truth:
        return None
    c = np.array([v["centroid_lps_mm"] for v in truth])
    low, high, z = c.min(0), c.max(0), corners(volume, to_lps)[:, 2]
    none = (None, None, None)
    if where == "front":
        cut = cut_to(volume, to_lps, [], none, (None, low[1] - 35, None))
    elif where == "left":
        cut = cut_to(volume, to_lps, [], (high[0] + 50, None, None), none)
    elif where == "right":
        cut = cut_to(volume, to_lps, [], none, (low[0] - 50, None, None))
    else:
        sacral = [v for v in truth if v.get("level") == "S1"]
        if not sacral or sacral[0]["centroid_lps_mm"][2] - 115 - z.min() < 25:
            return None
        cut = cut_to(volume, to_lps, [], none, (None, None, sacral[0]["centroid_lps_mm"][2] - 115))
    return cut if cut and min(cut[0].shape) > 8 else None


# ---------------------------------------------------------------- grey values
def thick(volume, to_lps, truth):
    step = np.linalg.norm(to_lps[:3, 2])
    n = int(round(5.5 / step))
    if n < 2 or len(volume) < 3 * n:
        return None
    whole = volume[:len(volume) // n * n].reshape(-1, n, *volume.shape[1:])
    bad = (whole < LOWEST).any(1)
    copy = np.where(bad, PADDING, np.round(whole.mean(1))).astype(np.int16)
    target = to_lps.copy()
    target[:3, 3] += to_lps[:3, 2] * (n - 1) / 2
    target[:3, 2] *= n
    return copy, target, truth


def noisy(volume, to_lps, truth, sd, smooth, seed):
    random = np.random.default_rng(seed)
    noise = random.standard_normal(volume.shape, np.float32)
    if smooth:
        noise = ndi.gaussian_filter(noise, (0, 1.5, 1.5))
        noise /= noise.std()
    copy = np.where(volume < LOWEST, volume, np.clip(np.round(volume + sd * noise), -1024, 4000)).astype(np.int16)
    return copy, to_lps, truth


def dark_marrow(volume, to_lps, truth, less):
    """the cores of the bodies made darker, soft towards cortex and endplates"""
    if not truth:
        return None
    copy = volume.astype(np.float32)
    inverse = np.linalg.inv(to_lps)
    for v, height in zip(truth, body_heights(truth)):
        half = np.array([0.55, 0.42, 0.36]) * height
        c = np.array(v["centroid_lps_mm"])
        box = np.array([[*(c + half * [a, b, d] * 2), 1] for a in (-1, 1) for b in (-1, 1) for d in (-1, 1)]) @ inverse.T
        first = np.maximum(np.floor(box.min(0)[:3]).astype(int), 0)
        last = np.minimum(np.ceil(box.max(0)[:3]).astype(int) + 1, volume.shape[::-1])
        if (last <= first).any():
            continue
        k, j, i = np.mgrid[first[2]:last[2], first[1]:last[1], first[0]:last[0]]
        p = np.stack([i, j, k], -1) @ to_lps[:3, :3].T + to_lps[:3, 3]
        r = np.linalg.norm((p - c) / half, axis=-1)
        copy[first[2]:last[2], first[1]:last[1], first[0]:last[0]] -= less * np.clip((1.25 - r) / 0.5, 0, 1)
    copy = np.where(volume < LOWEST, volume, np.maximum(np.round(copy), -1024)).astype(np.int16)
    return copy, to_lps, truth


def myelographic(volume, to_lps, truth):
    """the soft content of a 12 mm wide tube behind the bodies raised by 350 HU, as by contrast medium in the sac"""
    if not truth or not all(v.get("fraction_in_view") for v in truth):
        return None
    c = np.array(sorted(v["centroid_lps_mm"] for v in truth))
    c = c[np.argsort(c[:, 2])]
    copy = volume.copy()
    for k in range(len(volume)):
        z = to_lps[2, 3] + to_lps[2, 2] * k
        x, y = np.interp(z, c[:, 2], c[:, 0]), np.interp(z, c[:, 2], c[:, 1]) + 24
        i, j = (x - to_lps[0, 3]) / to_lps[0, 0], (y - to_lps[1, 3]) / to_lps[1, 1]
        jj, ii = np.mgrid[:volume.shape[1], :volume.shape[2]]
        near = np.hypot((ii - i) * to_lps[0, 0], (jj - j) * to_lps[1, 1]) < 9
        soft = near & (volume[k] > -50) & (volume[k] < 120)
        copy[k][soft] += 350
    return copy, to_lps, truth


# ---------------------------------------------------------------- storage
def stored(volume, to_lps, truth, order, flips):
    """the same patient, the grid stored with other axes: order of (i, j, k) and which run backwards"""
    axes = [2 - a for a in order][::-1]
    copy = volume.transpose(axes)
    target = np.eye(4)
    target[:3, :3] = to_lps[:3, list(order)]
    target[:3, 3] = to_lps[:3, 3]
    for axis, flip in enumerate(flips):
        if flip:
            n = copy.shape[2 - axis]
            target[:3, 3] += target[:3, axis] * (n - 1)
            target[:3, axis] *= -1
            copy = np.flip(copy, 2 - axis)
    return np.ascontiguousarray(copy), target, truth


def one(function, *arguments):
    return lambda name, *series: [function(*series, *arguments)]


CLASSES = {
    "plain": one(lambda v, a, t: (v, a, t)),
    "reversed": one(stored, (0, 1, 2), (False, False, True)),
    "turn +15": one(turned, 2, 15), "turn -15": one(turned, 2, -15),
    "turn +30": one(turned, 2, 30), "turn -30": one(turned, 2, -30),
    "turn +45": one(turned, 2, 45), "turn -45": one(turned, 2, -45),
    "sagittal +20": one(turned, 0, 20), "sagittal -20": one(turned, 0, -20),
    "coronal +20": one(turned, 1, 20), "coronal -20": one(turned, 1, -20),
    "scoliosis 40": one(scoliotic, 40.0), "scoliosis -40": one(scoliotic, -40.0),
    "window 60": lambda name, *s: windows(*s, 60, 4),
    "window 90": lambda name, *s: windows(*s, 90, 3),
    "crop": one(in_plane, 0), "crop 25 off": one(in_plane, 25), "crop -25 off": one(in_plane, -25),
    "thick": one(thick),
    "marrow -100": one(dark_marrow, 100), "marrow -200": one(dark_marrow, 200),
    "noise 30": one(noisy, 30, False, 1), "noise 60": one(noisy, 60, False, 2), "noise smooth 40": one(noisy, 40, True, 3),
    "prone": one(stored, (0, 1, 2), (True, True, False)),
    "decubitus": one(stored, (1, 0, 2), (True, False, False)),
    "feet first": one(stored, (0, 1, 2), (True, False, True)),
    "sagittal stack": one(stored, (1, 2, 0), (False, True, False)),
    "coronal stack": one(stored, (0, 2, 1), (False, True, False)),
    "myelography": one(myelographic),
    "no spine": lambda name, *s: [without_spine(*s, w) for w in ("front", "left", "right", "below")],
}


# ---------------------------------------------------------------- running
def write(folder, name, volume, to_lps):
    volume.astype("<i2").tofile(folder / f"{name}.raw")
    meta = {"size": list(volume.shape[::-1]), "origin": to_lps[:3, 3].tolist()}
    meta |= {f"step_{axis}": to_lps[:3, n].tolist() for n, axis in enumerate("ijk")}
    (folder / f"{name}.json").write_text(json.dumps(meta))


def copies_of(label, folder, series):
    """writes the copies of one class unless they are there; their truth by name"""
    index = folder / "truth.index"
    if index.exists():
        return json.loads(index.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    truths = {}
    for name, volume, to_lps, truth in series():
        for n, copy in enumerate(CLASSES[label](name, volume, to_lps, truth)):
            if copy is None:
                continue
            write(folder, f"{name}.{n}", *copy[:2])
            truths[f"{name}.{n}"] = copy[2]
    index.write_text(json.dumps(truths))
    return truths


def run_ours(binary, folder, names, extra):
    run = subprocess.run([binary, *extra, *[str(folder / f"{n}.json") for n in names]], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{binary} failed: {run.stderr.strip().splitlines()[-3:]}")
    return {n: json.loads(line) for n, line in zip(names, run.stdout.splitlines())}


def prototype_of(script):
    spec = importlib.util.spec_from_file_location("prototype", script)
    module = importlib.util.module_from_spec(spec)
    # numba looks for compiled functions under the module's name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_prototype(module, folder, names):
    out = {}
    for name in names:
        volume, to_lps = read_dump(folder / f"{name}.json")
        try:
            out[name] = [v["centroid_lps_mm"] for v in module.detect(volume.astype(np.float32), to_lps)[1]]
        except ImportError:
            raise
        except Exception as problem:  # the prototype stops at odd volumes; that is its answer
            print(f"prototype on {name}: {problem}", file=sys.stderr)
            out[name] = []
    return out


def total(truths, found):
    """(bodies, found, false, most false in one scan, errors mm, scans with a miss or a false one)"""
    bodies = hits = false = worst = 0
    errors, bad = [], []
    for name, truth in truths.items():
        b, f, x, e, missed = compare(truth, found[name])
        bodies, hits, false, worst = bodies + b, hits + f, false + x, max(worst, x)
        errors += e
        if x or f < b:
            bad.append(f"{name}: {f}/{b}, {x} false, missed {' '.join(map(str, missed))}")
    return bodies, hits, false, worst, errors, bad


def confidence_rows(truths, ours):
    """(confidence, right, level of the truth) of every vertebra; those near a cut body are left out"""
    for name, truth in truths.items():
        centres = np.array([v["centroid_lps_mm"] for v in truth], float).reshape(-1, 3)
        cut = np.array([v["fraction_in_view"] < 0.5 for v in truth], bool)
        for v in ours[name]["vertebrae"]:
            distance = np.linalg.norm(centres - np.array(v["body_centroid_lps_mm"]), axis=1) if len(centres) else np.array([])
            if len(distance) and distance.min() <= 10:
                yield v["confidence"], True
            elif not (len(distance) and cut.any() and distance[cut].min() <= 20):
                yield v["confidence"], False


def sensitivity(options, classes):
    """a row for each parameter of the search: bodies found and false ones with it a fifth lower and a quarter higher"""
    def counted(extra):
        sums = np.zeros(3, int)
        for folder, truths in classes:
            names = sorted(truths)
            ours = run_ours(options.binary, folder, names, extra)
            bodies, hits, false, *_ = total(truths, {n: [v["body_centroid_lps_mm"] for v in ours[n]["vertebrae"]] for n in names})
            sums += [bodies, hits, false]
        return sums

    defaults = json.loads(subprocess.run([options.binary, "--parameters"], capture_output=True, text=True, check=True).stdout)
    bodies, hits, false = counted([])
    print(f"{bodies} bodies in {', '.join(options.classes)}; as it stands {hits} found, {false} false.\n")
    print("| parameter | value | a fifth lower: found, false | a quarter higher: found, false |\n|---|---|---|---|", flush=True)
    for name, value in defaults.items():
        row = [f"`{name}`", f"{value:g}"]
        for factor in (0.8, 1.25):
            _, hits, false = counted(["--set", f"{name}={value * factor!r}"])
            row.append(f"{hits}, {false}")
        print("| " + " | ".join(row) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--binary", default="target/debug/examples/anatomy_trial")
    parser.add_argument("--dumps", type=Path)
    parser.add_argument("--prototype")
    parser.add_argument("--classes", nargs="+", default=list(CLASSES), help=f"of: {', '.join(CLASSES)}")
    parser.add_argument("--series", nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter, handed to the binary")
    parser.add_argument("--sensitivity", action="store_true", help="vary every parameter instead of printing the classes")
    parser.add_argument("--confidence", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    data = os.environ.get("OSTEOFLAG_DATA")
    if not data:
        sys.exit("set OSTEOFLAG_DATA to the folder that holds ct/")
    read = []

    def series():
        if not read:
            read.extend(series_with_truth(data, options.dumps, options.series))
        return read

    if options.sensitivity:
        folders = [options.cache / label.replace(" ", "_") for label in options.classes]
        sensitivity(options, [(folder, copies_of(label, folder, series)) for label, folder in zip(options.classes, folders, strict=True)])
        return
    # Not beside the prototype, which may lie in a folder that is only read.
    nb.config.CACHE_DIR = str(options.cache / "numba")
    module = prototype_of(options.prototype) if options.prototype else None
    header = ["class", "scans", "bodies", "found", "false", "most in one scan", "median mm", "max mm"]
    header += ["prototype found", "prototype false", "most in one scan"] if module else []
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header), flush=True)
    extra = [word for value in options.set for word in ("--set", value)]
    sums, theirs, all_errors, binned, listed = np.zeros(4, int), np.zeros(2, int), [], [], []
    for label in options.classes:
        folder = options.cache / label.replace(" ", "_")
        truths = copies_of(label, folder, series)
        if options.series:
            truths = {n: t for n, t in truths.items() if n.rsplit(".", 1)[0] in options.series}
        names = sorted(truths)
        if not names:
            continue
        ours = run_ours(options.binary, folder, names, extra)
        (options.cache / f"{folder.name}.jsonl").write_text("".join(json.dumps(ours[n] | {"truth": truths[n]}) + "\n" for n in names))
        bodies, hits, false, worst, errors, bad = total(truths, {n: [v["body_centroid_lps_mm"] for v in ours[n]["vertebrae"]] for n in names})
        row = [label, len(names), bodies, hits, false, worst]
        row += [f"{np.median(errors):.1f}", f"{max(errors):.1f}"] if errors else ["", ""]
        listed += [f"{label}: {line}" for line in bad]
        binned += list(confidence_rows(truths, ours))
        sums += [len(names), bodies, hits, false]
        all_errors += errors
        if module:
            stored_file = folder.with_suffix(".prototype.json")
            if not stored_file.exists():
                stored_file.write_text(json.dumps(run_prototype(module, folder, names)))
            _, found, wrong, most, _, _ = total(truths, json.loads(stored_file.read_text()))
            theirs += [found, wrong]
            row += [found, wrong, most]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        if not options.keep:
            shutil.rmtree(folder)
    row = ["**all**", *sums, ""] + ([f"{np.median(all_errors):.1f}", f"{max(all_errors):.1f}"] if all_errors else ["", ""])
    row += [*theirs, ""] if module else []
    print("| " + " | ".join(map(str, row)) + " |")
    if options.confidence:
        print("\n| confidence | vertebrae | right | share right |\n|---|---|---|---|")
        for low in np.arange(0, 1, 0.1):
            within = [right for c, right in binned if low <= c < low + 0.1 or (low > 0.85 and c >= 1.0)]
            if within:
                print(f"| {low:.1f} to {low + 0.1:.1f} | {len(within)} | {sum(within)} | {sum(within) / len(within):.2f} |")
    if options.each:
        print("\n" + "\n".join(listed))


if __name__ == "__main__":
    main()
