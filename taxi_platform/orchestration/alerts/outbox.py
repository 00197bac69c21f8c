"""The queue of alerts to be sent: what a channel did not take is kept, in order, and tried again.

Belongs here: queues, outages and giving up. Does not: the channels themselves, and when an alert is due (``policy``).
The state is a value that the sensors keep in their cursors, so that it survives a restart of the daemon.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import BaseModel, Field

from taxi_platform.orchestration.alerts.channels import Channel
from taxi_platform.orchestration.alerts.message import Alert
from taxi_platform.orchestration.alerts.undelivered import NotDeliveredError

__all__ = ["OutboxState", "send"]

_TICK_BUDGET = 15.0
"""After so many seconds the remaining alerts wait for the next tick. Dagster ends a tick after 60 seconds, and a
running delivery may take 20 more."""
_FIRST_REST, _LONGEST_REST = 60.0, 3600.0
_KEPT_FOR = 24 * 3600.0
_MOST_KEPT = 50


class Outage(BaseModel):
    """A failed channel, which is not tried again before a certain time; times are seconds since 1970."""

    reason: str
    failures: int
    until: float


class OutboxState(BaseModel):
    """The alerts still to be sent to each channel, oldest first, and the channels that are down."""

    owed: dict[str, list[Alert]] = Field(default_factory=dict)
    outages: dict[str, Outage] = Field(default_factory=dict)


def send(
    channels: Sequence[Channel], state: OutboxState, alerts: Sequence[Alert], now: float
) -> tuple[OutboxState, list[str]]:
    """Send every channel its waiting alerts and the new ones.

    An outage of a channel is reported through the others, once. Nothing is raised. The sentences, one per channel that
    has something to report, are for the log and the tick.

    Returns:
        The state to keep, and the sentences.
    """
    deadline = time.monotonic() + _TICK_BUDGET
    queues = {channel.name: [*state.owed.get(channel.name, []), *alerts] for channel in channels}
    after, told = _offer(channels, queues, state.outages, now, deadline)
    broken = {name: outage for name, outage in after.outages.items() if name not in state.outages}
    if broken:
        notices = [_notice(name, outage, now) for name, outage in broken.items()]
        healthy = [channel for channel in channels if channel.name not in after.outages]
        queues = {channel.name: [*after.owed.get(channel.name, []), *notices] for channel in healthy}
        second, more = _offer(healthy, queues, after.outages, now, deadline)
        after = OutboxState(owed={**after.owed, **second.owed}, outages={**after.outages, **second.outages})
        told += more
    return OutboxState(owed={n: q for n, q in after.owed.items() if q}, outages=after.outages), told


def _offer(
    channels: Sequence[Channel], queues: dict[str, list[Alert]], outages: dict[str, Outage], now: float, deadline: float
) -> tuple[OutboxState, list[str]]:
    """Serve all channels in parallel, each in its own order."""
    after = OutboxState()
    told = []
    with ThreadPoolExecutor(max_workers=max(1, len(channels)), thread_name_prefix="alert") as pool:
        offers = [pool.submit(_empty, c, queues[c.name], outages.get(c.name), now, deadline) for c in channels]
        for channel, offer in zip(channels, offers, strict=True):
            kept, outage, sentences = offer.result()
            after.owed[channel.name] = kept
            if outage is not None:
                after.outages[channel.name] = outage
            told += [f"{channel.name}: {sentence}" for sentence in sentences]
    return after, told


def _empty(
    channel: Channel, queue: list[Alert], outage: Outage | None, now: float, deadline: float
) -> tuple[list[Alert], Outage | None, list[str]]:
    """Deliver until the first failure; returns the rest, whether the channel is down, and the sentence to report."""
    queue, told = _bounded(queue, now)
    if not queue or (outage is not None and now < outage.until):
        return queue, outage, [*told, *([f"{len(queue)} waiting, {outage.reason}"] if queue and outage else [])]
    delivered: list[str] = []
    while queue and time.monotonic() < deadline:
        try:
            channel.deliver(queue[0])
        except NotDeliveredError as error:
            # The refusal may be about this one message. It goes to the end of the queue, so that others are not held
            # up.
            queue = queue if error.may_pass else [*queue[1:], queue[0]]
            outage = _worse(outage, str(error), now)
            told.append(f"{len(queue)} waiting, because {error}")
            break
        outage = None
        delivered.append(queue.pop(0).title)
    return queue, outage, [f"delivered {'; '.join(delivered)}", *told] if delivered else told


def _bounded(queue: list[Alert], now: float) -> tuple[list[Alert], list[str]]:
    fresh = [alert for alert in queue if now - alert.at.timestamp() <= _KEPT_FOR][-_MOST_KEPT:]
    lost = len(queue) - len(fresh)
    return fresh, [f"{lost} given up undelivered"] if lost else []


def _worse(outage: Outage | None, reason: str, now: float) -> Outage:
    failures = outage.failures + 1 if outage else 1
    rest = min(_LONGEST_REST, _FIRST_REST * 2 ** min(failures - 1, 10))
    return Outage(reason=f"because {reason}", failures=failures, until=now + rest)


def _notice(name: str, outage: Outage, now: float) -> Alert:
    return Alert(
        id=f"channel.{name}.{int(now)}",
        kind="channel",
        title=f"Alerts through {name} do not arrive",
        details=(
            f"The last one failed {outage.reason}.",
            f"They are kept and offered again for {_KEPT_FOR / 3600:.0f} hours; `taxi alert-test` tries every channel.",
        ),
    )
