"""Real processes that start at once, forked from a server that has imported the checkout."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerContext
from typing import TypeVar

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


def forkserver() -> ForkServerContext:
    """A context whose processes have the checkout imported when they begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.edge.checkout.shopping_day", "edge.checkout.mqtt"])
    return context


def in_process(function: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=forkserver()) as pool:
        return pool.submit(function, argument).result(timeout=60)
