import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from devices.liblsl import Liblsl, LiblslError, LslConfig, describe_liblsl, load_pylsl

MNE_LSL = find_spec("mne_lsl")


def run_python(code, **environment):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


def test_says_which_library_is_in_use(lsl):
    found = describe_liblsl()
    assert isinstance(found, Liblsl)
    assert os.path.isfile(found.path)
    assert found.source in {"PYLSL_LIB", "pylsl", "mne-lsl", "system"}
    assert float(found.version) >= 1.16


def test_the_tests_are_isolated(lsl):
    outlet = lsl.StreamOutlet(lsl.StreamInfo("isolated", "EEG", 1, 100, "float32", "isolated-1"))
    assert outlet.get_info().session_id().startswith("isolated-")


def test_settings_that_come_too_late_are_refused(lsl):
    with pytest.raises(LiblslError, match="already set up"):
        load_pylsl(LslConfig(session_id="another"))


def test_settings_reach_lsl():
    result = run_python(
        "from devices.liblsl import LslConfig, load_pylsl\n"
        "lsl = load_pylsl(LslConfig(session_id='of-its-own', resolve_scope='machine'))\n"
        "assert load_pylsl(LslConfig(session_id='of-its-own', resolve_scope='machine')) is lsl\n"
        "outlet = lsl.StreamOutlet(lsl.StreamInfo('a', 'EEG', 1, 100, 'float32', 'b'))\n"
        "print(outlet.get_info().session_id())"
    )
    assert result.stdout.strip() == "of-its-own", result.stderr


SAYS_SOMETHING = """
from devices.liblsl import load_pylsl
lsl = load_pylsl()
outlet = lsl.StreamOutlet(lsl.StreamInfo("loud", "EEG", 1, 100, "float32", "loud-1"))
print(outlet.get_info().session_id())
"""


def test_liblsl_prints_nothing_by_default(tmp_path):
    result = run_python(SAYS_SOMETHING, LSLAPICFG="", HOME=str(tmp_path))
    assert result.stdout.strip() == "default", result.stderr
    assert result.stderr == ""


@pytest.mark.parametrize("where", ["named", "home"])
def test_the_users_own_settings_stay_and_say_what_is_printed(tmp_path, where):
    folder = tmp_path / "lsl_api"
    folder.mkdir()
    file = folder / "lsl_api.cfg"
    isolated = LslConfig(session_id="of-the-users", resolve_scope="machine", ipv6="disable")
    file.write_text(isolated.to_ini().replace("level = -3", "level = 3"))
    named = str(file) if where == "named" else ""
    result = run_python(SAYS_SOMETHING, LSLAPICFG=named, HOME=str(tmp_path))
    assert result.stdout.strip() == "of-the-users", result.stderr
    assert result.stderr != ""


@pytest.mark.skipif(MNE_LSL is None, reason="mne-lsl is not installed")
def test_the_copy_in_mne_lsl_serves_where_pylsl_brings_none():
    result = run_python(
        "from devices import liblsl\n"
        "copies = liblsl._copies_in\n"
        "liblsl._copies_in = lambda p, *f: [] if p == 'pylsl' else copies(p, *f)\n"
        "liblsl.ctypes.util.find_library = lambda name: None\n"
        "import sys; found = liblsl.describe_liblsl()\n"
        "print(found.source, 'mne_lsl' in sys.modules)"
    )
    assert result.stdout.split() == ["mne-lsl", "False"], result.stderr


@pytest.mark.skipif(MNE_LSL is None, reason="mne-lsl is not installed")
def test_the_copy_in_mne_lsl_serves_where_the_first_does_not_load(tmp_path):
    broken = tmp_path / "liblsl.so"
    broken.write_bytes(b"not a library")
    result = run_python(
        "from devices.liblsl import describe_liblsl; print(describe_liblsl().source)",
        PYLSL_LIB=str(broken),
    )
    assert result.stdout.strip() == "mne-lsl", result.stderr


def test_without_any_library_the_message_says_what_to_do():
    result = run_python(
        "from devices import liblsl\n"
        "liblsl.find_liblsl = lambda: None\n"
        "try:\n    liblsl.load_pylsl()\n"
        "except liblsl.LiblslError as error:\n    print(error)"
    )
    assert "pip install 'bci-server[liblsl]'" in result.stdout, result.stderr
