"""Commands of a session as velocities of a ROS 2 robot: ``geometry_msgs/Twist`` on ``cmd_vel``.

The node's timer asks the reference effector what to do, 50 times a second, whatever the network
does: so the robot brakes by itself when commands end. `diff_drive_controller` stops on its own
besides, after its ``cmd_vel_timeout``. Run it where rclpy is there:

    python examples/effectors/ros2_twist.py ws://127.0.0.1:8765 TOKEN SESSION
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

from bci_server.client import Effector, Lost, Moves, connect
from bci_server.wire import CommandMessage

PERIOD_S = 0.02
FORWARD, TURN = "x", "turn"
"""Commands that drive and turn, in m/s and rad/s; one that a session does not give is 0."""


class Driver:
    """An effector that one thread feeds from the network and another asks."""

    def __init__(self) -> None:
        self._effector = Effector(
            ttl_ms=200.0,
            largest={FORWARD: 0.5, TURN: 1.0},
            slopes={FORWARD: 1.0, TURN: 2.0},
        )
        self._lock = threading.Lock()

    def now(self) -> Moves:
        """Return what to do at this moment."""
        with self._lock:
            return self._effector.at(time.monotonic())

    async def feed(self, url: str, token: str, session: str) -> None:
        """Take in commands until cancelled."""
        async with connect(url, token, session=session) as client:
            async for message in client.subscribe("commands"):
                with self._lock:
                    self._effector.begin(client.hello.session, client.hello.epoch)
                    if isinstance(message, Lost):
                        self._effector.cut()
                    elif isinstance(message, CommandMessage):
                        self._effector.take(message, time.monotonic(), client.clock.offset_s)


def make_node(driver: Driver) -> Any:
    """Return the node; needs rclpy."""
    from geometry_msgs.msg import Twist
    from rclpy.node import Node

    class BrainDrive(Node):
        """Publishes what the effector says."""

        def __init__(self) -> None:
            super().__init__("brain_drive")
            self._publisher = self.create_publisher(Twist, "cmd_vel", 1)
            self._timer = self.create_timer(PERIOD_S, self.publish)

        def publish(self) -> None:
            """Publish what to do now; zeros while there is nothing."""
            moves = driver.now()
            values = dict(zip(moves.names, moves.values, strict=True))
            twist = Twist()
            twist.linear.x = values.get(FORWARD, 0.0)
            twist.angular.z = values.get(TURN, 0.0)
            self._publisher.publish(twist)

    return BrainDrive()


def main(url: str, token: str, session: str) -> None:
    """Spin until Ctrl-C."""
    import rclpy

    driver = Driver()
    feeding = threading.Thread(
        target=lambda: asyncio.run(driver.feed(url, token, session)), daemon=True
    )
    feeding.start()
    rclpy.init()
    rclpy.spin(make_node(driver))


if __name__ == "__main__":
    main(*sys.argv[1:4])
