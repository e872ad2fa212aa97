/** One segment decoded by a coder alone, to be compared between coders. */
import { memorySource } from '../../native-free/apply/bytes-source.ts';
import { DeltaSegmentDecoder } from '../../native-free/apply/segment-decoders.ts';
import type { Images } from '../../native-free/diff/images.ts';
import type { Plan } from '../../native-free/format/plan.ts';
import type { ModelCoder } from '../../native-free/model/model-coder.ts';
import { UpdateError } from '../../native-free/status.ts';

export interface SegmentCase extends Images {
  readonly plan: Plan;
}

export interface Outcome {
  readonly target: Uint8Array;
  readonly work: number;
  /** Code of what was thrown. */
  readonly error: string | null;
}

/** What comes out within so much work: all that was decoded until an error, and where that was. */
export async function decoded(
  { source, target, plan }: SegmentCase,
  coder: ModelCoder,
  bytes: Uint8Array,
  limit = Infinity,
): Promise<Outcome> {
  const into = new Uint8Array(target.length);
  const before = coder.work.spent;
  coder.work.limit = before + limit;
  const decoder = new DeltaSegmentDecoder(plan, coder, memorySource(source), source.length);
  const error = await decoder.decode(bytes, into, 0).then(
    () => null,
    (caught: unknown) => {
      if (!UpdateError.is(caught)) throw caught;
      return caught.code;
    },
  );
  coder.work.limit = Infinity;
  return { target: into, work: coder.work.spent - before, error };
}
