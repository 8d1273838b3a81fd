"""Ten of the kills of ``benchmarks/record_kill.py``."""

import subprocess
import sys


def test_no_kill_makes_a_file_unreadable_or_loses_what_was_acknowledged(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.record_kill"),
            *("--count", "5", "--folder", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[-5], row[-4], row[-1]) for row in rows] == [("5", "5", "0")] * 2
    assert all(int(row[-3]) > 0 for row in rows)
