/**
 * The states that a power cut may leave on the disk and the card, from a log of every write of one update: at each
 * flush, and with the writes after it lost, kept, torn or kept at random. Each state is judged on the host; a handful
 * is booted.
 *
 * Disk and card have a log each. Which writes of one had happened when the other had so many is known from samples of
 * both logs' lengths, taken many times a second while the update ran.
 * @module
 */
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { UpdateError } from '../native-free/status.ts';
import { randomOf } from './cuts.ts';
import { judgeDisk, problemWithBoot, targetOf, type DiskVerdict } from './judge.ts';
import { Machine } from './machine.ts';
import { BOOT_SECONDS, expectUpdated, UPDATE_SECONDS, waitForEnd, type Stage } from './scenarios.ts';
import { DEVICE, type Board } from './workshop.ts';
import { Medium, WriteLog } from './write-log.ts';

const VERSION = '1.1.0';
const SAMPLE_MS = 5;
/** States that are booted, and states between writes of the disk that are judged, at most. */
const BOOTED = 3;
const DISK_STATES = 200;

/** Lengths of the two log files at one moment. */
interface Sample {
  readonly disk: number;
  readonly card: number;
}

interface Recording {
  readonly disk: WriteLog;
  readonly card: WriteLog;
  readonly samples: readonly Sample[];
}

/** One state: entries of each log that are on the medium, and what becomes of those after the disk's last flush. */
interface CutState {
  readonly name: string;
  readonly diskFlushed: number;
  readonly diskSeen: number;
  readonly cardSeen: number;
  readonly unsynced: 'none' | 'all' | 'random' | 'torn';
}

export async function writes(stage: Stage): Promise<string[]> {
  const { server, workshop, say } = stage;
  const board = workshop.makeBoard('writes', server);
  const before = { disk: join(board.folder, 'before-disk.img'), card: join(board.folder, 'before-card.img') };
  copyFileSync(board.disk, before.disk);
  copyFileSync(board.card, before.card);
  const recording = await record(stage, board);
  const states = statesOf(recording);
  checkJudge(stage, board, before);
  say(
    `${recording.disk.entries.length} entries of the disk, ${recording.card.entries.length} of the card, ${states.length} states`,
  );
  const counts = await judgeAll(stage, board, before, recording, states);
  const booted = await bootSome(stage, board, before, recording, states);
  const flushes = recording.disk.entries.filter(({ kind }) => kind === 'flush').length;
  return [
    `log: ${recording.disk.entries.length} writes and flushes of the disk (${flushes} flushes), ${recording.card.entries.length} of the card`,
    `${states.length} states judged, none wrong: ${[...counts].map(([what, count]) => `${what} ${count}`).join(', ')}`,
    `${booted} of them booted; each ended with status 0 in version ${VERSION}`,
  ];
}

/** One update with both media recorded. */
async function record({ server }: Stage, board: Board): Promise<Recording> {
  const logs = { disk: join(board.folder, 'disk.log'), card: join(board.folder, 'card.log') };
  for (const log of Object.values(logs)) writeFileSync(log, '');
  await server.deploy(VERSION);
  const samples: Sample[] = [];
  const machine = new Machine({ ...board, writeLogs: logs });
  const timer = setInterval(
    () => samples.push({ card: statSync(logs.card).size, disk: statSync(logs.disk).size }),
    SAMPLE_MS,
  );
  try {
    await waitForEnd(machine, server, UPDATE_SECONDS);
  } finally {
    clearInterval(timer);
    await machine.cut();
  }
  return { disk: new WriteLog(logs.disk), card: new WriteLog(logs.card), samples };
}

/**
 * Every moment at which the disk had got further, thinned out evenly if there are too many, and every single write of
 * the card: it takes 512 bytes at a time, so between two of them a copy of the environment is torn.
 */
function statesOf({ disk, card, samples }: Recording): CutState[] {
  const moments = samples.map((sample) => ({
    disk: disk.entriesWithin(sample.disk),
    card: card.entriesWithin(sample.card),
  }));
  const state = (diskSeen: number, cardSeen: number, unsynced: CutState['unsynced']): CutState => {
    const diskFlushed = disk.flushedBefore(diskSeen);
    const name = `disk ${diskFlushed}+${diskSeen - diskFlushed} ${unsynced}, card ${cardSeen}`;
    return { name, diskFlushed, diskSeen, cardSeen, unsynced };
  };
  const ofDisk: CutState[] = [];
  for (const [i, moment] of moments.entries()) {
    if (moment.disk === moments[i - 1]?.disk) continue;
    ofDisk.push(state(moment.disk, moment.card, 'none'));
    if (moment.disk === disk.flushedBefore(moment.disk)) continue;
    for (const unsynced of ['all', 'random', 'torn'] as const) ofDisk.push(state(moment.disk, moment.card, unsynced));
  }
  const step = Math.max(1, ofDisk.length / DISK_STATES);
  const kept = ofDisk.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
  const ofCard = card.entries.flatMap((_, i) => {
    const then = moments.find((moment) => moment.card > i) ?? moments.at(-1)!;
    return (['none', 'random'] as const).map((unsynced) => state(then.disk, i + 1, unsynced));
  });
  return [...kept, ...ofCard].sort((one, two) => one.diskFlushed - two.diskFlushed || one.cardSeen - two.cardSeen);
}

type Before = Readonly<Record<'disk' | 'card', string>>;

/** A judge that never says no proves nothing: the card of the updated board with the disk of the new one is wrong. */
function checkJudge({ workshop }: Stage, board: Board, before: Before): void {
  const disk = readFileSync(before.disk);
  const { slotBIsWhole } = judgeDisk({ disk, ...targetOf(workshop, VERSION), folder: board.folder });
  if (problemWithBoot(readFileSync(board.card), slotBIsWhole) !== null) return;
  throw new UpdateError('bug', 'the judge took an armed slot without an image for good');
}

async function judgeAll(
  stage: Stage,
  board: Board,
  before: Before,
  recording: Recording,
  states: readonly CutState[],
): Promise<Map<string, number>> {
  const target = targetOf(stage.workshop, VERSION);
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  let counters: Readonly<Record<string, number>> = {};
  // Many states of the card share one of the disk.
  const verdicts = new Map<string, DiskVerdict>();
  const base = new Medium(readFileSync(before.disk));
  let at = 0;
  for (const state of states) {
    // So that a signal gets through.
    await setImmediate();
    // States are in the order of their flushes, so the flushed part is replayed once only.
    for (; at < state.diskFlushed; at++) recording.disk.apply(base, at);
    const key = `${state.diskSeen} ${state.unsynced}`;
    let verdict = verdicts.get(key);
    if (verdict === undefined) {
      verdict = base.try(() => {
        const disk = withUnsynced(recording.disk, state, base, stage.seed).bytes;
        return judgeDisk({ disk, ...target, folder: board.folder });
      });
      verdicts.set(key, verdict);
    }
    const card = cardOf(recording.card, state, before.card).bytes;
    const fell = Object.entries(counters).some(([name, value]) => (verdict.counters[name] ?? 0) < value);
    const problem = verdict.problem ?? problemWithBoot(card, verdict.slotBIsWhole) ?? (fell ? 'a counter fell' : null);
    if (problem !== null) wrong.push(`${state.name}: ${problem}`);
    if (state.unsynced === 'none') counters = verdict.counters;
    counts.set(verdict.state, (counts.get(verdict.state) ?? 0) + 1);
  }
  if (wrong.length === 0) return counts;
  throw new UpdateError(
    'content_wrong',
    `${wrong.length} of ${states.length} states are wrong:\n${wrong.slice(0, 10).join('\n')}`,
  );
}

/** `disk` holds the flushed part already. */
function withUnsynced(log: WriteLog, state: CutState, disk: Medium, seed: number): Medium {
  const random = randomOf(seed + state.diskSeen);
  for (let i = state.diskFlushed; i < state.diskSeen; i++) {
    if (state.unsynced === 'none' || (state.unsynced === 'random' && random() < 0.5)) continue;
    const isLast = i === state.diskSeen - 1;
    const sectors = Math.ceil(log.entries[i]!.bytes / 512);
    log.apply(disk, i, state.unsynced === 'torn' && isLast ? 512 * Math.floor(random() * sectors) : Infinity);
  }
  return disk;
}

function cardOf(log: WriteLog, { cardSeen }: CutState, before: string): Medium {
  const card = new Medium(readFileSync(before));
  for (let i = 0; i < cardSeen; i++) log.apply(card, i);
  return card;
}

/** Power the board on in some of the states, against a server that knows nothing of the update yet. */
async function bootSome(
  stage: Stage,
  board: Board,
  before: Before,
  recording: Recording,
  states: readonly CutState[],
): Promise<number> {
  const random = randomOf(stage.seed + 1);
  const chosen = Array.from(
    { length: BOOTED },
    (_, i) => states[Math.floor(((i + random()) / BOOTED) * states.length)]!,
  );
  for (const state of chosen) {
    const base = new Medium(readFileSync(before.disk));
    for (let i = 0; i < state.diskFlushed; i++) recording.disk.apply(base, i);
    writeFileSync(board.disk, withUnsynced(recording.disk, state, base, stage.seed).bytes);
    writeFileSync(board.card, cardOf(recording.card, state, before.card).bytes);
    await stage.restartServer();
    await stage.server.deploy(VERSION);
    const machine = new Machine(board);
    try {
      await waitForFinished(machine, stage);
    } finally {
      await machine.cut();
    }
    await expectUpdated(stage, board, VERSION);
    stage.say(`booted: ${state.name}: updated`);
  }
  rmSync(board.disk);
  return chosen.length;
}

/**
 * An agent that was cut in REPORT first reports to a server that has never heard of the device; then it polls, and is
 * told to bring itself to a version that it runs already.
 */
async function waitForFinished(machine: Machine, { server }: Stage): Promise<void> {
  for (let from = 0; ;) {
    const { index } = await machine.waitFor(/^REPORT$/, UPDATE_SECONDS, from);
    await machine.waitFor(/^IDLE$/, BOOT_SECONDS, index);
    if (await server.isFinished(DEVICE)) return;
    from = index + 1;
  }
}
