"""Terraform's configuration against a server that plays AWS (moto): validate, plan, apply.

Needs terraform. Says for each module how much was planned and made, and what moto did not take::

    python -m tests.deploy.cloud --plugins FOLDER

FOLDER is a mirror of providers as ``terraform providers mirror`` makes it; without one, terraform
fetches them itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.simulators.aws import aws

ROOT: Final = Path(__file__).resolve().parents[2]
MODULES: Final = ROOT / "deploy" / "terraform"
_PROVIDER: Final = """
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  s3_use_path_style           = true
  max_retries                 = 1
}
"""


def requests(*names: str) -> dict[str, str]:
    """Signing requests by name."""
    found = {}
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        signed = request.sign(key, hashes.SHA256())
        found[name] = signed.public_bytes(serialization.Encoding.PEM).decode()
    return found


def variables() -> dict[str, dict[str, object]]:
    """What each module is told."""
    programs = requests("cloud.trainer", "cloud.receiver")
    return {
        "fleet": {
            "name": "walkout-test",
            "certificate_requests": requests("shelf-1", "shelf-2"),
            "trainer_certificate_request": programs["cloud.trainer"],
            "receiver_certificate_request": programs["cloud.receiver"],
        },
        "cloud": {
            "name": "walkout-test",
            "image": f"example.com/walkout-cloud@sha256:{'0' * 64}",
            "releases_bucket": "walkout-test-releases-123456789012",
            "certificate_arn": "arn:aws:acm:eu-central-1:123456789012:certificate/test",
            "visitors": ["192.0.2.0/24"],
        },
    }


class Module:
    """A copy of a module in a folder of its own."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder / name
        shutil.copytree(MODULES / name, self.folder)
        (self.folder / "provider.tf").write_text(_PROVIDER, "utf-8")
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(variables()[name]), "utf-8")
        self._environment = {**os.environ, **environment}

    def terraform(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run terraform to its end."""
        return subprocess.run(
            ["terraform", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def resources(self) -> list[str]:
        """Addresses of what is there by terraform's own state."""
        return self.terraform("state", "list").stdout.split()


def main() -> int:
    """Run it and say what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plugins", type=Path, help="a mirror of providers")
    parser.add_argument("--module", choices=tuple(variables()), help="this one alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="walkout-terraform-") as name, aws() as address:
        folder = Path(name)
        environment = {"AWS_ENDPOINT_URL": address, "TF_IN_AUTOMATION": "1"}
        if asked.plugins is not None:
            told = f'provider_installation {{ filesystem_mirror {{ path = "{asked.plugins}" }} }}'
            (folder / "terraformrc").write_text(told, "utf-8")
            environment["TF_CLI_CONFIG_FILE"] = str(folder / "terraformrc")
        names = [asked.module] if asked.module else list(variables())
        fine = [_judge(Module(each, folder, environment)) for each in names]
    return int(not all(fine))


def _judge(module: Module) -> bool:
    for what in (("init", "-input=false"), ("fmt", "-check"), ("validate",)):
        done = module.terraform(*what, "-no-color") if what[0] != "fmt" else module.terraform(*what)
        if done.returncode != 0:
            print(f"{module.name}: {what[0]} failed\n{done.stdout}{done.stderr}")
            return False
    planned = module.terraform("plan", "-no-color", "-input=false")
    found = re.search(r"Plan: (\d+) to add", planned.stdout)
    if found is None:
        print(f"{module.name}: plan failed\n{planned.stdout[-3000:]}{planned.stderr[-3000:]}")
        return False
    applied = module.terraform("apply", "-no-color", "-input=false", "-auto-approve")
    made = [each for each in module.resources() if not each.startswith("data.")]
    print(f"{module.name}: valid; plan {found[1]} resources; apply made {len(made)}", flush=True)
    for words in re.findall(r"Error: (.+)", applied.stderr):
        print(f"  not taken: {words[:200]}", flush=True)
    if applied.returncode == 0:
        again = module.terraform("plan", "-no-color", "-input=false", "-detailed-exitcode")
        print(f"  a second plan: {'nothing to do' if again.returncode == 0 else 'changes'}")
        if again.returncode != 0:
            print("  " + "\n  ".join(re.findall(r"# (.+?) (?:will|must)", again.stdout)))
    return bool(made)


if __name__ == "__main__":
    sys.exit(main())
