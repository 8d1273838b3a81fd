"""A web process without a web: does what the supervisor's tests need, over its real lines.

Each client of the TCP socket says one line of JSON and gets one back.
"""

import argparse
import asyncio
import json
import os
import socket
import sys

import msgspec

from bci_server.control import LoadModel, RestartSession, SeekReplay, StartSession, StopSession
from bci_server.link.web_end import EngineLink, LinkLost, SupervisorLink

REQUESTS = {
    c.__name__: c for c in (StartSession, StopSession, RestartSession, LoadModel, SeekReplay)
}


class Session:
    """Listens to one engine."""

    def __init__(self):
        self.state = ""
        self.lost_count = 0

    def connected(self):
        """Nothing to do."""

    def message(self, message):
        if hasattr(message, "state"):
            self.state = message.state

    def silent(self):
        if self.state == "running":  # one that is still starting may be busy
            self.state = "silent"

    def lost(self, goodbye):
        self.lost_count += 1
        self.state = "lost" if goodbye is None else goodbye.state


class Web:
    def __init__(self, supervisor_fd):
        self.supervisor = SupervisorLink(supervisor_fd, self.sessions_are)
        self.records = {}
        self.sessions = {}
        self.tasks = []

    def sessions_are(self, sessions):
        for record in sessions.sessions:
            self.records[record.name] = record
            if record.name not in self.sessions:
                session = self.sessions[record.name] = Session()
                self.tasks.append(asyncio.ensure_future(EngineLink(record.socket, session).run()))

    async def serve(self, reader, writer):
        words = json.loads(await reader.readline())
        if words[0] == "look":
            said = {
                "pid": os.getpid(),
                "records": msgspec.to_builtins(self.records),
                "states": {n: s.state for n, s in self.sessions.items()},
                "lost": {n: s.lost_count for n, s in self.sessions.items()},
            }
        else:
            try:
                answer = await self.supervisor.call(REQUESTS[words[0]](**words[1]))
                said = msgspec.to_builtins(answer)
            except LinkLost as e:
                said = {"lost": str(e)}
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def run(self, listen_fd):
        listening = socket.socket(fileno=listen_fd)
        async with await asyncio.start_server(self.serve, sock=listening):
            await self.supervisor.run()
        for task in self.tasks:
            task.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fail", action="store_true")
    parser.add_argument("--listen-fd", type=int)
    parser.add_argument("--supervisor-fd", type=int)
    arguments = parser.parse_args()
    if arguments.fail:
        sys.exit("no token file")

    async def main():
        await Web(arguments.supervisor_fd).run(arguments.listen_fd)

    asyncio.run(main())
