import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Installs a distribution that adds kinds of every group, as a stranger's would."""
    folder = tmp_path / "site"
    info = folder / "strangers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent("""
        [bci_server.devices]
        stranger = stranger_device
        broken = stranger_broken
        two = stranger_two
        [bci_server.stages]
        gain = stranger_gain:Gain
        [bci_server.decoders]
        sides = stranger_sides
        """)
    )
    for name, source in _MODULES.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in _MODULES:
        sys.modules.pop(name, None)


_MODULES = {
    "stranger_device": """
        from dataclasses import dataclass
        __all__ = ["Stranger"]

        @dataclass(frozen=True)
        class Stranger:
            board: str
            rate_hz: float = 250.0
            gain: int = 24
            channels: tuple[str, ...] = ("C3", "C4")

            def __post_init__(self):
                if self.rate_hz <= 0:
                    raise ValueError(f"rate_hz must be positive, not {self.rate_hz!r}")
        """,
    "stranger_broken": "import a_library_that_is_not_there\n__all__ = []\n",
    "stranger_two": """
        from dataclasses import dataclass
        __all__ = ["A", "B"]

        @dataclass(frozen=True)
        class A: ...

        @dataclass(frozen=True)
        class B: ...
        """,
    "stranger_gain": """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Gain:
            gain: float = 1.0
        """,
    "stranger_sides": """
        from dataclasses import dataclass
        __all__ = ["Sides"]

        @dataclass(frozen=True)
        class Sides:
            shrinkage: float = 0.1
            task = "classes"
        """,
}


@pytest.fixture(scope="session")
def fresh_python():
    """Runs a line of Python in a new process and returns what it prints."""

    def run(line):
        return subprocess.run(
            [sys.executable, "-c", line], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    return run
