/**
 * Arguments that did not arrive as they were given.
 *
 * File names are bytes; Node hands arguments over as text and puts U+FFFD where the bytes are no UTF-8. Such a name
 * would be another file's: an output would appear under a name that nobody asked for.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { UpdateError } from '../../native-free/status.ts';

const REPLACEMENT = '\ufffd';

/**
 * Throws UpdateError `usage_invalid` for an argument that is not UTF-8.
 * @param args as the runtime gave them
 * @param commandLine the bytes of the last `args.length` arguments, each ended by a NUL; null where nobody tells
 */
export function refuseUnreadableNames(args: readonly string[], commandLine = ownCommandLine()): void {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return;
  const raw = commandLine === null ? [] : splitArguments(commandLine).slice(-args.length);
  args.forEach((arg, i) => {
    // The character itself may stand in a name; then its bytes are those of its UTF-8.
    if (!arg.includes(REPLACEMENT) || raw[i]?.equals(Buffer.from(arg)) === true) return;
    throw new UpdateError(
      'usage_invalid',
      `the argument '${arg}' is not UTF-8; give such a file another name, or a link to it`,
      { detail: { argument: arg } },
    );
  });
}

function ownCommandLine(): Buffer | null {
  try {
    return readFileSync('/proc/self/cmdline');
  } catch {
    return null;
  }
}

function splitArguments(commandLine: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < commandLine.length;) {
    const end = commandLine.indexOf(0, at);
    parts.push(commandLine.subarray(at, end < 0 ? commandLine.length : end));
    if (end < 0) break;
    at = end + 1;
  }
  return parts;
}
