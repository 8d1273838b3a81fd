import gc
import os
import runpy
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from devices.liblsl import LslConfig, load_pylsl

# Linear algebra and networks read it when they are loaded, some of them long after the first test.
# Threads that wait for each other spin: with one for each core in every worker, a third of the
# processor's time went there.
os.environ["OMP_NUM_THREADS"] = "1"

# LSL reads this once, at its first use in a process, and child processes inherit it: so no test
# sees the network's streams, nor is seen. Each worker of pytest-xdist comes through here too, and
# so has streams of its own.
_LSL_CONFIG = tempfile.NamedTemporaryFile("w", prefix="lsl_api_", suffix=".cfg")  # noqa: SIM115
_LSL_CONFIG.write(LslConfig.isolated().to_ini())
_LSL_CONFIG.flush()
os.environ["LSLAPICFG"] = _LSL_CONFIG.name

# How long an example takes tells how busy the machine is.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture(scope="session", autouse=True)
def one_linear_algebra_thread():
    """Run on one thread, as live runs do: several sum in another order, and fight over cores."""
    import scipy.linalg  # noqa: F401 (brings a library of its own, which must be there to be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def lsl():
    """pylsl, in a session of its own that child processes share."""
    return load_pylsl()


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real recordings."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BCI_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set BCI_TEST_DATA to where they are")
    return folder


@pytest.fixture(scope="session")
def dataset_script():
    """Run one of examples/datasets, by its name, and return its exit code."""
    folder = Path(__file__).resolve().parents[1] / "examples" / "datasets"

    def run(name, *arguments):
        sys.path.insert(0, str(folder))  # as Python does for a script
        try:
            main = runpy.run_path(str(folder / f"{name}.py"))["main"]
        finally:
            sys.path.remove(str(folder))
        return main([str(argument) for argument in arguments])

    return run


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage while modules are imported, nor among them afterwards.

    They are millions of objects, and they stay: to look through them took a tenth of the time in
    which tests are found, and half a second of each test that sees to it that nothing is left.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Begin what mostly waits first: the rest of the suite runs beside it."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)
