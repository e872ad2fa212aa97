/**
 * The proof of a payload: it is applied, by the code that devices run, and every byte that comes out is compared with
 * the target. What the encoder believes does not enter.
 *
 * @module
 */
import { applyPayload } from '../../native-free/apply/patcher.ts';
import { bytesSource } from '../../native-free/apply/bytes-source.ts';
import { digestOfImage } from '../../native-free/diff/fills/sparse-image.ts';
import { sameFills } from '../../native-free/format/fill-map.ts';
import type { PayloadHeader } from '../../native-free/format/payload-header.ts';
import { bytesEqual } from '../../native-free/hash.ts';
import type { SegmentSink } from '../../native-free/io.ts';
import type { ModelCoder } from '../../native-free/model/model-coder.ts';
import { UpdateError } from '../../native-free/status.ts';
import { modelCoder } from '../wasm/mix-coder.ts';
import { sha256Node } from '../platform/hash.ts';
import { ComparedImage, imageSource } from './image-in-memory.ts';
import { checkFact, proofFailure, type ProvenPart } from './proof-parts.ts';
import type { ProveTask } from './workers/tasks.ts';

/**
 * Apply segments `first` to `end - 1` of `payload` to `source` and compare them with `target`; the part that begins with
 * the first segment also checks what the header says of the images.
 * Throws UpdateError `proof_failed`, with what the decoder said as its cause.
 */
export async function provePart(task: Omit<ProveTask, 'kind'>): Promise<ProvenPart> {
  const { payload, source, target, doneKib, first, end } = task;
  let next = first;
  const compared = new ComparedImage(target, first === 0 ? 0 : null);
  const check = (index: number, isLast: boolean, same: boolean): void => {
    if (index !== next || !same) {
      throw new UpdateError('proof_failed', `segment ${index} came out different from the target`, {
        detail: { segment: index },
      });
    }
    if (isLast) next++;
  };
  const sink: SegmentSink = {
    async write({ index, offset, bytes, isLast }) {
      check(index, isLast, compared.bytes(offset, bytes));
      Atomics.add(doneKib, 0, bytes.length >>> 10);
    },
    async fill({ index, offset, length, value, isLast }) {
      check(index, isLast, compared.fill(offset, length, value));
    },
  };
  let coder: ModelCoder | undefined;
  let segments = 0;
  let planWork = 0;
  const spent = (): number => coder?.work.spent ?? 0;
  try {
    const apply = applyPayload({
      payload: bytesSource(payload),
      source: imageSource(source),
      sink,
      hash: sha256Node,
      models: (...args) => (coder = modelCoder(...args)),
      resumeSegment: first,
    });
    for await (const event of apply) {
      if (event.type === 'header') segments = event.header.segments.length;
      if (event.type === 'header' && first === 0) checkHeader(event.header, task);
      if (event.type === 'plan') planWork = spent();
      if (event.type === 'segment' && next === end) break;
    }
    checkFact('number of segments', next === end);
    checkFact('length', compared.end === null || end < segments || compared.end === target.map.imageBytes);
  } catch (error) {
    throw proofFailure(error);
  }
  return { planWork, segmentWork: spent() - planWork };
}

function checkHeader(header: PayloadHeader, { payload, source, target }: Omit<ProveTask, 'kind'>): void {
  const isDelta = header.kind === 'delta';
  checkFact('target digest', bytesEqual(header.targetDigest, digestOfImage(sha256Node, target)));
  checkFact('source digest', !isDelta || bytesEqual(header.sourceDigest, digestOfImage(sha256Node, source)));
  checkFact('source size', !isDelta || header.sourceBytes === source.map.imageBytes);
  checkFact('map of fills', sameFills(header.fills.target, target.map));
  checkFact('payload size', header.payloadBytes === payload.length);
  // Segments lie one behind the other, which parsing has checked.
  const last = header.segments.at(-1);
  checkFact('length', (last === undefined ? 0 : last.offset + last.length) === target.dense.length);
}
