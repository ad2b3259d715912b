"""Registries to pull from and push to, and what goes wrong on the way to them. Nothing here needs pytest: the bench
drives the same parts.

docker.py    Debian's `docker-registry`, the CNCF registry, as a child process
model.py     a model as a registry holds it, and how it gets there without Puna
proxy.py     what stands between: latency, bandwidth, cut and stalled connections, every byte counted
hostile.py   a registry that says what a test tells it to, and a listener that only counts who calls
"""

from tests.registries.docker import DockerRegistry
from tests.registries.hostile import Canary, HostileRegistry, Request, reply
from tests.registries.model import Layer, Model
from tests.registries.proxy import Cut, Exchange, Proxy, Stall

__all__ = [
    "Canary",
    "Cut",
    "DockerRegistry",
    "Exchange",
    "HostileRegistry",
    "Layer",
    "Model",
    "Proxy",
    "Request",
    "Stall",
    "reply",
]
