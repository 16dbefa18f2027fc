"""Stand-in packages: a chef-workstation that lays out what the real one does, and what it needs of a machine.

Its scripts do what the real ones do: they link its commands into /usr/bin after installation, and remove these links on
removal; the .deb, and the .rpm where no file says that the system is Red Hat's, on upgrade too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

LINK = "ln -sf {folder}/bin/chef-run {folder}/bin/knife /usr/bin"
UNLINK = "rm -f /usr/bin/chef-run /usr/bin/knife"
CHEF_RUN = '#!/bin/sh\necho "chef-run of {name} {version}: $*"\n'


def lay_out(root: Path, name: str, version: str) -> None:
    for folder in ("bin", "embedded/bin"):
        for command in ("chef-run", "knife"):
            path = root / "opt" / name / folder / command
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(CHEF_RUN.format(name=name, version=version))
            path.chmod(0o755)


def deb(folder: Path, version: str, name: str = "chef-workstation", ships_links: bool = False) -> Path:
    """Build it as a .deb. Returns its path. With `ships_links`, the links are its own files."""
    root = folder / f"{name}-{version}-deb"
    lay_out(root, name, version)
    if ships_links:
        (root / "usr" / "bin").mkdir(parents=True)
        (root / "usr" / "bin" / "chef-run").symlink_to(f"/opt/{name}/bin/chef-run")
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\nDescription: stand-in\n"
    scripts = {} if ships_links else {"postinst": LINK.format(folder=f"/opt/{name}"), "postrm": UNLINK}
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(control)
    for script, line in scripts.items():
        (root / "DEBIAN" / script).write_text(f"#!/bin/sh\n{line}\n")
        (root / "DEBIAN" / script).chmod(0o755)
    target = folder / f"{name}_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, target], check=True, capture_output=True)
    return target


def rpm(folder: Path, version: str, name: str = "chef-workstation", red_hat: bool = True) -> Path:
    """Build it as an .rpm. Returns its path."""
    root = folder / f"{name}-{version}-rpm"
    lay_out(root, name, version)
    unlink = f'[ "$1" != 0 ] || {UNLINK}' if red_hat else UNLINK
    scripts = f"%post\n{LINK.format(folder=f'/opt/{name}')}\n%postun\n{unlink}\n"
    return _rpm(folder, name, version, f"%install\ncp -a {root}/. %{{buildroot}}\n%files\n/opt/{name}\n{scripts}")


def machine(folder: Path) -> Path:
    """What this machine has, as an .rpm that says so."""
    return _rpm(
        folder,
        "machine",
        "1",
        _of_its_shells(),
        "Provides: /bin/sh\nProvides: python3 = 3.11\nProvides: coreutils\nProvides: findutils\n",
    )


def _of_its_shells() -> str:
    """The directories of this machine's shells, as files of that .rpm: of whoever else has them, too, none goes."""
    paths = ("bash-completion", "bash-completion/completions", "fish", "fish/vendor_completions.d", "zsh")
    here = [path for path in (f"/usr/share/{path}" for path in paths) if Path(path).is_dir()]
    made = "".join(f"mkdir -p %{{buildroot}}{path}\n" for path in here)
    return f"%install\n{made}%files\n" + "".join(f"%dir {path}\n" for path in here)


def python(folder: Path, version: str) -> Path:
    """A package with a file whose name begins as that of the distribution's Python."""
    install = (
        "%install\ninstall -D /dev/null %{buildroot}/usr/bin/python3-stand-in\n%files\n/usr/bin/python3-stand-in\n"
    )
    return _rpm(folder, "python312", version, install)


def _rpm(folder: Path, name: str, version: str, sections: str, more: str = "") -> Path:
    spec = folder / f"{name}.spec"
    head = f"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: stand-in\nLicense: none\nBuildArch: noarch\n"
    spec.write_text(f"{head}AutoReqProv: no\n{more}%description\nStand-in.\n{sections}")
    settings = ["--define", f"_topdir {folder}", "--define", f"_rpmdir {folder}"]
    flat = ["--define", "_rpmfilename %{NAME}-%{VERSION}.rpm"]
    subprocess.run(["rpmbuild", "--quiet", "-bb", *settings, *flat, spec], check=True, capture_output=True)
    return folder / f"{name}-{version}.rpm"
