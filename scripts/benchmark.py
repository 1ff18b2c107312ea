#!/usr/bin/env python3
"""The standing benchmark: makes the set, screens it, evaluates it, writes docs/BENCHMARK.md.

usage: [OSTEOFLAG_DATA=...] scripts/benchmark.py WORK [--binary PATH] [--seeds 1 2] [--out docs/BENCHMARK.md]
Needs Python 3.9 and cargo, nothing else; without --binary it builds the release binary. WORK takes the series made and
the results (some GB with OSTEOFLAG_DATA); it must be empty or missing. Without OSTEOFLAG_DATA the set is the phantoms
alone, and the page says so. Two runs of one program write the same bytes: no clock, no path, no machine in it.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Large fields of view are left out for time.
PHANTOM_SEEDS = (1, 2)
LARGE_PHANTOMS = ("ct_thoracolumbar", "ct_whole_spine", "ct_chest")
# One draw of look-alikes per series is enough to count what they set off.
LOOK_ALIKE_SEED = 11

PUBLISHED = [
    # what, data, result, where it is told
    ("watershed and support vector machine (2011, 2012)", "sclerotic lesions, CT", "77.4 % at 9.4 false per case; 71.2 % at 8.8", "abstracts"),
    ("classical (2013)", "sclerotic lesions over 0.3 cm³, CT", "79 % at 10.9 false per patient (test set)", "Burns 2013, abstract"),
    ("classical (2017)", "compression fractures, CT", "95.7 % at 0.29 false per patient", "Burns and Yao 2017, abstract"),
    ("nnU-Net, weak labels", "bone lesions, CT", "recall 47.3 % at precision 96.7 %", "abstract"),
    ("nnU-Net (2025)", "lytic and blastic, staging CT", "70 % of lesions; AUC of patients 0.82", "abstract"),
    ("BLDS (2025)", "bone lesions, CT of 2518 patients", "89.1 % at 1.4 false per case; radiologists alone 40.5 %", "Nature Communications 2025"),
    ("SAP", "lesions of at least 1 ml, whole-body MR", "89 % at 0.46 false", "PMC12890717"),
]


class Failed(Exception):
    """A step of the benchmark that did not work."""


def run(binary, *arguments, allowed=(0,)):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in allowed:
        raise Failed(f"osteoflag {' '.join(map(str, arguments[:2]))}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def reason(failed):
    """What the program said, without the command and without paths."""
    text = str(failed).split("error: ", 1)[-1].splitlines()[0]
    return text if "/" not in text else text.rsplit("/", 1)[-1]


def make_phantoms(binary, folder):
    names = [line.split()[0] for line in run(binary, "phantom", "list").stdout.splitlines() if line.strip()]
    made = []
    for name in names:
        for seed in PHANTOM_SEEDS if name not in LARGE_PHANTOMS else ():
            out = folder / f"{name}_{seed}"
            run(binary, "phantom", "make", name, "-o", out, "--seed", seed, "--quiet")
            made.append(out)
    add_ids(binary, made)
    return sorted(set(name for name in names if name not in LARGE_PHANTOMS))


def series_of(binary, folder):
    return json.loads(run(binary, "series", folder, "--json", "--quiet", allowed=(0, 3)).stdout)


def add_ids(binary, folders):
    """Writes into each truth.json which study and series it is of, where it does not say so itself."""
    for folder in folders:
        path = folder / "truth.json"
        truth = json.loads(path.read_text())
        if "series_id" not in truth:
            rows = series_of(binary, folder)
            truth["study_id"], truth["series_id"] = rows[0]["study"], rows[0]["series"]
            path.write_text(json.dumps(truth, indent=1) + "\n")


def real_series(binary, data, converted):
    """Name, folder of one series that would be screened, truth file; and what is left out with the reason."""
    found, left_out = [], []
    for kind in ("ct", "mr"):
        for folder in sorted(p for p in (data / kind).iterdir() if p.is_dir()):
            truth = folder / "truth" / "vertebrae.json"
            if not truth.exists():
                continue
            parts = sorted(p for p in folder.iterdir() if p.is_dir() and any(p.glob("*.dcm")))
            for part in parts:
                name = folder.name if part.name == "dicom" else f"{folder.name}_{part.name}"
                rows = series_of(binary, part)
                if any(row["chosen"] for row in rows):
                    found.append((name, part, truth))
                else:
                    left_out.append((name, rows[0]["skipped_because"] if rows else "no image"))
            images = [p for p in sorted(folder.glob("*.nii.gz")) if not p.name.endswith("msk.nii.gz")]
            if not parts and kind == "ct" and images:
                out = converted / folder.name
                run(binary, "phantom", "from-nifti", images[0], "-o", out, "--modality", "CT", "--quiet")
                found.append((folder.name, out, truth))
            elif not parts:
                left_out.append((folder.name, "MR kept as NIfTI, which does not say its contrast"))
    return found, left_out


def insert_all(binary, series, seeds, folder):
    """One lesioned copy a seed, one with look-alikes; gives what was drawn and what could not be done."""
    refused = []
    for name, source, truth in series:
        if not json.loads(truth.read_text())["vertebrae"]:
            refused.append((name, "no spine in view"))
            continue
        try:
            for seed in seeds:
                run(binary, "phantom", "insert", source, "-o", folder / "inserted" / f"{name}_{seed}", "--bodies", truth, "--seed", seed, "--quiet")
            run(binary, "phantom", "insert", source, "-o", folder / "look_alikes" / name, "--bodies", truth, "--seed", LOOK_ALIKE_SEED, "--kinds", "look-alikes", "--quiet")
        except Failed as failed:
            refused.append((name, reason(failed)))
    return refused


def untouched_truths(binary, series, folder):
    """Truth files of the series as they are: bodies as given, no lesion known."""
    for name, source, truth in series:
        rows = series_of(binary, source)
        bodies = json.loads(truth.read_text())["vertebrae"]
        out = folder / name
        out.mkdir(parents=True, exist_ok=True)
        text = {"study_id": rows[0]["study"], "series_id": rows[0]["series"], "vertebrae": bodies, "lesions": []}
        (out / "truth.json").write_text(json.dumps(text, indent=1) + "\n")


def evaluate(binary, results, truth):
    return json.loads(run(binary, "evaluate", results, "--truth", truth, "--json", "--quiet").stdout)


def share(estimate):
    if estimate["value"] is None:
        return ""
    text = f"{estimate['value']:.2f}"
    if estimate.get("low") is not None and estimate.get("high") is not None:
        text += f" ({estimate['low']:.2f} to {estimate['high']:.2f})"
    return text


def vertebra_line(name, evaluation):
    v = evaluation["vertebrae"]
    right = f"{v['level_right']} / {v['level_wrong']}"
    return f"| {name} | {evaluation['scans']} | {evaluation['patients']} | {v['expected']} | {v['found']} | {v['false_vertebrae']} | {v['with_level']} | {v['identified']} | {right} |"


VERTEBRA_HEAD = [
    "| set | scans | patients | bodies | found | false | with a level | identified (VerSe) | level right / wrong |",
    "|---|---|---|---|---|---|---|---|---|",
]
SCAN_HEAD = [
    "| set | scan | bodies | found | false | level right / wrong / not named | missed |",
    "|---|---|---|---|---|---|---|",
]


def scan_lines(name, evaluation):
    """Scans with a missed, false or misnamed vertebra."""
    lines = []
    for case in evaluation["cases"]:
        v = case["vertebrae"]
        if v and (v["missed"] or v["false_vertebrae"] or v["level_wrong"]):
            levels = f"{v['level_right']} / {v['level_wrong']} / {v['level_not_named']}"
            lines.append(f"| {name} | {case['name']} | {v['expected']} | {v['found']} | {v['false_vertebrae']} | {levels} | {' '.join(v['missed'])} |")
    return lines


def size_lines(name, evaluation):
    """Sizes of the bodies found against the true ones."""
    lines = []
    for row in evaluation["agreement"]:
        if row["feature"] is None:
            limits = " to ".join(f"{row[limit]['value']:+.1f}" for limit in ("lower_limit", "upper_limit") if row[limit]["value"] is not None)
            lines.append(f"| {name} | {row['name']} | {row['pairs']} | {share(row['bias'])} | {limits} |")
    return lines


STATES = ("found", "only_indeterminate", "not_assessed", "absent", "no_vertebra", "no_answer", "no_result")
LESION_HEAD = [
    "| feature | lesions | " + " | ".join(state.replace("_", " ") for state in STATES) + " | sensitivity (95 %) | false per scan (95 %) |",
    "|---" * (len(STATES) + 4) + "|",
]


def lesion_lines(evaluation):
    lesions = evaluation["lesions"]
    rows = [("**all**", lesions["all"])] + [(name, lesions["kinds"][name]) for name in sorted(lesions["kinds"])]
    lines = []
    for name, kind in rows:
        counts = " | ".join(str(kind[state]) for state in STATES)
        lines.append(f"| {name} | {kind['expected']} | {counts} | {share(kind['sensitivity'])} | {share(kind['false_per_scan'])} |")
    return lines


def class_lines(evaluation):
    lines = []
    for row in evaluation["lesions"]["classes"]:
        if row["by"] == "level":
            continue
        group = row["lesions"]
        lines.append(f"| {row['feature']} | {row['by']} | {row['class']} | {group['expected']} | {group['found']} | {group['only_indeterminate']} | {share(group['sensitivity'])} |")
    return lines


def froc_lines(evaluation):
    lines = []
    for curve in evaluation["lesions"]["froc"]:
        froc = curve["froc"]
        if not froc["lesions"] or not froc["points"]:
            continue
        at = " | ".join(share({"value": point["interpolated"]["value"]}) for point in froc["at"])
        lines.append(f"| {curve['feature'] or '**all**'} | {curve['findings']} | {at} | {share(froc['mean_sensitivity'])} |")
    return lines


def drawn(folder):
    """Strengths drawn, by kind: number, range, quartiles."""
    values = {}
    for path in sorted(folder.glob("*/truth.json")):
        truth = json.loads(path.read_text())
        for lesion in truth["lesions"] + truth.get("look_alikes", []):
            values.setdefault((lesion["kind"], lesion["contrast_unit"]), []).append((lesion["contrast"], lesion["volume_mm3"] / 1000))
    lines = []
    for (kind, unit), found in sorted(values.items()):
        strengths, volumes = sorted(a for a, _ in found), sorted(b for _, b in found)
        middle = lambda sorted_values: sorted_values[(len(sorted_values) - 1) // 2]
        lines.append(f"| {kind} | {len(found)} | {strengths[0]:g} to {strengths[-1]:g} {unit} | {middle(strengths):g} | {volumes[0]:.2f} to {volumes[-1]:.2f} | {middle(volumes):.2f} |")
    return lines


def page(sets, refused, left_out, phantoms, seeds, work, has_data):
    out = ["# The standing benchmark", ""]
    out += ["<!-- written by scripts/benchmark.py; do not edit -->", ""]
    out += ["```", "OSTEOFLAG_DATA=... scripts/benchmark.py WORK", "```", ""]
    if not has_data:
        out += ["**Made without `OSTEOFLAG_DATA`: phantoms only. Nothing below was measured on a real scan.**", ""]
    out += [
        "No series here holds a proven bone metastasis. Sensitivity is that for synthetic lesions whose strength is drawn",
        "uniformly (most are faint); false findings are counted in real scans, and a real change of such a patient counts as",
        "false. A declined or unclear answer is a miss. The development data served for design and thresholds too: all of",
        "this is in-sample and no clinical performance. [EVALUATION.md](EVALUATION.md) says what each number means,",
        "[INSERTED_LESIONS.md](INSERTED_LESIONS.md) how the lesions are made and where they do not pass for real.",
        "",
        "## The sets",
        "",
        f"- **phantoms**: {', '.join(phantoms)}; seeds {', '.join(map(str, PHANTOM_SEEDS))}. {', '.join(LARGE_PHANTOMS)} are left out for time.",
    ]
    if has_data:
        out += [
            "- **untouched**: the real series as they are; no lesion is known in them.",
            f"- **inserted**: the same with lesions in half of the usable bodies, seeds {', '.join(map(str, seeds))}, all kinds that the series can show.",
            f"- **look-alikes**: the same with harmless changes instead (seed {LOOK_ALIKE_SEED}): every finding is false.",
            "",
            "Not in the set, or in a part of it only:",
            "",
        ]
        out += [f"- {name}: {why}" for name, why in sorted(set(refused + left_out))]
    out += ["", "## Vertebrae", "", *VERTEBRA_HEAD]
    out += [vertebra_line(name, evaluation) for name, evaluation in sets]
    out += ["", "Found: within 10 mm, one to one, of a body at least half in view. Scans with a missed, false or misnamed vertebra (the copies of a",
            "real scan have its vertebrae and are not listed again):", "", *SCAN_HEAD]
    out += [line for name, evaluation in sets if name in ("phantoms", "untouched") for line in scan_lines(name, evaluation)]
    sizes = [line for name, evaluation in sets for line in size_lines(name, evaluation)]
    if sizes:
        out += ["", "Sizes of the bodies that are sure, measured minus true, mm (phantoms; a cut or unsure body is not measured):", ""]
        out += ["| set | size | bodies | bias (95 %) | 95 % limits |", "|---|---|---|---|---|", *sizes]
    out += [""]
    for name, evaluation in sets:
        if name == "untouched":
            out += ["## Findings in the untouched series", "", *LESION_HEAD, *lesion_lines(evaluation), ""]
            continue
        out += [f"## Lesions: {name}", ""]
        if name in ("inserted", "look-alikes"):
            folder = work / "images" / name.replace("-", "_")
            out += ["What was drawn:", "", "| kind | number | strength | median | ml | median |", "|---|---|---|---|---|---|", *drawn(folder), ""]
        out += [*LESION_HEAD, *lesion_lines(evaluation), ""]
        classes = class_lines(evaluation)
        if classes:
            out += ["| feature | by | class | lesions | found | only indeterminate | sensitivity (95 %) |", "|---|---|---|---|---|---|---|", *classes, ""]
        curves = froc_lines(evaluation)
        if curves:
            head = "| feature | findings | " + " | ".join(f"at {rate}" for rate in ("1/8", "1/4", "1/2", "1", "2", "4", "8")) + " | mean (95 %) |"
            out += ["Sensitivity at false findings per scan (FROC):", "", head, "|---" * 10 + "|", *curves, ""]
        notes = [note for note in evaluation["notes"] if "/" not in note]
        out += [f"- {note}" for note in notes] + ([""] if notes else [])
    out += [
        "## Beside what others published",
        "",
        "| method | data | result | told by |",
        "|---|---|---|---|",
        *[f"| {method} | {data} | {result} | {source} |" for method, data, result, source in PUBLISHED],
        "",
        "These are **not the same data and not the same question**, and no line of this table may be held against ours:",
        "",
        "- They counted real, proven or read metastases, mostly in oncological patients; here the lesions are synthetic.",
        "- Their lesions were what a reader marked, so that a large part is conspicuous; here strength is uniform from faint on.",
        "- Their false findings were judged by readers; here every finding outside an inserted lesion is false, a real change of",
        "  the patient with it.",
        "- They report on a test set that was kept apart (as they say); this development data also served for the thresholds.",
        "- Rules for a hit differ (any overlap, centre in the lesion, a share of overlap); ours is the finding's centre within the",
        "  sphere of the lesion's volume and 3 mm.",
        "- \"Per case\" is a whole scan there, often the whole trunk; here it is the part of the spine that the series shows.",
        "",
    ]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "BENCHMARK.md")
    options = parser.parse_args()
    if options.work.exists() and any(options.work.iterdir()):
        sys.exit(f"{options.work} is not empty: give a new folder, so that nothing old is counted")
    if options.binary:
        binary = str(options.binary.resolve())
    else:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        binary = str(target / "release" / "osteoflag")
    images, results = options.work / "images", options.work / "results"
    data = os.environ.get("OSTEOFLAG_DATA")
    phantoms = make_phantoms(binary, images / "phantoms")
    groups = [("phantoms", images / "phantoms", images / "phantoms")]
    refused, left_out = [], []
    if data:
        series, left_out = real_series(binary, pathlib.Path(data), images / "converted")
        refused = insert_all(binary, series, options.seeds, images)
        untouched_truths(binary, series, images / "untouched")
        for group in ("inserted", "look_alikes"):
            groups.append((group.replace("_", "-"), images / group, images / group))
        groups.append(("untouched", None, images / "untouched"))
    sets = []
    for name, folder, truth in groups:
        if folder is not None:
            run(binary, "screen", folder, "-o", results / name, "--no-pictures", "--quiet", allowed=(0, 3))
        else:
            # Each source on its own: the data folder holds much that is no part of the set.
            for source_name, source, _ in series:
                run(binary, "screen", source, "-o", results / name / source_name, "--no-pictures", "--quiet", allowed=(0, 3))
        sets.append((name, evaluate(binary, results / name, truth)))
        print(f"{name}: done", flush=True)
    options.out.write_text(page(sets, refused, left_out, phantoms, options.seeds, options.work, bool(data)))
    print(f"written: {options.out}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(str(failed))
