"""Prints where a session's decoder leans: python examples/client.py URL TOKEN SESSION."""

import asyncio
import sys

from bci_server.client import ClientError, Lost, connect


async def main(url: str, token: str, session: str) -> None:
    """Print predictions until Ctrl-C."""
    async with connect(url, token, session=session) as client:
        async for message in client.subscribe("predictions", rate_hz=5):
            if isinstance(message, Lost):
                print(f"lost: {message.reason}")
            else:
                print(message.labels, message.probabilities, f"{client.age_s(message):.3f} s old")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:4]))
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
