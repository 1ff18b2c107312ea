#!/usr/bin/env python3
"""The reference chain of image kernels against what else does it, and CT anatomy against the same: ratios in one run.

usage: bench_chain.py VOLUME.npy [--make] [--binaries target/release/examples] [--rounds 5] [--rivals mix scipy sitk]
                      [--threshold 200] [--anatomy NAME.json ...] [--realtime]

VOLUME.npy is int16 [k, j, i] at 0.7 x 0.7 x 1.0 mm; with --make it is written first when it is not there (512 x 512 x 300:
a body with lungs, ribs, a column of vertebrae, a pelvis, 600 calcifications and noise; seeded). The chain: clamp to
-200..1200, Gaussian of 1.5 mm cut at 4 standard deviations, > threshold, opening by a 3 x 3 x 3 box, 26-connected
components with size, centroid and box, Euclidean distance in mm inside.

ours   examples/kernel_chain; "all blocks" filters every voxel, also where the surroundings decide the threshold
mix    the fastest free parts: OpenCV for Gaussian and opening, cc3d, edt; two threads
scipy  scipy.ndimage;  sitk: SimpleITK with its discrete Gaussian, two threads

Commands run in turn (A B C, A B C, ...) after a turn that is not counted. Printed as ratios of the minima and of the
medians: "inside" leaves load and imports out, "whole" is the process from start to exit. Digests are compared in a
turn of their own. --anatomy runs examples/anatomy_trial on raw volumes (see there) in the same turns and gives its
seconds over those of the mix, scaled by the number of voxels. --realtime asks for the scheduler's real-time class, for
a machine with other work. Needs numpy, and what the rivals need: scipy, opencv, connected-components-3d, edt, SimpleITK.
"""
import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

SPACING = (1.0, 0.7, 0.7)  # k, j, i, mm
SIGMA_MM, TRUNCATE, LOW, HIGH = 1.5, 4.0, -200, 1200


def make(path, seed=11):
    """a synthetic trunk, slice by slice"""
    import numpy as np
    nk, nj, ni = 300, 512, 512
    rng = np.random.default_rng(seed)
    j, i = np.mgrid[0:nj, 0:ni].astype(np.float32)
    out = np.empty((nk, nj, ni), np.int16)
    grains = rng.uniform((10, 150, 100, 1, 400), (290, 350, 410, 3, 1500), (600, 5))
    for k in range(nk):
        body = ((i - 256) / 215) ** 2 + ((j - 256) / 150) ** 2
        v = np.where(body < 1, -95.0, -1000.0).astype(np.float32)
        v[body < 0.8] = 45
        if k > 120:
            for centre in (160, 352):
                v[((i - centre) / 70) ** 2 + ((j - 225) / 80) ** 2 < 1] = -850
            turn = (np.arctan2(j - 256, i - 256) * 3 + k / 14) % 1.0
            v[(body > 0.75) & (body < 0.85) & (turn < 0.4)] = 600
        vertebra = ((i - 256) / 31) ** 2 + ((j - 335) / 25) ** 2
        if k % 35 < 27:
            v[vertebra < 1] = 600
            v[vertebra < 0.8] = 190
            arch = ((i - 256) / 26) ** 2 + ((j - 380) / 22) ** 2
            v[(arch < 1) & (arch > 0.4)] = 550
        if k < 110:
            for side in (-1, 1):
                wing = ((i - 256 - side * (95 + 0.35 * k)) / 62) ** 2 + ((j - 300) / 72) ** 2
                v[(wing > 0.75) & (wing < 1)] = 350
                hip = ((i - 256 - side * 128) ** 2 + (j - 262) ** 2) * 0.49 + (k - 38) ** 2
                v[hip < 576] = 500
        for ck, cj, ci, radius, value in grains:
            if abs(k - ck) < radius:
                a, b = int(cj) - 6, int(ci) - 6
                box = np.s_[a:a + 13, b:b + 13]
                near = ((i[box] - ci) ** 2 + (j[box] - cj) ** 2) * 0.49 < radius ** 2 - (k - ck) ** 2
                v[box][near] = value
        v += rng.normal(0, 20, (nj, ni)).astype(np.float32)
        out[k] = np.clip(np.rint(v), -1024, 3071)
    np.save(path, out)


def half_kernel(sigma):
    import numpy as np
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def mix(v, threshold, lap):
    import cc3d
    import cv2
    import edt
    import numpy as np
    from concurrent.futures import ThreadPoolExecutor
    cv2.setNumThreads(1)  # slabs of our own on two threads are faster than OpenCV's threads
    pool = ThreadPoolExecutor(2)
    lap(None)
    nk, nj, ni = v.shape
    wk, wj, wi = (half_kernel(SIGMA_MM / s) for s in SPACING)
    between, smooth = np.empty(v.shape, np.float32), np.empty(v.shape, np.float32)

    def in_slice(k):
        plane = np.clip(v[k], LOW, HIGH).astype(np.float32)
        cv2.sepFilter2D(plane, cv2.CV_32F, wi, wj, dst=between[k], borderType=cv2.BORDER_REPLICATE)

    def along_stack(j):
        rows = np.ascontiguousarray(between[:, j:j + 16])
        done = cv2.sepFilter2D(rows.reshape(nk, -1), cv2.CV_32F, np.ones(1, np.float32), wk,
                               borderType=cv2.BORDER_REPLICATE)
        smooth[:, j:j + 16] = done.reshape(rows.shape)

    list(pool.map(in_slice, range(nk)))
    list(pool.map(along_stack, range(0, nj, 16)))
    del between
    mask = (smooth > threshold).view(np.uint8)
    del smooth
    lap("clamp, Gaussian, threshold")
    box = np.ones((3, 3), np.uint8)

    def pass3(a, flat, stack):
        padded, out = np.zeros((nk + 2, nj, ni), np.uint8), np.empty_like(a)
        list(pool.map(lambda k: flat(a[k], box, dst=padded[k + 1], borderType=cv2.BORDER_CONSTANT, borderValue=0),
                      range(nk)))
        list(pool.map(lambda k: stack(stack(padded[k], padded[k + 1]), padded[k + 2], out=out[k]), range(nk)))
        return out

    opened = pass3(pass3(mask, cv2.erode, np.minimum), cv2.dilate, np.maximum)
    lap("opening")
    labels, n = cc3d.connected_components(opened, connectivity=26, return_N=True, binary_image=True)
    sizes = cc3d.statistics(labels)["voxel_counts"][1:]
    del labels
    lap("components, statistics")
    distance = edt.edt(opened, anisotropy=SPACING, black_border=False, parallel=2)
    lap("distance")
    return mask, opened, n, sizes, distance


def scipy(v, threshold, lap):
    import numpy as np
    from scipy import ndimage
    lap(None)
    smooth = np.clip(v, LOW, HIGH).astype(np.float32)
    smooth = ndimage.gaussian_filter(smooth, [SIGMA_MM / s for s in SPACING], truncate=TRUNCATE, mode="nearest")
    mask = smooth > threshold
    del smooth
    lap("clamp, Gaussian, threshold")
    full = np.ones((3, 3, 3), bool)
    opened = ndimage.binary_opening(mask, full)
    lap("opening")
    labels, n = ndimage.label(opened, full)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    ndimage.find_objects(labels)
    ndimage.center_of_mass(opened, labels, np.arange(1, n + 1))
    del labels
    lap("components, statistics")
    distance = ndimage.distance_transform_edt(opened, sampling=SPACING)
    lap("distance")
    return mask, opened, n, sizes, distance


def sitk(v, threshold, lap):
    import SimpleITK as itk
    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
    lap(None)
    image = itk.GetImageFromArray(v)
    image.SetSpacing(SPACING[::-1])
    image = itk.Cast(itk.Clamp(image, itk.sitkInt16, LOW, HIGH), itk.sitkFloat32)
    image = itk.DiscreteGaussian(image, variance=SIGMA_MM ** 2, maximumKernelWidth=21, maximumError=0.0005,
                                 useImageSpacing=True)
    mask = image > threshold
    del image
    lap("clamp, Gaussian, threshold")
    opened = itk.BinaryMorphologicalOpening(mask, (1, 1, 1), itk.sitkBox)
    lap("opening")
    labels = itk.ConnectedComponent(opened, True)
    shape = itk.LabelShapeStatisticsImageFilter()
    shape.Execute(labels)
    sizes = [shape.GetNumberOfPixels(n) for n in shape.GetLabels()]
    lap("components, statistics")
    distance = itk.SignedMaurerDistanceMap(opened, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    lap("distance")
    view = itk.GetArrayViewFromImage
    return view(mask), view(opened), len(sizes), sizes, view(distance)


def rival(name, path, threshold, digests):
    """one run in this process; a line of JSON as examples/kernel_chain prints it"""
    import numpy as np
    v = np.load(path)
    seconds, last = {}, [0.0]

    def lap(step):
        now = time.perf_counter()
        if step:
            seconds[step] = now - last[0]
        last[0] = now

    mask, opened, n, sizes, distance = {"mix": mix, "scipy": scipy, "sitk": sitk}[name](v, threshold, lap)
    seconds["sum"] = sum(seconds.values())
    if digests:
        short = lambda a: hashlib.sha256(np.ascontiguousarray(a)).hexdigest()[:12]
        whole = np.rint(np.maximum(distance, 0).astype(np.float64) ** 2 * 100).astype(np.int32)
        seconds["digests"] = {
            "mask": [int(mask.sum()), short(mask.astype(np.uint8))],
            "opened": [int(opened.sum()), short(opened.astype(np.uint8))],
            "components": [int(n), short(np.sort(np.asarray(sizes, np.int64)))],
            "distances": short(whole),
        }
    print(json.dumps(seconds))


def run(command, realtime):
    """the last line of its output as JSON, with wall and CPU seconds and peak MiB of the process"""
    if realtime:
        command = ["chrt", "-r", "50"] + command
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "2"})
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}")
    result = json.loads(text.splitlines()[-1])
    result.update(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume", type=pathlib.Path)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("target/release/examples"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rivals", nargs="*", default=["mix", "scipy", "sitk"], choices=["mix", "scipy", "sitk"])
    parser.add_argument("--threshold", type=float, default=200)
    parser.add_argument("--anatomy", nargs="*", default=[], type=pathlib.Path)
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--rival", help=argparse.SUPPRESS)
    parser.add_argument("--digests", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.rival:
        return rival(a.rival, a.volume, a.threshold, a.digests)
    if a.make and not a.volume.exists():
        make(a.volume)
    import numpy as np
    voxels = np.load(a.volume, mmap_mode="r").size
    chain = [str(a.binaries / "kernel_chain"), str(a.volume), "--threshold", str(a.threshold)]
    commands = {"ours": chain, "ours, all blocks": chain + ["--all-blocks"], "ours, 1 thread": chain + ["--threads", "1"]}
    for name in a.rivals:
        commands[name] = [sys.executable, __file__, str(a.volume), "--rival", name, "--threshold", str(a.threshold)]
    share = {}
    for path in a.anatomy:
        name = f"anatomy {path.stem}"
        commands[name] = [str(a.binaries / "anatomy_trial"), str(path)]
        size = json.loads(path.read_text())["size"]
        share[name] = size[0] * size[1] * size[2] / voxels
    results = {name: [] for name in commands}
    for turn in range(a.rounds + 1):
        for name, command in commands.items():
            slow = name in ("scipy", "sitk")
            if slow and turn > 1:
                continue  # half a minute each: one run after the uncounted one
            result = run(command, a.realtime)
            if turn or slow:
                results[name].append(result)
    seconds = lambda r: r.get("sum", r.get("seconds"))
    ours = results["ours"]
    print("| | inside: minimum, median over ours | whole: minimum, median over ours | CPU over ours | peak MiB |")
    print("|---|---|---|---|---|")
    for name, runs in results.items():
        if name in share:
            continue
        ratios = []
        for value in (seconds, lambda r: r["wall"]):
            for pick in (min, statistics.median):
                ratios.append(pick(map(value, runs)) / pick(map(value, ours)))
        cpu = statistics.median(r["cpu"] for r in runs) / statistics.median(r["cpu"] for r in ours)
        peak = max(r["peak"] for r in runs)
        print("| %s | %.1f, %.1f | %.1f, %.1f | %.1f | %.0f |" % (name, *ratios, cpu, peak))
    steps = [step for step in ours[0] if step in ("clamp, Gaussian, threshold", "opening", "components, statistics", "distance")]
    for name in a.rivals:
        parts = ["%s %.1f" % (s, min(r[s] for r in results[name]) / min(r[s] for r in ours)) for s in steps]
        print(f"\n{name} over ours by step (minima): " + "; ".join(parts), end="")
    print()
    if share and "mix" in results:
        print("\n| anatomy over the mix | share of its voxels | minimum, median | the same per voxel |\n|---|---|---|---|")
        for name, part in share.items():
            both = [pick(map(seconds, results[name])) / pick(map(seconds, results["mix"])) for pick in (min, statistics.median)]
            print("| %s | %.2f | %.2f, %.2f | %.2f, %.2f |" % (name, part, *both, both[0] / part, both[1] / part))
    digests = {}
    for name in ["ours", "ours, all blocks"] + [r for r in a.rivals if r != "sitk"]:
        d = run(commands[name] + ["--digests"], a.realtime)["digests"]
        # Ours also digests centroids and boxes, and says the greatest distance.
        pick = lambda x, n: x if isinstance(x, str) else x[n]
        digests[name] = (d["mask"], d["opened"], d["components"][:2], pick(d["distances"], -1))
    print("\ndigests of mask, opened mask, sizes and squared distances:", "equal" if len({json.dumps(d) for d in digests.values()}) == 1 else "DIFFERENT")
    for name, d in digests.items():
        print(" ", name, *d)


if __name__ == "__main__":
    main()
