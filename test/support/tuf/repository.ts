/**
 * A TUF repository that a test can make say anything: documents are plain JSON, signed with whatever keys the test
 * chooses, and served in every version that was ever published. Nothing in it is the product's code.
 */
import { canonicalize } from '@tufjs/canonical-json';
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** Any JSON; tests reach into it. */
export type Json = any;

export interface Signer {
  readonly keyId: string;
  /** As root and delegations list it. */
  readonly key: Json;
  sign(data: Uint8Array): string;
}

const DAY_MS = 86_400_000;
const TOP = ['root', 'targets', 'snapshot', 'timestamp'];
const sha = (algorithm: string, data: string | Uint8Array): string => createHash(algorithm).update(data).digest('hex');

const dateText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
export const inDays = (days: number, fromMs = Date.now()): string => dateText(fromMs + days * DAY_MS);

function signerWith(key: Json, privateKey: KeyObject, digest: string | null, padding?: number): Signer {
  const options = padding === undefined ? privateKey : { key: privateKey, padding, saltLength: 32 };
  return {
    keyId: sha('sha256', canonicalize(key)),
    key,
    sign: (data) => sign(digest, data, options).toString('hex'),
  };
}

/** A key of its own, of one of the specification's kinds; `more` are fields that nobody has defined. */
export function newSigner(scheme = 'ecdsa-sha2-nistp256', more: Json = {}): Signer {
  const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
  if (scheme === 'ed25519') {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
    return signerWith({ keytype: 'ed25519', scheme, keyval: { public: raw }, ...more }, privateKey, null);
  }
  if (scheme === 'rsassa-pss-sha256') {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = { keytype: 'rsa', scheme, keyval: { public: pem(publicKey) }, ...more };
    return signerWith(key, privateKey, 'sha256', constants.RSA_PKCS1_PSS_PADDING);
  }
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return signerWith({ keytype: 'ecdsa', scheme, keyval: { public: pem(publicKey) }, ...more }, privateKey, 'sha256');
}

export interface Artifact {
  data: Uint8Array;
  readonly hashes: Readonly<Record<string, string>>;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const jsonOf = (bytes: Uint8Array): Json => JSON.parse(new TextDecoder().decode(bytes));

export class TufRepository {
  /** What the next publishing signs. */
  readonly documents = new Map<string, Json>();
  readonly published = new Map<string, Uint8Array[]>();
  /** Who signs a role, by key name. */
  readonly signers = new Map<string, Map<string, Signer>>();
  readonly artifacts = new Map<string, Artifact>();
  /** Snapshot and timestamp say length and digest of what they name. */
  hasHashes = false;
  /** This role's documents say a version that is one higher than the one under which they are served and named. */
  mislabelled = '';
  /** Role, as it stands in the URL, and version. */
  readonly asked: [string, number | null][] = [];
  readonly artifactsAsked: [string, string | null][] = [];
  readonly expires: string;

  constructor(nowMs = Date.now()) {
    this.expires = inDays(30, nowMs);
    const head = (type: string): Json => ({ _type: type, spec_version: '1.0.31', version: 1, expires: this.expires });
    this.documents.set('targets', { ...head('targets'), targets: {} });
    this.documents.set('snapshot', { ...head('snapshot'), meta: { 'targets.json': { version: 1 } } });
    this.documents.set('timestamp', { ...head('timestamp'), meta: { 'snapshot.json': { version: 1 } } });
    const roles = Object.fromEntries(TOP.map((role) => [role, { keyids: [], threshold: 1 }]));
    this.documents.set('root', { ...head('root'), consistent_snapshot: true, keys: {}, roles });
    for (const role of TOP) this.addKey(role);
    this.publish('targets', 'snapshot', 'timestamp', 'root');
  }

  get root(): Json {
    return this.documents.get('root');
  }

  get timestamp(): Json {
    return this.documents.get('timestamp');
  }

  get snapshot(): Json {
    return this.documents.get('snapshot');
  }

  get targets(): Json {
    return this.documents.get('targets');
  }

  signersOf(role: string): Map<string, Signer> {
    const known = this.signers.get(role) ?? new Map<string, Signer>();
    this.signers.set(role, known);
    return known;
  }

  addSigner(role: string, signer: Signer): void {
    this.signersOf(role).set(signer.keyId, signer);
  }

  /** The delegator names the key, and from now on it signs as well. */
  addKey(role: string, signer = newSigner(), delegator = 'root'): Signer {
    this.listKey(role, signer, delegator);
    this.addSigner(role, signer);
    return signer;
  }

  listKey(role: string, signer: Signer, delegator = 'root'): void {
    const document = this.documents.get(delegator);
    const [keys, entry] =
      delegator === 'root'
        ? [document.keys, document.roles[role]]
        : [document.delegations.keys, document.delegations.roles.find(({ name }: Json) => name === role)];
    keys[signer.keyId] = signer.key;
    entry.keyids.push(signer.keyId);
  }

  rotateKeys(role: string): void {
    this.root.roles[role].keyids = [];
    this.signersOf(role).clear();
    for (let i = 0; i < this.root.roles[role].threshold; i++) this.addKey(role);
  }

  /** Everything of a role that was ever published is gone, and the next one is of version 1. */
  startAgain(role: string): void {
    this.published.delete(role);
    this.documents.get(role).version = 1;
  }

  /** Signs and serves the next version of each of these. */
  publish(...roles: string[]): void {
    for (const role of roles) {
      const document = this.documents.get(role);
      const versions = this.published.get(role);
      if (versions !== undefined) document.version++;
      const signed = role === this.mislabelled ? { ...document, version: document.version + 1 } : document;
      const data = bytesOf(canonicalize(signed));
      const signatures = [...this.signersOf(role).values()].map((s) => ({ keyid: s.keyId, sig: s.sign(data) }));
      const bytes = bytesOf(JSON.stringify({ signatures, signed }, null, 1));
      this.published.set(role, [...(versions ?? []), bytes]);
      const more = this.hasHashes ? { length: bytes.length, hashes: { sha256: sha('sha256', bytes) } } : {};
      const meta = { version: document.version, ...more };
      if (role === 'snapshot') this.timestamp.meta = { 'snapshot.json': meta };
      else if (role !== 'root' && role !== 'timestamp') this.snapshot.meta[`${role}.json`] = meta;
    }
  }

  /** Replaces the newest published version of a role by what `change` makes of it. */
  tamper(role: string, change: (json: Json) => void): void {
    const json = jsonOf(this.latest(role));
    change(json);
    this.published.get(role)!.splice(-1, 1, bytesOf(JSON.stringify(json)));
  }

  latest(role: string): Uint8Array {
    return this.published.get(role)!.at(-1)!;
  }

  addArtifact(role: string, data: string, path: string, algorithms: readonly string[] = ['sha256']): void {
    const bytes = bytesOf(data);
    const hashes = Object.fromEntries(algorithms.map((name) => [name, sha(name, bytes)]));
    this.documents.get(role).targets[path] = { length: bytes.length, hashes };
    this.artifacts.set(path, { data: bytes, hashes });
  }

  /** A delegation with a key of its own; the role begins empty where there is none of this name. */
  delegate(
    delegator: string,
    name: string,
    { paths = ['*'], terminating = false, keyids = [] as string[] } = {},
  ): void {
    const document = this.documents.get(delegator);
    document.delegations ??= { keys: {}, roles: [] };
    document.delegations.roles.push({ name, keyids, threshold: 1, terminating, paths });
    this.addKey(name, newSigner(), delegator);
    if (this.documents.has(name)) return;
    const head = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: this.expires };
    this.documents.set(name, { ...head, targets: {} });
  }

  /** The answer to a path below the repository, or null. */
  answer(path: string): Uint8Array | null {
    const metadata = /^metadata\/(?:(\d+)\.)?([^/]+)\.json$/.exec(path);
    if (metadata !== null) {
      const version = metadata[1] === undefined ? null : Number(metadata[1]);
      this.asked.push([metadata[2]!, version]);
      const versions = this.published.get(decodeURIComponent(metadata[2]!)) ?? [];
      return (version === null ? versions.at(-1) : versions[version - 1]) ?? null;
    }
    const target = /^targets\/((?:[^/]+\/)*)([^/]+)$/.exec(path);
    if (target === null) return null;
    const [prefix, file] = this.root.consistent_snapshot ? [target[2]!.split('.')[0]!, target[2]!.slice(target[2]!.indexOf('.') + 1)] : [null, target[2]!]; // prettier-ignore
    const name = decodeURIComponent(`${target[1]}${file}`);
    this.artifactsAsked.push([name, prefix]);
    const artifact = this.artifacts.get(name);
    const isRight = prefix === null || Object.values(artifact?.hashes ?? {}).includes(prefix);
    return isRight ? (artifact?.data ?? null) : null;
  }
}
