/**
 * The whole of a repository, looked through: what a client would find wrong, and what it would not find before it is too
 * late.
 * @module
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UpdateError } from '../../../native-free/status.ts';
import { nodeFileSystem } from '../../platform/node-filesystem.ts';
import type { FileSystem } from '../../platform/filesystem.ts';
import { readFully } from '../../platform/filesystem.ts';
import { loadSigner, ROLES } from '../keys.ts';
import type { Repository } from '../repository.ts';
import { expiryFacts, expiryWarnings, type ExpiryFact } from './expiry.ts';
import { delegationsOf, type RepositoryState } from './reader.ts';

export interface Finding {
  /** `error`: devices cannot update, or should not. `warning`: they will not before long, or it is unwise. `note`: all else. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly text: string;
}

export interface Verification {
  readonly findings: readonly Finding[];
  readonly expiry: readonly ExpiryFact[];
  readonly releases: number;
  readonly targets: number;
  /** Blobs that were digested. */
  readonly blobs: number;
}

export interface VerifyOptions {
  /** Folders with private keys: who may read them. */
  readonly keyFolders?: readonly string[];
  readonly files?: FileSystem;
  readonly signal?: AbortSignal;
}

const WINDOW_BYTES = 1 << 20;

/**
 * Verifies all metadata, digests every blob that is named, and compares catalog and targets. What is wrong is a finding.
 * @throws UpdateError repository_missing, aborted
 */
export async function verifyRepository(repository: Repository, options: VerifyOptions = {}): Promise<Verification> {
  const files = options.files ?? nodeFileSystem;
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], text: string): void => void findings.push({ severity, text });
  for (const folder of options.keyFolders ?? []) await checkKeyFolder(folder, files, add);
  const none = { expiry: [], releases: 0, targets: 0, blobs: 0 };
  let state: RepositoryState;
  let expiry: ExpiryFact[];
  try {
    state = await repository.state();
    expiry = await expiryFacts(repository);
  } catch (error) {
    add('error', UpdateError.from(error).message);
    return { ...none, findings };
  }
  if (state.root === null) throw new UpdateError('repository_missing', `${repository.dir} is no repository`);
  for (const text of expiryWarnings(expiry)) add(text.includes(' expired on ') ? 'error' : 'warning', text);
  checkKeys(state, add);
  if (state.documents === null) {
    add('note', 'nothing has been published yet');
    return { ...none, findings, expiry };
  }
  checkRoles(state, add);
  const blobs = await checkBlobs(repository, state, files, add, options.signal);
  await checkOrphans(repository, state, files, add);
  const targets = Object.keys(state.targets).length;
  return { findings, expiry, releases: state.catalog.releases.length, targets, blobs };
}

type Add = (severity: Finding['severity'], text: string) => void;

async function checkKeyFolder(folder: string, files: FileSystem, add: Add): Promise<void> {
  for (const name of await files.list(folder)) {
    if (!name.endsWith('.key.pem')) continue;
    const path = join(folder, name);
    try {
      await loadSigner(path);
    } catch (error) {
      add('error', UpdateError.from(error).message);
    }
    if (name === 'root.key.pem') add('warning', `${path}: a root key belongs on a machine that publishes nothing`);
  }
  if (process.platform === 'win32') return;
  const mode = (await stat(folder).catch(() => null))?.mode ?? 0;
  if ((mode & 0o022) !== 0) add('error', `${folder} can be written by other users, who could put keys of theirs there`);
}

function checkKeys({ root, documents }: RepositoryState, add: Add): void {
  const users = new Map<string, string[]>();
  const use = (role: string, ids: readonly string[]): void => {
    for (const id of ids) users.set(id, [...(users.get(id) ?? []), role]);
  };
  for (const role of ROLES) use(role, root!.signed.roles[role]?.keyIDs ?? []);
  for (const { name, keyIDs } of documents === null ? [] : delegationsOf(documents.targets)) use(name, keyIDs);
  for (const [id, roles] of users) {
    const isOnline = roles.every((role) => role === 'snapshot' || role === 'timestamp');
    if (roles.length > 1) {
      const text = `the key ${id} signs for ${roles.join(' and ')}: who has it has all of them`;
      add(isOnline ? 'note' : 'warning', text);
    }
  }
  const { keyIDs, threshold } = root!.signed.roles['root']!;
  if (threshold === 1) add('note', `one of ${keyIDs.length} root keys can change all keys`);
}

function checkRoles({ documents, targets, catalogs }: RepositoryState, add: Add): void {
  const roles = delegationsOf(documents!.targets);
  for (const { name } of roles) {
    if (!documents!.delegated.has(name))
      add('error', `${name} is delegated to and has signed nothing: clients refuse it`);
  }
  for (const role of roles) {
    for (const path of Object.keys(documents!.delegated.get(role.name)?.signed.targets ?? {})) {
      if (!role.isDelegatedPath(path))
        add('warning', `${role.name} lists ${path}, which is not its to list: no client takes it`);
    }
  }
  const named = new Set<string>();
  for (const [role, { releases }] of catalogs) {
    for (const { product, version, payloads } of releases) {
      for (const { targetName, bytes, sha256 } of payloads) {
        named.add(targetName);
        const target = targets[targetName];
        if (target?.length === bytes && target.hashes['sha256'] === sha256) continue;
        const what = target === undefined ? 'no signed metadata lists it' : 'signed metadata says otherwise';
        add('error', `the catalog of ${role} has ${targetName} of ${product} ${version}: ${what}`);
      }
    }
  }
  for (const path of Object.keys(targets)) if (!named.has(path)) add('warning', `${path} is signed, and in no catalog`);
}

async function checkBlobs(
  { layout }: Repository,
  { targets, catalog }: RepositoryState,
  files: FileSystem,
  add: Add,
  signal: AbortSignal | undefined,
): Promise<number> {
  const wanted = new Map<string, { what: string; bytes: number }>();
  for (const { artifact } of catalog.releases) wanted.set(artifact.sha256, { what: artifact.filename, ...artifact });
  for (const [what, { hashes, length }] of Object.entries(targets)) {
    const sha256 = hashes['sha256'];
    if (sha256 === undefined) add('error', `${what} has no SHA-256, by which blobs are named`);
    else wanted.set(sha256, { what, bytes: length });
  }
  for (const [sha256, { what, bytes }] of wanted) {
    if (signal?.aborted) throw new UpdateError('aborted', 'the verification was cancelled');
    const path = layout.blob(sha256);
    const text = await wrongWithBlob(files, path, sha256, bytes);
    if (text !== null) add('error', `${what}: ${path} ${text}`);
  }
  return wanted.size;
}

async function wrongWithBlob(files: FileSystem, path: string, sha256: string, bytes: number): Promise<string | null> {
  try {
    const facts = await files.stat(path);
    if (facts === null) return 'is not there';
    if (facts.bytes !== bytes) return `has ${facts.bytes} bytes, not ${bytes}`;
    const file = await files.open(path, 'read');
    try {
      const hash = createHash('sha256');
      const window = new Uint8Array(WINDOW_BYTES);
      for (let at = 0; at < bytes;) {
        const count = await readFully(file, window, at);
        if (count === 0) break;
        hash.update(window.subarray(0, count));
        at += count;
      }
      return hash.digest('hex') === sha256 ? null : 'is damaged: its content has another digest';
    } finally {
      await file.close();
    }
  } catch (error) {
    return `cannot be read: ${UpdateError.from(error).message}`;
  }
}

/** What nothing leads to. Earlier versions of metadata and catalogs stay on purpose: clients may be reading them. */
async function checkOrphans(
  { layout }: Repository,
  state: RepositoryState,
  files: FileSystem,
  add: Add,
): Promise<void> {
  const known = new Set(Object.values(state.targets).map(({ hashes }) => hashes['sha256']));
  for (const { artifact } of state.catalog.releases) known.add(artifact.sha256);
  const blobs = (await files.list(layout.blobs)).filter((name) => !known.has(name));
  if (blobs.length > 0) {
    const [first, ...more] = blobs;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    add(
      'note',
      `nothing that is published leads to the blob ${first}${others}: an unfinished run, or one that is staged`,
    );
  }
  for (const name of await files.list(layout.staged)) {
    if (name.endsWith('.json'))
      add('note', `${name} is staged: engraft refresh, or the server with --online-keys, takes it in`);
  }
}
