/**
 * A `deploymentBase` of hawkBit's DDI, read: which release is meant, and what the server allows. Sizes, digests and
 * places come from signed metadata alone.
 * @module
 */
import type { Deployment } from './deployments.ts';
import { HANDLINGS, type Handling, type ServerWords } from './words.ts';
import type { ReleaseName } from '../records/journal.ts';
import { isName } from '../payloads/manifest.ts';
import { isJson, wrongAnswer, type Json } from './answers.ts';

/** A word that goes into an address and a journal. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : null;
}

/**
 * Of several chunks all have to be ours and of one release: they are a set, and a part of it is not what the operator
 * meant. `slotClass` is the device's own. Throws `content_wrong`.
 */
export function readDeployment(answer: Json, url: string, slotClass: string): Deployment {
  const actionId = idOf(answer['id']);
  const inner = answer['deployment'];
  if (actionId === null || !isJson(inner) || !Array.isArray(inner['chunks'])) {
    throw wrongAnswer(url, 'a deployment without id or chunks');
  }
  const words = wordsOf(inner);
  const named = (inner['chunks'] as unknown[]).map((chunk) => ({ chunk, release: releaseOf(chunk) }));
  const refuse = (foreign: string): Deployment => ({ actionId, release: null, foreign, words });
  const foreign = named.find(({ release }) => release === null);
  if (foreign !== undefined) {
    const what = named.length === 1 ? 'its chunk' : `one of its ${named.length} chunks`;
    return refuse(`${what}${chunkName(foreign.chunk)} has no metadata of ours`);
  }
  const releases = named.map(({ release }) => release!);
  const first = releases.find((release) => release.slotClass === slotClass) ?? releases[0];
  if (first === undefined) return refuse('it has no chunks');
  const other = releases.find(
    ({ product, version, hardware }) =>
      product !== first.product || version !== first.version || hardware !== first.hardware,
  );
  if (other === undefined) return { actionId, release: first, words };
  return refuse(`it names two releases: ${labelOf(first)} and ${labelOf(other)}`);
}

const labelOf = ({ product, version, hardware }: ReleaseName): string => `${product} ${version} for ${hardware}`;

function chunkName(chunk: unknown): string {
  const name = isJson(chunk) ? chunk['name'] : undefined;
  return typeof name === 'string' ? ` "${name.slice(0, 64)}"` : '';
}

function releaseOf(chunk: unknown): ReleaseName | null {
  const metadata = isJson(chunk) ? chunk['metadata'] : undefined;
  if (!Array.isArray(metadata)) return null;
  const values = new Map<string, unknown>();
  for (const entry of metadata as unknown[]) {
    if (isJson(entry) && typeof entry['key'] === 'string') values.set(entry['key'], entry['value']);
  }
  const product = values.get('engraft.product');
  const version = values.get('engraft.version');
  const hardware = values.get('engraft.hardware');
  const slotClass = values.get('engraft.slotClass');
  if (!isName(product) || !isName(version) || !isName(hardware) || !isName(slotClass)) return null;
  return { product, version, hardware, slotClass };
}

/** A word that is not known holds back: it may be a new way to say "not yet". */
function wordsOf(inner: Json): ServerWords {
  const handling = (key: string): Handling => {
    const value = inner[key];
    if (value === undefined || value === null) return 'forced';
    return HANDLINGS.find((each) => each === value) ?? 'skip';
  };
  const window = inner['maintenanceWindow'];
  return {
    download: handling('download'),
    update: handling('update'),
    maintenanceWindow:
      window === undefined || window === null ? null : window === 'available' ? 'available' : 'unavailable',
  };
}
