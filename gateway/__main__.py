"""`python -m gateway policy check [FILE]`: is the policy sound? For editors and pipelines."""

import argparse
import sys
from pathlib import Path

from gateway.policy_file import UnsoundPolicy, read_policy
from gateway.settings import Settings


def main() -> str | None:
    """Check a policy file; return what is wrong with it, a line `file:line: ...` for each fault."""
    parser = argparse.ArgumentParser(prog="python -m gateway")
    policy = parser.add_subparsers(required=True).add_parser("policy").add_subparsers(required=True)
    check = policy.add_parser("check", help="tell what is wrong with a policy file, each fault with its line")
    check.add_argument("file", nargs="?", type=Path, help="default: POLICY_FILE")
    path = parser.parse_args().file or Settings().policy_file
    try:
        sound = read_policy(path)
    except UnsoundPolicy as error:
        return str(error)
    sys.stdout.write(f"{path}: sound, {len(sound.operations)} operations\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
