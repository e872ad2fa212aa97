/**
 * The whole stories: an update that goes well, one that the boot loader has to undo, one that the agent undoes itself.
 * @module
 */
import { readFileSync } from 'node:fs';
import { UpdateError } from '../native-free/status.ts';
import { digestOf, SLOT_A, SLOT_B } from './board.ts';
import { FROM } from './editions.ts';
import { readEnvironment } from './environment.ts';
import { Machine } from './machine.ts';
import type { Server } from './publisher.ts';
import { DEVICE, type Board, type Workshop } from './workshop.ts';
import { sha256Hex } from '../src/platform/hash.ts';

export interface Stage {
  readonly workshop: Workshop;
  server: Server;
  /** The same address with an empty database: a server that knows nothing of the device yet. */
  restartServer(): Promise<void>;
  /** Of the random choices. */
  readonly seed: number;
  readonly say: (text: string) => void;
}

/** Seconds that one boot up to a line of the agent may take; the machine may be busy. */
export const BOOT_SECONDS = 240;
/** Seconds for a whole update with its reboot. */
export const UPDATE_SECONDS = 900;

/** Throws with what was seen unless `good`. */
export function expect(good: boolean, what: string): void {
  if (!good) throw new UpdateError('content_wrong', what);
}

/** Wait until the server has heard how the attempt ended, and the agent rests. */
export async function waitForEnd(machine: Machine, server: Server, seconds: number, from = 0): Promise<void> {
  const { index } = await machine.waitFor(/^REPORT$/, seconds, from);
  await machine.waitFor(/^IDLE$/, BOOT_SECONDS, index);
  const { state } = await server.action(DEVICE);
  expect(state === 'finished' || state === 'failed', `the server has the action as ${state}`);
}

/** The environment as it is on the card. */
function variablesOf(board: Board): ReadonlyMap<string, string> {
  const { active } = readEnvironment(readFileSync(board.card));
  if (active === null) throw new UpdateError('content_wrong', 'no copy of the environment is whole');
  return active.variables;
}

const BOOT_VARIABLES = ['BOOT_ORDER', 'BOOT_A_LEFT', 'BOOT_B_LEFT', 'upgrade_available', 'bootcount'];

/** The boot loader's variables on the card, in one line. */
export function bootOf(board: Board): string {
  const variables = variablesOf(board);
  return BOOT_VARIABLES.map((name) => `${name}="${variables.get(name)}"`).join(' ');
}

/** Throws unless this is what the card holds, with no trial under way; returns it. */
function expectBoot(board: Board, orderAndTries: string): string {
  const boot = bootOf(board);
  expect(boot === `${orderAndTries} upgrade_available="0" bootcount="0"`, `the boot variables are ${boot}`);
  return boot;
}

const FALLEN_BACK = 'BOOT_ORDER="A" BOOT_A_LEFT="3" BOOT_B_LEFT="0"';

/** After a successful update: the server says success, slot B is the image to the last byte, B is first with all tries. */
export async function expectUpdated({ workshop, server }: Stage, board: Board, version: string): Promise<string> {
  const { artifact } = (await server.releases()).find((each) => each.version === version)!;
  const action = await server.action(DEVICE);
  const closing = action.feedback.find(({ execution }) => execution === 'closed');
  expect(action.state === 'finished' && closing?.finished === 'success', `the action ended as ${action.state}`);
  expect(action.code === 0, `the reported status is ${action.code}`);
  expect(digestOf(board.disk, SLOT_B, artifact.bytes) === artifact.sha256, 'slot B is not the image of the release');
  const source = readFileSync(workshop.imageOf(FROM));
  expect(digestOf(board.disk, SLOT_A, source.length) === sha256Hex(source), 'slot A was changed');
  return expectBoot(board, 'BOOT_ORDER="B A" BOOT_A_LEFT="3" BOOT_B_LEFT="3"');
}

/** A→B by delta, reboot, health check, commit; then the plug is pulled at once, and the board has to come up in B. */
export const update = (stage: Stage): Promise<string[]> => updateTo(stage, '1.1.0', 'update');

/** The same with a release that brings another kernel: a much larger delta for an emulated processor. */
export const kernel = (stage: Stage): Promise<string[]> => updateTo(stage, '4.0.0', 'kernel');

async function updateTo(stage: Stage, version: string, name: string): Promise<string[]> {
  const { workshop, server, say } = stage;
  const board = workshop.makeBoard(name, server);
  await server.deploy(version);
  const machine = new Machine(board);
  const facts: string[] = [];
  try {
    const first = await machine.waitFor(/^@guest boot/, BOOT_SECONDS);
    say(`${machine.seconds.toFixed(0)} s: ${first.line}`);
    await machine.waitFor(/^VERIFY$/, UPDATE_SECONDS);
    say(`${machine.seconds.toFixed(0)} s: slot B is written`);
    const second = await machine.waitFor(/^@guest boot slot=B/, BOOT_SECONDS, first.index + 1);
    say(`${machine.seconds.toFixed(0)} s: ${second.line}`);
    await waitForEnd(machine, server, BOOT_SECONDS, second.index);
    facts.push(`update with one reboot: ${machine.seconds.toFixed(0)} s from power-on to the report`);
  } finally {
    await machine.cut();
  }
  facts.push(await expectUpdated(stage, board, version));
  const again = new Machine(board);
  try {
    const { line } = await again.waitFor(/^@guest boot/, BOOT_SECONDS);
    expect(line.includes(`slot=B version=${version}`), `after the power cut: ${line}`);
    facts.push(`after pulling the plug at once: ${line}`);
  } finally {
    await again.cut();
  }
  return facts;
}

/** The new version never confirms: three tries, then slot A again, and the agent there reports 40. */
export const fallback = (stage: Stage): Promise<string[]> =>
  fallBack(stage, stage.workshop.makeBoard('fallback', stage.server), 3);

/** The same on a board whose own boot count ends after two: `altbootcmd` gives the slot up while it has a try left. */
export const bootcount = (stage: Stage): Promise<string[]> =>
  fallBack(stage, stage.workshop.makeBoard('bootcount', stage.server, { bootlimit: '2' }), 2);

async function fallBack({ server, say }: Stage, board: Board, triesMax: number): Promise<string[]> {
  await server.deploy('2.0.0');
  const machine = new Machine(board);
  try {
    let from = (await machine.waitFor(/^@guest boot slot=A/, BOOT_SECONDS)).index + 1;
    for (let tries = 1; tries <= triesMax; tries++) {
      const { line, index } = await machine.waitFor(/^@boot slot/, tries === 1 ? UPDATE_SECONDS : BOOT_SECONDS, from);
      expect(line.startsWith(`@boot slot B, ${3 - tries} tries left`), `try ${tries}: ${line}`);
      say(`${machine.seconds.toFixed(0)} s: ${line}`);
      from = (await machine.waitFor(/^@guest hang/, BOOT_SECONDS, index)).index;
    }
    const { line, index } = await machine.waitFor(/^@boot slot/, BOOT_SECONDS, from);
    expect(line.startsWith('@boot slot A'), `after ${triesMax} tries: ${line}`);
    say(`${machine.seconds.toFixed(0)} s: ${line}`);
    await waitForEnd(machine, server, BOOT_SECONDS, index);
    say(`${machine.seconds.toFixed(0)} s: reported`);
  } finally {
    await machine.cut();
  }
  const action = await server.action(DEVICE);
  expect(action.state === 'failed', `the action ended as ${action.state}`);
  const closing = action.feedback.find(({ execution }) => execution === 'closed')!;
  expect(action.code === 40, `the reported status is ${action.code}: ${closing.details.join('; ')}`);
  const boot = expectBoot(board, FALLEN_BACK);
  return [`${triesMax} tries of B, then A; reported ${action.code}: ${closing.details.join('; ')}`, boot];
}

/** The new version starts and fails its health check: the agent itself goes back, without using up the tries. */
export async function unhealthy(stage: Stage): Promise<string[]> {
  const { workshop, server } = stage;
  const board = workshop.makeBoard('unhealthy', server);
  await server.deploy('3.0.0');
  const machine = new Machine(board);
  try {
    const trial = await machine.waitFor(/^@guest boot slot=B/, UPDATE_SECONDS + BOOT_SECONDS);
    const back = await machine.waitFor(/^@guest boot slot=A/, BOOT_SECONDS, trial.index);
    await waitForEnd(machine, server, BOOT_SECONDS, back.index);
  } finally {
    await machine.cut();
  }
  const action = await server.action(DEVICE);
  expect(action.state === 'failed' && action.code === 40, `the action ended as ${action.state} with ${action.code}`);
  const boot = expectBoot(board, FALLEN_BACK);
  const closing = action.feedback.find(({ execution }) => execution === 'closed')!;
  return [`one try of B, then A; reported 40: ${closing.details.join('; ').slice(0, 200)}`, boot];
}
