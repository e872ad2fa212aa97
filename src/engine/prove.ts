/**
 * The proof of a payload: it is applied, by the code that devices run, and every byte that comes out is compared with
 * the target. What the encoder believes does not enter.
 *
 * @module
 */
import { applyPayload } from '../../native-free/apply/patcher.ts';
import { bytesSource, memorySource } from '../../native-free/apply/bytes-source.ts';
import { bytesEqual, digestOf } from '../../native-free/hash.ts';
import type { SegmentSink } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';
import { modelCoder } from '../wasm/mix-coder.ts';
import { sha256Node } from '../platform/hash.ts';
import type { ProveTask } from './workers/tasks.ts';

/**
 * Apply `payload` to `source` and compare with `target`, segment by segment and by digest.
 * Throws UpdateError `proof_failed`, with what the decoder said as its cause.
 */
export async function provePayload(task: Omit<ProveTask, 'kind'>): Promise<void> {
  const { payload, source, target, doneKib } = task;
  const hash = sha256Node();
  let proved = 0;
  const sink: SegmentSink = {
    async write({ index, offset, bytes }) {
      if (Buffer.compare(bytes, target.subarray(offset, offset + bytes.length)) !== 0 || offset !== proved) {
        throw new UpdateError('proof_failed', `segment ${index} came out different from the target`, {
          detail: { segment: index },
        });
      }
      hash.update(bytes);
      proved += bytes.length;
      Atomics.store(doneKib, 0, proved >>> 10);
    },
  };
  try {
    const apply = applyPayload({
      payload: bytesSource(payload),
      source: memorySource(source),
      sink,
      hash: sha256Node,
      models: modelCoder,
    });
    for await (const event of apply) {
      if (event.type !== 'header') continue;
      const { header } = event;
      const isDelta = header.kind === 'delta';
      checkFact('target digest', bytesEqual(header.targetDigest, digestOf(sha256Node, target)));
      checkFact('source digest', !isDelta || bytesEqual(header.sourceDigest, digestOf(sha256Node, source)));
      checkFact('source size', !isDelta || header.sourceBytes === source.length);
      checkFact('payload size', header.payloadBytes === payload.length);
    }
    checkFact('length', proved === target.length);
    checkFact('digest', bytesEqual(hash.digest(), digestOf(sha256Node, target)));
  } catch (error) {
    if (UpdateError.is(error) && error.code === 'proof_failed') throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new UpdateError('proof_failed', `the new payload does not apply: ${said}`, {
      detail: UpdateError.is(error) ? { code: error.code, ...error.detail } : {},
      cause: error,
    });
  }
}

function checkFact(name: string, holds: boolean): void {
  if (!holds) throw new UpdateError('proof_failed', `the new payload gives a wrong ${name}`);
}
