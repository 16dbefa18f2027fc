# The launcher inside the Habitat package of Workstation, in front of its chef-run. For its plan.sh, which needs core/python
# (3.9 or newer) among its pkg_deps, and this once bin/chef-run is there:
#
#     source "$SRC_PATH/../chef-run-launcher/scripts/packaging/habitat/chef-run-launcher.sh"
#     put_launcher_in_front

chef_run_launcher_source="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"

put_launcher_in_front() {
    local python
    python="$(pkg_path_for core/python)/bin/python3"

    build_line "Putting chef-run-launcher in front of chef-run"
    "$python" "$chef_run_launcher_source/scripts/install" --prefix "$pkg_prefix" --python "$python" || return 1

    # The launcher looks in embedded/bin for the chef-run that it runs.
    mkdir -p "$pkg_prefix/embedded/bin" || return 1
    mv "$pkg_prefix/bin/chef-run" "$pkg_prefix/embedded/bin/chef-run" || return 1
    ln -s chef-run-launcher "$pkg_prefix/bin/chef-run"
}
