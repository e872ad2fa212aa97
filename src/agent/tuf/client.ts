/**
 * A TUF client for the hand: any repository, a folder for its state, files as they are. It runs the agent's own refresh,
 * so that what a technician or the conformance suite sees is what devices do.
 *
 * The folder has the keystore (root and versions) and the accepted metadata under the names of their roles; `root.json` is
 * a copy of the keystore's root for whoever wants to read it.
 * @module
 */
import { ioError, orIoError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readFully, readSmallFile, writeFileAtomically, writeFully } from '../../platform/filesystem.ts';
import { statusError } from '../../platform/network.ts';
import { FileKeystore } from '../keystore/file.ts';
import { FileCheck } from './digests.ts';
import type { MetadataSource } from './fetch.ts';
import { requireSigners } from './keys.ts';
import { parseMetadata, type TargetFile } from './metadata.ts';
import { refresh, type RefreshOptions, type Verified } from './refresh.ts';
import { TargetSearch } from './search.ts';
import { fileNameOf } from './store.ts';

export type TufClientOptions = Pick<RefreshOptions, 'fs' | 'hash' | 'clock' | 'folder'> &
  Pick<MetadataSource, 'network' | 'signal'>;

export interface Downloads {
  readonly metadataUrl: string;
  readonly targetsUrl: string;
  readonly targetNames: readonly string[];
  /** Where targets are kept, each under its encoded name. */
  readonly targetFolder: string;
}

const WINDOW_BYTES = 64 * 1024;

export class TufClient {
  readonly #options: TufClientOptions;
  readonly #keystore: FileKeystore;

  constructor(options: TufClientOptions) {
    this.#options = options;
    this.#keystore = new FileKeystore({ ...options, path: `${options.folder}/keystore` });
  }

  /** Trusts this root from now on. Throws `input_unreadable`, `key_unreadable`, `signature_invalid`, `state_conflict`. */
  async init(rootFile: string): Promise<void> {
    const { fs, folder } = this.#options;
    const read = readSmallFile(fs, rootFile, LIMITS.root_bytes_max);
    const bytes = await orIoError(read, 'input_unreadable', `cannot read the root ${rootFile}`);
    if (bytes === null) throw new UpdateError('input_unreadable', `the root ${rootFile} does not exist`);
    const root = parseMetadata('root', bytes, rootFile);
    requireSigners(root, root.signed.roles.root, root.signed.keys, 'it');
    await this.#makeFolder(folder);
    if ((await this.#keystore.trustedRoot()) !== null) {
      throw new UpdateError('state_conflict', `${folder} trusts a root already; take another folder for another one`);
    }
    await this.#keystore.setTrustedRoot(bytes);
    await this.#copyRoot();
  }

  /** Throws what a refresh throws, `state_conflict` before `init`. */
  async refresh(metadataUrl: string): Promise<Verified> {
    const { folder, network, signal } = this.#options;
    if ((await this.#keystore.trustedRoot()) === null) {
      throw new UpdateError('state_conflict', `${folder} trusts no root yet: begin with init`);
    }
    const source = { network, metadataUrl, signal };
    const pinnedRootFile = `${folder}/root.json`;
    try {
      return await refresh({ ...this.#options, keystore: this.#keystore, pinnedRootFile, source });
    } finally {
      await this.#copyRoot();
    }
  }

  /** One after the other; files that are there already and right are not fetched again. Names of the files. */
  async download(downloads: Downloads): Promise<string[]> {
    const { metadataUrl, targetNames, targetFolder } = downloads;
    const verified = await this.refresh(metadataUrl);
    const search = new TargetSearch(verified);
    await this.#makeFolder(targetFolder);
    const paths: string[] = [];
    for (const name of targetNames) {
      const target = await search.find(name);
      if (target === null) throw new UpdateError('target_unknown', `signed metadata does not list ${name}`);
      const path = `${targetFolder}/${fileNameOf(name, 'target', this.#options.hash)}`;
      if (!(await this.#isKept(path, target, name))) await this.#fetch(downloads, verified, name, target, path);
      paths.push(path);
    }
    return paths;
  }

  async #makeFolder(folder: string): Promise<void> {
    await orIoError(this.#options.fs.makeFolder(folder), 'output_unwritable', `cannot make ${folder}`);
  }

  async #copyRoot(): Promise<void> {
    const { fs, folder } = this.#options;
    const root = await this.#keystore.trustedRoot();
    if (root === null) return;
    const path = `${folder}/root.json`;
    await orIoError(writeFileAtomically(fs, path, root), 'output_unwritable', `cannot write ${path}`);
  }

  async #isKept(path: string, target: TargetFile, name: string): Promise<boolean> {
    const { fs } = this.#options;
    const check = new FileCheck(target.hashes, target.length, name);
    if ((await fs.stat(path))?.bytes !== target.length) return false;
    const file = await fs.open(path, 'read');
    try {
      const window = new Uint8Array(WINDOW_BYTES);
      for (let at = 0; at < target.length; at += window.length) {
        check.update(window.subarray(0, await readFully(file, window, at)));
      }
      check.end();
      return true;
    } catch (error) {
      if (UpdateError.is(error) && error.code === 'metadata_mismatch') return false;
      throw ioError(error, 'input_unreadable', `cannot read ${path}`);
    } finally {
      await file.close();
    }
  }

  /** Nothing has the target's name before all of it is right. */
  async #fetch(
    { targetsUrl }: Downloads,
    { root }: Verified,
    name: string,
    target: TargetFile,
    path: string,
  ): Promise<void> {
    const { fs, network, signal } = this.#options;
    const url = targetUrl(targetsUrl, name, root.consistentSnapshot ? prefixOf(target) : null);
    const check = new FileCheck(target.hashes, target.length, name);
    const response = await network.request({ method: 'GET', url, followRedirects: true, signal });
    if (response.status !== 200) {
      await response.discard();
      throw statusError(response, url);
    }
    const temporary = `${path}.new`;
    try {
      const file = await fs.open(temporary, 'create');
      try {
        let at = 0;
        for await (const piece of response.body) {
          check.update(piece);
          await writeFully(file, piece, at);
          at += piece.length;
        }
        check.end();
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.unlink(temporary);
      throw ioError(error, 'output_unwritable', `cannot write ${path}`);
    }
  }
}

const prefixOf = ({ hashes }: TargetFile): string => hashes.get('sha256') ?? [...hashes.values()][0]!;

/** `dir/HASH.name` where the repository keeps all versions of a target (specification, 6.2). */
function targetUrl(base: string, name: string, prefix: string | null): string {
  const parts = name.split('/').map((part) => encodeURIComponent(part));
  const file = parts.pop()!;
  const path = [...parts, prefix === null ? file : `${prefix}.${file}`].join('/');
  return `${base}${base.endsWith('/') ? '' : '/'}${path}`;
}
