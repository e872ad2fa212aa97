/**
 * The release room: keys, the signed repository, publishing into it.
 * @module
 */
export { keygen, keyPath, loadSigner, loadSigners, loadSignersAtHand, ROLES } from './keys.ts';
export type { RoleName, RoleSigners, Signer, SignersAtHand } from './keys.ts';
export { Repository } from './repository.ts';
export type { RepositoryOptions } from './repository.ts';
export type { RefreshResult } from './renewal.ts';
export { publish } from './publish.ts';
export type { PublishOptions, PublishProgress, PublishResult } from './publish.ts';
export type { PayloadMaker } from './payload-maker.ts';
export { checkReleaseKey, deltaTargetName, fullTargetName, namePattern, targetCustomSchema } from './custom.ts';
export type { ReleaseKey } from './custom.ts';
export type { Catalog, CatalogPayload, CatalogRelease } from './catalog.ts';
export { TEMPORARY_MARK } from './files.ts';
export { withLock } from './lock.ts';
export { defaultExpiryDays, expiryAt, rootWith } from './metadata.ts';
export type { PublicKey, RoleKeys } from './metadata.ts';
export { encodeRequest, missingSignatures, parseRequest, signRequest } from './trust/ceremony.ts';
export { delegate, undelegate } from './trust/delegation.ts';
export { expiryFacts, expiryWarnings } from './trust/expiry.ts';
export { loadPublicKey, makeKey, openSigner } from './trust/public-keys.ts';
export { describeChange, nextRoot } from './trust/root-change.ts';
export { verifyRepository } from './trust/verify.ts';
