#!/usr/bin/env python3
"""Runs `osteoflag screen` on each series folder of the development data and prints, as Markdown, exit code,
seconds, peak memory, vertebrae and findings. The results stay in OUT/<kind>/<name> for scripts/evaluate_anatomy.py.

usage: OSTEOFLAG_DATA=... scripts/measure.py OUT [--binary target/release/osteoflag] [--only WORD] [--no-pictures]
Needs Python 3.9 and nothing else. Seconds are of one run on whatever else the machine does: read them as ratios.
"""
import argparse
import json
import os
import pathlib
import sys
import time


def series_folders(data):
    for kind in ("ct", "mr"):
        for folder in sorted((data / kind).iterdir()):
            if folder.name == "roles":
                yield from ((f"roles/{role.name}", role) for role in sorted(folder.iterdir()) if role.is_dir())
            elif (folder / "dicom").is_dir() or any(folder.rglob("*.dcm")):
                yield f"{kind}/{folder.name}", folder
    yield "conformance", data / "conformance"


def run(binary, folder, out, more):
    """exit code, seconds, peak MiB of one run; a child process of its own so that the peak is this run's"""
    start = time.time()
    pid = os.fork()
    if pid == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.execv(binary, [binary, "screen", str(folder), "-o", str(out), "--quiet", *more])
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), time.time() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--binary", default="target/release/osteoflag")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-pictures", action="store_true")
    arguments = parser.parse_args()
    if "OSTEOFLAG_DATA" not in os.environ:
        sys.exit("OSTEOFLAG_DATA is not set: name the folder of the development data")
    data = pathlib.Path(os.environ["OSTEOFLAG_DATA"])
    print("| series | exit | s | peak MiB | studies | series screened / skipped | vertebrae | present | indeterminate |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, folder in series_folders(data):
        if arguments.only not in name:
            continue
        out = arguments.out / name
        more = ["--no-pictures"] if arguments.no_pictures else []
        code, seconds, peak = run(os.path.abspath(arguments.binary), folder, out, more)
        record = json.loads((out / "run.json").read_text())
        total = lambda key: sum(study[key] for study in record["studies"])
        print(f"| {name} | {code} | {seconds:.1f} | {peak:.0f} | {len(record['studies'])} | {total('series_screened')} / {total('series_skipped')} "
              f"| {total('vertebrae')} | {total('findings_present')} | {total('findings_indeterminate')} |", flush=True)


if __name__ == "__main__":
    main()
