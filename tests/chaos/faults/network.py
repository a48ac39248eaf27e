"""The networks between the project's processes and the servers, and the pooler on the way."""

from tests.chaos.faults.fault import Fault


class Cut(Fault):
    name = "network cut"
    does = "all connections are reset, and for up to 2 s each new one"
    lasts_s = (0.0, 2.0)
    word = "cut"

    def begin(self, monkey):
        for network in monkey.stage.networks:
            network.tell(self.word)

    def end(self, monkey):
        for network in monkey.stage.networks:
            network.tell("flow")


class HalfOpen(Cut):
    name = "network half-open"
    does = "the network swallows all that is sent, both ways, for 2 to 12 s; nobody is told, until it resets"
    weight = 0.4
    lasts_s = (2.0, 12.0)
    word = "swallow"


class RestartPooler(Fault):
    name = "pooler killed"
    does = "SIGKILL to PgBouncer, and a new one"

    @classmethod
    def missing(cls, stage):
        return None if stage.pooler else "a pooler"

    def begin(self, monkey):
        monkey.stage.pooler.kill()
        monkey.stage.pooler.start()
