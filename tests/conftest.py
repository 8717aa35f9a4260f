"""What holds for every test: where CI is set, a skipped test fails the run.

On a developer's machine a test may skip for want of a system package, and says so. On a machine
that judges a change, a skip would be a hole nobody looks at.
"""

from __future__ import annotations

import os

import pytest


def _skips(config: pytest.Config) -> int:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    return (
        len(reporter.stats.get("skipped", []))
        if isinstance(reporter, pytest.TerminalReporter)
        else 0
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when CI is set and anything was skipped."""
    if os.environ.get("CI") and _skips(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why a run without a failed test has failed."""
    skips = _skips(config)
    if os.environ.get("CI") and skips:
        terminalreporter.write_line(
            f"CI is set and {skips} tests were skipped: install what they need (see above)",
            red=True,
        )
