"""Which signatures of spatially embedded recurrent networks appear, and on which task.

    python benchmarks/sernn.py OUT [--task maze kinematics] [--seeds 5] [--jobs 2]

Networks of 100 rectified units on a 5 × 5 × 4 grid are trained without a penalty, with an L1
penalty, and with distance × weighted communicability (Achterberg et al. 2023), each over several
strengths and seeds. Then their weights are measured: modularity, small-worldness, whether short
connections are the strong ones. Each network is a file in OUT, written whole when it is done; what
is there already is not trained again, so after a kill the same command goes on. A table and the
plots are made of all that is there.

The kinematics need --archive, ``StevensonV2`` as an .npz (see examples/datasets/m1_stevenson.py).
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.sernn_report import plots, table  # noqa: E402 - found by the line above
from benchmarks.sernn_sweep import TASKS, Job, jobs, run  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "m1_stevenson"


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing, in parallel; then report."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder; made where missing")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5, help="networks of each kind")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--epochs", type=int, default=0, help="0: those of the task")
    parser.add_argument("--archive", type=Path, default=None, help="default: the one beside")
    parser.add_argument("--report", action="store_true", help="train nothing, report alone")
    options = parser.parse_args(arguments)
    archive = options.archive or next(iter(sorted(DATA.glob("*.npz"))), Path("missing.npz"))
    if "kinematics" in options.task and not archive.exists():
        parser.error(f"there is no {archive}; name it with --archive, or use --task maze")
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = jobs(options.task, options.seeds, options.epochs)
    if not options.report:
        _train(wanted, options.out, archive, options.jobs)
    text = table(wanted, options.out)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    for path in plots(wanted, options.out):
        print(path)
    return 0


def _train(wanted: list[Job], out: Path, archive: Path, processes: int) -> None:
    missing = [job for job in wanted if not job.file(out).exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} networks are there")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        running = {pool.submit(run, job, out, archive): job for job in missing}
        for number, done in enumerate(as_completed(running), 1):
            score, seconds = done.result()
            job = running[done]
            print(f"{number}/{len(missing)} {job.name}: {score:.3f} in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
