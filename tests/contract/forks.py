"""Which modules a script loads, seen in a fork of one process that has loaded next to nothing.

To start Python and to load numpy takes longer than most of what is tested so: it is done once.
"""

import json
import os
import subprocess
import sys

from decoders.training.worker_process import ONE_THREAD

_SERVER = """
import json, os, sys, traceback
import numpy
import decoders.artifact, decoders.decoder, devices.signal
for line in sys.stdin:
    ours, theirs = os.pipe()
    if child := os.fork():
        os.close(theirs)
        with os.fdopen(ours) as answer:
            print(answer.read(), flush=True)
        os.waitpid(child, 0)
        continue
    try:
        exec(json.loads(line), {"__name__": "__main__"})
        said = {"modules": sorted({name.partition(".")[0] for name in sys.modules})}
    except BaseException:
        said = {"error": traceback.format_exc()}
    os.write(theirs, json.dumps(said).encode())
    os._exit(0)
"""


class Forks:
    """A process of which each script runs in a fork; close its `process.stdin` to end it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD,  # a fork has but the thread that made it
        )

    def modules_after(self, script: str) -> set[str]:
        """Return the packages that are loaded when `script` has run."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(script), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        assert answer, "the script has ended its process"
        said = json.loads(answer)
        assert "error" not in said, said["error"]
        return set(said["modules"])
