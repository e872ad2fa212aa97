/**
 * The release room: keys, the signed repository, publishing into it.
 * @module
 */
export { keygen, keyPath, loadSigner, loadSigners, loadSignersAtHand, signerOf, keyIdOf, ROLES } from './keys.ts';
export type { KeyDescription, RoleName, RoleSigners, Signer } from './keys.ts';
export { Repository } from './repository.ts';
export type { RepositoryChange, RepositoryOptions, RepositoryState, RepositoryWriter } from './repository.ts';
export type { RefreshResult } from './renewal.ts';
export { publish } from './publish.ts';
export type { PublishOptions, PublishProgress, PublishResult } from './publish.ts';
export type { PayloadMaker, PayloadProgress, PayloadResult, PayloadSettings } from './payload-maker.ts';
export { checkReleaseKey, deltaTargetName, fullTargetName, namePattern, targetCustomSchema } from './custom.ts';
export type { ReleaseKey, TargetCustom } from './custom.ts';
export type { Catalog, CatalogPayload, CatalogRelease } from './catalog.ts';
export { imageDigests } from './digests.ts';
export type { ImageDigests } from './digests.ts';
export { TEMPORARY_MARK } from './files.ts';
export { RepositoryLayout } from './layout.ts';
export { withLock } from './lock.ts';
export type { LockOptions } from './lock.ts';
export { defaultExpiryDays } from './metadata.ts';
export type { ExpiryDays } from './metadata.ts';
