#!/usr/bin/env python3
"""Find the vertebrae in further perturbed copies: size, kernel, density, field, small boxes, gantry, surgery, cement, collapse.

usage: perturb_further.py CACHE [what perturb_anatomy.py takes]

These classes came after the search was made with those of perturb_anatomy.py, whose arguments, counts and tables they share.
Surgery is painted: soft tissue for arches taken off, 3071 HU for screws and rods with radial streaks, 1700 HU for
cement, marrow for a fused disc. A copy is not a new patient, and a painted screw is no screw.
"""
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

sys.path.insert(0, str(Path(__file__).parent))
import perturb_anatomy as first  # noqa: E402
from perturb_anatomy import LOWEST, one  # noqa: E402

LUMBAR_HEIGHT_MM = 26.0   # of the body all painted lengths are for


def as_hu(values, volume, highest=4000):
    return np.where(volume < LOWEST, volume, np.clip(np.round(values), -1024, highest)).astype(np.int16)


# ---------------------------------------------------------------- the patient, the scanner
def mirrored(volume, to_lps, truth):
    """left and right exchanged: a patient with situs inversus; grid axes keep their direction"""
    box = first.corners(volume, to_lps)
    both = box[:, 0].min() + box[:, 0].max()
    axis = int(np.abs(to_lps[0, :3]).argmax())
    target = np.diag([-1.0, 1, 1, 1]) @ to_lps
    target[0, 3] += both
    target[:3, 3] += target[:3, axis] * (volume.shape[2 - axis] - 1)
    target[:3, axis] *= -1
    copy = np.ascontiguousarray(np.flip(volume, 2 - axis))
    return copy, target, first.moved(truth, lambda p: p * [-1, 1, 1] + [both, 0, 0])


def sized(volume, to_lps, truth, factor):
    return volume, np.diag([factor] * 3 + [1.0]) @ to_lps, first.moved(truth, lambda p: p * factor)


def steps_mm(to_lps):
    """voxel steps in the order of the array, (k, j, i)"""
    return np.linalg.norm(to_lps[:3, :3], axis=0)[::-1]


def sharp(volume, to_lps, truth):
    """edges that overshoot within the slices, and noise of 40 HU: a bone kernel"""
    steps = steps_mm(to_lps)
    across = int(steps.argmax()) if steps.max() > 1.2 * steps.min() else 0
    hu = np.maximum(volume, -1024).astype(np.float32)
    blurred = ndi.gaussian_filter(hu, [0 if n == across else 0.9 / s for n, s in enumerate(steps)])
    return first.noisy(as_hu(hu + 1.2 * (hu - blurred), volume), to_lps, truth, 40, False, 7)


def smooth(volume, to_lps, truth):
    hu = np.maximum(volume, -1024).astype(np.float32)
    return as_hu(ndi.gaussian_filter(hu, 1.3 / steps_mm(to_lps)), volume), to_lps, truth


def bone_density(volume, to_lps, truth, factor):
    """all that is denser than muscle, cortex as well as marrow"""
    return as_hu(np.where(volume > 60, 60 + (volume - 60) * factor, volume), volume), to_lps, truth


def beside(volume, to_lps, truth, side):
    """a field that ends 30 mm beside the spine on one side"""
    if not truth:
        return None
    x = [v["centroid_lps_mm"][0] for v in truth]
    all_of_it = (None, None, None)
    if side == "left":
        return first.cut_to(volume, to_lps, truth, (min(x) - 30, None, None), all_of_it)
    return first.cut_to(volume, to_lps, truth, all_of_it, (max(x) + 30, None, None))


def end_of_field(volume, to_lps, truth, end):
    """150 mm at the lower or upper end, 80 mm wide, as a spine is reconstructed"""
    z = first.corners(volume, to_lps)[:, 2]
    if not truth or z.max() - z.min() < 180:
        return None
    low = z.min() if end == "low" else z.max() - 150
    copy = first.window(volume, to_lps, truth, low, low + 150)
    return copy and first.in_plane(*copy, -10 if end == "low" else 10)


def boxes(volume, to_lps, truth, length):
    """small fields about the spine, 80 mm wide where it is straight, at five places; off the middle by -15, 0 and 15 mm in turn"""
    cut = [c for c in first.windows(volume, to_lps, truth, length, 5) if c]
    return [first.in_plane(*copy, 15 * (n % 3 - 1)) for n, copy in enumerate(cut)]


def gantry(volume, to_lps, truth, degrees):
    """slices that lean about the left-right axis, moved along z from one to the next"""
    steps = np.linalg.norm(to_lps[:3, :3], axis=0)
    if volume.shape[0] < 2 or abs(to_lps[2, 2]) < 0.9 * steps[2]:
        return None
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    box = first.corners(volume, to_lps)
    low, extent = box.min(0), np.ptp(box, axis=0)
    rise = extent[1] * s / c
    target = np.eye(4)
    target[:3, 0], target[:3, 1], target[:3, 2] = [steps[0], 0, 0], [0, steps[1] * c, steps[1] * s], [0, 0, steps[2]]
    target[:3, 3] = low - [0, 0, max(rise, 0)]
    size = [volume.shape[2], int(extent[1] / (steps[1] * c)) + 1, int((extent[2] + abs(rise)) / steps[2]) + 1]
    return first.onto(volume, to_lps, target, size), target, truth


def turned_thick_noisy(volume, to_lps, truth, degrees):
    turned = first.turned(volume, to_lps, truth, 2, degrees)
    return turned and first.noisy(*(first.thick(*turned) or turned), 30, False, 11)


# ---------------------------------------------------------------- surgery and fractures
def middle_bodies(truth, count):
    """(centre, height mm) of the bodies whole in view nearest to the middle of them, from feet to head"""
    heights = first.body_heights(truth)
    whole = [(np.array(v["centroid_lps_mm"]), h) for v, h in zip(truth, heights) if (v["fraction_in_view"] or 0) >= 0.9]
    whole.sort(key=lambda body: body[0][2])
    low = max(0, len(whole) // 2 - count // 2)
    return whole[low:low + count]


def scale_of(height):
    return min(max(height / LUMBAR_HEIGHT_MM, 0.6), 1.1)


def places_within(volume, to_lps, low, high):
    """slices of the array that hold a box, and the LPS mm of its voxels; None where the box is out of view"""
    inverse = np.linalg.inv(to_lps)
    box = np.array([[x, y, z, 1] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]) @ inverse.T
    start = np.maximum(np.floor(box.min(0)[:3]).astype(int), 0)
    end = np.minimum(np.ceil(box.max(0)[:3]).astype(int) + 1, volume.shape[::-1])
    if (end <= start).any():
        return None
    part = tuple(slice(start[n], end[n]) for n in (2, 1, 0))
    k, j, i = np.mgrid[part]
    return part, np.stack([i, j, k], -1) @ to_lps[:3, :3].T + to_lps[:3, 3]


def laminectomy(volume, to_lps, truth):
    """three vertebrae without lamina and spinous process"""
    bodies = middle_bodies(truth, 3)
    copy = volume.copy()
    for centre, height in bodies:
        s = scale_of(height)
        within = places_within(volume, to_lps, centre + [-17 * s, 27 * s, -0.65 * height], centre + [17 * s, 75 * s, 0.65 * height])
        if within is None:
            continue
        part, places = within
        x, y, z = np.moveaxis(places - centre, -1, 0)
        arch = (abs(x) < 15 * s) & (y > 28 * s) & (y < 72 * s) & (abs(z) <= 0.62 * height)
        copy[part][arch & (copy[part] > 70)] = 45
    return (copy, to_lps, truth) if bodies else None


def rod(copy, to_lps, a, b, radius):
    part, places = places_within(copy, to_lps, np.minimum(a, b) - radius, np.maximum(a, b) + radius) or (None, None)
    if part is None:
        return
    length = np.linalg.norm(b - a)
    along = (b - a) / length
    off = places - a
    nearest = np.clip(off @ along, 0, length)[..., None] * along
    copy[part][np.linalg.norm(off - nearest, axis=-1) < radius] = 3071


def screws(volume, to_lps, truth):
    """pedicle screws in two neighbours, joined by rods, with streaks"""
    bodies = middle_bodies(truth, 2)
    if len(bodies) < 2:
        return None
    copy = volume.astype(np.float32)
    heads = {1: [], -1: []}
    for centre, height in bodies:
        s = scale_of(height)
        within = places_within(volume, to_lps, centre + np.array([-60, -30, -15]) * s, centre + np.array([60, 70, 15]) * s)
        if within:
            part, places = within
            x, y, z = np.moveaxis(places - centre, -1, 0)
            radius = np.hypot(x, y - 20 * s) + 4
            copy[part] += 250 * np.cos(9 * np.arctan2(y - 20 * s, x)) * np.exp(-radius / 40) * (abs(z - 0.15 * height) < 5)
        for side in (1, -1):
            head = centre + [22 * side * s, 45 * s, 0.15 * height]
            rod(copy, to_lps, head, centre + [8 * side * s, -6 * s, 0.1 * height], 2.7)
            heads[side].append(head)
    for below, above in heads.values():
        rod(copy, to_lps, below - [0, 0, 6], above + [0, 0, 6], 2.9)
    return as_hu(copy, volume, 3071), to_lps, truth


def cement(volume, to_lps, truth):
    """a lobed mass in each of two bodies"""
    bodies = middle_bodies(truth, 2)
    copy = volume.copy()
    for centre, height in bodies:
        within = places_within(volume, to_lps, centre - height, centre + height)
        if within is None:
            continue
        part, places = within
        off = (places - centre) / (np.array([0.5, 0.35, 0.33]) * height)
        lobes = 0.85 + 0.25 * np.cos(3 * np.arctan2(off[..., 1], off[..., 0]) + 2 * off[..., 2])
        copy[part][np.linalg.norm(off, axis=-1) < lobes] = 1700
    return (copy, to_lps, truth) if bodies else None


def collapsed(volume, to_lps, truth):
    """one body at half its height; what lies above comes down with it"""
    axis = int(np.abs(to_lps[2, :3]).argmax())
    bodies = middle_bodies(truth, 1)
    if not bodies or abs(to_lps[2, axis]) < 0.98 * np.linalg.norm(to_lps[2, :3]):
        return None
    centre, height = bodies[0]
    low, tall, lost = centre[2] - 0.45 * height, 0.9 * height, 0.45 * height
    n = volume.shape[2 - axis]
    z = to_lps[2, 3] + to_lps[2, axis] * np.arange(n)
    came_from = np.where(z < low, z, np.where(z < low + tall - lost, low + (z - low) * tall / (tall - lost), z + lost))
    index = (came_from - to_lps[2, 3]) / to_lps[2, axis]
    inside = (index >= 0) & (index <= n - 1)
    index = index[inside]
    below = np.minimum(index.astype(int), n - 2)
    part = (index - below)[:, None, None]
    along = np.moveaxis(volume, 2 - axis, 0).astype(np.float32)
    copy = along[below] * (1 - part) + along[below + 1] * part
    target = to_lps.copy()
    target[:3, 3] += to_lps[:3, axis] * np.flatnonzero(inside)[0]

    def came_down(p):
        z = p[:, 2]
        to = np.where(z < low, z, np.where(z < low + tall, low + (z - low) * (tall - lost) / tall, z - lost))
        return np.column_stack([p[:, :2], to])

    return np.ascontiguousarray(np.moveaxis(np.round(copy).astype(np.int16), 0, 2 - axis)), target, first.moved(truth, came_down)


def fused(volume, to_lps, truth):
    """marrow instead of the disc between two bodies"""
    bodies = middle_bodies(truth, 2)
    if len(bodies) < 2:
        return None
    (below, _), (above, _) = bodies
    height = np.mean([h for _, h in bodies])
    centre, up = (below + above) / 2, (above - below) / np.linalg.norm(above - below)
    copy = volume.astype(np.float32)
    within = places_within(volume, to_lps, centre - height, centre + height)
    if within is None:
        return None
    part, places = within
    z = (places - centre) @ up
    across = places - centre - z[..., None] * up
    r = np.hypot(across[..., 0] / (0.62 * height), across[..., 1] / (0.5 * height))
    share = np.clip((1.05 - r) / 0.15, 0, 1) * np.clip((0.3 * height - abs(z)) / 2, 0, 1)
    marrow = 190 + 25 * np.random.default_rng(3).standard_normal(share.shape)
    copy[part] = copy[part] * (1 - share) + marrow * share
    return as_hu(copy, volume), to_lps, truth


CLASSES = {
    "mirrored": one(mirrored), "size 0.85": one(sized, 0.85), "size 1.15": one(sized, 1.15),
    "sharp": one(sharp), "smooth": one(smooth),
    "bone 0.6": one(bone_density, 0.6), "bone 1.4": one(bone_density, 1.4),
    "half left": one(beside, "left"), "half right": one(beside, "right"),
    "laminectomy": one(laminectomy), "screws": one(screws), "cement": one(cement), "collapsed": one(collapsed), "fused": one(fused),
    "gantry +15": one(gantry, 15), "gantry -15": one(gantry, -15),
    "turn +20 thick noisy": one(turned_thick_noisy, 20), "turn -20 thick noisy": one(turned_thick_noisy, -20),
    "box 50": lambda name, *s: boxes(*s, 50), "box 80": lambda name, *s: boxes(*s, 80),
    "low end tight": one(end_of_field, "low"), "high end tight": one(end_of_field, "high"),
}

if __name__ == "__main__":
    first.CLASSES = CLASSES
    first.main()
