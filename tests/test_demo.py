"""`freshet demo`: its verdict can be trusted, and it leaves nothing behind."""

import os
import signal
import socket
import subprocess
import time

import pytest
from harness.engine import find_binary
from harness.waiting import wait_until
from servers.binaries import deps_dir, find_postgres
from servers.processes import children_of, is_alive

SMALL = ["--plain", "--seconds", "2", "--rate", "200", "--history", "400"]


@pytest.fixture
def scratch(tmp_path):
    """A directory that only its owner enters, as root's home is; the demo runs in it."""
    tmp_path.chmod(0o700)
    return tmp_path


def command(*arguments: str, binary=None) -> list[str]:
    return [str(binary or find_binary()), "demo", *arguments]


def environment() -> dict[str, str]:
    found = {
        "FRESHET_DEMO_POSTGRES": str(find_postgres(18).bin.parent),
        "FRESHET_DEMO_MODEL": str(deps_dir() / "model"),
        "FRESHET_DEMO_DATA": str(deps_dir() / "chitchat.json"),
    }
    return {**os.environ, **found}


def run_demo(directory, *arguments: str, binary=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments, binary=binary),
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_ends_equal_below_a_directory_that_only_its_owner_enters(scratch):
    binary = scratch / "freshet"
    binary.write_bytes(find_binary().read_bytes())
    binary.chmod(0o755)
    done = run_demo(scratch, *SMALL, binary=binary)
    assert done.returncode == 0, done.stderr
    assert "equal" in done.stdout and "different" not in done.stdout


@pytest.mark.parametrize("what", ["value", "vector"])
def test_one_changed_value_or_vector_is_found(scratch, what):
    done = run_demo(scratch, *SMALL, "--tamper", what)
    assert done.returncode == 1, done.stderr
    assert "different" in done.stdout


def test_port_taken(scratch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = run_demo(scratch, *SMALL, "--port", str(port))
    assert done.returncode == 2, done.stderr
    assert f"port: {port}" in done.stderr or f"port={port}" in done.stderr
    assert "--port" in done.stderr


def test_ctrl_c_stops_the_servers(scratch):
    demo = subprocess.Popen(
        command(*SMALL),
        cwd=scratch,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def has_servers() -> bool:
        assert demo.poll() is None, demo.communicate()
        return len(children_of(demo.pid)) >= 2

    try:
        wait_until(has_servers, "both servers", seconds=60)
        time.sleep(1)
        servers = children_of(demo.pid)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    finally:
        if demo.poll() is None:
            demo.kill()
    assert "error" not in errors, errors
    assert not [pid for pid in servers if is_alive(pid)]
