import pytest

from tests.bci_server.export.sessions import write_session


@pytest.fixture
def session(tmp_path):
    return write_session(tmp_path / "sub-P01_ses-02_task-reach_run-001_eeg.xdf")


@pytest.fixture(scope="session")
def stevenson(shared_data, tmp_path_factory, dataset_script):
    """Spike counts, velocity and position of a macaque's reaches."""
    path = tmp_path_factory.mktemp("m1") / "m1.xdf"
    archive = shared_data / "m1_stevenson" / "stevenson_first70.npz"
    assert dataset_script("m1_stevenson", archive, path, "--to", "0.2") == 0
    return path


@pytest.fixture
def eegmmi(shared_data):
    return shared_data / "eegmmi_s001" / "S001R04.edf"


@pytest.fixture
def switch(shared_data):
    return shared_data / "xdf_lsl" / "switch_example.xdf"
