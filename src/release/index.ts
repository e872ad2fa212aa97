/**
 * The release room: keys, the signed repository, publishing into it.
 * @module
 */
export { keygen, keyPath, loadSigner, loadSigners, loadSignersAtHand, ROLES } from './keys.ts';
export type { RoleSigners, Signer } from './keys.ts';
export { Repository } from './repository.ts';
export type { RepositoryOptions } from './repository.ts';
export type { RefreshResult } from './renewal.ts';
export { publish } from './publish.ts';
export type { PublishOptions, PublishProgress, PublishResult } from './publish.ts';
export type { PayloadMaker, PayloadResult } from './payload-maker.ts';
export { factsOf, payloadFactsSchema, payloadIn } from './publishing/made-payload.ts';
export type { MadePayload } from './publishing/made-payload.ts';
export { commitDeltas, commitRelease } from './publishing/commit.ts';
export { checkRelease } from './publishing/check.ts';
export { checkReleaseKey, deltaTargetName, fullTargetName, namePattern, targetCustomSchema } from './custom.ts';
export type { ReleaseKey } from './custom.ts';
export { loadMasterKey, makeMasterKey, type FileKeyWrapper } from './encryption/master-key.ts';
export { headerFor } from './encryption/seal-payload.ts';
export type { Catalog, CatalogPayload, CatalogRelease } from './catalog.ts';
export { TEMPORARY_MARK } from './files.ts';
export { withLock } from './lock.ts';
export { defaultExpiryDays } from './metadata.ts';
