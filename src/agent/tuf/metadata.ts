/**
 * TUF metadata as the device reads it (specification, section 4), with nothing of the publisher's code.
 *
 * What is signed is the canonical form of the JSON that came, not of what was understood of it: fields that are not
 * known here are signed with the rest. Nothing in a document may be believed before `keys.ts` has looked at it.
 * @module
 */
import { canonicalize } from '@tufjs/canonical-json';
import { UpdateError } from '../../../native-free/status.ts';
import { parseJson, type Field } from './json.ts';

export const TOP_LEVEL = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type TopLevel = (typeof TOP_LEVEL)[number];

/** A key as metadata lists it. */
export interface ListedKey {
  readonly type: string;
  readonly scheme: string;
  /** PEM, or hexadecimal for the raw keys of ed25519. */
  readonly value: string;
}

export type Keys = ReadonlyMap<string, ListedKey>;

/** Which keys may sign for a role, and how many of them have to. */
export interface Role {
  readonly keyIds: readonly string[];
  readonly threshold: number;
}

export interface Signed {
  readonly version: number;
  readonly expiresMs: number;
}

export interface Root extends Signed {
  readonly keys: Keys;
  readonly roles: Readonly<Record<TopLevel, Role>>;
  readonly consistentSnapshot: boolean;
}

/** Digests by the name of their algorithm, hexadecimal. */
export type Hashes = ReadonlyMap<string, string>;

/** How one document names another. */
export interface MetaFile {
  readonly version: number;
  readonly length: number | null;
  readonly hashes: Hashes | null;
}

export interface Timestamp extends Signed {
  readonly snapshot: MetaFile;
}

export interface Snapshot extends Signed {
  /** By file name: `targets.json`. */
  readonly meta: ReadonlyMap<string, MetaFile>;
}

export interface TargetFile {
  readonly length: number;
  readonly hashes: Hashes;
  readonly custom: unknown;
}

export interface DelegatedRole extends Role {
  readonly name: string;
  readonly terminating: boolean;
  readonly paths: readonly string[] | null;
  readonly pathHashPrefixes: readonly string[] | null;
}

/** Targets spread evenly over 2^bitLength roles by the digests of their paths (TAP 15). */
export interface SuccinctRoles extends Role {
  readonly bitLength: number;
  readonly namePrefix: string;
}

export interface Delegations {
  readonly keys: Keys;
  readonly roles: readonly DelegatedRole[];
  readonly succinct: SuccinctRoles | null;
}

export interface Targets extends Signed {
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly delegations: Delegations | null;
}

export interface Document<S> {
  /** For messages, with the version once it is known. */
  readonly what: string;
  readonly signed: S;
  /** What the signatures are made over. */
  readonly canonical: Uint8Array;
  /** By key name. One that is no hexadecimal (tools write '' for a key that has not signed yet) is left out. */
  readonly signatures: ReadonlyMap<string, Uint8Array>;
  /** As they came. */
  readonly bytes: Uint8Array;
}

interface Kinds {
  root: Root;
  timestamp: Timestamp;
  snapshot: Snapshot;
  targets: Targets;
}

const READERS: { readonly [K in TopLevel]: (signed: Field) => Omit<Kinds[K], keyof Signed> } = {
  root: readRoot,
  timestamp: (signed) => ({ snapshot: readMetaFile(signed.get('meta').get('snapshot.json')) }),
  snapshot: (signed) => ({ meta: new Map(signed.get('meta').entries().map(([name, each]) => [name, readMetaFile(each)])) }), // prettier-ignore
  targets: readTargets,
};

/** A document of the given type. Throws `metadata_malformed`. Signatures are not looked at. */
export function parseMetadata<K extends TopLevel>(type: K, bytes: Uint8Array, what: string): Document<Kinds[K]> {
  const document = parseJson(bytes, what);
  const signed = document.get('signed');
  const given = signed.get('_type').text();
  if (given !== type) signed.get('_type').fail(`is '${given}' and should be '${type}'`);
  const spec = signed.get('spec_version');
  if (!/^1\.\d+(\.\d+)?$/.test(spec.text())) spec.fail('is of a specification that is not 1.x');
  const version = signed.get('version').integer(1);
  const head: Signed = { version, expiresMs: readTime(signed.get('expires')) };
  return {
    what: `${what} (version ${version})`,
    signed: { ...head, ...READERS[type](signed) } as unknown as Kinds[K],
    canonical: canonicalBytes(signed.value, what),
    signatures: readSignatures(document.get('signatures')),
    bytes,
  };
}

function canonicalBytes(value: unknown, what: string): Uint8Array {
  try {
    return new TextEncoder().encode(canonicalize(value));
  } catch (error) {
    // Fractions have no canonical form, and there are only so many brackets within brackets.
    const reason = error instanceof Error ? error.message : String(error);
    throw new UpdateError('metadata_malformed', `${what} has no canonical form: ${reason}`, { cause: error });
  }
}

function readTime(field: Field): number {
  const text = field.text();
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? field.fail(`is '${text.slice(0, 40)}' and should be like 2030-01-31T12:00:00Z`) : time;
}

/** Names are unique: of two signatures by one key nobody could say which one counts. */
function readSignatures(field: Field): Map<string, Uint8Array> {
  const signatures = new Map<string, Uint8Array>();
  const seen = new Set<string>();
  for (const item of field.items()) {
    const [keyId, sig] = [item.get('keyid').text(), item.get('sig').text()];
    if (seen.has(keyId)) item.fail(`is a second signature of key ${keyId}`);
    seen.add(keyId);
    if (/^(?:[0-9a-f]{2})+$/i.test(sig)) signatures.set(keyId, new Uint8Array(Buffer.from(sig, 'hex')));
  }
  return signatures;
}

function readRoot(signed: Field): Omit<Root, keyof Signed> {
  const roles = signed.get('roles');
  const consistent = signed.get('consistent_snapshot');
  return {
    keys: readKeys(signed.get('keys')),
    roles: {
      root: readRole(roles.get('root')),
      timestamp: readRole(roles.get('timestamp')),
      snapshot: readRole(roles.get('snapshot')),
      targets: readRole(roles.get('targets')),
    },
    consistentSnapshot: consistent.isMissing ? false : consistent.flag(),
  };
}

function readKeys(field: Field): Map<string, ListedKey> {
  return new Map(
    field.entries().map(([keyId, key]) => {
      const [type, scheme] = [key.get('keytype').text(), key.get('scheme').text()];
      const value = key.get('keyval').get('public');
      // Keys of other kinds may have other parts; they count as keys that have not signed.
      return [keyId, { type, scheme, value: value.isMissing ? '' : value.text() }];
    }),
  );
}

const readRole = (field: Field): Role => ({
  keyIds: field.get('keyids').names(),
  threshold: field.get('threshold').integer(1),
});

function readHashes(field: Field): Hashes {
  const hashes = new Map(field.entries().map(([name, value]) => [name, value.text()]));
  return hashes.size > 0 ? hashes : field.fail('is empty');
}

function readMetaFile(field: Field): MetaFile {
  const [length, hashes] = [field.get('length'), field.get('hashes')];
  return {
    version: field.get('version').integer(1),
    length: length.isMissing ? null : length.integer(0),
    hashes: hashes.isMissing ? null : readHashes(hashes),
  };
}

function readTargets(signed: Field): Omit<Targets, keyof Signed> {
  const delegations = signed.get('delegations');
  const targets = signed.get('targets').entries().map(([path, target]): [string, TargetFile] => [path, readTarget(target)]); // prettier-ignore
  return {
    targets: new Map(targets),
    delegations: delegations.isMissing ? null : readDelegations(delegations),
  };
}

const readTarget = (field: Field): TargetFile => ({
  length: field.get('length').integer(0),
  hashes: readHashes(field.get('hashes')),
  custom: field.get('custom').value,
});

function readDelegations(field: Field): Delegations {
  const [listed, succinct] = [field.get('roles'), field.get('succinct_roles')];
  if (listed.isMissing === succinct.isMissing) field.fail('has to have either roles or succinct_roles');
  const roles = listed.isMissing ? [] : listed.items().map(readDelegatedRole);
  const names = new Set<string>(TOP_LEVEL);
  for (const { name } of roles) {
    if (names.has(name)) listed.fail(`has '${name}', which is another role already`);
    names.add(name);
  }
  return { keys: readKeys(field.get('keys')), roles, succinct: succinct.isMissing ? null : readSuccinct(succinct) };
}

function readDelegatedRole(field: Field): DelegatedRole {
  const [paths, prefixes] = [field.get('paths'), field.get('path_hash_prefixes')];
  if (paths.isMissing === prefixes.isMissing) field.fail('has to have either paths or path_hash_prefixes');
  const name = field.get('name').text();
  // It becomes a part of file names and URLs.
  if (name === '' || /\p{Surrogate}/u.test(name)) field.get('name').fail('cannot be a name');
  return {
    ...readRole(field),
    name,
    terminating: field.get('terminating').flag(),
    paths: paths.isMissing ? null : paths.items().map((item) => item.text()),
    pathHashPrefixes: prefixes.isMissing ? null : prefixes.items().map((item) => item.text()),
  };
}

const readSuccinct = (field: Field): SuccinctRoles => ({
  ...readRole(field),
  bitLength: field.get('bit_length').integer(1, 32),
  namePrefix: field.get('name_prefix').text(),
});
