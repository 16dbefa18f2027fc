# What Omnibus does with a software definition, as far as ours goes: DEFINITION INSTALL_DIR FILES_PATH
require "fileutils"

Project = Struct.new(:files_path)

class Definition
  attr_reader :install_dir, :project, :dependencies

  def initialize(install_dir, files_path)
    @install_dir = install_dir
    @project = Project.new(files_path)
    @dependencies = []
  end

  def name(_) end

  def license(_) end

  def skip_transitive_dependency_licensing(_) end

  def source(path:)
    @source = path
  end

  def dependency(name)
    @dependencies << name
  end

  def build(&block)
    Dir.chdir(@source) { instance_eval(&block) }
  end

  def with_embedded_path
    { "PATH" => "#{install_dir}/embedded/bin:#{ENV["PATH"]}" }
  end

  def command(line, env:)
    system(env, line) || abort("failed: #{line}")
  end

  def move(source, destination)
    FileUtils.mv(source, destination, force: true)
  end

  def link(source, destination)
    abort("no such file: #{source}") if Dir.glob(source).empty?
    FileUtils.ln_s(source, destination, force: true)
  end
end

definition = Definition.new(ARGV[1], ARGV[2])
definition.instance_eval(File.read(ARGV[0]), ARGV[0])
puts definition.dependencies
