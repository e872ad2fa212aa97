/**
 * Running a boot loader's tools: a program with its arguments, never a shell, within a deadline.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { parseVariables } from './file.ts';
import type { CommandRunner } from '../life/commands.ts';

export interface BootTool {
  readonly run: CommandRunner;
  /** The program, and arguments that always come first. */
  readonly argv: readonly string[];
  readonly deadlineMs: number;
}

/** What a tool says is shown in errors and reports; more than this nobody reads. */
const WORDS_CHARS_MAX = 400;

/** What it wrote to stdout. Throws `boot_tool_failed` when it is missing, fails, or does not end in time. */
export async function runTool(tool: BootTool, args: readonly string[], input?: string): Promise<string> {
  const argv = [...tool.argv, ...args];
  const { exitCode, timedOut, output, stdout } = await tool.run({ argv, deadlineMs: tool.deadlineMs, input });
  if (exitCode === 0) return stdout;
  const how = timedOut
    ? `did not end within ${tool.deadlineMs / 1000} s`
    : exitCode === null
      ? 'was killed or could not be started'
      : `ended with ${exitCode}`;
  const words = output.slice(-WORDS_CHARS_MAX);
  throw new UpdateError('boot_tool_failed', `'${argv.join(' ')}' ${how}${words === '' ? '' : `: ${words}`}`, {
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
