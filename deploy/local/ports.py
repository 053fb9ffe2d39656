"""Whether a port of the stack is free, and whose it is when it is not."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import psutil

from deploy.local.service import CannotStartError
from deploy.local.settings import HOST


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def refuse_ports_in_use(process: str, ports: Mapping[str, int]) -> None:
    """Raises CannotStartError when one of the ports that `process` needs is taken."""
    for purpose, port in ports.items():
        if not is_free(port):
            raise CannotStartError(
                f"port {port} ({process}, {purpose}) is in use by {_listener(port)}: "
                "stop that, or choose other ports with REVOPS_LOCAL__PORT_BASE"
            )


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:  # not every user may ask for every process
        return "another program"
    return "another program"
