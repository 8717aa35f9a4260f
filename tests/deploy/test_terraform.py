"""Terraform's configuration, as far as it can be looked at without terraform and without AWS.

``python -m tests.deploy.cloud`` validates, plans and applies it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[2] / "deploy" / "terraform"
FILES = sorted(MODULES.rglob("*.tf"))


def _text() -> str:
    return "\n".join(path.read_text("utf-8") for path in FILES)


def _blocks(kind: str, name: str = "") -> list[str]:
    """Top-level blocks of a kind, as text."""
    named = name or '[^"]+'
    pattern = rf'^{kind} "({named})"[^\n]*{{\n.*?^}}$'
    return [found.group() for found in re.finditer(pattern, _text(), re.MULTILINE | re.DOTALL)]


def test_nothing_may_do_everything() -> None:
    for policy in _blocks("data", "aws_iam_policy_document"):
        allowed = [part for part in policy.split("statement {") if '"Deny"' not in part]
        actions = re.findall(r"actions\s*=\s*\[(.*?)\]", "".join(allowed), re.DOTALL)
        assert not [each for each in actions if '"*"' in each or re.search(r':\*"', each)], policy
        for statement in allowed:
            if re.search(r'resources\s*=\s*\["\*"\]', statement):
                assert "ecr:GetAuthorizationToken" in statement


def test_buckets_are_closed_and_encrypted_and_keep_what_was() -> None:
    buckets = re.findall(r'resource "aws_s3_bucket" "(\w+)"', _text())
    assert len(buckets) == 2
    for kind in (
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
    ):
        assert sorted(re.findall(rf'resource "{kind}" "(\w+)"', _text())) == sorted(buckets)


def test_the_database_is_private_and_its_password_is_nowhere() -> None:
    (database,) = _blocks("resource", "aws_db_instance")
    for line in (
        "publicly_accessible             = false",
        "storage_encrypted               = true",
        "manage_master_user_password     = true",
        "deletion_protection             = true",
    ):
        assert line in database
    assert not re.search(r"(?m)^\s*(master_)?password\s*=", _text())


def test_nobody_but_visitors_that_are_named_opens_the_portal() -> None:
    doors = [block for block in _blocks("resource", "aws_security_group") if "ingress {" in block]
    for door in doors:
        inner = door[door.index("ingress {") : door.index("}", door.index("ingress {"))]
        assert "0.0.0.0/0" not in inner
    assert "ELBSecurityPolicy-TLS13" in _text()


def test_what_is_secret_in_what_it_tells_is_marked() -> None:
    for output in _blocks("output"):
        if "certificate_pem" in output:
            assert "sensitive   = true" in output


@pytest.mark.parametrize("module", ["fleet", "cloud"])
def test_every_variable_says_what_it_is(module: str) -> None:
    text = (MODULES / module / "variables.tf").read_text("utf-8")
    assert text.count("variable ") == text.count("description ") == text.count("  type ")
