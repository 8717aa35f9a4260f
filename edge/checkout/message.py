"""A message for somebody outside, as a value. What it says is ``handoff.py``'s. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Receiver = Literal["till", "mqtt", "hub", "desk"]


@dataclass(frozen=True)
class OutgoingMessage:
    """A message for somebody outside.

    Attributes:
        message_id: Its id, by which the receiver knows it when it comes twice.
        receiver: Who gets it: the till, subscribers, a shelf device's hub, or the desk of the hub
            itself.
        stream: Messages of one stream arrive in order; the session.
        address: Path of a request, or topic below the prefix.
        body: JSON.
    """

    message_id: str
    receiver: Receiver
    stream: str
    address: str
    body: str
