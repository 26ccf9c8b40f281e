"""What follows when the PBX comes and goes. A new epoch: everything guarded is held against what the PBX shows now."""

from policies import events as ev
from policies.decide import breaks, calls
from policies.state import Draft


def on_connected(d: Draft, e: ev.PbxConnected) -> None:
    """Reconcile calls, handoffs and breaks with a full reading."""
    d.connected = True
    d.epoch = e.epoch
    d.members = {(m.agent, m.queue): m for m in e.members}
    live = {call.id: call for call in e.calls}
    for guard in list(d.guards.values()):
        calls.on_resync(d, guard, live.get(guard.call))
    breaks.reconcile(d)


def on_lost(d: Draft, e: ev.PbxLost) -> None:
    """Nothing is certain until the next epoch; endings are refused meanwhile, flags and pages still work."""
    if e.epoch == d.epoch:
        d.connected = False
