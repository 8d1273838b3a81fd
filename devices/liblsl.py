"""The library under LSL: which copy is used, and how it is set up.

pylsl's wheel brings liblsl on most systems. On arm64 Linux, Alpine and older glibc it silently
brings none; then a copy on the system is used, or the one inside the mne-lsl wheel.
"""

from __future__ import annotations

import ctypes.util
import importlib
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal, Self

from devices.device import DeviceError

__all__ = ["Liblsl", "LiblslError", "LslConfig", "describe_liblsl", "load_pylsl"]

_QUICK = """[tuning]
MulticastMinRTT = 0.1
UnicastMinRTT = 0.1
TimeProbeInterval = 0.008
TimeProbeMaxRTT = 0.064
"""
# What liblsl would print, our own status and errors say already: only what ends it is printed.
_QUIET = "[log]\nlevel = -3\n"
_SUFFIXES = {"win32": ".dll", "darwin": ".dylib"}


class LiblslError(DeviceError):
    """Liblsl cannot be found, loaded or set up."""


@dataclass(frozen=True, slots=True)
class LslConfig:
    """LSL's settings for this whole process, instead of the user's ``lsl_api.cfg``.

    Parameters
    ----------
    session_id
        Only streams of the same session see each other.
    resolve_scope
        How far multicast goes.
    known_peers
        Hosts that are asked directly, where multicast does not pass.
    ipv6
        Whether IPv6 is used.
    base_port, port_range
        The ports that outlets take, and that known peers are asked on.
    quick
        Find streams and measure clock offsets five times as fast; for one machine or a fast
        network.
    """

    session_id: str = "default"
    resolve_scope: Literal["machine", "link", "site", "organization", "global"] = "site"
    known_peers: tuple[str, ...] = ()
    ipv6: Literal["disable", "allow", "force"] = "allow"
    base_port: int = 16572
    port_range: int = 32
    quick: bool = False

    @classmethod
    def isolated(cls) -> Self:
        """Return settings under which nobody outside sees these streams, nor they anybody."""
        return cls(
            session_id=f"isolated-{secrets.token_hex(6)}",
            resolve_scope="machine",
            known_peers=("127.0.0.1",),
            ipv6="disable",
            # Below the ephemeral ports, and rarely the same twice at once.
            base_port=17000 + 256 * secrets.randbelow(60),
            # Whoever looks for a stream takes a port of these as well; an outlet that finds none
            # free takes one outside, where nobody asks.
            port_range=256,
            quick=True,
        )

    def to_ini(self) -> str:
        """Return it as the content of an ``lsl_api.cfg``."""
        tuning = _QUICK if self.quick else ""
        return (
            f"[ports]\nIPv6 = {self.ipv6}\nBasePort = {self.base_port}\n"
            f"PortRange = {self.port_range}\n"
            f"[multicast]\nResolveScope = {self.resolve_scope}\n"
            f"[lab]\nSessionID = {self.session_id}\n"
            f"KnownPeers = {{{', '.join(self.known_peers)}}}\n"
            f"{_QUIET}{tuning}"
        )


@dataclass(frozen=True, slots=True)
class Liblsl:
    """Which liblsl this process uses.

    Parameters
    ----------
    path
        The library file.
    source
        Where it is from: ``PYLSL_LIB``, ``pylsl``, ``mne-lsl`` or ``system``.
    version
        Its version, such as ``1.18``.
    pylsl_version
        Version of the Python binding.
    build
        What the library says of itself: commit, compiler, options.
    """

    path: str
    source: str
    version: str
    pylsl_version: str
    build: str


_config_in_use: LslConfig | None = None
_pylsl: ModuleType | None = None


def load_pylsl(config: LslConfig | None = None) -> ModuleType:
    """Return the pylsl module, on a liblsl that works, set up.

    Parameters
    ----------
    config
        Settings for the whole process. None leaves LSL to the user's own: the file that
        ``LSLAPICFG`` names, or ``lsl_api.cfg``; where there is none, to its defaults, but quiet.

    Raises
    ------
    LiblslError
        No liblsl was found, or `config` comes too late: LSL reads its settings once.
    """
    global _pylsl, _config_in_use  # one process has one liblsl
    if _pylsl is None:
        module = _import_pylsl()
        if config is not None:
            _configure(module, config)
        elif not _has_config_of_the_users():
            with suppress(NotImplementedError):  # an old liblsl: then it prints what it likes
                module.set_config_content(_QUIET)
        _pylsl, _config_in_use = module, config
    elif config is not None and config != _config_in_use:
        raise LiblslError(
            f"LSL is already set up in this process with {_config_in_use or 'lsl_api.cfg'}, and "
            f"cannot change to {config}. Give the settings before anything uses LSL."
        )
    return _pylsl


def describe_liblsl() -> Liblsl:
    """Return which liblsl is in use.

    Raises
    ------
    LiblslError
        None can be loaded.
    """
    pylsl = load_pylsl()
    path = str(sys.modules["pylsl.lib"].libpath)
    number = pylsl.library_version()
    return Liblsl(
        path=path,
        source=_source_of(path),
        version=f"{number // 100}.{number % 100}",
        pylsl_version=version("pylsl"),
        build=pylsl.library_info(),
    )


def find_liblsl() -> str | None:
    """Return the file that pylsl is to load, or None; imports nothing."""
    named = os.environ.get("PYLSL_LIB", "")
    if os.path.isfile(named):
        return named
    bundled = _copies_in("pylsl", "lib")
    on_system = [ctypes.util.find_library("lsl"), ctypes.util.find_library("liblsl")]
    in_prefix = sorted(str(p) for p in Path(sys.prefix, "lib").glob(f"liblsl*{_suffix()}*"))
    candidates = [*bundled, *on_system, *in_prefix, *_copies_in("mne_lsl", "lsl", "lib")]
    return next((path for path in candidates if path), None)


def _suffix() -> str:
    return _SUFFIXES.get(sys.platform, ".so")


def _copies_in(package: str, *folders: str) -> list[str]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    return sorted(
        str(p)
        for p in Path(spec.origin).parent.joinpath(*folders).glob("*lsl*")
        if _suffix() in p.name
    )


def _source_of(path: str) -> str:
    if path in _copies_in("mne_lsl", "lsl", "lib"):
        return "mne-lsl"
    if path in _copies_in("pylsl", "lib"):
        return "pylsl"
    return "PYLSL_LIB" if path == os.environ.get("PYLSL_LIB") else "system"


def _import_pylsl() -> ModuleType:
    path = find_liblsl()
    if path is None:
        raise LiblslError(_missing("no liblsl was found"))
    if path not in _copies_in("pylsl", "lib"):
        os.environ["PYLSL_LIB"] = path  # pylsl reads it when it is imported
    try:
        return importlib.import_module("pylsl")
    except RuntimeError as error:  # a library for another machine or C library
        spare = next((p for p in _copies_in("mne_lsl", "lsl", "lib") if p != path), None)
        if spare is None:
            raise LiblslError(_missing(f"{path} cannot be loaded")) from error
        os.environ["PYLSL_LIB"] = spare
    try:
        return importlib.import_module("pylsl")
    except RuntimeError as error:
        raise LiblslError(_missing(f"neither {path} nor {spare} can be loaded")) from error


def _missing(what: str) -> str:
    return (
        f"LSL cannot be used: {what}. Install a copy with `pip install 'bci-server[liblsl]'`, or "
        "set PYLSL_LIB to the path of a liblsl for this machine."
    )


def _has_config_of_the_users() -> bool:
    """Return whether liblsl would find a file of settings; it looks in these places."""
    places = [os.environ.get("LSLAPICFG", ""), "lsl_api.cfg"]
    places += [os.path.expanduser("~/lsl_api/lsl_api.cfg"), "/etc/lsl_api/lsl_api.cfg"]
    return any(os.path.isfile(place) for place in places)


def _configure(pylsl: ModuleType, config: LslConfig) -> None:
    try:
        pylsl.set_config_content(config.to_ini())
    except NotImplementedError as error:
        raise LiblslError(
            f"{error} Write the settings to a file instead and name it in LSLAPICFG, or install "
            "a newer copy with `pip install -U pylsl`."
        ) from error
