"""The kinds of faults, in one list. A new kind is a class of a file here, and a line below."""

from tests.chaos.faults.clock import ShiftClock
from tests.chaos.faults.disk import DiskFull, SlowDisk
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.freeze import Freeze, FreezeMany
from tests.chaos.faults.locks import LockTable, OldSnapshot
from tests.chaos.faults.messages import Giant, Killer
from tests.chaos.faults.network import Cut, HalfOpen, RestartPooler
from tests.chaos.faults.notify_queue import FillNotifyQueue
from tests.chaos.faults.server import Disconnect, FailOver, KillBackend, Restart
from tests.chaos.faults.signals import AskToStop, Kill, KillReclaimer, Storm
from tests.chaos.faults.strangers import BringStrangers

# Where a protection is missing: those that leave the server alone for most of the time, so that there is work to break.
OF_PROCESSES: tuple[type[Fault], ...] = (Kill, AskToStop, Storm, FreezeMany, KillReclaimer, Disconnect, Restart)
KINDS: tuple[type[Fault], ...] = (
    Kill,
    AskToStop,
    Storm,
    Freeze,
    KillReclaimer,
    Disconnect,
    Restart,
    KillBackend,
    FailOver,
    BringStrangers,
    RestartPooler,
    Cut,
    HalfOpen,
    LockTable,
    OldSnapshot,
    FillNotifyQueue,
    SlowDisk,
    DiskFull,
    ShiftClock,
    Killer,
    Giant,
)
