/**
 * Running the one-file program `engraft-agent` as a device does: a process of its own, from dist/.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The bundle that `npm run build` makes. */
export const AGENT_PROGRAM = fileURLToPath(new URL('../../dist/engraft-agent.mjs', import.meta.url));

export interface AgentEnded {
  readonly code: number | null;
  /** What it printed under `--json`; empty when that was something else. */
  readonly json: Record<string, any>;
  readonly stderr: string;
}

/** Run `program` in `folder` to its end. `until` sees all of stderr so far and may say which signal to send. */
export function runAgentProgram(
  folder: string,
  args: readonly string[],
  until?: (stderr: string) => NodeJS.Signals | null,
  program = AGENT_PROGRAM,
): Promise<AgentEnded> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
      const signal = until?.(stderr) ?? null;
      if (signal !== null) child.kill(signal);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      const json = stdout.startsWith('{') ? (JSON.parse(stdout) as AgentEnded['json']) : {};
      resolve({ code, json, stderr });
    });
  });
}
