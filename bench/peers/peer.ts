/**
 * What a foreign tool has to say for itself to be measured beside engraft: its programs, its setting, and the steps
 * that make a patch and apply it. Steps are plain command lines, so that what is measured is what anybody can repeat.
 * @module
 */
import { accessSync, constants, readFileSync, rmSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { addUsage, runMeasured, type Step, type Usage } from '../measured-process.ts';

export interface PeerFiles {
  readonly source: string;
  readonly target: string;
  readonly sourceBytes: number;
  readonly targetBytes: number;
  /** Where the patch goes. */
  readonly patch: string;
  /** For what lies between two steps. */
  readonly between: string;
  /** Where apply puts the target. */
  readonly output: string;
}

export interface Peer {
  readonly name: string;
  /** What must be on PATH. */
  readonly programs: readonly string[];
  /** The command line in words, for the report. */
  readonly setting: string;
  /** Why this pair is nothing for the tool; null when it is. */
  unfit?(files: PeerFiles): string | null;
  diff(files: PeerFiles): Step[];
  apply(files: PeerFiles): Step[];
}

/** A patch that was made, applied and compared; or why there is none. */
export type Outcome =
  | { readonly state: 'proved'; readonly bytes: number; readonly diff: Usage; readonly apply: Usage }
  | { readonly state: 'skipped' | 'failed'; readonly reason: string };

/** Make a patch with the tool, apply it and compare the result with the target's digest. Never throws. */
export async function runPeer(peer: Peer, files: PeerFiles, targetSha256: string): Promise<Outcome> {
  const reason = peer.unfit?.(files) ?? null;
  if (reason !== null) return { state: 'skipped', reason };
  const outputs = [files.patch, files.between, files.output];
  const clear = (): void => outputs.forEach((file) => rmSync(file, { force: true }));
  clear();
  try {
    const diff = await runSteps(peer.diff(files));
    const bytes = statSync(files.patch).size;
    rmSync(files.between, { force: true });
    const apply = await runSteps(peer.apply(files));
    const proved = digestOfFile(files.output) === targetSha256;
    return proved ? { state: 'proved', bytes, diff, apply } : { state: 'failed', reason: 'it made another target' };
  } catch (error) {
    return { state: 'failed', reason: (error as Error).message };
  } finally {
    clear();
  }
}

async function runSteps(steps: readonly Step[]): Promise<Usage> {
  const parts: Usage[] = [];
  for (const step of steps) parts.push(await runMeasured(step));
  return addUsage(parts);
}

/** SHA-256 of a file, as lower-case hexadecimal. */
export function digestOfFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Is a program on PATH? */
export function onPath(program: string, path = process.env['PATH'] ?? ''): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
