"""What this machine can and cannot do for a session: plain findings, each with its fix.

Every check returns findings and raises nothing for what it finds. LSL is probed under the user's
own settings, with a stream of ours that is gone afterwards.
"""

from __future__ import annotations

import errno
import os
import resource
import secrets
import socket
import struct
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from devices.clock import MONOTONIC, Clock
from devices.discovery import StreamMatch, resolve
from devices.liblsl import LiblslError, describe_liblsl, load_pylsl

__all__ = ["Finding", "examine"]

MULTICAST_GROUP, MULTICAST_PORT = "239.255.172.215", 16571
"""Where LSL asks a site's machines for streams."""
LSL_PORTS = range(16572, 16604)

_KNOWN_PEERS_FIX = (
    "Name the senders' addresses in lsl_api.cfg: [lab] KnownPeers = {ADDRESS, …} "
    "(in ~/lsl_api/lsl_api.cfg, or the file that LSLAPICFG names)."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    level
        ``fail``: a session cannot work; ``warn``: it works worse than it could; ``ok``.
    what
        What was found, with figures.
    fix
        What to do about it; empty when `level` is ``ok``.
    """

    level: Literal["ok", "warn", "fail"]
    what: str
    fix: str = ""


def examine(ports: Iterable[int] = (8000,), clock: Clock = MONOTONIC) -> list[Finding]:
    """Run all checks; takes about four seconds.

    Parameters
    ----------
    ports
        TCP ports that the server is to listen on.
    clock
        The clock whose wake-ups are measured.
    """
    liblsl = check_liblsl()
    findings = [liblsl]
    if liblsl.level != "fail":
        findings += [check_clock(), check_multicast(), *probe_lsl()]
    findings += check_lsl_ports()
    findings += [check_port(port) for port in ports]
    findings += [
        check_wakeups(clock),
        check_governor(),
        check_realtime(),
        check_memory_lock(),
        check_container(),
    ]
    return findings


def check_liblsl() -> Finding:
    """Say which liblsl is in use, or that there is none."""
    try:
        found = describe_liblsl()
    except LiblslError as error:
        what, _, fix = str(error).partition(". ")
        return Finding("fail", what, fix)
    what = f"liblsl {found.version} from {found.source} ({found.path}), pylsl {found.pylsl_version}"
    if float(found.version) < 1.16:
        return Finding("warn", f"{what} is old", "Install a newer one: pip install -U pylsl")
    return Finding("ok", what)


def check_clock() -> Finding:
    """Compare LSL's clock with the one that everything else here is stamped with."""
    pylsl = load_pylsl()
    before_s = time.monotonic()
    lsl_s = pylsl.local_clock()
    apart_ms = 1e3 * max(before_s - lsl_s, lsl_s - time.monotonic(), 0.0)
    if apart_ms > 1.0:
        return Finding(
            "fail",
            f"LSL's clock and the system's monotonic clock are {apart_ms:.1f} ms apart",
            "Use a liblsl that reads the monotonic clock: pip install -U pylsl",
        )
    return Finding("ok", "LSL's clock is the system's monotonic clock")


def check_multicast() -> Finding:
    """Send one packet to LSL's multicast group and see whether it comes back."""
    token = secrets.token_bytes(16)
    try:
        with (
            _joined_socket() as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            sender.sendto(token, (MULTICAST_GROUP, receiver.getsockname()[1]))
            receiver.settimeout(1.0)
            came_back = receiver.recv(64) == token
    except TimeoutError:
        came_back = False
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, str(error))
        return Finding("warn", f"this machine cannot send multicast ({reason})", _KNOWN_PEERS_FIX)
    if not came_back:
        return Finding("warn", "multicast packets are lost on this machine", _KNOWN_PEERS_FIX)
    return Finding("ok", f"multicast to {MULTICAST_GROUP} works")


def probe_lsl(timeout_s: float = 5.0) -> list[Finding]:
    """Open an outlet, find it, receive from it, and measure the clock offset."""
    pylsl = load_pylsl()
    source_id = f"bci-doctor-{secrets.token_hex(4)}"
    info = pylsl.StreamInfo("bci-doctor", "Probe", 8, 1000.0, pylsl.cf_float32, source_id)
    outlet = pylsl.StreamOutlet(info)
    start_s = time.monotonic()
    found = resolve(StreamMatch(source_id=source_id), timeout_s)
    if not found:
        return [
            Finding(
                "fail",
                f"a stream of this machine was not found on it within {timeout_s:g} s",
                "Allow UDP port 16571 and TCP and UDP ports 16572-16604 in the firewall, or put "
                "[lab] KnownPeers = {127.0.0.1} into lsl_api.cfg; in Docker use --network host.",
            )
        ]
    resolved = Finding(
        "ok", f"a stream was found after {1e3 * (time.monotonic() - start_s):.0f} ms"
    )
    inlet = pylsl.StreamInlet(found[0], 10, 0, False)
    findings = [
        resolved,
        _probe_data(pylsl, outlet, inlet, timeout_s),
        _probe_offset(pylsl, inlet),
    ]
    del inlet  # before its outlet, or liblsl reports a broken connection
    return findings


def check_lsl_ports() -> list[Finding]:
    """Count the TCP ports that are left for LSL outlets."""
    free = sum(_is_free(port, "") for port in LSL_PORTS)
    if free < 6:  # three outlets of one publisher, two ports each
        return [
            Finding(
                "warn",
                f"only {free} of LSL's {len(LSL_PORTS)} ports are free; more outlets take random "
                "ports, which only multicast finds",
                "End programs that no longer stream (`bci devices` lists them), or raise "
                "[ports] PortRange in lsl_api.cfg on all machines.",
            )
        ]
    return [Finding("ok", f"{free} of LSL's {len(LSL_PORTS)} ports are free")]


def check_port(port: int, host: str = "127.0.0.1") -> Finding:
    """Say whether the server could listen on `port`."""
    if _is_free(port, host):
        return Finding("ok", f"port {port} is free")
    return Finding(
        "warn",
        f"port {port} on {host} is taken",
        f"End what listens there (`ss -ltnp 'sport = :{port}'` names it), or serve on another.",
    )


def check_wakeups(clock: Clock = MONOTONIC, n: int = 300) -> Finding:
    """Measure how late this process wakes up from sleeps of 1 ms."""
    late_ms = np.empty(n)
    for k in range(n):
        due_s = clock.now() + 1e-3
        clock.sleep_until(due_s)
        late_ms[k] = 1e3 * (clock.now() - due_s)
    p50_ms, p99_ms = np.percentile(late_ms, [50, 99])
    what = f"timer wake-ups are late by {p50_ms:.2f} ms (p50), {p99_ms:.2f} ms (p99)"
    if p99_ms > 5.0:
        return Finding(
            "warn", what, "End other programs, allow real-time scheduling, or take more cores."
        )
    return Finding("ok", what)


def check_governor(cpus: Path = Path("/sys/devices/system/cpu")) -> Finding:
    """Look at how the processor's clock is governed."""
    files = sorted(cpus.glob("cpu[0-9]*/cpufreq/scaling_governor"))
    governors = sorted({file.read_text().strip() for file in files})
    if not governors:
        return Finding("ok", "the CPU's clock is not governed from here (virtual machine?)")
    what = f"CPU governor: {', '.join(governors)}"
    if governors != ["performance"]:
        return Finding(
            "warn", what, "sudo cpupower frequency-set -g performance (saves wake-up time)"
        )
    return Finding("ok", what)


def check_realtime() -> Finding:
    """Try for a moment whether SCHED_FIFO is allowed."""
    if not hasattr(os, "sched_setscheduler"):
        return Finding("ok", f"{sys.platform} has no SCHED_FIFO")
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return Finding(
            "warn",
            "real-time scheduling (SCHED_FIFO) is not allowed; other load may delay decodes",
            "Add '@bci - rtprio 20' to /etc/security/limits.d/bci.conf, put yourself into the "
            "group bci and log in again; in Docker: --cap-add SYS_NICE --ulimit rtprio=20.",
        )
    os.sched_setscheduler(0, *before)
    return Finding("ok", "real-time scheduling (SCHED_FIFO) is allowed")


def check_memory_lock(needed_bytes: int = 64 * 2**20) -> Finding:
    """Look at how much memory may be kept from being swapped out."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY or limit >= needed_bytes or os.geteuid() == 0:
        return Finding("ok", "memory may be locked")
    return Finding(
        "warn",
        f"only {limit / 2**20:.0f} MiB of memory may be locked; swapping may delay decodes",
        "Add '@bci - memlock unlimited' to /etc/security/limits.d/bci.conf; in Docker: "
        "--ulimit memlock=-1.",
    )


def check_container(root: Path = Path("/")) -> Finding:
    """Say whether this is a container, whose network LSL may not see through."""
    marks = (".dockerenv", "run/.containerenv")
    kind = next((mark for mark in marks if (root / mark).exists()), "")
    control_groups = root / "proc/1/cgroup"
    if not kind and control_groups.is_file():
        text = control_groups.read_text()
        kind = next((k for k in ("docker", "kubepods", "containerd", "lxc") if k in text), "")
    if not kind:
        return Finding("ok", "not in a container, as far as can be seen")
    return Finding(
        "warn",
        f"this is a container ({kind.rsplit('/', 1)[-1]}); multicast seldom passes its network",
        "Run it with --network host. " + _KNOWN_PEERS_FIX,
    )


def _probe_data(pylsl: Any, outlet: Any, inlet: Any, timeout_s: float) -> Finding:
    fix = "Allow TCP ports 16572-16604 in the firewall, to and from this machine."
    try:
        inlet.open_stream(timeout_s)
        if not outlet.wait_for_consumers(timeout_s):
            return Finding("fail", "no LSL data connection (TCP) within this machine", fix)
        outlet.push_chunk(np.zeros((100, 8), dtype=np.float32), pylsl.local_clock())
        samples, _ = inlet.pull_chunk(timeout=timeout_s, max_samples=100)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        return Finding("fail", f"no LSL data connection (TCP) within this machine: {error}", fix)
    if len(samples) != 100:
        return Finding("fail", f"{len(samples)} of 100 samples came through LSL", fix)
    return Finding("ok", "samples pass through LSL (TCP)")


def _probe_offset(pylsl: Any, inlet: Any) -> Finding:
    fix = "Allow UDP ports 16572-16604 in the firewall, to and from this machine."
    try:
        offset_ms = 1e3 * inlet.time_correction(5.0)
    except (pylsl.util.TimeoutError, pylsl.util.LostError):
        return Finding("fail", "LSL's clock requests (UDP) get no answer on this machine", fix)
    what = f"LSL measures this machine's clock against itself to {abs(offset_ms):.3f} ms"
    if abs(offset_ms) > 1.0:
        return Finding("warn", what, "The machine is busy: end other programs, and look again.")
    return Finding("ok", what)


def _joined_socket() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        receiver.bind(("", 0))  # a port of our own: only the way is tested, nobody else is asked
        group = struct.pack("4s4s", socket.inet_aton(MULTICAST_GROUP), socket.inet_aton("0.0.0.0"))
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    except OSError:
        receiver.close()
        raise
    return receiver


def _is_free(port: int, host: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
