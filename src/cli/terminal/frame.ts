/**
 * What both programs share: lazily loaded commands, one way to report, one way to fail, one way to be stopped.
 *
 * A command module exports `define(): Command`. Only the module of the command that was asked for is loaded, since
 * `apply` has to fit on a device while `publish` pulls in half the house. Results go to stdout, everything else
 * (progress, notes, errors in words) to stderr; with `--json` stdout carries exactly one JSON document, also when the
 * command failed: `{"error": {...}}`.
 *
 * @module
 */
import { constants } from 'node:os';
import { Command, CommanderError, Option } from 'commander';
import { exitCodeOf, UpdateError } from '../../../native-free/status.ts';
import { toHex } from '../../../native-free/hash.ts';
import { refuseUnreadableNames } from '../arguments.ts';
import { guardStandardStreams } from './streams.ts';

/** A command before it is loaded. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ define(): Command }>;
}

export interface ProgramEntry {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly commands: readonly CommandEntry[];
}

/** The options that every command has; `runProgram` adds them. */
export interface CommonOptions {
  /** One JSON document on stdout instead of words. */
  readonly json?: boolean;
  /** Stack traces of bugs. */
  readonly debug?: boolean;
}

/** Uint8Arrays (digests) as hexadecimal, bigints as numbers where they fit. */
function replacer(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  return value;
}

/** Print the result of a command: `data` with `--json`, else `text`. */
export function report(options: CommonOptions, data: unknown, text: string | (() => string)): void {
  const shown = options.json === true ? JSON.stringify(data, replacer, 2) : typeof text === 'function' ? text() : text;
  process.stdout.write(shown.endsWith('\n') ? shown : `${shown}\n`);
}

/** A remark for the person watching; on stderr, also with `--json`. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** 128 + signal number, as shells count. */
const exitCodeOfSignal = (name: NodeJS.Signals): number => 128 + constants.signals[name];

/** That of the signal for work stopped by one, 2 for usage errors, else the outcome (status.ts). */
export function exitCodeFor(error: UpdateError): number {
  const signal = error.code === 'aborted' ? error.detail['signal'] : undefined;
  return signal === undefined ? exitCodeOf(error) : exitCodeOfSignal(signal as NodeJS.Signals);
}

/** Say what went wrong and what to do. Returns the exit code. */
function failWith(error: unknown, options: CommonOptions = {}): number {
  const known = UpdateError.is(error) ? error : UpdateError.from(error);
  const exitCode = exitCodeFor(known);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ error: { ...known.toJSON(), exitCode } }, replacer, 2)}\n`);
  } else {
    process.stderr.write(`error: ${known.message}\n`);
    process.stderr.write(`  what to do: ${known.action}\n  code: ${known.code} (${known.status})\n`);
  }
  if (options.debug === true) {
    process.stderr.write(`${known.stack}\n`);
    for (let cause = known.cause; cause instanceof Error; cause = cause.cause) {
      process.stderr.write(`caused by ${cause.stack}\n`);
    }
  } else if (known.code === 'bug' && options.json !== true) {
    process.stderr.write('  --debug shows where\n');
  }
  return exitCode;
}

/**
 * Run `work` with a signal that SIGINT, SIGTERM or SIGHUP aborts; the second one ends the process at once (temporary
 * files still go, see platform/files/atomic-file.ts). Work that rejects after the signal ends as UpdateError `aborted`;
 * work that resolves (a server that closed in good order) stays a success.
 */
export async function withSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const names: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let received: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (received !== undefined) process.exit(exitCodeOfSignal(name));
    received = name;
    controller.abort(new UpdateError('aborted', `stopped by ${name}`, { detail: { signal: name } }));
  };
  for (const name of names) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (received === undefined) throw error;
    // A device that was half written is not forgotten over the signal.
    const left = UpdateError.is(error) ? error.detail['partlyWritten'] : undefined;
    const text = typeof left === 'string' ? `; ${left} now holds a part of the target` : '';
    const detail = { signal: received, ...(typeof left === 'string' ? { partlyWritten: left } : {}) };
    throw new UpdateError('aborted', `stopped by ${received}${text}`, { detail, cause: error });
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}

/** A parser for integer options. Throws UpdateError `usage_invalid` outside of min..max. */
export function integerOption(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new UpdateError('usage_invalid', `${name} must be an integer from ${min} to ${max}, not '${text}'`);
  };
}

/** All text that commander would write to stderr; with `--json` its place is in the document. */
class CapturedErrors {
  text = '';
}

/** Commander settings and the common options for a command and those below it. */
function settle(command: Command, parent: Command, entry?: CommandEntry): void {
  command.copyInheritedSettings(parent);
  if (entry !== undefined && command.summary() === '') command.summary(entry.summary);
  // The help wraps paragraphs at its own width: breaks of the source within them would be wrapped a second time.
  command.description(command.description().replace(/(?<=\S)\n(?=\S)/g, ' '));
  for (const option of command.options) {
    if (Array.isArray(option.defaultValue) && option.defaultValue.length === 0) option.defaultValueDescription = 'none';
  }
  if (command.commands.length === 0) {
    const has = (long: string): boolean => command.options.some((option) => option.long === long);
    if (!has('--json')) command.addOption(new Option('--json', 'print one JSON document'));
    if (!has('--debug')) command.addOption(new Option('--debug', 'print stack traces'));
  }
  for (const below of command.commands) settle(below, command);
}

async function build(program: ProgramEntry, args: readonly string[], errors: CapturedErrors): Promise<Command> {
  const json = args.includes('--json');
  const root = new Command(program.name)
    .description(program.description)
    .version(program.version, '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (command) => command.name(), helpWidth: 100 })
    .configureOutput({
      writeErr: (text) => {
        errors.text += text;
        if (!json) process.stderr.write(text);
      },
    });
  const first = args.filter((arg) => !arg.startsWith('-'));
  const completing = first[0] === 'complete';
  const wanted = first[0] === 'help' ? first[1] : first[0];
  for (const entry of program.commands) {
    let command = new Command(entry.name).summary(entry.summary);
    if (entry.name === wanted) command = (await entry.load()).define();
    else if (completing)
      command = await entry.load().then(
        (module) => module.define(),
        () => command,
      );
    settle(command, root, entry);
    root.addCommand(command);
  }
  if (completing) {
    const { default: tab } = await import('@bomb.sh/tab/commander');
    tab(root);
  } else {
    settle(
      root.command('complete').summary('print completions for zsh, bash, fish or powershell').argument('<shell>'),
      root,
    );
  }
  return root;
}

/** `--version` and `--help` end by a throw with exit code 0; what else commander throws is a usage error. */
function usageError(error: CommanderError, errors: CapturedErrors): UpdateError | null {
  if (error.exitCode === 0) return null;
  const said = errors.text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 2)
    .join(' ');
  const text = error.code === 'commander.help' ? 'no command was given; --help lists them' : said || error.message;
  return new UpdateError('usage_invalid', text.replace(/^error: /, ''), { cause: error });
}

/**
 * Run a program to its end. Never rejects: sets `process.exitCode` on failure (0 is left alone, so that a command
 * may set its own outcome).
 * @param args without the runtime and the script, as in `process.argv.slice(2)`
 */
export async function runProgram(
  program: ProgramEntry,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  guardStandardStreams();
  const errors = new CapturedErrors();
  const options: CommonOptions = { json: args.includes('--json'), debug: args.includes('--debug') };
  // What escapes from a callback is a bug like any other: told in the same way, with its own exit code.
  process.on('uncaughtException', (error) => process.exit(failWith(error, options)));
  try {
    refuseUnreadableNames(args);
    const root = await build(program, args, errors);
    await root.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      process.exitCode = failWith(error, options);
      return;
    }
    const usage = usageError(error, errors);
    if (usage === null) return;
    if (options.json === true) failWith(usage, options);
    process.exitCode = 2;
  }
}

export { Command };
