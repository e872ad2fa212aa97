/**
 * The numeric status table: what UpdateError (status.ts) says by a code.
 *
 * A device reports one of five outcomes; below each are sub-codes in families with gaps. Numbers are part of the
 * protocol: append, never renumber. docs/errors.md is generated from this table, and a test fails when it is stale.
 * @module
 */
/** What a device reports for an attempt, and what a program exits with. */
export const OUTCOME = {
  ok: 0,
  download_failed: 10,
  verify_failed: 20,
  install_failed: 30,
  postcheck_failed: 40,
} as const;

export type OutcomeName = keyof typeof OUTCOME;
export type Outcome = (typeof OUTCOME)[OutcomeName];

/** One row of the table. `retryable`: the same call may succeed later with nothing else changed. */
export interface StatusRow {
  readonly status: number;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly meaning: string;
  readonly action: string;
}

const row = (status: number, outcome: Outcome, retryable: boolean, meaning: string, action: string): StatusRow => ({
  status,
  outcome,
  retryable,
  meaning,
  action,
});

/**
 * Families: 1000 usage and limits, 2000 format, 3000 integrity, 4000 trust, 5000 transfer, 6000 slot I/O,
 * 7000 boot control, 8000 policy, 9000 bug.
 */
// A table is read in rows.
// prettier-ignore
export const STATUS = {
  // 1000: usage and limits
  usage_invalid: row(1000, 30, false, 'a command or call was given unusable arguments', 'correct the arguments; --help lists them'),
  config_invalid: row(1010, 30, false, 'a configuration file has a missing or wrong value', 'correct the named key'),
  input_unreadable: row(1020, 30, false, 'an input file cannot be read', 'check the path and its permissions'),
  output_unwritable: row(1030, 30, false, 'an output file cannot be written', 'check the folder, its permissions and free space'),
  limit_exceeded: row(1040, 30, false, 'a size or count is over a bound of limits.ts', 'use smaller input, or a build with a higher limit'),
  memory_exceeded: row(1050, 30, false, 'the work would need more memory than is allowed', 'raise the memory limit, or choose a lower-memory profile'),
  aborted: row(1060, 10, true, 'the work was cancelled', 'start it again; nothing half-written was left under a final name'),
  repository_busy: row(1070, 30, true, 'another publisher holds the repository', 'wait for it to finish, then publish again'),
  entity_unknown: row(1080, 30, false, 'no device, release, deployment or action has that name', 'check the name; the lists of the management API show what exists'),
  not_authorized: row(1090, 30, false, 'a request carries no token, or a wrong one', 'send the token that the server was started with, or that the device was registered with'),
  state_conflict: row(1100, 30, false, 'a request contradicts the present state', 'read the present state; a closed action stays closed'),
  store_failed: row(1110, 30, true, "the server's database cannot be opened, read or written", 'check the file named in the message, its folder and free space'),
  agent_running: row(1120, 30, true, 'another agent works on the same data folder', 'stop the other one, or wait for it to end'),
  resources_exhausted: row(1130, 30, true, 'the process or the system has no more file descriptors or memory', 'end other programs, or raise the limits of this one (open files, memory)'),
  access_denied: row(1135, 30, false, 'the operating system does not permit it', 'check owner and mode of the named path, and as which user this runs'),
  repository_missing: row(1140, 30, false, 'the folder is no repository', 'check the path; publish founds a repository'),
  output_is_input: row(1170, 30, false, 'an output is one of the inputs and would destroy it', 'name another output'),

  // 2000: format
  payload_magic: row(2000, 20, false, 'the data is not an engraft payload', 'check that the right file was given'),
  payload_version: row(2010, 20, false, 'the payload is of a version or codec that this build does not know', 'update the agent, or publish with an older format'),
  payload_malformed: row(2020, 20, false, 'a field of the payload header contradicts another or its bounds', 'publish the payload again'),
  payload_truncated: row(2030, 20, true, 'the payload ends too early', 'fetch it again'),
  plan_malformed: row(2040, 20, false, 'the plan section names impossible covers', 'publish the payload again'),
  segment_malformed: row(2050, 20, false, 'a segment does not decode', 'publish the payload again'),
  foreign_malformed: row(2060, 20, false, 'a foreign patch (BSDIFF40, ...) is damaged or of another kind', 'check the patch file'),
  metadata_malformed: row(2070, 20, false, 'signed metadata or a manifest lacks a field or has a wrong one', 'publish the release again'),
  record_malformed: row(2080, 30, false, 'a durable record (journal, boot state, counters) is damaged', 'see the message: the record is kept aside and the agent starts from what the slots say'),
  record_foreign: row(2085, 30, false, 'the journal is that of another device', 'it is kept aside and the running slot is tested; look how the data folder got here, and whether the configuration names the right device and slots'),
  record_stale: row(2086, 30, false, 'the journal contradicts boot state, slots or keystore: one of them is out of date', 'the running slot is tested before it is confirmed; look for a data folder that was restored in part or from a backup'),
  record_missing: row(2087, 30, false, 'there is no journal', 'the running slot is tested before it is confirmed; look for a data partition that was emptied or is not mounted'),
  payload_work: row(2090, 20, false, 'decoding takes more work than the payload header declares', 'check that the source is the right one; else publish the payload again'),
  unit_malformed: row(2100, 20, false, 'a compressed unit does not unpack, or not within its bounds', 'check that the source is the right one; else publish the payload again'),
  age_malformed: row(2110, 20, false, 'an age header, key or encrypted body is not as the format has it', 'fetch it again; if it stays, publish the release again'),

  // 3000: integrity
  header_digest: row(3000, 20, true, 'the payload header does not have the digest that the signed metadata gives', 'fetch again; if it stays, the payload was tampered with'),
  chunk_digest: row(3010, 20, true, 'a chunk of the payload does not have the digest that the header gives', 'fetch the chunk again; if it stays, the payload was tampered with'),
  segment_digest: row(3020, 20, false, 'a decoded segment does not have its digest', 'the source is not the image that the patch was made from: use the full payload'),
  target_digest: row(3030, 20, false, 'the finished target does not have the expected digest', 'apply again, or use the full payload'),
  source_digest: row(3040, 20, false, 'the source image is not the one that the patch was made from', 'use the full payload, or the right source'),
  proof_failed: row(3050, 30, false, 'a new patch did not reproduce its target', 'report a bug with both images; nothing was handed out'),
  age_key: row(3060, 20, false, 'the age header cannot be opened with the key of this device, or was changed', 'register the key that the device has now, and deploy again'),
  age_chunk: row(3070, 20, true, 'an encrypted chunk does not have its tag', 'fetch it again; if it stays, the body was tampered with, or the header is that of another one'),

  // 4000: trust
  key_unreadable: row(4000, 20, false, 'a key is missing, unreadable or of a wrong kind', 'check the key file and its permissions'),
  signature_invalid: row(4010, 20, false, 'metadata is not signed by enough trusted keys', 'do not install; check the repository and its keys'),
  metadata_expired: row(4020, 20, true, 'metadata has expired', 'check the clock of the device; sign and publish fresh metadata'),
  metadata_rollback: row(4030, 20, false, 'metadata is older than what was seen before', 'the repository was rolled back: do not install'),
  release_rollback: row(4040, 20, false, 'the release has a lower rollback index than the device has committed', 'publish with a higher rollback index'),
  target_unknown: row(4050, 20, false, 'signed metadata does not list the named target', 'publish the release again'),
  keystore_failed: row(4060, 30, true, 'the keystore could not be read or written', 'check the backend named in the message'),
  metadata_mismatch: row(4070, 20, true, 'a file is not the one that signed metadata names', 'wait, if a cache or mirror holds another version; else do not install, and check the repository'),

  // 5000: transfer
  link_failed: row(5000, 10, true, 'the link dropped or the server cannot be reached', 'check that the server runs and its address is right; the agent goes on where it stopped'),
  http_status: row(5010, 10, true, 'the server answered with an unexpected HTTP status', 'check the server and its log'),
  content_wrong: row(5020, 10, true, 'the server sent something else than was asked for', 'check for a captive portal or a wrong URL'),
  retries_exhausted: row(5030, 10, false, 'the retry cap was reached', 'check the link; the next attempt starts with what is already stored'),
  cancelled: row(5040, 10, false, 'the deployment was cancelled by the server', 'nothing; the active slot was not touched'),
  range_unsupported: row(5050, 10, false, 'the server gives whole blobs only, not the range that was asked for', 'serve blobs from a server that answers Range requests; a proxy or CDN before it may have taken them out'),
  link_slow: row(5060, 10, true, 'the answer came slower than the lowest rate, or was not over within its deadline', 'wait; on a link that is slower than this by nature lower rate_min_bytes_per_second or raise exchange_seconds'),
  proxy_refused: row(5070, 10, true, 'the proxy did not let the request through', 'check the address of the proxy, its rules, and the user and password for it'),
  tls_unusable: row(5075, 10, true, 'a root, certificate or key for the connection cannot be read or used', 'check the files named in [server] of the configuration'),

  withdrawn: row(5080, 10, false, 'the server no longer offers the deployment', 'nothing; the active slot was not touched, and the next poll takes what is offered now'),
  metadata_behind: row(5090, 10, true, 'signed metadata does not list the release yet', 'wait: a cache may hold older metadata; if it stays, publish the release'),
  age_refused: row(5100, 10, false, 'the server gives this device no header for an encrypted payload', 'look whether the device was revoked, has registered its key, and has an action for this release'),

  // 6000: slot I/O
  slot_missing: row(6000, 30, false, 'a slot does not exist', 'check the slot paths in the configuration'),
  slot_unreadable: row(6010, 30, true, 'a slot cannot be read', 'check the storage device'),
  slot_unwritable: row(6020, 30, true, 'a slot cannot be written or synced', 'check the storage device and its free space'),
  slot_too_small: row(6030, 30, false, 'the image does not fit into the slot', 'publish a smaller image'),
  slot_active: row(6040, 30, false, 'the slot to be written is the active one', 'report a bug: the active slot is never written'),
  disk_full: row(6050, 30, true, 'the disk is full', 'free space and try again'),
  slot_mounted: row(6060, 30, false, 'the slot to be written is mounted or otherwise in use', 'unmount it; an inactive slot must not be in use'),
  slot_read_only: row(6070, 30, false, 'the slot to be written is on a read-only device', 'check the device and how it is attached'),
  disk_read_only: row(6080, 30, false, 'the file system is read-only', 'look for an earlier error of the disk in the kernel log; check it and mount it for writing'),
  storage_failed: row(6090, 30, true, 'the storage answered with an error', 'look into the kernel log; check and replace the storage'),

  // 7000: boot control
  boot_unreadable: row(7000, 30, true, 'the boot control cannot be read', 'check the boot control backend'),
  boot_unwritable: row(7010, 30, true, 'the boot control cannot be written', 'check the boot control backend'),
  boot_readback: row(7020, 30, true, 'the boot control did not keep what was written', 'check the backend and its storage'),
  boot_wrong_slot: row(7030, 40, false, 'the device came up in another slot than was armed', 'the boot loader fell back: read its log'),
  reboot_failed: row(7040, 30, true, 'the reboot command failed', 'check the command in the configuration'),
  boot_tool_failed: row(7050, 30, true, "a boot loader's tool is missing, failed or did not end in time", 'see the message for its last words; check that it is installed and configured'),
  no_way_back: row(7060, 40, false, 'the running slot failed its health check, and there is no other bootable slot to go back to', 'the device stays in a release that is not healthy: read the output of the check, and publish a release that is'),

  // 8000: policy
  no_space: row(8000, 10, true, 'there is not enough free space for the payload', 'free space on the data partition'),
  over_budget: row(8010, 10, true, 'the download would be over the byte budget', 'raise the budget or wait for the next period'),
  decoder_memory: row(8020, 10, false, 'the payload needs more decoder memory than this device allows', 'publish with a low-memory profile'),
  hook_refused: row(8030, 10, true, 'a policy hook (battery, metered link, consent) said not now', 'try again later'),
  health_failed: row(8040, 40, false, 'a health check failed or ran out of time in the new slot', 'read the output of the check; the device rolled back'),
  trial_expired: row(8050, 40, false, 'the boot loader used up the tries of the new slot', 'the new release does not boot; the device rolled back'),
  attempts_exhausted: row(8060, 30, false, 'the same release was tried too often', 'publish a fixed release'),
  not_compatible: row(8070, 20, false, 'the release is for another product, hardware or slot class', 'check what the deployment assigns'),
  delta_not_smaller: row(8080, 30, false, 'the delta is not smaller than the full payload', 'publish the full payload alone'),
  release_exists: row(8090, 30, false, 'the version was published before with other content', 'publish under another version: devices may already run this one'),
  outside_hours: row(8100, 10, true, 'the time is outside the allowed hours', 'nothing: it goes on when the hours begin; what is stored stays'),
  hook_failed: row(8110, 30, true, 'a hook that only informs has failed', 'check the command; the update was not affected'),
  server_holds: row(8120, 10, true, 'the server does not allow the download or the installation yet', 'nothing: it goes on when the server allows it (soft update, maintenance window)'),
  deployment_foreign: row(8130, 20, false, 'a deployment names no release of ours, or more than one', 'give every software module the metadata engraft.product, engraft.version, engraft.hardware, engraft.slotClass'),
  decoder_work: row(8150, 10, false, 'the payload needs more decoding work than this device allows', 'raise decoder_work in [limits], or publish the full payload'),

  // 9000: bugs
  bug: row(9000, 30, false, 'engraft contradicts itself', 'report a bug with the message'),
} as const satisfies Record<string, StatusRow>;

export type StatusCode = keyof typeof STATUS;
