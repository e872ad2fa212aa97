/**
 * The plug is pulled at chosen moments of an update, many times over on one board; it has to end well all the same.
 *
 * Killing QEMU loses the board's memory: the page cache of the guest, and what the agent had not synced. What the guest
 * had handed to the disk stays; the states in which it does not are in the scenario `writes`.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Machine } from './machine.ts';
import { BOOT_SECONDS, bootOf, expectUpdated, UPDATE_SECONDS, variablesOf, waitForEnd } from './scenarios.ts';
import type { Stage } from './scenarios.ts';

/** A line of the console, and the time to wait after it in ms; what is between the two is drawn anew for every cut. */
interface Cut {
  readonly after: RegExp;
  readonly fromMs?: number;
  readonly toMs: number;
}

/** An agent that goes on with APPLY says nothing; about 9 s after its start it has begun. */
const GOES_ON: Cut = { after: /^@guest agent starts$/, fromMs: 9000, toMs: 16_000 };

/**
 * Between the flip and the commit only two cuts use up a try of the new slot: with a third one the boot loader would
 * rightly go back.
 */
const CUTS: readonly Cut[] = [
  { after: /^PREPARE$|^APPLY$/, toMs: 5000 },
  GOES_ON,
  GOES_ON,
  GOES_ON,
  { after: /^VERIFY$|^ARM$/, toMs: 1000 },
  { after: /^ARM$|^REBOOT$/, toMs: 600 },
  { after: /^@boot slot B|^TRIAL$/, toMs: 8000 },
  { after: /^COMMIT$|^REPORT$/, toMs: 1000 },
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
  await server.deploy('1.1.0');
  const random = randomOf(seed);
  const facts: string[] = [];
  for (const { after, fromMs = 0, toMs } of CUTS) {
    const machine = new Machine(board);
    try {
      const { line } = await machine.waitFor(after, UPDATE_SECONDS);
      const delayMs = Math.round(fromMs + random() * (toMs - fromMs));
      await sleep(delayMs);
      await machine.cut();
      facts.push(`cut ${delayMs} ms after "${line}": ${bootOf(variablesOf(board))}`);
      say(facts.at(-1)!);
    } finally {
      await machine.cut();
    }
  }
  const machine = new Machine(board);
  try {
    await machine.waitFor(/^@guest boot slot=B/, BOOT_SECONDS);
    await waitForRest(machine, stage);
  } finally {
    await machine.cut();
  }
  facts.push(`after ${CUTS.length} cuts: ${await expectUpdated(stage, board, '1.1.0')}`);
  return facts;
}

/** The report may have been taken before the last cut: then the agent only polls. */
async function waitForRest(machine: Machine, { server }: Stage): Promise<void> {
  const { line, index } = await machine.waitFor(/^(TRIAL|COMMIT|REPORT|CHECK)$/, BOOT_SECONDS);
  if (line === 'CHECK') await machine.waitFor(/^CHECK$/, BOOT_SECONDS, index + 1);
  else await waitForEnd(machine, server, BOOT_SECONDS, index);
}
