/**
 * Is what a power cut left on the media a state that the agent can go on from? Judged from the bytes alone: our own
 * reader of the environment, `e2fsck` and `debugfs` for the data partition.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATA, SLOT_B, type Partition } from './board.ts';
import { readEnvironment } from './environment.ts';
import { toolPath } from './images.ts';
import type { Workshop } from './workshop.ts';
import { sha256Hex } from '../src/platform/hash.ts';

/** What slot B is to become. */
export interface Target {
  readonly target: Buffer;
  /** Of the image; checked against the signed release by the scenario. */
  readonly targetSha256: string;
  /** Of the payload under way. */
  readonly segmentBytes: number;
}

export interface DiskEvidence extends Target {
  readonly disk: Buffer;
  /** For a copy of the data partition. */
  readonly folder: string;
}

/** What is on the disk, whatever the card says. */
export interface DiskVerdict {
  /** The journal's state, or `no journal`. */
  readonly state: string;
  readonly segmentsDone: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly slotBIsWhole: boolean;
  /** Null when all is well. */
  readonly problem: string | null;
}

interface JournalSeen {
  readonly state: string;
  readonly attempt: { readonly segmentsDone: number; readonly plan: object | null } | null;
}

/** States in which slot B is complete. */
const COMPLETE = ['VERIFY', 'ARM', 'REBOOT', 'TRIAL', 'COMMIT', 'REPORT'];

/** The release that a scenario deploys as a delta. */
export function targetOf(workshop: Workshop, version: string): Target {
  const target = readFileSync(workshop.imageOf(version));
  return { target, targetSha256: sha256Hex(target), segmentBytes: workshop.publisher.segmentBytes(version) };
}

/** Journal, keystore, file system and slots against each other. */
export function judgeDisk({ disk, target, targetSha256, segmentBytes, folder }: DiskEvidence): DiskVerdict {
  const data = join(folder, 'judged-data.img');
  const slotB = partOf(disk, SLOT_B);
  writeFileSync(data, partOf(disk, DATA));
  try {
    const check = spawnSync('e2fsck', ['-fy', data], { env: toolPath(), encoding: 'utf8' });
    const journal = recordOf(data, 'journal') as JournalSeen | null | 'damaged';
    const keystores = ['keystore', 'keystore.copy'].map((name) => recordOf(data, name));
    const seen = journal === null || journal === 'damaged' ? null : journal;
    const problems = [
      // 1: errors that were corrected, such as a count of free blocks; the journal of ext4 leaves none worse.
      (check.status ?? 8) > 1 ? `e2fsck ended with ${check.status}: ${check.stdout.slice(-300)}` : null,
      journal === 'damaged' ? 'the journal is damaged' : null,
      keystores.includes('damaged') ? 'a keystore is damaged' : null,
      seen === null ? null : problemWithSlot(seen, slotB, target, segmentBytes),
    ];
    return {
      state: seen?.state ?? (journal === null ? 'no journal' : 'damaged'),
      segmentsDone: seen?.attempt?.segmentsDone ?? 0,
      counters: countersOf(keystores),
      slotBIsWhole: sha256Hex(slotB.subarray(0, target.length)) === targetSha256,
      problem: problems.find((each) => each !== null) ?? null,
    };
  } finally {
    rmSync(data, { force: true });
  }
}

const partOf = (disk: Buffer, { offset, bytes }: Partition): Buffer => disk.subarray(offset, offset + bytes);

/**
 * There has to be a slot in the order, and every slot in it has to be complete: when none has a try left, the boot script
 * gives them back to all of them.
 */
export function problemWithBoot(card: Buffer, slotBIsWhole: boolean): string | null {
  const { active } = readEnvironment(card);
  if (active === null) return 'no copy of the environment is whole';
  const order = (active.variables.get('BOOT_ORDER') ?? '').split(' ').filter((slot) => slot !== '');
  if (!order.includes('A')) return `slot A is not in the order: ${order.join(' ')}`;
  if (order.includes('B') && !slotBIsWhole) return `slot B is in the order ${order.join(' ')} and is not whole`;
  return null;
}

/** The slot holds what the journal says that it holds. */
function problemWithSlot(
  { state, attempt }: JournalSeen,
  slot: Buffer,
  target: Buffer,
  segmentBytes: number,
): string | null {
  if (attempt === null || attempt.plan === null) return null;
  const done = COMPLETE.includes(state) ? target.length : Math.min(target.length, attempt.segmentsDone * segmentBytes);
  if (slot.subarray(0, done).equals(target.subarray(0, done))) return null;
  return `the journal says ${state} with ${attempt.segmentsDone} segments; slot B differs in them`;
}

/** A record of the agent: null when there is none. */
function recordOf(data: string, name: string): unknown {
  const text = execFileSync('debugfs', ['-R', `cat /engraft/${name}`, data], {
    env: toolPath(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (text.length === 0) return null;
  const end = text.indexOf(10);
  const body = text.subarray(end + 1);
  const good = text.subarray(0, end).toString().split(' ')[2] === sha256Hex(body);
  return good ? JSON.parse(body.toString()) : 'damaged';
}

function countersOf(keystores: readonly unknown[]): Record<string, number> {
  const counters: Record<string, number> = {};
  for (const keystore of keystores) {
    if (keystore === null || keystore === 'damaged') continue;
    for (const [name, value] of Object.entries((keystore as { counters: Record<string, number> }).counters))
      counters[name] = Math.max(counters[name] ?? 0, value);
  }
  return counters;
}
