#!/usr/bin/env python3
"""Puts synthetic lesions into real CT and MR series, and counts what a screening run found.

Needs Python 3.10 with: numpy scipy pydicom nibabel, and pylibjpeg pylibjpeg-libjpeg
pylibjpeg-openjpeg pylibjpeg-rle for compressed series.

  insert_lesions.py all OUT [--data DIR] [--seed N] [--only NAME ...]
      One lesioned copy of every series in SERIES below. DIR is laid out like the development
      data (default: the environment variable OSTEOFLAG_DATA).
  insert_lesions.py insert SERIES OUT --truth vertebrae.json [--kinds ...] [--seed N]
      The same for one folder of DICOM slices, or one NIfTI file (--modality, --role).
  insert_lesions.py from-nifti IMAGE.nii.gz OUT --modality CT|MR [--role t1|t2|stir|gre]
      A NIfTI volume as a DICOM series, unchanged (MR floats are scaled to 12 bits).
  insert_lesions.py report RESULTS MADE
      Compares RESULTS/<study>/findings.json of `osteoflag screen` with MADE/*/truth.json and
      prints a Markdown table: found, missed, false by kind, contrast and size.
      (`--report RESULTS MADE` means the same.)

What is put in, half of the bodies (seeded) staying untouched:
  sclerotic               irregular blob, HU added: contrast drawn uniformly from 40 to 500 HU
  posterior_wall_breach   soft or bony bulge of 2 to 7 mm into the canal, wall opened 4 to 14 mm
  t1_replacement          marrow signal times 0.35 to 0.80, blob or whole body
Margins are blurred by the scan's own resolution (in plane: from the steepest edges of the scan;
through plane: the slice thickness). Local noise stays: CT lesions are added, or keep noise
borrowed from an even patch of soft tissue of the same slices; MR keeps the residual of a
smoothing. Everything drawn is printed and stands in truth.json.
"""
import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

# name of the copy: (series below the data folder, truth, modality, role, kinds)
CT_KINDS = ("sclerotic", "posterior_wall_breach")
SERIES = {
    "crlm_contrast_abdomen_5mm": ("ct/crlm_contrast_abdomen_5mm/dicom", "ct/crlm_contrast_abdomen_5mm", "CT", None, CT_KINDS),
    "acrin_breast_lowdose_abdomen_pelvis_5mm": ("ct/acrin_breast_lowdose_abdomen_pelvis_5mm/dicom", "ct/acrin_breast_lowdose_abdomen_pelvis_5mm", "CT", None, CT_KINDS),
    "cmb_crc_chest_lung_kernel": ("ct/cmb_crc_chest_lung_kernel/dicom", "ct/cmb_crc_chest_lung_kernel", "CT", None, CT_KINDS),
    "ibsi_lung_tumour_chest_crop_3mm": ("ct/ibsi_lung_tumour_chest_crop_3mm/dicom", "ct/ibsi_lung_tumour_chest_crop_3mm", "CT", None, CT_KINDS),
    "nsclc_whole_chest_3mm": ("ct/nsclc_whole_chest_3mm/dicom", "ct/nsclc_whole_chest_3mm", "CT", None, CT_KINDS),
    "totalsegmentator_abdomen_pelvis_3mm": ("ct/totalsegmentator_abdomen_pelvis_3mm/ct.nii.gz", "ct/totalsegmentator_abdomen_pelvis_3mm", "CT", None, CT_KINDS),
    "rsna_lumbar_sag_t1": ("mr/rsna_lumbar/sag_t1", "mr/rsna_lumbar", "MR", "t1", ("t1_replacement",)),
    "vb_healthy_t1": ("mr/vb_healthy_t1/image.nii.gz", "mr/vb_healthy_t1", "MR", "t1", ("t1_replacement",)),
}
FEATURE = {
    "sclerotic": "sclerotic_density",
    "posterior_wall_breach": "posterior_wall_disruption",
    "t1_replacement": "t1_marrow_signal_drop",
}
# Bodies less in view than this get no lesion.
MIN_FRACTION_IN_VIEW = 0.9
# A finding belongs to a lesion when its centroid lies within the lesion's radius plus this, mm.
HIT_MARGIN_MM = 7.0
# A lesion belongs to the vertebra whose centre is nearest, if it is at most this far.
VERTEBRA_MM = 30.0


class Series:
    """A stack: `voxels[k, j, i]`, `affine` 4x4 (i, j, k) -> LPS mm, one dataset per slice."""

    def __init__(self, voxels, affine, slices):
        self.voxels, self.affine, self.slices = voxels, affine, slices
        self.spacing = np.linalg.norm(affine[:3, :3], axis=0)

    def to_index(self, lps):
        """LPS mm [..., 3] -> continuous (i, j, k)."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(lps) @ inverse[:3, :3].T + inverse[:3, 3]

    def sample(self, lps, order=1):
        ijk = self.to_index(lps)
        return ndimage.map_coordinates(self.voxels, np.moveaxis(ijk[..., ::-1], -1, 0), order=order, mode="nearest")

    def places(self, box):
        """LPS mm of all voxel centres in a box of slices (k, j, i)."""
        k, j, i = np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij")
        return np.stack([i, j, k], -1) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def box(self, centre, reach_mm):
        """Slices (k, j, i) of the voxels within `reach_mm` along each axis."""
        middle = self.to_index(centre)
        out = []
        for axis in (2, 1, 0):
            half = reach_mm / self.spacing[axis]
            size = self.voxels.shape[2 - axis]
            out.append(slice(max(0, int(np.floor(middle[axis] - half))), min(size, int(np.ceil(middle[axis] + half)) + 1)))
        return tuple(out)


def uid(*parts):
    """A UID under 2.25 from text."""
    digest = bytearray(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(digest, 'big')}"


def read_dicom(folder):
    """The largest stack of equal orientation and size below a folder, in stack order."""
    groups = {}
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        try:
            ds = pydicom.dcmread(path, force=True)
            key = (str(ds.get("SeriesInstanceUID", "")), ds.Rows, ds.Columns, tuple(round(float(x), 2) for x in ds.ImageOrientationPatient))
            _ = ds.ImagePositionPatient, ds.PixelData
        except (AttributeError, pydicom.errors.InvalidDicomError, TypeError):
            continue
        groups.setdefault(key, []).append(ds)
    if not groups:
        sys.exit(f"{folder}: no DICOM images")
    slices = max(groups.values(), key=len)
    row, column = np.array([float(x) for x in slices[0].ImageOrientationPatient]).reshape(2, 3)
    normal = np.cross(row, column)
    slices.sort(key=lambda ds: float(normal @ [float(x) for x in ds.ImagePositionPatient]))
    position = np.array([[float(x) for x in ds.ImagePositionPatient] for ds in slices])
    volume = []
    for ds in slices:
        stored = ds.pixel_array.astype(np.float32)
        volume.append(stored * float(ds.get("RescaleSlope", 1) or 1) + float(ds.get("RescaleIntercept", 0) or 0))
    spacing = [float(x) for x in slices[0].PixelSpacing]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = row * spacing[1], column * spacing[0], position[0]
    affine[:3, 2] = (position[-1] - position[0]) / max(1, len(slices) - 1) if len(slices) > 1 else normal
    return Series(np.stack(volume), affine, slices)


def read_nifti(path, modality, role, name):
    """A NIfTI volume as a stack of newly made datasets: CT axial, MR sagittal (or along its widest spacing)."""
    import nibabel

    image = nibabel.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32).squeeze()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # RAS to LPS
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.max() > 1.5 * np.median(spacing):
        stack = int(spacing.argmax())
    else:
        stack = int(np.abs(affine[2 if modality == "CT" else 0, :3] / spacing).argmax())
    direction = affine[:3, :3] / spacing
    world = int(np.abs(direction[:, stack]).argmax())
    # Wanted directions of rows, columns and stack: axial, sagittal, coronal.
    wanted = {2: ([1, 0, 0], [0, 1, 0], [0, 0, 1]), 0: ([0, 1, 0], [0, 0, -1], [-1, 0, 0]), 1: ([1, 0, 0], [0, 0, -1], [0, 1, 0])}[world]
    rest = [axis for axis in range(3) if axis != stack]
    if abs(direction[:, rest[0]] @ wanted[0]) < abs(direction[:, rest[1]] @ wanted[0]):
        rest.reverse()
    order = [*rest, stack]
    data, affine = data.transpose(order), affine[:, [*order, 3]]
    for axis in range(3):
        if affine[:3, axis] @ wanted[axis] < 0:
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
            data = np.flip(data, axis)
    voxels = np.ascontiguousarray(data.transpose(2, 1, 0))
    if modality == "CT":
        voxels = np.clip(voxels, -1024, 32767)
    else:
        whole = voxels.min() >= 0 and voxels.max() <= 32767 and np.array_equal(voxels, np.round(voxels)) and voxels.max() > 255
        if not whole:
            voxels = np.clip((voxels - min(0.0, float(voxels.min()))) * (4000.0 / max(1e-9, float(np.percentile(voxels, 99.99)))), 0, 32767)
        voxels = np.round(voxels)
    series = Series(voxels.astype(np.float32), affine, [])
    series.slices = [new_dataset(series, k, modality, role, name) for k in range(len(voxels))]
    return series


def new_dataset(series, k, modality, role, name):
    """Header of one slice made from NIfTI. TR, TE and TI are typical for the role, not measured."""
    ds = FileDataset(None, {}, preamble=b"\0" * 128)
    ct = modality == "CT"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2" if ct else "1.2.840.10008.5.1.4.1.1.4"
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if ct else "OTHER"]
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.ReferringPhysicianName = "20260101", "120000", "", ""
    ds.Modality, ds.Manufacturer, ds.SeriesDescription = modality, "from NIfTI", name[:64]
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "NIFTI^CONVERTED", name[:64], "", ""
    ds.PatientPosition, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "HFS", "1", 1, k + 1
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid("nifti study", name), uid("nifti series", name)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid("nifti frame", name), ""
    ds.SliceThickness = ds.SpacingBetweenSlices = round(float(series.spacing[2]), 6)
    if ct:
        ds.KVP, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = None, 0, 1, "HU"
    elif role:
        sequence, tr, te, ti = {"t1": ("SE", 550, 10, None), "t2": ("SE", 3500, 100, None), "stir": ("IR", 4000, 60, 160), "gre": ("GR", 10, 4, None)}[role]
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = sequence, "SK", "", "2D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = tr, te, 1
        if ti:
            ds.InversionTime = ti
    cosines = np.concatenate([series.affine[:3, a] / series.spacing[a] for a in (0, 1)])
    ds.ImageOrientationPatient = [f"{x:.10f}"[:16] for x in cosines]
    ds.ImagePositionPatient = [f"{x:.4f}" for x in series.affine[:3, 2] * k + series.affine[:3, 3]]
    ds.PixelSpacing = [f"{series.spacing[1]:.8f}"[:16], f"{series.spacing[0]:.8f}"[:16]]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = series.voxels.shape[1:]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    return ds


def write_dicom(series, out, tag):
    """Native Explicit VR Little Endian, new study, series and instance UIDs; returns the study UID.

    Everything else of the header stays as it was, its oddities too.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    study = series_uid = None
    for k, (ds, image) in enumerate(zip(series.slices, series.voxels)):
        study = uid("lesioned study", ds.get("StudyInstanceUID", ""), tag)
        series_uid = uid("lesioned series", ds.get("SeriesInstanceUID", ""), tag)
        slope, intercept = float(ds.get("RescaleSlope", 1) or 1), float(ds.get("RescaleIntercept", 0) or 0)
        signed = int(ds.PixelRepresentation) == 1
        bits = int(ds.BitsStored)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        stored = np.clip(np.round((image - intercept) / slope), low, high)
        if int(ds.BitsAllocated) == 8:
            stored = stored.astype("i1" if signed else "u1")
        else:
            stored = stored.astype("<i2" if signed else "<u2")
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series_uid
        ds.SOPInstanceUID = uid("lesioned instance", tag, series_uid, k)
        meta = FileMetaDataset()
        # A file may name its SOP class in group 0002 alone.
        sop_class = ds.get("SOPClassUID") or ds.file_meta.MediaStorageSOPClassUID
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, ds.SOPInstanceUID
        meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, uid("insert_lesions.py")
        copy = FileDataset(None, ds, file_meta=meta, preamble=b"\0" * 128)
        copy.pop("PixelData", None)
        copy.add_new("PixelData", "OW", stored.tobytes() + (b"\0" if stored.nbytes % 2 else b""))
        copy.save_as(out / f"slice_{k:04d}.dcm", enforce_file_format=True, implicit_vr=False, little_endian=True)
    return study, series_uid


def resolution(series):
    """In-plane standard deviation of the blur, mm: from the steepest skin-to-air edges on CT, one pixel on MR."""
    pixel = float(series.spacing[:2].mean())
    if series.voxels.min() > -500:
        return 0.6 * pixel
    slopes = []
    for image in series.voxels[:: max(1, len(series.voxels) // 12)]:
        smooth = ndimage.gaussian_filter(image, 0.5)
        edge = (np.abs(smooth + 480) < 120) & (ndimage.maximum_filter(smooth, 7) > -150) & (ndimage.minimum_filter(smooth, 7) < -900)
        slope = np.hypot(*np.gradient(smooth))[edge] / pixel
        slopes.append(slope)
    slopes = np.concatenate(slopes)
    if len(slopes) < 200:
        return 0.7
    # A step of 950 HU blurred by sigma has the slope 950 / (sigma sqrt(2 pi)); the smoothing above is taken off.
    sigma = 950.0 / (np.percentile(slopes, 80) * np.sqrt(2 * np.pi))
    return float(np.sqrt(max(sigma**2 - (0.5 * pixel) ** 2, (0.35 * pixel) ** 2)))


def body_frames(bodies):
    """For each body: origin, axes (left, anterior, up) and the distance to its neighbours, mm."""
    order = np.argsort([-b["centroid_lps_mm"][2] for b in bodies])
    centres = np.array([bodies[n]["centroid_lps_mm"] for n in order], float)
    frames = {}
    for at, n in enumerate(order):
        above, below = centres[max(0, at - 1)], centres[min(len(centres) - 1, at + 1)]
        up = above - below if len(centres) > 1 else np.array([0, 0, 1.0])
        up = up / np.linalg.norm(up)
        steps = [np.linalg.norm(centres[a] - centres[at]) for a in (at - 1, at + 1) if 0 <= a < len(centres)]
        anterior = np.array([0, -1.0, 0]) - up * (np.array([0, -1.0, 0]) @ up)
        anterior /= np.linalg.norm(anterior)
        frames[n] = (centres[at], np.stack([np.cross(up, anterior), anterior, up]), min([s for s in steps if s < 50] or [30.0]))
    return frames


def soft_share(series, centre, reach, inside, sigma_mm, rng_margin=0.6):
    """Share of each voxel of a box that lies inside a shape, after the scan's blur.

    `inside(lps)` gives a signed distance in mm, positive inside. Returns box, share, volume and centroid.
    """
    fine = 0.7
    n = int(np.ceil(reach / fine))
    axis = np.arange(-n, n + 1) * fine
    # A grid along the scan's own axes, so that slice thickness is one of them.
    unit = series.affine[:3, :3] / series.spacing
    offsets = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    share = np.clip(inside(offsets @ unit.T + centre) / rng_margin + 0.5, 0, 1)
    within = share >= 0.5
    volume = float(within.sum() * fine**3)
    centroid = (offsets[within] @ unit.T + centre).mean(0) if within.any() else centre
    thickness = float(series.slices[0].get("SliceThickness", 0) or series.spacing[2])
    share = ndimage.gaussian_filter(share, [sigma_mm / fine, sigma_mm / fine, 0])
    share = ndimage.uniform_filter1d(share, max(1, int(round(max(thickness, series.spacing[2]) / fine))), axis=2)
    box = series.box(centre, reach)
    local = ((series.places(box) - centre) @ unit) / fine + n
    return box, ndimage.map_coordinates(share, np.moveaxis(local, -1, 0), order=1, mode="constant"), volume, centroid


def irregular(rng, centre, axes, radii):
    """Signed distance to an ellipsoid with a lumpy surface (sum of smooth bumps)."""
    bumps = rng.normal(size=(14, 3))
    bumps /= np.linalg.norm(bumps, axis=1)[:, None]
    heights = rng.normal(scale=0.16, size=14)
    radii = np.asarray(radii, float)

    def inside(lps):
        local = (lps - centre) @ axes.T
        scaled = local / radii
        length = np.linalg.norm(scaled, axis=-1)
        direction = scaled / np.maximum(length, 1e-6)[..., None]
        surface = 1.0 + sum(h * np.exp(6.0 * (direction @ b - 1.0)) for b, h in zip(bumps, heights))
        return (surface - length) * radii.min()

    return inside


def borrowed_noise(series, box, rng):
    """Noise of the scan for a box: the residual of the most even soft-tissue patch of the same slices."""
    k, j, i = box
    shape = tuple(s.stop - s.start for s in box)
    best, found = None, None
    slab = series.voxels[k]
    for _ in range(400):
        a = int(rng.integers(0, max(1, slab.shape[1] - shape[1])))
        b = int(rng.integers(0, max(1, slab.shape[2] - shape[2])))
        patch = slab[:, a : a + shape[1], b : b + shape[2]]
        core = patch[:, shape[1] // 4 : -shape[1] // 4, shape[2] // 4 : -shape[2] // 4]
        if patch.shape == shape and core.size and 10 < core.mean() < 130:
            spread = float(core.std())
            if best is None or spread < best:
                best, found = spread, patch
    if found is None:
        return np.zeros(shape, np.float32)
    residual = found - ndimage.gaussian_filter(found, [0, 3, 3])
    return np.clip(residual, -4 * best, 4 * best)


def put_sclerotic(series, frame, rng, sigma):
    origin, axes, pitch = frame
    half_height, half_width = 0.33 * pitch, 0.52 * pitch
    radius = rng.uniform(0.45, 0.95) * min(half_height, 10.0)
    room = np.array([half_width - radius, 0.4 * pitch - radius, half_height - 0.8 * radius]).clip(0.0)
    centre = origin + (rng.uniform(-0.8, 0.8, 3) * room) @ axes
    contrast = rng.uniform(40, 500)
    inside = irregular(rng, centre, axes, radius * np.array([1.1, 1.0, 0.85]))
    box, share, volume, centroid = soft_share(series, centre, 2.2 * radius + 6, inside, sigma, 2.0)
    # What is already as dense as the lesion (cortex) is not raised further.
    old = series.voxels[box]
    marrow = float(np.median(series.sample(origin + rng.normal(size=(300, 3)) * 4.0)))
    room = np.clip(1.0 - (ndimage.gaussian_filter(old, 0.8) - marrow - 0.5 * contrast) / 400.0, 0.15, 1.0)
    texture = ndimage.gaussian_filter(rng.normal(size=old.shape), 1.2)
    added = share * room * contrast * (1 + 0.12 * texture / max(1e-6, texture.std()))
    series.voxels[box] = old + added
    # Blur and thick slices take their part of the contrast drawn: what is left stands in the truth too.
    mean_added = float(added[share >= 0.5 * share.max()].mean())
    return {"contrast": contrast, "contrast_unit": "HU", "mean_added_hu": mean_added, "marrow_hu": marrow, "radius_mm": radius}, volume, centroid


def posterior_wall(series, frame):
    """Distance from the body's centre back to its posterior wall, mm, or None where none is seen."""
    origin, axes, _ = frame
    depth = np.arange(4.0, 34.0, 0.5)
    across = np.stack(np.meshgrid([-6.0, -3, 0, 3, 6], [-3.0, 0, 3], indexing="ij"), -1).reshape(-1, 2)
    lines = []
    for u, s in across:
        local = np.stack([np.full_like(depth, u), -depth, np.full_like(depth, s)], -1)
        lines.append(series.sample(origin + local @ axes))
    profile = ndimage.gaussian_filter1d(np.median(lines, axis=0), 1.0)
    ahead = profile[depth < 10].mean()
    for n in range(8, len(depth) - 8):
        behind = profile[n + 4 : n + 14].mean()
        if depth[n] > 9 and behind < min(90.0, ahead - 15) and profile[n] >= 0.5 * (profile[max(0, n - 4) : n + 1].max() + behind) > profile[n + 1]:
            return float(depth[n])
    return None


def put_wall_breach(series, frame, rng, sigma):
    origin, axes, pitch = frame
    wall = posterior_wall(series, frame)
    if wall is None:
        return None
    bulge, gap = rng.uniform(2, 7), rng.uniform(4, 14)
    radius = rng.uniform(6.5, 10.0)
    bony = bool(rng.integers(0, 2))
    place = np.array([rng.uniform(-5, 5), -wall, rng.uniform(-0.1, 0.1) * pitch])
    centre = origin + place @ axes
    lumps = rng.uniform(0.85, 1.15, 3)

    def dome(lps):
        local = (lps - centre) @ axes.T
        r2 = ((local[..., 0] / radius / lumps[0]) ** 2 + (local[..., 2] / (0.8 * radius) / lumps[1]) ** 2).clip(0, 1)
        return local, bulge * (1 - r2) ** 2, (1 - np.sqrt(r2)) * radius - 0.5

    def behind(lps):  # what stands behind the wall's place
        local, height, within = dome(lps)
        return np.minimum(within, np.minimum(height + local[..., 1], 1.0 - local[..., 1]))

    def opening(lps):  # wall and a shallow bowl of marrow before it
        local, height, _ = dome(lps)
        across = np.hypot(local[..., 0], 1.2 * local[..., 2])
        bowl = 0.5 * gap - np.sqrt(across**2 + (np.maximum(local[..., 1], 0) * 1.4) ** 2)
        return np.minimum(bowl, local[..., 1] + height + 1.0)

    reach = radius + bulge + 8
    box, share_bulge, volume_bulge, centroid_bulge = soft_share(series, centre, reach, behind, sigma)
    _, share_gap, volume_gap, centroid_gap = soft_share(series, centre, reach, opening, sigma)
    old = series.voxels[box]
    noise = borrowed_noise(series, box, rng)
    tissue = rng.uniform(40, 75)
    marrow = float(np.median(series.sample(origin + rng.normal(size=(300, 3)) * 4.0)))
    filling = max(marrow, 110.0) if bony else tissue
    new = old * (1 - share_bulge) + share_bulge * (filling + noise)
    series.voxels[box] = new * (1 - share_gap) + share_gap * (tissue + noise)
    volume = volume_bulge + volume_gap
    centroid = (centroid_bulge * volume_bulge + centroid_gap * volume_gap) / max(volume, 1e-6)
    details = {"contrast": bulge, "contrast_unit": "mm", "gap_mm": gap, "bony": bony, "tissue_hu": tissue, "marrow_hu": marrow, "wall_mm_behind_centre": wall, "radius_mm": radius}
    return details, volume, centroid


def put_t1_replacement(series, frame, rng, sigma):
    origin, axes, pitch = frame
    share_left = rng.uniform(0.35, 0.80)
    whole = rng.uniform() < 0.4
    half = np.array([0.62, 0.50, 0.36]) * pitch  # half width, depth and height of a body
    radii = half * (1.15 if whole else rng.uniform(0.45, 0.8))
    centre = origin if whole else origin + (rng.uniform(-0.6, 0.6, 3) * (half - radii).clip(0)) @ axes
    reach = float(radii.max()) + 10
    box = series.box(centre, reach)
    places = series.places(box)
    smooth = ndimage.gaussian_filter(series.voxels[box], [0, 1.0 / series.spacing[1], 1.0 / series.spacing[0]])
    local = (places - origin) @ axes.T
    core = np.abs(local / np.array([6.0, 6, 5])).max(-1) < 1
    marrow = float(np.median(smooth[core])) if core.any() else float(np.median(smooth))
    # Bodies are brighter than discs, walls and canal: keep what hangs together with the centre.
    within = (smooth > 0.72 * marrow) & (((local / (half * 1.15)) ** 2).sum(-1) <= 1.0)
    labels, _ = ndimage.label(within)
    kept = labels == np.bincount(labels[core & within], minlength=2)[1:].argmax() + 1 if (core & within).any() else within
    kept = ndimage.binary_fill_holes(kept)
    distance = ndimage.distance_transform_edt(kept, sampling=series.spacing[::-1]) - ndimage.distance_transform_edt(~kept, sampling=series.spacing[::-1])
    inside = irregular(rng, centre, axes, radii)
    share = np.clip(np.minimum(inside(places), distance) / 2.0 + 0.5, 0, 1)
    full = share >= 0.5
    if full.sum() < 5:
        return None
    volume, centroid = float(full.sum() * np.prod(series.spacing)), places[full].mean(0)
    share = ndimage.gaussian_filter(share, [0, sigma / series.spacing[1], sigma / series.spacing[0]])
    old = series.voxels[box]
    texture = ndimage.gaussian_filter(rng.normal(size=old.shape), [0.7, 3 / series.spacing[1], 3 / series.spacing[0]])
    factor = 1 - share * (1 - share_left * (1 + 0.08 * texture / max(1e-6, texture.std())))
    series.voxels[box] = np.maximum(0, smooth * factor + (old - smooth))
    return {"contrast": share_left, "contrast_unit": "ratio", "whole_body": whole, "marrow_signal": marrow, "radius_mm": float(np.cbrt(volume * 3 / (4 * np.pi)))}, volume, centroid


PUT = {"sclerotic": put_sclerotic, "posterior_wall_breach": put_wall_breach, "t1_replacement": put_t1_replacement}


def insert(series, name, truth, kinds, seed, out):
    """Lesions into about half of the bodies; writes DICOM and truth.json."""
    bodies = truth["vertebrae"]
    usable = [n for n, b in enumerate(bodies) if b.get("fraction_in_view", 0) >= MIN_FRACTION_IN_VIEW and str(b.get("level") or "")[:1] not in ("C", "S")]
    # The same seed gives other draws for other series.
    rng = np.random.default_rng([seed, int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)])
    margin = series.to_index([bodies[n]["centroid_lps_mm"] for n in usable]) if usable else []
    usable = [n for n, ijk in zip(usable, margin) if all(-0.5 <= x <= size - 0.5 for x, size in zip(ijk, series.voxels.shape[::-1]))]
    picked = [int(n) for n in rng.permutation(usable)[: max(1, len(usable) // 2)]] if usable else []
    sigma = resolution(series)
    print(f"\n## {name}\nseed {seed}, {len(usable)} usable bodies, in-plane blur sigma {sigma:.2f} mm, slice {series.spacing[2]:.1f} mm")
    frames, lesions = body_frames(bodies), []
    start = int(rng.integers(len(kinds)))
    for turn, n in enumerate(picked):
        kind = kinds[(start + turn) % len(kinds)]
        done = PUT[kind](series, frames[n], rng, sigma)
        if done is None:
            print(f"- body {n} ({bodies[n].get('level')}): {kind} could not be placed (no wall or marrow seen), left untouched")
            continue
        details, volume, centroid = done
        lesion = {"kind": kind, "feature": FEATURE[kind], "level": bodies[n].get("level"), "vertebra_index": n, "centroid_lps_mm": [round(float(x), 1) for x in centroid], "volume_mm3": round(volume)}
        lesion |= {key: round(value, 2) if isinstance(value, float) else value for key, value in details.items()}
        lesions.append(lesion)
        print("-", json.dumps(lesion))
    out = Path(out)
    study, series_uid = write_dicom(series, out, f"{name} {seed}")
    result = {
        "frame": "LPS mm of the DICOM patient coordinate system",
        "made_by": "scripts/insert_lesions.py",
        "name": name,
        "seed": seed,
        "study_id": hashlib.sha256(study.encode()).hexdigest()[:16],
        "series_id": hashlib.sha256(series_uid.encode()).hexdigest()[:16],
        "in_plane_sigma_mm": round(sigma, 2),
        "vertebrae": bodies,
        "untouched": [n for n in usable if n not in [lesion["vertebra_index"] for lesion in lesions]],
        "lesions": lesions,
    }
    (out / "truth.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


# Answers of a feature at the vertebra of a lesion, worst last; only "found" counts as found.
STATES = ("found", "indeterminate", "not_assessed", "absent", "no vertebra", "no result")


def answer(document, lesion):
    """What the coverage says of the lesion's feature at the vertebra nearest to it."""
    vertebrae = document["anatomy"]["vertebrae"]
    distance = [float(np.linalg.norm(np.subtract(v["body_centroid_lps_mm"], lesion["centroid_lps_mm"]))) for v in vertebrae]
    if not distance or min(distance) > VERTEBRA_MM:
        return "no vertebra"
    near = vertebrae[int(np.argmin(distance))]["id"]
    said = [c["status"] for c in document["coverage"] if c.get("vertebra") == near and c["feature"] == lesion["feature"]]
    # Present elsewhere in the body is no hit: for this lesion it is as good as absent.
    return next((s for s in said if s in ("indeterminate", "not_assessed")), "absent")


def report(results, made):
    """Markdown table of found, missed and false."""
    truths = [json.loads(p.read_text()) for p in sorted(Path(made).glob("**/truth.json"))]
    truths = [t for t in truths if "study_id" in t]
    rows, summary, false_rows = [], {}, []
    for truth in truths:
        path = Path(results) / truth["study_id"] / "findings.json"
        findings, missing = [], not path.exists()
        if not missing:
            document = json.loads(path.read_text())
            findings = document["findings"]
        used = set()
        for lesion in truth["lesions"]:
            radius = (3 * lesion["volume_mm3"] / (4 * np.pi)) ** (1 / 3)
            hits = []
            for n, finding in enumerate(findings):
                site = finding.get("site", {}).get("centroid_lps_mm")
                if finding.get("kind") == lesion["feature"] and site is not None:
                    distance = float(np.linalg.norm(np.subtract(site, lesion["centroid_lps_mm"])))
                    if distance <= radius + HIT_MARGIN_MM:
                        hits.append((distance, n))
            used |= {n for _, n in hits}
            present = [h for h in hits if findings[h[1]].get("status") == "present"]
            state = "no result" if missing else "found" if present else "indeterminate" if hits else answer(document, lesion)
            where = f"{min(present or hits)[0]:.1f}" if hits else ""
            rows.append((truth["name"], lesion, radius, state, where))
            if lesion["contrast_unit"] == "HU":
                band = next(f"{a} to {b} HU" for a, b in ((40, 120), (120, 250), (250, 501)) if lesion["contrast"] < b)
            elif lesion["contrast_unit"] == "mm":
                band = "bulge under 4 mm" if lesion["contrast"] < 4 else "bulge 4 mm and more"
            else:
                band = "signal under 0.6" if lesion["contrast"] < 0.6 else "signal 0.6 and more"
            size = "under 1 ml" if lesion["volume_mm3"] < 1000 else "1 ml and more"
            summary.setdefault((lesion["kind"], band, size), []).append(state)
        extra = {}
        for n, finding in enumerate(findings):
            if n not in used and finding.get("kind") in FEATURE.values():
                extra.setdefault((finding["kind"], finding.get("status", "")), 0)
                extra[(finding["kind"], finding.get("status", ""))] += 1
        false_rows += [(truth["name"], kind, status, count, len(truth["untouched"])) for (kind, status), count in sorted(extra.items())]
    print("| kind | strength | size | inserted | " + " | ".join(STATES) + " |\n" + "|---" * (4 + len(STATES)) + "|")
    summary[("**all**", "", "")] = [row[3] for row in rows]
    for (kind, band, size), states in sorted(summary.items()):
        print(f"| {kind} | {band} | {size} | {len(states)} | " + " | ".join(str(states.count(state)) for state in STATES) + " |")
    print()
    print("| series | level | kind | strength | ml | result | mm off |\n|---|---|---|---|---|---|---|")
    for name, lesion, radius, state, where in rows:
        print(f"| {name} | {lesion['level'] or '?'} | {lesion['kind']} | {lesion['contrast']:g} {lesion['contrast_unit']} | {lesion['volume_mm3'] / 1000:.2f} | {state} | {where} |")
    print("\nFindings that belong to no inserted lesion (real changes of these patients among them):\n")
    print("| series | finding | status | count | untouched bodies |\n|---|---|---|---|---|")
    for row in false_rows:
        print("| " + " | ".join(map(str, row)) + " |")
    if not false_rows:
        print("| none | | | 0 | |")


def main():
    if "--report" in sys.argv[1:2]:
        sys.argv[1] = "report"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    every = commands.add_parser("all")
    every.add_argument("out")
    every.add_argument("--data", default=os.environ.get("OSTEOFLAG_DATA"))
    every.add_argument("--only", nargs="*", choices=SERIES)
    every.add_argument("--seed", type=int, default=1)
    one = commands.add_parser("insert")
    one.add_argument("series")
    one.add_argument("out")
    one.add_argument("--truth", required=True)
    one.add_argument("--kinds", nargs="+", choices=PUT)
    one.add_argument("--seed", type=int, default=1)
    convert = commands.add_parser("from-nifti")
    convert.add_argument("series")
    convert.add_argument("out")
    for command in (one, convert):
        command.add_argument("--modality", choices=("CT", "MR"), default="CT")
        command.add_argument("--role", choices=("t1", "t2", "stir", "gre"))
    compare = commands.add_parser("report")
    compare.add_argument("results")
    compare.add_argument("made")
    options = parser.parse_args()

    def load(path, modality, role, name):
        nifti = str(path).endswith((".nii", ".nii.gz"))
        return read_nifti(path, modality, role, name) if nifti else read_dicom(path)

    if options.command == "report":
        report(options.results, options.made)
    elif options.command == "from-nifti":
        name = Path(options.out).name
        series = read_nifti(options.series, options.modality, options.role, name)
        write_dicom(series, options.out, name)
        print(f"{len(series.slices)} slices of {series.voxels.shape[2]} x {series.voxels.shape[1]} in {options.out}")
    elif options.command == "insert":
        name = Path(options.out).name
        series = load(options.series, options.modality, options.role, name)
        truth = json.loads(Path(options.truth).read_text())
        kinds = options.kinds or (CT_KINDS if series.slices[0].get("Modality", "MR") == "CT" else ("t1_replacement",))
        insert(series, name, truth, kinds, options.seed, options.out)
    else:
        if not options.data:
            sys.exit("no data: give --data DIR or set OSTEOFLAG_DATA")
        data = Path(options.data)
        for name in options.only or SERIES:
            path, folder, modality, role, kinds = SERIES[name]
            if not (data / path).exists():
                print(f"\n## {name}\nskipped: not in the data folder")
                continue
            truth = json.loads((data / folder / "truth" / "vertebrae.json").read_text())
            insert(load(data / path, modality, role, name), name, truth, kinds, options.seed, Path(options.out) / name)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
