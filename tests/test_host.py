"""The host's operating system: what os-release says, as distro has it, which a run does without where that is plain."""

from __future__ import annotations

import io
from pathlib import Path

import distro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher import host

# ID, VERSION_ID and what is special about the file, as these distributions ship it.
DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
"""
UBUNTU = """PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.1 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
PRIVACY_POLICY_URL="https://www.ubuntu.com/legal/terms-and-policies/privacy-policy"
UBUNTU_CODENAME=noble
LOGO=ubuntu-logo
"""
ROCKY = """NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
ANSI_COLOR="0;32"
CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
ROCKY_SUPPORT_PRODUCT="Rocky-Linux-9"
"""
RHEL = """NAME="Red Hat Enterprise Linux"
VERSION="9.4 (Plow)"
ID="rhel"
ID_LIKE="fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"
ANSI_COLOR="0;31"
CPE_NAME="cpe:/o:redhat:enterprise_linux:9::baseos"
HOME_URL="https://www.redhat.com/"

REDHAT_BUGZILLA_PRODUCT="Red Hat Enterprise Linux 9"
REDHAT_BUGZILLA_PRODUCT_VERSION=9.4
"""
ORACLE = """NAME="Oracle Linux Server"
VERSION="8.9"
ID="ol"
ID_LIKE="fedora"
VARIANT="Server"
VARIANT_ID="server"
VERSION_ID="8.9"
PLATFORM_ID="platform:el8"
PRETTY_NAME="Oracle Linux Server 8.9"
"""
LEAP = """NAME="openSUSE Leap"
VERSION="15.6"
ID="opensuse-leap"
ID_LIKE="suse opensuse"
VERSION_ID="15.6"
PRETTY_NAME="openSUSE Leap 15.6"
"""
SLES = """NAME="SLES"
VERSION="15-SP5"
VERSION_ID="15.5"
PRETTY_NAME="SUSE Linux Enterprise Server 15 SP5"
ID="sles"
ID_LIKE="suse"
ANSI_COLOR="0;32"
"""
AMAZON = """NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PRETTY_NAME="Amazon Linux 2023.5.20240916"
SUPPORT_END="2028-03-15"
"""
FEDORA = """NAME="Fedora Linux"
VERSION="40 (Workstation Edition)"
ID=fedora
VERSION_ID=40
VERSION_CODENAME=""
PLATFORM_ID="platform:f40"
PRETTY_NAME="Fedora Linux 40 (Workstation Edition)"
ANSI_COLOR="0;38;2;60;110;180"
VARIANT="Workstation Edition"
"""
ALPINE = """NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.3
PRETTY_NAME="Alpine Linux v3.20"
HOME_URL="https://alpinelinux.org/"
"""
MINT = """NAME="Linux Mint"
VERSION="21.3 (Virginia)"
ID=linuxmint
ID_LIKE="ubuntu debian"
PRETTY_NAME="Linux Mint 21.3"
VERSION_ID="21.3"
"""
NIXOS = """ANSI_COLOR="1;34"
BUG_REPORT_URL="https://github.com/NixOS/nixpkgs/issues"
BUILD_ID="24.05.20240920.a1d92660"
ID=nixos
NAME=NixOS
PRETTY_NAME="NixOS 24.05 (Uakari)"
VERSION="24.05 (Uakari)"
VERSION_ID="24.05"
"""
RASPBIAN = """PRETTY_NAME="Raspbian GNU/Linux 11 (bullseye)"
NAME="Raspbian GNU/Linux"
VERSION_ID="11"
ID=raspbian
ID_LIKE=debian
"""
GENTOO = """NAME=Gentoo
ID=gentoo
PRETTY_NAME="Gentoo Linux"
ANSI_COLOR="1;32"
VERSION_ID="2.15"
"""
CENTOS7 = """NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"

CENTOS_MANTISBT_PROJECT="CentOS-7"
"""
COREOS = """# made by hand
ID='flatcar'
VERSION_ID=3975.2.2
NAME='Flatcar "Container" Linux'
"""
PLAIN = [
    *(DEBIAN, UBUNTU, ROCKY, RHEL, ORACLE, LEAP, SLES, AMAZON, FEDORA, ALPINE, MINT, NIXOS, RASPBIAN, GENTOO, CENTOS7),
    DEBIAN.rstrip("\n"),
    DEBIAN + "ID=Ubuntu\nVERSION_ID='24.04'\n",
    "\n # a comment\n\tID=debian \nVERSION_ID=12\t\n",
    'ID="my own os"\nVERSION_ID=1\n',
    "id=debian\nversion_id=12\n",
]
# These are left to distro, which may look elsewhere for what is missing.
NOT_PLAIN = [
    *("", "ID=arch\n", "VERSION_ID=12\n", 'ID=debian\nVERSION_ID=""\n', 'ID=""\nVERSION_ID=12\n', COREOS),
    *("ID=a b\nVERSION_ID=1\n", "ID=a\\ b\nVERSION_ID=1\n", 'ID=a"b"\nVERSION_ID=1\n', "ID=a#b\nVERSION_ID=1\n"),
    *(
        'ID="a\nb"\nVERSION_ID=1\n',
        "export ID=a\nVERSION_ID=1\n",
        'ID="a\\"b"\nVERSION_ID=1\n',
        "ID=a\r\nVERSION_ID=1\r\n",
    ),
    *(
        "\ufeffID=a\nVERSION_ID=1\n",
        "ID=a\nVERSION_ID=1\nunset HOME\n",
        "ID=a\x00\nVERSION_ID=1\n",
        "ID\nVERSION_ID=1\n",
    ),
    *("ID =a\nVERSION_ID=1\n", "ID= a\nVERSION_ID=1\n", 'ID="a\nVERSION_ID=1\n', "ID='a\" \nVERSION_ID=1\n"),
]


def by_the_library(text: str, folder: Path) -> tuple[str, str]:
    path = folder / "os-release"
    path.write_bytes(text.encode())
    linux = distro.LinuxDistribution(include_lsb=False, include_uname=False, os_release_file=str(path))
    return linux.id(), linux.version()


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_os_release_is_read_as_distro_reads_it(tmp_path: Path, text: str) -> None:
    assert host.plain(text) == by_the_library(text, tmp_path)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_any_other_is_left_to_distro(text: str) -> None:
    assert host.plain(text) is None


def test_the_names_are_those_that_distro_changes() -> None:
    assert host.NORMALIZED == distro.NORMALIZED_OS_ID


LINES = st.one_of(
    st.sampled_from(["ID=", "VERSION_ID=", "NAME=", "", "# ", " ID=", "id=", "ID", "ID =", "export ID="]).flatmap(
        lambda key: st.text("ab1 \t\"'\\#=.$`\u00e4\u00a0\r", max_size=8).map(lambda value: key + value)
    ),
    st.sampled_from(["ID=debian", 'ID="Debian"', "VERSION_ID='12'", "VERSION_ID=12"]),
)


@settings(max_examples=2000, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=6))
def test_whatever_it_holds_a_plain_answer_is_that_of_distro(lines: list[str]) -> None:
    text = "\n".join([*lines, "VERSION_ID=12", "ID=debian"])
    found = host.plain(text)
    if found:
        read = distro.LinuxDistribution._parse_os_release_content(io.StringIO(text, newline=None))
        identifier = read["id"].lower().replace(" ", "_")
        assert found == (distro.NORMALIZED_OS_ID.get(identifier, identifier), read["version_id"])


def test_this_machines_is_the_same_either_way() -> None:
    id, version = host._by_the_library()
    assert host.operating_system() == {"os": host._word(id), "version": host._word(version)}
