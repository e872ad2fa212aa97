/**
 * The catalog: the repository's releases in the order of their publication, with what the signed metadata has no room
 * for (other digests for foreign clients, dates, deltas that were not worth it).
 *
 * It lies in `catalog/N.json`, N being the version of the targets metadata it belongs to. So it becomes current in the
 * same instant as that metadata, when timestamp.json is replaced, and a crash can never set the two at odds.
 * @module
 */
import { z } from 'zod';
import { UpdateError } from '../../native-free/status.ts';
import { encryptionSchema, releaseKeySchema, type ReleaseKey } from './custom.ts';
import { wrappedPattern } from './encryption/master-key.ts';

const digest = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));

const payloadSchema = z.object({
  targetName: z.string(),
  kind: z.enum(['full', 'delta']),
  /** Its name, as in features.ts; missing in a catalog of before. */
  format: z.string().optional(),
  bytes: z.number().int().min(1),
  sha256: digest(64),
  /** The image a delta starts from. */
  source: z.object({ version: z.string(), bytes: z.number().int(), sha256: digest(64) }).nullable(),
  /** Of an encrypted payload: `bytes` and `sha256` are those of the body, and these are what it takes to open it. */
  encryption: encryptionSchema.extend({ fileKey: z.string().regex(wrappedPattern) }).optional(),
});

const releaseSchema = releaseKeySchema.extend({
  rollbackIndex: z.number().int().min(0),
  publishedAt: z.string(),
  /** The raw image, kept as a blob for clients that know nothing of payloads, and as the source of later deltas. */
  artifact: z.object({
    filename: z.string(),
    bytes: z.number().int().min(0),
    sha256: digest(64),
    sha1: digest(40),
    md5: digest(32),
    /** The release is encrypted: the image is not among the blobs. */
    isPrivate: z.boolean().optional(),
  }),
  payloads: z.array(payloadSchema),
  /** Deltas that were tried and dropped, and why. */
  dropped: z.array(z.object({ version: z.string(), sha256: digest(64), reason: z.string() })),
});

export const catalogSchema = z.object({ format: z.literal(1), releases: z.array(releaseSchema) });

export type CatalogPayload = z.infer<typeof payloadSchema>;
export type CatalogRelease = z.infer<typeof releaseSchema>;
export type Catalog = z.infer<typeof catalogSchema>;

export const emptyCatalog: Catalog = { format: 1, releases: [] };

/**
 * Reads a catalog file.
 * @throws UpdateError metadata_malformed
 */
export function parseCatalog(bytes: Uint8Array, path: string): Catalog {
  try {
    return catalogSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw new UpdateError('metadata_malformed', `${path} is not a catalog: ${(cause as Error).message}`, { cause });
  }
}

/** Same product, version, hardware and slot class. */
export function sameRelease(a: ReleaseKey, b: ReleaseKey): boolean {
  return sameLine(a, b) && a.version === b.version;
}

/** Same product, hardware and slot class: versions of one another. */
export function sameLine(a: Omit<ReleaseKey, 'version'>, b: Omit<ReleaseKey, 'version'>): boolean {
  return a.product === b.product && a.hardware === b.hardware && a.slotClass === b.slotClass;
}
