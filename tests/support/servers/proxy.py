"""A TCP proxy on loopback, a process of its own: it can cut all connections, or swallow silently what they carry.

`python -m tests.support.servers.proxy PORT` leads to that port, prints its own port, and reads one command a line:

    cut       reset all connections, and each new one
    swallow   keep all connections, and accept new ones, but pass nothing on: neither data nor the end of a connection
    flow      reset what was swallowed, and pass on again
    lead PORT new connections go to this port
"""

import asyncio
import subprocess
import sys
from contextlib import suppress

from tests.support.project import PROJECT


class Proxy:
    """Leads from `port` of loopback to `target`."""

    def __init__(self, target: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.servers.proxy", str(target)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the test only, which ends this.
            process_group=0,
        )
        self.port = int(self._answer())

    def tell(self, *words: object) -> None:
        """Give a command (see the top of the file), and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        assert self._answer() == "ok"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Network:
    """The state that all connections of one proxy share."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.mode = "flow"
        self.sides: set[Side] = set()
        self._tasks: set[asyncio.Task] = set()

    def obey(self, line: str) -> None:
        word, *values = line.split()
        if word == "lead":
            self.target = int(values[0])
            return
        if word == "cut":
            self._reset(self.sides)
        elif word == "swallow":
            for side in self.sides:
                side.is_silent = True
        elif word == "flow":
            self._reset({side for side in self.sides if side.is_silent})
        self.mode = word

    def _reset(self, sides) -> None:
        for side in list(sides):
            side.transport.abort()

    def lead_on(self, client: "Side") -> None:
        """Connect a new client to the target, in the background."""
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: "Side") -> None:
        loop = asyncio.get_running_loop()
        try:
            _, server = await loop.create_connection(lambda: Side(self, client), "127.0.0.1", self.target)
        except OSError:
            client.transport.abort()
            return
        client.meet(server)


class Side(asyncio.Protocol):
    """One end of a connection: of the client, or (with `other`) of the server."""

    def __init__(self, network: Network, other: "Side | None" = None) -> None:
        self.network = network
        self.other = other
        self.is_silent: bool = other is not None and other.is_silent
        self._early: list[bytes] = []

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.network.sides.add(self)
        if self.other is not None:
            return
        if self.network.mode == "cut":
            transport.abort()
        elif self.network.mode == "swallow":
            self.is_silent = True
        else:
            self.network.lead_on(self)

    def meet(self, server: "Side") -> None:
        """The other end is there: pass on what came before it."""
        self.other = server
        if self.transport.is_closing():
            server.transport.abort()
        for data in self._early:
            server.transport.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.is_silent:
            return
        if self.other is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, error) -> None:
        self.network.sides.discard(self)
        if self.other is not None and not self.is_silent:
            self.other.transport.close()


async def main(target: int) -> None:
    network = Network(target)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Side(network), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        network.obey(line.decode())
        print("ok", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
