/**
 * A worker thread of the engine: one small task at a time, no state between tasks but loaded codecs.
 *
 * Always runs as compiled JavaScript (see built-file.ts).
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { digestOfImage } from '../../../native-free/diff/fills/sparse-image.ts';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { coarseCovers } from '../../../native-free/diff/match/coarse-align.ts';
import { SourceView } from '../../../native-free/diff/match/source-view.ts';
import { openContainers } from '../../../native-free/diff/units/explore.ts';
import { programsIn } from '../../../native-free/diff/units/programs.ts';
import { unpackRuns } from '../../../native-free/diff/units/stream-runs.ts';
import { unitImages, unpackPair } from '../../../native-free/diff/units/unpack-pair.ts';
import { encodeUnitSegment } from '../../../native-free/diff/write/encode-unit-segment.ts';
import * as stages from '../../../native-free/diff/stages.ts';
import { digestOf } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { modelCoder } from '../../wasm/mix-coder.ts';
import { wasmMatching } from '../../wasm/matching.ts';
import { isAllocationFailure } from '../memory-plan.ts';
import { sharedBytes } from '../../platform/files/node-io.ts';
import { sha256Node } from '../../platform/hash.ts';
import { provePart } from '../prove.ts';
import type { Task, TaskOutcome, TaskResults } from './tasks.ts';
import { compressSegment } from '../zstd.ts';

/** CPU seconds of this thread so far, or null where nothing tells. */
function threadCpuSeconds(): number | null {
  const usage = (process as { threadCpuUsage?: () => { user: number; system: number } }).threadCpuUsage?.();
  if (usage !== undefined) return (usage.user + usage.system) / 1e6;
  try {
    // Linux, and Node < 23: nanoseconds on a processor come first.
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return null;
  }
}

/** Bytes without the larger buffer that they may be a part of: a message carries the whole buffer. */
function tight(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

async function perform(task: Task): Promise<TaskResults[Task['kind']]> {
  switch (task.kind) {
    case 'digest':
      return digestOfImage(sha256Node, task.image);
    case 'analyse':
      return stages.analyse(task.images, task.parts);
    case 'mask':
      stages.maskReferences(task.image, task.layout, task.copy);
      return true;
    case 'alike':
      return coarseCovers(task.images.source, task.images.target).reduce((sum, { length }) => sum + length, 0);
    case 'align':
      return stages.alignMasked(task.copies);
    case 'index': {
      const { copies, window, used, plain } = task;
      const opened = stages.openWindow(copies, window);
      const { open } = opened.settled;
      if (open.length === 0) return { opened, index: null };
      const image = plain === undefined ? undefined : new SourceView(plain, opened.view);
      const index = wasmMatching.index(new SourceView(copies.source, opened.view), used, image);
      return { opened, index };
    }
    case 'covers':
      return wasmMatching.findCovers(task.index, task.target, task.ranges);
    case 'parse':
      return wasmMatching.parseCovers(task.index, task.target, task.ranges, task.seeds);
    case 'tables':
      return stages.tablesOf(task.images, task.layouts, task.covers);
    case 'name':
      if (task.covers === null) stages.nameSource(task.image, task.layouts, task.tables, task.copy);
      else stages.nameTarget(task.image, task, task.covers, task.copy);
      return true;
    case 'plan':
      return stages.finishPlan(task.images, task.matched, task.wanted, modelCoder);
    case 'encode': {
      const { images, coded, metered } = task;
      const encoder = new SegmentEncoder(images, coded, { models: modelCoder, metered });
      const encoded = encoder.encode(task.start, task.end);
      const digest = segmentDigest({ target: images.target, start: task.start, end: task.end });
      return { encoded: tight(encoded), digest, work: encoder.work, costs: encoder.costs };
    }
    case 'find':
      return task.views.map((bytes) => openContainers(bytes, programsIn));
    case 'explore':
      return unpackRuns(task.runs, { exact: true, allocate: sharedBytes });
    case 'unpack':
      return unpackPair(task.source, task.target, sharedBytes);
    case 'encode-units': {
      const { images, unpacked, coded, start, end, metered } = task;
      const range = { start, end };
      const part = await encodeUnitSegment(unitImages(images, unpacked), coded, range, { models: modelCoder, metered });
      const digest = segmentDigest({ target: images.target, start, end });
      return { ...part, encoded: tight(part.encoded), digest };
    }
    case 'full': {
      const encoded = await compressSegment(task.target.subarray(task.start, task.end));
      return { encoded: tight(encoded), digest: segmentDigest(task) };
    }
    case 'prove':
      return provePart(task);
  }
}

function segmentDigest(task: { target: Uint8Array; start: number; end: number }): Uint8Array {
  return tight(digestOf(sha256Node, task.target.subarray(task.start, task.end)));
}

/** Perform a task. Failures of our own kind come back as values, with their code and detail. */
export default async function run(task: Task): Promise<TaskOutcome<TaskResults[Task['kind']]>> {
  const startedAt = performance.now();
  const cpuBefore = threadCpuSeconds();
  const spent = (): number => {
    const cpuAfter = threadCpuSeconds();
    return cpuBefore === null || cpuAfter === null ? (performance.now() - startedAt) / 1000 : cpuAfter - cpuBefore;
  };
  try {
    const result = await perform(task);
    return { result, cpuSeconds: spent() };
  } catch (error) {
    const known = UpdateError.is(error) ? error : null;
    // All else than refused memory is a bug, and keeps its stack.
    const code = known?.code ?? (isAllocationFailure(error) ? 'memory_exceeded' : 'bug');
    const message = known?.message ?? `${task.kind} task: ${error instanceof Error ? error.message : String(error)}`;
    const detail = known?.detail ?? { stack: error instanceof Error ? error.stack : undefined };
    return { failure: { code, message, detail }, cpuSeconds: spent() };
  }
}
