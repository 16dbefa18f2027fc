# Answers from Ruby itself, one line of JSON for each line of JSON on standard input:
#   {"argv": [...], "posixly_correct": bool}   what OptionParser, set up by mixlib-cli as chef-run sets it up,
#                                              makes of it: {"options": [[name, value], ...], "positional": [...]}
#   {"range": [low, high]}                     the first 25 strings between two ends of a range
#   {"name": "..."}                            the name in lower case
# An answer is null where Ruby raises an error or ends the run.

require "json"
require "stringio"
require "mixlib/cli"

class Options
  include Mixlib::CLI

  SEEN = []

  def self.declare(name, flags)
    option(name.tr("-", "_").to_sym, **flags, proc: ->(value) { SEEN << [name, value] })
  end

  declare "version", short: "-v", long: "--version", boolean: true
  declare "help", short: "-h", long: "--help", boolean: true
  declare "config", short: "-c PATH", long: "--config PATH"
  declare "identity-file", short: "-i PATH", long: "--identity-file PATH"
  declare "protocol", short: "-p", long: "--protocol <PROTOCOL>"
  declare "ssl", long: "--[no-]ssl", boolean: true
  declare "ssl-verify", long: "--[no-]ssl-verify", boolean: true
  declare "sudo", long: "--[no-]sudo", boolean: true
  declare "install", long: "--[no-]install", boolean: true
  declare "user", long: "--user <USER>"
  declare "password", long: "--password <PASSWORD>"
  declare "cookbook-repo-paths", long: "--cookbook-repo-paths PATH"
  declare "sudo-command", long: "--sudo-command <COMMAND>"
  declare "sudo-password", long: "--sudo-password <PASSWORD>"
  declare "sudo-options", long: "--sudo-options 'OPTIONS...'"
  declare "chef-license", long: "--chef-license VALUE"
end

def parsed(argv, posixly_correct)
  posixly_correct ? ENV["POSIXLY_CORRECT"] = "" : ENV.delete("POSIXLY_CORRECT")
  Options::SEEN.clear
  positional = Options.new.parse_options(argv)
  { options: Options::SEEN.dup, positional: positional }
rescue SystemExit, StandardError
  nil
end

def between(low, high)
  ends = [low, high].map { |word| Integer(word, exception: false) }
  return nil if ends.one?(&:nil?)

  ends = [low, high] if ends.first.nil?
  Range.new(*ends.minmax).first(25).map(&:to_s)
end

answers = $stdout.dup
$stdout.reopen(File::NULL) # OptionParser's completions print, and so does a run that they end
STDIN.each_line do |line|
  question = JSON.parse(line)
  answer =
    if question.key?("argv") then parsed(question["argv"], question["posixly_correct"])
    elsif question.key?("range") then between(*question["range"])
    else question["name"].downcase
    end
  answers.puts(JSON.generate(answer))
end
