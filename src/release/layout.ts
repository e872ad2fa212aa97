/**
 * What lies where in a repository, for those who write it and those who serve it:
 *
 * ```
 * REPO/metadata/  N.root.json N.targets.json N.snapshot.json timestamp.json   TUF, consistent snapshots
 * REPO/catalog/   N.json       of the same N as the targets metadata
 * REPO/blobs/     sha256/<hex> payloads and raw images
 * REPO/private/   sha256/<hex> raw images of encrypted releases: sources of later deltas, never served
 * ```
 * @module
 */
import { join } from 'node:path';

export class RepositoryLayout {
  readonly metadata: string;
  readonly catalogs: string;
  readonly blobs: string;
  readonly privateImages: string;

  constructor(dir: string) {
    this.metadata = join(dir, 'metadata');
    this.catalogs = join(dir, 'catalog');
    this.blobs = join(dir, 'blobs', 'sha256');
    this.privateImages = join(dir, 'private', 'sha256');
  }

  get folders(): readonly string[] {
    return [this.metadata, this.catalogs, this.blobs];
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

  catalog(version: number): string {
    return join(this.catalogs, `${version}.json`);
  }

  blob(sha256: string): string {
    return join(this.blobs, sha256);
  }
}
