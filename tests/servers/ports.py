"""Loopback ports."""

import socket


def free_port() -> int:
    """Returns a TCP port that was free a moment ago; whoever uses it must cope with losing it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
