/**
 * What a TUF target's `custom` field says of a payload: everything a device needs to choose between payloads before it
 * fetches one, and to refuse it by its header. The agent reads the same fields with a parser of its own.
 * @module
 */
import { z } from 'zod';
import { formatName, type PayloadFormat } from '../../native-free/format/features.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';

/** Product, version, hardware and slot class are parts of target names and of URLs. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/;

const name = z
  .string()
  .regex(namePattern, 'expected 1 to 64 letters, digits or ._+~-, beginning with a letter or digit');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');
const image = z.object({ bytes: z.number().int().min(0).max(LIMITS.image_bytes_max), sha256 });

/** How a payload is encrypted, and what it is in clear. The target's own length and hash are those of the body. */
export const encryptionSchema = z.object({
  format: z.literal('age-v1'),
  bytes: z.number().int().min(1),
  sha256,
  /** The first 16 bytes of the body, in hexadecimal. */
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
});

/** Which release a payload belongs to. */
export const releaseKeySchema = z.object({ product: name, version: name, hardware: name, slotClass: name });
export type ReleaseKey = z.infer<typeof releaseKeySchema>;

export const targetCustomSchema = releaseKeySchema.extend({
  kind: z.enum(['full', 'delta']),
  /** The image that a delta needs; null for a full payload. */
  source: image.nullable(),
  target: image,
  /** Both as the header has them, so that a device knows before it fetches anything whether it reads the payload. */
  payloadVersion: z.number().int().min(0).max(255),
  codec: z.number().int().min(0).max(255),
  /** SHA-256 of the payload's header: the root of all further checks. */
  headerDigest: sha256,
  headerBytes: z.number().int().min(1).max(LIMITS.header_bytes_max),
  decoderMemoryBytes: z.number().int().min(0).max(LIMITS.decoder_memory_bytes_max),
  /** Units of 2^20 look-ups. */
  decoderWork: z.number().int().min(0).max(LIMITS.decoder_work_units_max),
  rollbackIndex: z.number().int().min(0),
  encryption: encryptionSchema.optional(),
});
export type TargetCustom = z.infer<typeof targetCustomSchema>;

/**
 * Checks the parts of a release's name.
 * @throws UpdateError usage_invalid, naming the part
 */
export function checkReleaseKey(key: ReleaseKey): ReleaseKey {
  const result = releaseKeySchema.safeParse(key);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UpdateError('usage_invalid', `${issue.path.join('.')}: ${issue.message}`);
}

/** The common beginning of a release's target names. */
function targetPrefix(key: ReleaseKey): string {
  return `${key.product}/${key.version}/${key.hardware}/${key.slotClass}`;
}

/** The name of a full payload. */
export function fullTargetName(key: ReleaseKey): string {
  return `${targetPrefix(key)}/full`;
}

/** The name of the best delta from the image with this digest; with a format, of the one for decoders that read no better. */
export function deltaTargetName(key: ReleaseKey, sourceSha256: string, format?: PayloadFormat): string {
  const suffix = format === undefined ? '' : `.${formatName(format)}`;
  return `${targetPrefix(key)}/delta/${sourceSha256}${suffix}`;
}
