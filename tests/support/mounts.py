"""Commands in a mount namespace of their own: what is mounted for them is so for nobody else."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping

import pytest

READ_ONLY_HOME = 'mount --bind "$HOME" "$HOME" && mount -o remount,ro,bind "$HOME"'
# FAT: no hard links, no modes, times to the two seconds. By the kernel, or else by a program.
FAT_HOME = (
    'PATH=$PATH:/usr/sbin:/sbin && mkfs.vfat -C "$HOME.image" 4096 && { mount -t vfat -o loop "$HOME.image" "$HOME"'
    ' || fusefat -o rw+ "$HOME.image" "$HOME"; }'
)
FEW_INODES_HOME = 'mount -t tmpfs -o nr_inodes=12 tmpfs "$HOME"'
SMALL_HOME = 'mount -t tmpfs -o size=64k tmpfs "$HOME"'

_MAY_NOT_MOUNT = 99


def system_policy(text: str, mode: int = 0o644) -> str:
    """Mounts that put a policy file into /etc: over a layer in memory, so that /etc itself stays as it is."""
    return (
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work"
        " && mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc"
        " && mkdir -p /etc/chef-workstation && cd /etc/chef-workstation"
        f" && printf %s {shlex.quote(text)} >telemetry.toml && chmod {mode:o} telemetry.toml"
    )


def run_with(mounts: str, *command: object, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command where the shell line `mounts` has been done. Skips the test where that is not allowed."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (scripts/install-test-tools)")
    # What a program of its own serves is to be unmounted, or that goes on.
    finish = 'code=$?; umount -l "$HOME" 2>/dev/null; exit $code'
    script = f'({mounts}) >/dev/null 2>&1 || exit {_MAY_NOT_MOUNT}; "$@"; {finish}'
    whole = ["unshare", "--mount", "sh", "-c", script, "sh", *map(str, command)]
    done = subprocess.run(whole, env=env, capture_output=True, check=False)
    if done.returncode == _MAY_NOT_MOUNT or done.stderr.startswith(b"unshare:"):
        pytest.skip("needs the right to mount (root with CAP_SYS_ADMIN), and what scripts/install-test-tools installs")
    return done
