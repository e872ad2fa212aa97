/**
 * The plug is pulled at chosen moments of an update, many times over on one board; it has to end well all the same.
 *
 * Killing QEMU loses the board's memory: the page cache of the guest, and what the agent had not synced. What the guest
 * had handed to the disk stays; the states in which it does not are in the scenario `writes`.
 * @module
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { judgeDisk, problemWithBoot, targetOf, type Target } from './judge.ts';
import { Machine } from './machine.ts';
import { BOOT_SECONDS, bootOf, expect, expectUpdated, UPDATE_SECONDS, waitForEnd, type Stage } from './scenarios.ts';
import type { Board } from './workshop.ts';

const VERSION = '1.1.0';

/** A line of the console, and the time to wait after it in ms; what is between the two is drawn anew for every cut. */
interface Cut {
  readonly after: RegExp;
  readonly fromMs?: number;
  readonly toMs: number;
}

/** An agent that goes on with APPLY says nothing: it begins some 5 s after its start, and takes about 20 s more. */
const GOES_ON: Cut = { after: /^@guest agent starts$/, fromMs: 6000, toMs: 22_000 };

/** Every line comes whatever the cuts before led to: an update that is further along already shows the later ones. */
const CUTS: readonly Cut[] = [
  { after: /^PREPARE$|^APPLY$/, toMs: 5000 },
  GOES_ON,
  GOES_ON,
  GOES_ON,
  // In the boot loader, which saves its environment, or in the kernel.
  { after: /^Hit any key|^@boot slot/, toMs: 1500 },
  GOES_ON,
  GOES_ON,
  GOES_ON,
  { after: /^VERIFY$|^ARM$|^@boot slot B/, toMs: 1200 },
  { after: /^ARM$|^REBOOT$|^@boot slot B/, toMs: 900 },
  { after: /^@boot slot B|^TRIAL$/, toMs: 8000 },
  { after: /^COMMIT$|^REPORT$|^CHECK$/, toMs: 1000 },
];

/** A small seeded generator (mulberry32), so that a run can be repeated. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function cuts(stage: Stage): Promise<string[]> {
  const { workshop, server, say, seed } = stage;
  const board = workshop.makeBoard('cuts', server);
  await server.deploy(VERSION);
  const random = randomOf(seed);
  const target = targetOf(workshop, VERSION);
  const facts: string[] = [];
  for (const cut of CUTS) {
    // One more would use up the last try of the new slot: going back would be right then.
    if (/"B A".* BOOT_B_LEFT="1"/.test(bootOf(board))) break;
    const moment = await pullPlug(board, cut, random());
    facts.push(`cut ${moment}: ${judgeCut(board, target)}`);
    say(`${facts.length} cuts, and the board can go on`);
  }
  const count = facts.length;
  const machine = new Machine(board);
  try {
    const { index } = await machine.waitFor(/^@guest boot slot=B/, UPDATE_SECONDS);
    await waitForRest(machine, stage, index);
  } finally {
    await machine.cut();
  }
  facts.push(`after ${count} cuts: ${await expectUpdated(stage, board, VERSION)}`);
  return facts;
}

/** Power on, and cut at the moment; `share` of the time that the cut may take. Says when it was. */
async function pullPlug(board: Board, { after, fromMs = 0, toMs }: Cut, share: number): Promise<string> {
  const machine = new Machine(board);
  try {
    const { line } = await machine.waitFor(after, UPDATE_SECONDS);
    const delayMs = Math.round(fromMs + share * (toMs - fromMs));
    await sleep(delayMs);
    return `${delayMs} ms after "${line}"`;
  } finally {
    await machine.cut();
  }
}

/** Throws unless the board can go on from what the cut left; else what that is. */
function judgeCut(board: Board, target: Target): string {
  const verdict = judgeDisk({ ...target, disk: readFileSync(board.disk), folder: board.folder });
  const problem = verdict.problem ?? problemWithBoot(readFileSync(board.card), verdict.slotBIsWhole);
  const found = `journal ${verdict.state} with ${verdict.segmentsDone} segments, ${bootOf(board)}`;
  expect(problem === null, `${problem} (${found})`);
  return found;
}

/** The report may have been taken before the last cut: then the agent only polls. */
async function waitForRest(machine: Machine, { server }: Stage, from: number): Promise<void> {
  const { line, index } = await machine.waitFor(/^(TRIAL|COMMIT|REPORT|CHECK)$/, BOOT_SECONDS, from);
  if (line === 'CHECK') await machine.waitFor(/^CHECK$/, BOOT_SECONDS, index + 1);
  else await waitForEnd(machine, server, BOOT_SECONDS, index);
}
