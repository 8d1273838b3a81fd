import runpy
import sys
import types
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from tests.bci_server.safety.test_second import command

FILE = Path(__file__).resolve().parents[2] / "examples" / "effectors" / "ros2_twist.py"


class Node:
    """As much of rclpy's as a node needs."""

    def __init__(self, name):
        self.name, self.published, self.timers = name, [], []

    def create_publisher(self, kind, topic, depth):
        assert (kind.__name__, topic) == ("Twist", "cmd_vel")
        return SimpleNamespace(publish=self.published.append)

    def create_timer(self, period_s, call):
        self.timers.append((period_s, call))


class Twist:
    def __init__(self):
        self.linear, self.angular = SimpleNamespace(x=0.0), SimpleNamespace(z=0.0)


@pytest.fixture
def ros(monkeypatch):
    for name, content in {
        "rclpy": {},
        "rclpy.node": {"Node": Node},
        "geometry_msgs": {},
        "geometry_msgs.msg": {"Twist": Twist},
    }.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("ros")
def test_the_robot_drives_within_its_limits_and_brakes_when_commands_end(monkeypatch):
    script = runpy.run_path(str(FILE))
    now_s = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    driver = script["Driver"]()
    node = script["make_node"](driver)
    ((period_s, publish),) = node.timers
    publish()
    driver._effector.begin("arm", "e1")
    for seq in range(1, 60):
        now_s[0] += period_s
        said = msgspec.structs.replace(command(now_s[0], 0.9), seq=seq)
        driver._effector.take(said, now_s[0])
        publish()
    for _ in range(60):
        now_s[0] += period_s
        publish()
    speeds = [twist.linear.x for twist in node.published]
    assert speeds[0] == 0.0
    assert max(speeds) == 0.5
    steps = [abs(b - a) for a, b in pairwise(speeds)]
    assert max(steps) <= 1.0 * period_s + 1e-9
    assert speeds[-1] == 0.0
