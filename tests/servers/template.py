"""Data directories made by one initdb per version and copied for each server.

initdb takes a second or two, a copy a tenth of that. A copy gets a system
identifier of its own: Freshet tells servers apart by it.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import struct
import subprocess
from pathlib import Path

from servers.accounts import Account
from servers.binaries import Installation, deps_dir

SUPERUSER = "postgres"
_INITDB = ["-A", "scram-sha-256", "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8", "-N"]


def copy_template(installation: Installation, account: Account, data: Path) -> str:
    """Makes `data` a new cluster's directory and returns its superuser's password."""
    template = _find_or_make(installation, account)
    account.run(["cp", "-a", "--reflink=auto", str(template / "data"), str(data)])
    _renew_system_identifier(data)
    return (template / "password").read_text()


def _find_or_make(installation: Installation, account: Account) -> Path:
    postgres = installation.program("postgres")
    version = subprocess.run([postgres, "--version"], capture_output=True, check=True).stdout
    key = hashlib.sha256(version + " ".join([*_INITDB, account.name]).encode()).hexdigest()[:12]
    folder = deps_dir() / "templates"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    template = folder / f"{installation.version}-{key}"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _make(installation, account, template)
    return template


def _make(installation: Installation, account: Account, template: Path) -> None:
    staging = template.with_suffix(".part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    account.own(staging)
    password = staging / "password"
    password.write_text(secrets.token_hex(16))
    password.chmod(0o600)
    account.own(password)
    initdb = [installation.program("initdb"), "-D", staging / "data", f"--pwfile={password}"]
    account.run([str(part) for part in [*initdb, *_INITDB]])
    staging.rename(template)


def _renew_system_identifier(data: Path) -> None:
    """Writes a fresh identifier into pg_control and into the first page of each WAL segment."""
    identifier = struct.pack("=Q", secrets.randbits(62))
    control = data / "global" / "pg_control"
    content = bytearray(control.read_bytes())
    crc_at = _find_crc(content)
    content[0:8] = identifier
    content[crc_at : crc_at + 4] = struct.pack("=I", _crc32c(content[:crc_at]))
    _overwrite(control, 0, bytes(content))
    for segment in (data / "pg_wal").iterdir():
        if len(segment.name) == 24:
            # XLogLongPageHeaderData: 24 bytes of page header, then xlp_sysid.
            _overwrite(segment, 24, identifier)


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def _find_crc(control: bytes) -> int:
    """Returns where ControlFileData ends: at its checksum, whose place differs by version."""
    for offset in range(200, 400, 4):
        if struct.unpack_from("=I", control, offset)[0] == _crc32c(control[:offset]):
            return offset
    raise ValueError("pg_control has no checksum where one is expected")


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
