/**
 * What lies where in a repository, for those who write it and those who serve it:
 *
 * ```
 * REPO/metadata/  N.root.json N.targets.json N.snapshot.json timestamp.json   TUF, consistent snapshots
 * REPO/catalog/   N.json       of the same N as the targets metadata; N.ROLE.json of a delegated role
 * REPO/staged/    ROLE.json    targets metadata that waits for whoever holds the keys of snapshot and timestamp
 * REPO/blobs/     sha256/<hex> payloads and raw images
 * ```
 * @module
 */
import { join } from 'node:path';

export class RepositoryLayout {
  readonly metadata: string;
  readonly catalogs: string;
  readonly blobs: string;
  readonly staged: string;

  constructor(dir: string) {
    this.metadata = join(dir, 'metadata');
    this.catalogs = join(dir, 'catalog');
    this.blobs = join(dir, 'blobs', 'sha256');
    this.staged = join(dir, 'staged');
  }

  get folders(): readonly string[] {
    return [this.metadata, this.catalogs, this.blobs, this.staged];
  }

  metadataFile(name: string): string {
    return join(this.metadata, name);
  }

  get timestamp(): string {
    return this.metadataFile('timestamp.json');
  }

  root(version: number): string {
    return this.metadataFile(`${version}.root.json`);
  }

  /** Of a targets role. */
  catalog(version: number, role = 'targets'): string {
    return join(this.catalogs, role === 'targets' ? `${version}.json` : `${version}.${role}.json`);
  }

  stagedFile(role: string): string {
    return join(this.staged, `${role}.json`);
  }

  blob(sha256: string): string {
    return join(this.blobs, sha256);
  }
}
