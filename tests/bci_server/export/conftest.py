import runpy
from pathlib import Path

import pytest

from tests.bci_server.export.sessions import write_session

SCRIPT = Path(__file__).parents[3] / "examples" / "datasets" / "m1_stevenson.py"


@pytest.fixture
def session(tmp_path):
    return write_session(tmp_path / "sub-P01_ses-02_task-reach_run-001_eeg.xdf")


@pytest.fixture(scope="session")
def stevenson(shared_data, tmp_path_factory):
    """Spike counts, velocity and position of a macaque's reaches."""
    path = tmp_path_factory.mktemp("m1") / "m1.xdf"
    main = runpy.run_path(str(SCRIPT))["main"]
    archive = shared_data / "m1_stevenson" / "stevenson_first70.npz"
    assert main([str(archive), str(path), "--to", "0.2"]) == 0
    return path


@pytest.fixture
def eegmmi(shared_data):
    return shared_data / "eegmmi_s001" / "S001R04.edf"


@pytest.fixture
def switch(shared_data):
    return shared_data / "xdf_lsl" / "switch_example.xdf"
