#!/usr/bin/env python3
"""CT anatomy against the mix of scripts/bench_chain.py, and its growth with the number of voxels: ratios in one run.

usage: bench_anatomy.py WORK [--binary target/release/osteoflag] [--examples target/release/examples]
                        [--spacings 3 2 1.75 1.25] [--volumes NAME.json ...] [--rounds 3] [--realtime]

WORK is a folder for what is made once and kept: the volume of the mix (512 x 512 x 300), and for each spacing of slices (mm)
the phantom ct_thoracolumbar over the same 525 mm as a raw volume (1.75 mm: 512 x 512 x 300). --volumes adds raw volumes
(see examples/anatomy_trial). Commands run in turn (A B C, A B C, ...) after a turn that is not counted; anatomy is timed
from the volume in memory to bodies cut out, the mix without its imports. Bodies of the phantoms are compared with their
truth: found means a centre within 10 mm, false one further than 20 mm from every body. --realtime asks for the scheduler's
real-time class, for a machine with other work. Needs numpy, pydicom, and what the mix needs: opencv,
connected-components-3d, edt.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench_chain

LENGTH_MM = 525.0


def make_phantom(binary, work, spacing):
    """the raw volume of the phantom with this spacing, its truth beside it"""
    name = f"thoracolumbar_{spacing:g}mm"
    out = work / f"{name}.json"
    if out.exists():
        return out
    base = work / "ct_thoracolumbar"
    if not base.exists():
        subprocess.run([binary, "phantom", "ct_thoracolumbar", "-o", base, "--quiet"], check=True)
    spec = json.loads((base / "truth.json").read_text())["spec"]
    spec.update(name=name, slice_spacing_mm=spacing, slice_thickness_mm=max(spacing, 2.0), slices=round(LENGTH_MM / spacing))
    (work / f"{name}.spec.json").write_text(json.dumps(spec))
    folder = work / name
    subprocess.run([binary, "phantom", work / f"{name}.spec.json", "-o", folder, "--quiet"], check=True)
    to_raw(folder, out)
    shutil.copy(folder / "truth.json", work / f"{name}.truth.json")
    shutil.rmtree(folder)
    return out


def to_raw(folder, out):
    import numpy as np
    import pydicom
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    row, column = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
    slices.sort(key=lambda s: float(np.cross(row, column) @ np.array(s.ImagePositionPatient, float)))
    place = [np.array(s.ImagePositionPatient, float) for s in slices]
    hu = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    np.rint(hu).astype("<i2").tofile(out.with_suffix(".raw"))
    down, right = (float(x) for x in slices[0].PixelSpacing)
    nk, nj, ni = hu.shape
    out.write_text(json.dumps({
        "kind": "ct", "size": [ni, nj, nk], "origin": list(place[0]), "step_i": list(row * right),
        "step_j": list(column * down), "step_k": list((place[-1] - place[0]) / (nk - 1)),
    }))


def bodies(volume, result):
    """found of all and false bodies, or an empty text without truth"""
    import numpy as np
    path = volume.with_suffix(".truth.json")
    if not path.exists():
        return ""
    truth = [v["centroid_lps_mm"] for v in json.loads(path.read_text())["vertebrae"]]
    found = [v["body_centroid_lps_mm"] for v in result["vertebrae"]]
    far = np.linalg.norm(np.array(truth)[:, None] - np.array(found).reshape(-1, 3)[None], axis=2)
    hit = int((far.min(axis=1, initial=np.inf) <= 10).sum())
    wrong = int((far.min(axis=0) > 20).sum()) if found else 0
    return f"{hit} of {len(truth)}, {wrong} false"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--binary", default="target/release/osteoflag")
    parser.add_argument("--examples", type=pathlib.Path, default=pathlib.Path("target/release/examples"))
    parser.add_argument("--spacings", type=float, nargs="*", default=[3.0, 2.0, 1.75, 1.25])
    parser.add_argument("--volumes", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--realtime", action="store_true")
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    chain = a.work / "chain.npy"
    if not chain.exists():
        bench_chain.make(chain)
    import numpy as np
    voxels = np.load(chain, mmap_mode="r").size
    volumes = [make_phantom(a.binary, a.work, spacing) for spacing in a.spacings] + a.volumes
    commands = {"mix": [sys.executable, bench_chain.__file__, str(chain), "--rival", "mix"]}
    for volume in volumes:
        commands[volume] = [str(a.examples / "anatomy_trial"), str(volume)]
    results = {name: [] for name in commands}
    for turn in range(a.rounds + 1):
        for name, command in commands.items():
            result = bench_chain.run(command, a.realtime)
            if turn:
                results[name].append(result)
    mix = [r["sum"] for r in results["mix"]]
    print("| volume | slices | share of the mix's voxels | anatomy over mix: minimum, median | the same per voxel | bodies found |")
    print("|---|---|---|---|---|---|")
    for volume in volumes:
        size = json.loads(volume.read_text())["size"]
        share = size[0] * size[1] * size[2] / voxels
        own = [r["seconds"] for r in results[volume]]
        ratios = [pick(own) / pick(mix) for pick in (min, statistics.median)]
        print("| %s | %d | %.2f | %.2f, %.2f | %.2f, %.2f | %s |" % (
            volume.stem, size[2], share, *ratios, *(r / share for r in ratios), bodies(volume, results[volume][0])))
    phantoms = volumes[:len(a.spacings)]
    if len(phantoms) > 1:
        first, last = (min(r["seconds"] for r in results[v]) for v in (phantoms[0], phantoms[-1]))
        grown = (a.spacings[0] / a.spacings[-1], last / first)
        print("\nfrom %g to %g mm: voxels times %.2f, time times %.2f (minima)" % (a.spacings[0], a.spacings[-1], *grown))


if __name__ == "__main__":
    main()
