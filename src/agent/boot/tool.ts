/**
 * Running a boot loader's tools: a program with its arguments, never a shell, within a deadline.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { parseVariables } from './file.ts';
import { failureOf, type CommandRunner } from '../life/commands.ts';

export interface BootTool {
  readonly run: CommandRunner;
  /** The program, and arguments that always come first. */
  readonly argv: readonly string[];
  readonly deadlineMs: number;
}

/** What it wrote to stdout. Throws `boot_tool_failed` when it is missing, fails, or does not end in time. */
export async function runTool(tool: BootTool, args: readonly string[], input?: string): Promise<string> {
  const argv = [...tool.argv, ...args];
  const { run, deadlineMs } = tool;
  const result = await run({ argv, deadlineMs, input });
  const { exitCode, timedOut, stdout } = result;
  if (exitCode === 0) return stdout;
  throw new UpdateError('boot_tool_failed', failureOf(argv, result, deadlineMs), {
    detail: { argv, exitCode, timedOut },
  });
}

/** The `NAME=value` lines that a tool printed. Throws `boot_unreadable` for text in which there are none. */
export async function readVariables(tool: BootTool, args: readonly string[]): Promise<Map<string, string>> {
  const text = await runTool(tool, args);
  const variables = parseVariables(text);
  if (variables.size > 0 || text.trim() === '') return variables;
  throw new UpdateError(
    'boot_unreadable',
    `'${[...tool.argv, ...args].join(' ')}' printed something else than variables`,
  );
}
