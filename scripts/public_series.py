#!/usr/bin/env python3
"""Make a data folder of CT series that come with public Python packages, and that served for nothing else here.

usage: public_series.py ARCHIVES DATA
       OSTEOFLAG_DATA=DATA perturb_anatomy.py CACHE --dumps DATA/dumps --binary BINARY --classes plain --each

ARCHIVES holds the source packages that public_series.json names (the archives of a package index, as they are). DATA gets
`dumps/<series>.json` and `.raw` (int16 HU, what `examples/anatomy_trial.rs` reads) and `ct/<series>/truth/vertebrae.json`.
The truth is the network mask that comes with a series (its part in front of the cord), or centres read by eye from the
discs on curved sagittal pictures without the program's marks (about 3 mm; by no radiologist). Bodies of which less than
half is in view are listed with a share of 0.3. The series keep their own licences and are not part of this project.

Needs numpy and SimpleITK.
"""
import argparse
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

PARTLY = 0.3
# Numbers of the TotalSegmentator task `total`, from S1 up; each body is half in view or more.
CORD = 79
BODIES = {29: "L3", 30: "L2", 31: "L1", 32: "T12", 33: "T11", 34: "T10", 35: "T9", 36: "T8", 37: "T7", 38: "T6", 39: "T5",
          40: "T4", 41: "T3", 42: "T2", 43: "T1", 44: "C7"}
PARTLY_IN_VIEW = {45: "C6"}
# In front of the cord by a posterior wall, beside its middle by half a body, mm.
IN_FRONT_MM, BESIDE_MM = 2, 22


def read(path):
    """image in LPS order, from a file or a folder of slices"""
    if path.is_dir():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        image = reader.Execute()
    else:
        image = sitk.ReadImage(str(path))
    return sitk.DICOMOrient(image, "LPS")


def centres_of_mask(mask):
    """{level: centre of what lies in front of the cord}"""
    labels, spacing = sitk.GetArrayFromImage(mask), mask.GetSpacing()
    centres = {}
    for label, level in {**BODIES, **PARTLY_IN_VIEW}.items():
        places = []
        for k in np.unique(np.nonzero(labels == label)[0]):
            cord_j, cord_i = np.nonzero(labels[k] == CORD)
            if len(cord_j):
                j, i = np.nonzero(labels[k] == label)
                body = (j < cord_j.min() - IN_FRONT_MM / spacing[1]) & (abs(i - cord_i.mean()) < BESIDE_MM / spacing[0])
                places.append(np.c_[i[body], j[body], np.full(body.sum(), k)])
        centre = np.concatenate(places).mean(0)
        centres[level] = mask.TransformContinuousIndexToPhysicalPoint(centre.tolist())
    return centres


def truth_of(series, folder):
    if "mask" in series:
        partly = set(PARTLY_IN_VIEW.values())
        return [(level, centre, PARTLY if level in partly else 1.0)
                for level, centre in centres_of_mask(read(folder / series["mask"])).items()]
    seen = [(None, centre, 1.0) for centre in series["bodies_lps_mm"]]
    return seen + [(None, centre, PARTLY) for centre in series["partly_in_view_lps_mm"]]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("archives", type=Path)
    arguments.add_argument("data", type=Path)
    options = arguments.parse_args()
    all_series = json.loads(Path(__file__).with_name("public_series.json").read_text())
    dumps = options.data / "dumps"
    dumps.mkdir(parents=True, exist_ok=True)
    for name, series in all_series.items():
        with tempfile.TemporaryDirectory() as unpacked:
            with tarfile.open(options.archives / series["archive"]) as archive:
                wanted = [series["image"], series.get("mask", series["image"])]
                members = [m for m in archive.getmembers() if m.name.startswith(tuple(wanted)) and not m.name.endswith("LICENSE")]
                archive.extractall(unpacked, members, filter="data")
            image = read(Path(unpacked) / series["image"])
            truth = truth_of(series, Path(unpacked))
        spacing = image.GetSpacing()
        voxels = np.clip(np.round(sitk.GetArrayFromImage(image)), -32768, 32767).astype("<i2")
        voxels.tofile(dumps / f"{name}.raw")
        steps = {f"step_{axis}": [mm if n == at else 0.0 for n in range(3)] for at, (axis, mm) in enumerate(zip("ijk", spacing))}
        (dumps / f"{name}.json").write_text(json.dumps({"size": image.GetSize(), "origin": image.GetOrigin(), **steps}))
        folder = options.data / "ct" / name / "truth"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vertebrae.json").write_text(json.dumps({"vertebrae": [
            {"level": level, "level_anchor_in_view": False, "centroid_lps_mm": list(centre), "fraction_in_view": share}
            for level, centre, share in truth]}, indent=1))
        print(f"{name}: {image.GetSize()}, {sum(share > PARTLY for *_, share in truth)} bodies ({series['truth']}); {series['about']}")


if __name__ == "__main__":
    main()
