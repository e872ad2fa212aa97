/**
 * The store of blobs by its name.
 * @module
 */
import type { BlobStore } from './blob-store.ts';
import { FolderBlobs } from './folder.ts';
import { S3Blobs } from './s3.ts';
import { s3Place } from './s3-client.ts';

/** `s3://…`, or nothing for the repository's folder. Throws UpdateError usage_invalid. */
export function blobStoreFor(repo: string, name?: string): BlobStore {
  return name === undefined ? new FolderBlobs(repo) : new S3Blobs(s3Place(name));
}
