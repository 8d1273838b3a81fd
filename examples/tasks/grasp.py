"""A virtual hand that grasps and feels: python examples/tasks/grasp.py URL TOKEN [SESSION].

Commands close and open the hand. Where it presses on the object, the force comes back as
stimulation of the fingertip: linear in the force, a short train for every tenth of a second of
contact (Flesher et al., Sci. Transl. Med. 8, 2016; Science 372, 2021). The task is to hold the
object for two seconds without crushing it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass

from bci_server.client import CallRefused, Client, ClientError, LeaseLost, Lost, connect
from bci_server.wire import CommandMessage

_PULSE_WIDTH_US, _RATE_HZ = 200.0, 100.0
_FEEL_S = 0.1


@dataclass(slots=True)
class Hand:
    """A hand around an elastic object.

    Parameters
    ----------
    closed
        0 (open) to 1 (shut).
    size
        How far closed it touches the object.
    stiffness_n
        Force of a hand that would be shut, in N.
    """

    closed: float = 0.0
    size: float = 0.5
    stiffness_n: float = 20.0

    def move(self, closing: float, seconds: float) -> None:
        """Close at `closing` a second, below 0 open, for some time."""
        self.closed = min(1.0, max(0.0, self.closed + closing * seconds))

    @property
    def force_n(self) -> float:
        """How hard it presses."""
        return self.stiffness_n * max(0.0, self.closed - self.size) / (1.0 - self.size)


@dataclass(frozen=True, slots=True)
class Touch:
    """What is felt of a force: linear from the threshold of perception to the most there may be.

    Parameters
    ----------
    least_ua, most_ua
        Amplitude at the lightest touch, and at `most_n` and above.
    """

    least_ua: float = 20.0
    most_ua: float = 80.0
    most_n: float = 10.0

    def amplitude_ua(self, force_n: float) -> float:
        """Return the amplitude for a force; 0 without one."""
        if force_n <= 0:
            return 0.0
        share = min(1.0, force_n / self.most_n)
        return self.least_ua + share * (self.most_ua - self.least_ua)


class Grasp:
    """One go at the task.

    Parameters
    ----------
    client
        Armed.
    hand, touch
        What moves and what is felt.
    crush_n
        More than this breaks the object.
    """

    def __init__(self, client: Client, hand: Hand, touch: Touch, crush_n: float = 15.0) -> None:
        self._client = client
        self._touch = touch
        self._crush_n = crush_n
        self._last_s: float | None = None
        self._felt_s = -1.0
        self.hand = hand
        self.held_s = 0.0
        self.most_n = 0.0
        self.n_stimuli = 0

    @property
    def is_crushed(self) -> bool:
        """Whether the object has broken."""
        return self.most_n > self._crush_n

    async def follow(self, command: CommandMessage) -> None:
        """Do what a command says, until the next one; feel what comes of it."""
        now_s = command.ledger.published_s
        ttl_s = 1e-3 * command.ttl_ms
        seconds = 0.0 if self._last_s is None else min(ttl_s, now_s - self._last_s)
        self._last_s = now_s
        self.hand.move(command.values[0] if command.values else 0.0, seconds)
        force_n = self.hand.force_n
        self.most_n = max(self.most_n, force_n)
        self.held_s = self.held_s + seconds if force_n > 0 else 0.0
        if force_n > 0 and now_s - self._felt_s >= _FEEL_S:
            self._felt_s = now_s
            await self._feel(self._touch.amplitude_ua(force_n))

    async def _feel(self, amplitude_ua: float) -> None:
        train = (amplitude_ua, _PULSE_WIDTH_US, _RATE_HZ, _FEEL_S)
        await self._client.stimulate("fingertip", *train)
        self.n_stimuli += 1


async def main(url: str, token: str, session: str, most_s: float) -> None:
    """Grasp until the object was held for two seconds, was crushed, or time is over."""
    async with connect(url, token, session=session) as client:
        grasp = Grasp(client, Hand(), Touch())
        try:
            async with asyncio.timeout(most_s), client.armed({"closing": 0.5}):
                await _play(client, grasp)
        except TimeoutError:
            print("\ntime is over")
        except (CallRefused, LeaseLost) as refused:
            print(f"\n{refused}")
    outcome = "crushed" if grasp.is_crushed else f"held for {grasp.held_s:.1f} s"
    print(f"{outcome}; at most {grasp.most_n:.1f} N; felt {grasp.n_stimuli} times")


async def _play(client: Client, grasp: Grasp) -> None:
    async for message in client.subscribe("commands"):
        if isinstance(message, Lost):
            continue
        assert isinstance(message, CommandMessage)
        await grasp.follow(message)
        bar = "#" * round(40 * grasp.hand.closed)
        print(f"\r{bar:40}| {grasp.hand.force_n:5.1f} N", end="", flush=True)
        if grasp.held_s >= 2.0 or grasp.is_crushed:
            print()
            return


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token")
    ask.add_argument("session", nargs="?", default="grasp")
    ask.add_argument("--seconds", type=float, default=120.0)
    asked = ask.parse_args()
    try:
        asyncio.run(main(asked.url, asked.token, asked.session, asked.seconds))
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
