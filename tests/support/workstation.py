"""Stand-in packages: a chef-workstation of the real one's shape, and what it needs of a machine.

Its commands are its own files, in /opt, and find what they need by where they lie; `chef shell-init` puts their
directory first in the PATH. Its scripts link the commands into /usr/bin after installation, and remove these links on
removal; the .deb, and the .rpm where no file says that the system is Red Hat's, on upgrade too.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

COMMANDS = ("chef", "chef-run", "knife")
LINK = "for each in " + " ".join(COMMANDS) + '; do ln -sf "{folder}/bin/$each" /usr/bin; done'
UNLINK = "cd /usr/bin && rm -f " + " ".join(COMMANDS)
PROGRAM = """\
#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../embedded/release"
echo "${0##*/} of $release: $*"
"""
GEMS = '#!/bin/sh\necho "the one that RubyGems made: $*"\n'
# The order in which the real one has them, for bash and zsh.
CHEF = """\
#!/bin/sh
[ "$1" = shell-init ] || exit
cat <<END
export PATH="{folder}/bin:$HOME/.chefdk/gem/ruby/3.1.0/bin:{folder}/embedded/bin:$PATH"
export GEM_ROOT="{folder}/embedded/lib/ruby/gems/3.1.0"
END
"""


def lay_out(root: Path, name: str, version: str, behind_a_wrapper: bool = False) -> None:
    """Its files. With `behind_a_wrapper`, its chef-run is a link to a program for several names."""
    folder = root / "opt" / name
    program = "bin/wrapper" if behind_a_wrapper else "bin/chef-run"
    chef = CHEF.format(folder=f"/opt/{name}")
    for path, text in {program: PROGRAM, "bin/knife": PROGRAM, "bin/chef": chef, "embedded/bin/chef-run": GEMS}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        (folder / path).chmod(0o755)
    (folder / "embedded" / "release").write_text(f"release='{name} {version}'\n")
    if behind_a_wrapper:
        (folder / "bin" / "chef-run").symlink_to("wrapper")


def deb(folder: Path, version: str, name: str = "chef-workstation", behind_a_wrapper: bool = False) -> Path:
    """Build it as a .deb. Returns its path."""
    root = folder / f"{name}-{version}-deb"
    lay_out(root, name, version, behind_a_wrapper)
    scripts = {"postinst": LINK.format(folder=f"/opt/{name}"), "postrm": UNLINK}
    return _deb(folder, root, name, version, scripts)


def rpm(folder: Path, version: str, name: str = "chef-workstation", red_hat: bool = True) -> Path:
    """Build it as an .rpm. Returns its path."""
    root = folder / f"{name}-{version}-rpm"
    lay_out(root, name, version)
    unlink = f'[ "$1" != 0 ] || {{ {UNLINK}; }}' if red_hat else UNLINK
    scripts = f"%post\n{LINK.format(folder=f'/opt/{name}')}\n%postun\n{unlink}\n"
    return _rpm(folder, name, version, f"%install\ncp -a {root}/. %{{buildroot}}\n%files\n/opt/{name}\n{scripts}")


def of_this_machine(folder: Path, python3: str = "3.11") -> Path:
    """What this machine has, as an .rpm that says so, with a python3 of this version."""
    has = ("/bin/sh", f"python3 = {python3}", "coreutils", "findutils", "grep")
    return _rpm(folder, "machine", python3, _of_its_shells(), "".join(f"Provides: {each}\n" for each in has))


def _of_its_shells() -> str:
    """The directories of this machine's shells, as files of that .rpm: of whoever else has them, too, none goes."""
    paths = ("bash-completion", "bash-completion/completions", "fish", "fish/vendor_completions.d", "zsh")
    here = [path for path in (f"/usr/share/{path}" for path in paths) if Path(path).is_dir()]
    made = "".join(f"mkdir -p %{{buildroot}}{path}\n" for path in here)
    return f"%install\n{made}%files\n" + "".join(f"%dir {path}\n" for path in here)


def named(folder: Path, name: str) -> Path:
    """An .rpm of this name, with nothing in it."""
    return _rpm(folder, name, "1", "%files\n")


def python(folder: Path, kind: str, version: str) -> Path:
    """A package, deb or rpm, of a Python of another version, as distributions have them beside their python3."""
    name = f"python{version}"
    root = folder / f"{name}-{kind}"
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "usr" / "bin" / name).symlink_to("python3.11")
    if kind == "deb":
        return _deb(folder, root, name, "1", {})
    return _rpm(folder, name, "1", f"%install\ncp -a {root}/. %{{buildroot}}\n%files\n/usr/bin/{name}\n")


def _deb(folder: Path, root: Path, name: str, version: str, scripts: dict[str, str]) -> Path:
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files]
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "md5sums").write_text("".join(sums))
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\nDescription: stand-in\n"
    (root / "DEBIAN" / "control").write_text(control)
    for script, text in scripts.items():
        (root / "DEBIAN" / script).write_text(f"#!/bin/sh\n{text}\n")
        (root / "DEBIAN" / script).chmod(0o755)
    target = folder / f"{name}_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, target], check=True, capture_output=True)
    return target


def _rpm(folder: Path, name: str, version: str, sections: str, more: str = "") -> Path:
    spec = folder / f"{name}.spec"
    head = f"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: stand-in\nLicense: none\nBuildArch: noarch\n"
    spec.write_text(f"{head}AutoReqProv: no\n{more}%description\nStand-in.\n{sections}")
    settings = ["--define", f"_topdir {folder}", "--define", f"_rpmdir {folder}"]
    flat = ["--define", "_rpmfilename %{NAME}-%{VERSION}.rpm"]
    subprocess.run(["rpmbuild", "--quiet", "-bb", *settings, *flat, spec], check=True, capture_output=True)
    return folder / f"{name}-{version}.rpm"
