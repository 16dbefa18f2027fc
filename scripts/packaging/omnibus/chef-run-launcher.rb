# The launcher inside the Workstation installer for Unix, in front of its chef-run. For the project's config/software/; the unpacked
# sdist of chef-run-launcher lies in the project's files/.
name "chef-run-launcher"
license "Apache-2.0"
skip_transitive_dependency_licensing true

source path: File.join(project.files_path, "chef-run-launcher")

dependency "python3" # 3.9 or newer: override the version where the definition's default is older
dependency "gems" # makes bin/chef-run

build do
  python = "#{install_dir}/embedded/bin/python3"
  command "#{python} scripts/install --prefix #{install_dir} --python #{python}", env: with_embedded_path

  # The launcher looks in embedded/bin for the chef-run that it runs. Whoever links bin/chef-run into the PATH, as the
  # package's scripts do, links the launcher.
  move "#{install_dir}/bin/chef-run", "#{install_dir}/embedded/bin/chef-run"
  link "#{install_dir}/bin/chef-run-launcher", "#{install_dir}/bin/chef-run"
end
