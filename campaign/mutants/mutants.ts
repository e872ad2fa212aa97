/**
 * Mutants: the protocol with one thing wrong. Each is a replacement in the source text, made while the campaign is
 * bundled, so what is mutated is the code that ships. The campaign has to find every one of them.
 * @module
 */
export interface Edit {
  readonly file: string;
  /** Has to occur exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** What goes wrong on a device. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Scenarios to look at first. */
  readonly scenarios: readonly string[];
}

const FILES = 'src/platform/filesystem.ts';
const SLOTS = 'src/agent/slots/slots.ts';
const BOOT = 'src/agent/boot/control.ts';
const KEYSTORE = 'src/agent/keystore/file.ts';
const COMMIT = 'src/agent/states/commit.ts';
const ARM = 'src/agent/states/arm.ts';
const PREPARE = 'src/agent/states/prepare.ts';
const RECONCILE = 'src/agent/states/reconcile.ts';
const DOUBT = 'src/agent/start/doubt.ts';
const TARGET = 'src/agent/boot/file-target.ts';
const AGENT = 'src/agent/agent.ts';
const PATIENCE = 'src/agent/life/faults.ts';
const REFRESH = 'src/agent/tuf/refresh.ts';
const ENVIRONMENT = 'src/testing/simulated-environment.ts';

const one = (file: string, from: string, to: string): readonly Edit[] => [{ file, from, to }];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'record without fsync of the file',
    why: 'the rename survives and the record is empty',
    scenarios: ['update', 'file-target'],
    edits: one(FILES, 'copyMode?.(path, temporary);\n    await file.sync();', 'copyMode?.(path, temporary);'),
  },
  {
    name: 'record without fsync of the folder',
    why: 'what was acknowledged is gone after the cut',
    scenarios: ['update', 'environment'],
    edits: one(FILES, 'await fs.rename(temporary, path);\n  await fs.syncFolder(folderOf(path));', 'await fs.rename(temporary, path);'), // prettier-ignore
  },
  {
    name: 'record renamed before its fsync',
    why: 'between the two the record is empty',
    scenarios: ['update', 'file-target'],
    edits: one(
      FILES,
      '    await file.sync();\n  } finally {\n    await file.close();\n  }\n  await fs.rename(temporary, path);',
      '    await fs.rename(temporary, path);\n    await file.sync();\n  } finally {\n    await file.close();\n  }',
    ),
  },
  {
    name: 'record written in place',
    why: 'a cut leaves half a record and no earlier one',
    scenarios: ['update', 'environment'],
    edits: one(FILES, 'temporary: `${path}.new`', 'temporary: path'),
  },
  {
    name: 'what an earlier process left taken for durable',
    why: 'a name that was never synced reads right, is not written again, and the next cut takes it back',
    scenarios: ['update', 'file-target'],
    edits: [
      { file: AGENT, from: '      await settleFolder(this.#world.fs, `${dataFolder}/journal`);\n', to: '' },
      { file: AGENT, from: '    await this.#boot.settle?.();\n', to: '    void settleFolder;\n' },
    ],
  },
  {
    name: 'what a failed call left taken for durable',
    why: 'tried again, a flag that reads right is not written again, and the next cut takes the flip back',
    scenarios: ['update', 'rollback'],
    edits: one(
      'src/agent/states/machine.ts',
      '      if (isAgain) await settle(context);\n',
      '      void [isAgain, settle];\n',
    ),
  },
  {
    name: 'fault taken for the outcome at once',
    why: 'one I/O error that is gone a second later ends the update',
    scenarios: ['update', 'environment'],
    edits: one(PATIENCE, 'if (!mayPass(error) || ', 'if (mayPass(error) || '),
  },
  {
    name: 'journal written before the running slot is confirmed',
    why: 'a full data partition makes a good device change slots',
    scenarios: ['full', 'read-only'],
    edits: one(AGENT, '      await this.#journal.load();\n', '      await this.#journal.load();\n      await this.#journal.save();\n'), // prettier-ignore
  },
  {
    name: 'short write taken as whole',
    why: 'the rest of a segment is missing and counts as written',
    scenarios: ['update', 'environment'],
    edits: one(FILES, 'wrote nothing`);\n    done += count;', 'wrote nothing`);\n    done = bytes.length;'),
  },
  {
    name: 'slot without fsync',
    why: 'segments count as durable and are lost',
    scenarios: ['update', 'environment', 'file-target'],
    edits: one(SLOTS, '      if (isLast) await file.sync();\n', ''),
  },
  {
    name: 'slot synced only when closed',
    why: 'the checkpoint is recorded before the data are durable',
    scenarios: ['environment', 'update'],
    edits: [
      { file: SLOTS, from: '      if (isLast) await file.sync();\n', to: '' },
      {
        file: SLOTS,
        from: "    close: () => closeSlot(file, path, slot, 'slot_unwritable'),",
        to: '    close: async () => {\n      await file.sync();\n      await file.close();\n    },',
      },
    ],
  },
  {
    name: 'full disk swallowed',
    why: 'a segment that did not fit counts as written',
    scenarios: ['update', 'environment'],
    edits: one(
      SLOTS,
      "throw ioError(error, 'slot_unwritable', `cannot write slot",
      "if (ioCode(error) === 'ENOSPC') return;\n        throw ioError(error, 'slot_unwritable', `cannot write slot",
    ),
  },
  {
    name: 'state not recorded',
    why: 'after a cut the machine is somewhere else than the device',
    scenarios: ['environment', 'rollback'],
    edits: one('src/agent/life/faults.ts', '() => journal.save(), most);', '() => Promise.resolve(), most);'),
  },
  {
    name: 'damaged journal taken for an empty one',
    why: 'a sick slot on trial is confirmed without a health check',
    scenarios: ['rollback', 'environment-rollback'],
    edits: one(
      'src/agent/start/doubt.ts',
      'if (journal.damage !== null) return journal.damage;',
      'if (journal.damage !== null) return null;',
    ),
  },
  {
    name: 'missing journal taken for a slot that was confirmed',
    why: 'the release that loses the data partition is confirmed without its health check',
    scenarios: ['rollback', 'environment-rollback'],
    edits: one(DOUBT, '  if (confirmed === null) {\n', '  if (confirmed === null) return null;\n  if (confirmed === undefined) {\n'), // prettier-ignore
  },
  {
    name: "another board's journal believed",
    why: 'what was confirmed on one board is taken for confirmed on another',
    scenarios: ['rollback', 'environment-rollback'],
    edits: one('src/agent/records/journal.ts', 'if (JSON.stringify(body.device) === JSON.stringify(this.#device)) return body;', 'if (JSON.stringify(this.#device) !== null) return body;'), // prettier-ignore
  },
  {
    name: 'confirmed slot of the journal not compared with the running one',
    why: 'a journal of before the update confirms the slot on trial',
    scenarios: ['rollback', 'environment-rollback'],
    edits: one(DOUBT, 'if (confirmed.slot !== running) {', 'if (confirmed.slot === null) {'),
  },
  {
    name: 'tries not kept where there is no way back',
    why: 'a device whose only slot is not healthy runs out of slots',
    scenarios: ['no-way-back'],
    edits: one('src/agent/start/way-back.ts', '  await context.boot.markGood(slot);\n', '  void context.boot;\n'),
  },
  {
    name: 'rolled back into a slot that the boot loader skips',
    why: 'a device with one bootable slot is left without any',
    scenarios: ['no-way-back'],
    edits: one('src/agent/start/way-back.ts', 'order.find((slot) => slot !== running && (tries[slot] ?? 0) > 0) ?? null', 'order.find((slot) => slot !== running && tries[slot] !== undefined) ?? null'), // prettier-ignore
  },
  {
    name: 'flip before the record',
    why: 'the target slot boots and the journal does not know why',
    scenarios: ['environment', 'update'],
    edits: one(
      ARM,
      'attempt.armedBootId = bootId;\n  await journal.save();\n  await boot.arm(attempt.targetSlot);',
      'await boot.arm(attempt.targetSlot);\n  attempt.armedBootId = bootId;\n  await journal.save();',
    ),
  },
  {
    name: 'flip without a record',
    why: 'the boot id of the flip is lost: nobody can tell a fall-back from a flip that did not take',
    scenarios: ['environment', 'update'],
    edits: one(ARM, 'attempt.armedBootId = bootId;\n  await journal.save();', 'attempt.armedBootId = bootId;'),
  },
  {
    name: 'boot id not looked at',
    why: 'a slot that the boot loader has given up is armed again and again',
    scenarios: ['hanging'],
    edits: one(RECONCILE, 'attempt.armedBootId === null || boot.bootId === attempt.armedBootId', 'boot.running !== attempt.targetSlot'), // prettier-ignore
  },
  {
    name: 'armed without tries',
    why: 'the boot loader skips the new slot',
    scenarios: ['environment'],
    edits: one(BOOT, '[...this.#open(running), ...this.#open(slot)]', 'this.#open(running)'),
  },
  {
    name: 'flip before the tries',
    why: 'a cut between the two gives the trial up before it began',
    scenarios: ['environment', 'update'],
    edits: one(
      BOOT,
      'await this.#set([...this.#open(running), ...this.#open(slot)]);\n    const others = order.filter((name) => name !== slot && name !== running);\n    await this.#set([...this.#scheme.onTrial, this.#order([slot, running, ...others])]);', // prettier-ignore
      'const others = order.filter((name) => name !== slot && name !== running);\n    await this.#set([...this.#scheme.onTrial, this.#order([slot, running, ...others])]);\n    await this.#set([...this.#open(running), ...this.#open(slot)]);', // prettier-ignore
    ),
  },
  {
    name: 'no read-back',
    why: 'a tool that wrote nothing is believed',
    scenarios: ['environment', 'environment-rollback'],
    edits: one(BOOT, 'for (const [name, value] of values) requireKept(name, value, kept.get(name));', 'void [kept, requireKept];'), // prettier-ignore
  },
  {
    name: 'rolled back and left open',
    why: 'the boot loader may choose the slot that failed',
    scenarios: ['environment-rollback', 'rollback'],
    edits: one(BOOT, '      ...this.#closed(from, [to, ...others]),\n', ''),
  },
  {
    name: 'active environment copy overwritten',
    why: 'a torn write leaves a copy that is several changes old',
    scenarios: ['environment', 'twice'],
    edits: one(ENVIRONMENT, 'const target = active === 0 ? 1 : 0;', 'const target = active === 1 ? 1 : 0;'),
  },
  {
    name: 'environment without fsync',
    why: 'the boot loader never sees what was acknowledged',
    scenarios: ['environment'],
    edits: one(ENVIRONMENT, '    await file.sync();\n', ''),
  },
  {
    name: 'counter raised before the slot is good',
    why: 'after a fall-back the device may run neither release',
    scenarios: ['environment', 'update'],
    edits: [
      { file: COMMIT, from: '  await boot.markGood(attempt.targetSlot);\n', to: '' },
      {
        file: COMMIT,
        from: 'await keystore.raise(Object.fromEntries(counters) as Record<string, number>);',
        to: 'await keystore.raise(Object.fromEntries(counters) as Record<string, number>);\n  await boot.markGood(attempt.targetSlot);', // prettier-ignore
      },
    ],
  },
  {
    name: 'counter not raised',
    why: 'an older release is taken afterwards',
    scenarios: ['twice', 'update'],
    edits: one(COMMIT, 'await keystore.raise(Object.fromEntries(counters) as Record<string, number>);', 'void [counters, keystore];'), // prettier-ignore
  },
  {
    name: 'committed without marking good',
    why: 'the tries of the new slot run out later',
    scenarios: ['environment', 'update'],
    edits: one(COMMIT, '  await boot.markGood(attempt.targetSlot);\n', '  void boot;\n'),
  },
  {
    name: 'success told before the commit',
    why: 'the server counts a device that may still go back',
    scenarios: ['environment', 'update'],
    edits: one(
      'src/agent/states/trial.ts',
      "attempt.release.version);\n  return 'COMMIT';",
      "attempt.release.version);\n  const outcome = { status: 0, code: 'ok', subStatus: 0, message: '' } as const;\n  await context.deployments.close({ actionId: attempt.actionId, release: attempt.release, outcome, atMs: 0, details: [] });\n  return 'COMMIT';", // prettier-ignore
    ),
  },
  {
    name: 'committed without a health check',
    why: 'a sick release stays',
    scenarios: ['rollback'],
    edits: one('src/agent/states/trial.ts', '  await slotHealth(context, attempt.targetSlot, attempt.release.version);\n', ''), // prettier-ignore
  },
  {
    name: 'ended action forgotten before its report is taken',
    why: 'what has failed is installed again',
    scenarios: ['rollback'],
    edits: one('src/agent/states/report.ts', '    rememberEnded(body, { actionId, cancelId, release, outcome, endedAtMs: finishedAtMs, fellBack: attempt.fellBack });\n', '    void [rememberEnded, actionId, cancelId, release];\n'), // prettier-ignore
  },
  {
    name: 'ended action begun again when it is offered again',
    why: 'a server that does not take the report has the device install for ever',
    scenarios: ['rollback', 'delta'],
    edits: one('src/agent/states/check.ts', 'poll.cancel !== null || endedAs(journal.body, offered) !== null) return', 'poll.cancel !== null || endedAs(journal.body, offered)?.actionId === null) return'), // prettier-ignore
  },
  {
    name: 'report written down after the attempt was given up',
    why: 'a cut between the two loses the report, and the action is begun again',
    scenarios: ['rollback', 'update'],
    edits: [
      { file: 'src/agent/states/report.ts', from: '  body.attempt = null;\n', to: "  body.attempt = null;\n  body.state = 'IDLE';\n  await context.journal.save();\n" }, // prettier-ignore
    ],
  },
  {
    name: 'withdrawn action installed anyway',
    why: 'what the operator took back is on the device',
    scenarios: ['withdrawn', 'replaced'],
    edits: one('src/agent/service/cancel.ts', 'deployment?.actionId !== actionId || !sameRelease(deployment.release, attempt.release)', 'deployment !== null && !sameRelease(attempt.release, attempt.release)'), // prettier-ignore
  },
  {
    name: 'report on an action of an earlier database sent',
    why: 'it closes the new action, and the device is left without its update',
    scenarios: ['renumbered'],
    edits: one('src/agent/service/reports.ts', "    settle(entry, 'unwanted');\n    await keep(context);\n  }\n}", "    await Promise.resolve();\n  }\n}"), // prettier-ignore
  },
  {
    name: 'target slot left bootable',
    why: 'the boot loader may choose a slot that is being written',
    scenarios: ['environment', 'update'],
    edits: one(PREPARE, '  await boot.markUnbootable(attempt.targetSlot);\n', '  void boot;\n'),
  },
  {
    name: 'target slot closed after the first write',
    why: 'a cut between the two leaves half an image that may be booted',
    scenarios: ['environment', 'update'],
    edits: [
      { file: PREPARE, from: '  await boot.markUnbootable(attempt.targetSlot);\n', to: '  void boot;\n' },
      {
        file: 'src/agent/states/apply.ts',
        from: '    attempt.segmentsDone = event.index + 1;\n',
        to: '    await context.boot.markUnbootable(attempt.targetSlot);\n    attempt.segmentsDone = event.index + 1;\n',
      },
    ],
  },
  {
    name: 'checkpoint of another payload trusted',
    why: 'segments of two releases in one slot',
    scenarios: ['cancelled'],
    edits: one(PREPARE, '  if (partial.payloadSha256 !== plan.payload.sha256) return 0;\n', ''),
  },
  {
    name: 'checkpoint one segment ahead',
    why: 'a segment is left out after a cut',
    scenarios: ['environment', 'update'],
    edits: one('src/agent/states/apply.ts', 'attempt.segmentsDone = event.index + 1;', 'attempt.segmentsDone = Math.min(event.index + 2, header.segments.length);'), // prettier-ignore
  },
  {
    name: 'checkpoint forgotten at every start',
    why: 'a device that is switched off often pays for the payload again and again',
    scenarios: ['environment', 'update'],
    edits: one(RECONCILE, '  attempt.resumes++;\n  const { resumesMax }', '  attempt.resumes++;\n  attempt.segmentsDone = 0;\n  const { resumesMax }'), // prettier-ignore
  },
  {
    name: 'segment accepted before its digest',
    why: 'a source that was written to gives a wrong image',
    scenarios: ['drifted'],
    edits: one('native-free/apply/patcher.ts', 'if (bytesEqual(digest, expected)) return;', 'if (digest.length > 0) return;'), // prettier-ignore
  },
  {
    name: 'chunk digest not checked on the link',
    why: 'a flipped bit ends the attempt instead of costing one chunk',
    scenarios: ['update', 'environment'],
    edits: one('src/transfer/pipeline.ts', 'for (let tries = 0; !right(current); tries++)', 'for (let tries = 0; refetchesMax < 0 && !right(current); tries++)'), // prettier-ignore
  },
  {
    name: 'chunk digest not checked in the spool',
    why: 'a torn file of the spool ends the attempt',
    scenarios: ['environment', 'update'],
    edits: one('src/transfer/spool.ts', 'if (bytes === null || !bytesEqual(digestOf(this.#hash, bytes), digest)) return null;', 'if (bytes === null || digest.length === 0) return null;'), // prettier-ignore
  },
  {
    name: 'header digest not checked',
    why: 'a header that nobody signed is parsed and kept',
    scenarios: ['update', 'environment'],
    edits: one('src/transfer/header.ts', 'if (bytesEqual(digestOf(hash, bytes), headerDigest)) {', 'if (bytes.length > 0) {'), // prettier-ignore
  },
  {
    name: 'keystore reads one copy',
    why: 'one damaged file stops the device, or lowers its counters',
    scenarios: ['environment', 'update'],
    edits: one(KEYSTORE, 'for (const place of this.#places) {\n      try {\n        const value', 'for (const place of this.#places.slice(0, 1)) {\n      try {\n        const value'), // prettier-ignore
  },
  {
    name: 'metadata versions not kept',
    why: 'an older repository is accepted afterwards',
    scenarios: ['update'],
    edits: one(
      'src/agent/tuf/floors.ts',
      '    await this.#keystore.raise(values);\n    this.#known',
      '    this.#known',
    ),
  },
  {
    name: 'root kept after the rest of the refresh',
    why: 'a root that was seen is forgotten by a cut, and keys that it has revoked sign again',
    scenarios: ['revoked-key'],
    edits: [
      { file: 'src/agent/tuf/root.ts', from: '    await keystore.setTrustedRoot(bytes);\n    await floors.raiseRoot(version);\n', to: '    void keystore;\n' }, // prettier-ignore
      { file: REFRESH, from: '    await this.#floors.raiseRoot(this.#root.version);\n', to: '' },
      { file: REFRESH, from: '  await floors.settle();\n', to: '  await options.keystore.setTrustedRoot(root.bytes);\n  await floors.raiseRoot(root.signed.version);\n  await floors.settle();\n' }, // prettier-ignore
    ],
  },
  {
    name: 'timestamp kept after the rest of the refresh',
    why: 'a timestamp that was seen is forgotten by a cut, and an older one is believed',
    scenarios: ['old-timestamp'],
    edits: [
      { file: 'src/agent/tuf/floors.ts', from: 'await this.#raise(Object.fromEntries(signers.map(', to: 'void Object.assign(this.#accepted, Object.fromEntries(signers.map(' }, // prettier-ignore
      { file: REFRESH, from: "    await this.#store.save('timestamp', bytes);\n", to: '' },
    ],
  },
  {
    name: 'file target without a way back',
    why: 'the earlier file is gone when the new one is sick',
    scenarios: ['file-target-rollback'],
    edits: one(TARGET, '      if (!(await this.#exists(previous))) await this.#fs.link(this.#path, previous);\n', '      void previous;\n'), // prettier-ignore
  },
  {
    name: 'file target gives the way back up before the commit',
    why: 'after a cut the new file counts as the earlier one',
    scenarios: ['file-target'],
    edits: one(
      TARGET,
      'if ((await this.#committed()) !== slot) await this.#commit(slot);\n      await this.#fs.unlink(this.#previous(other(slot)));\n      await this.#fs.syncFolder(folderOf(this.#path));', // prettier-ignore
      'await this.#fs.unlink(this.#previous(other(slot)));\n      await this.#fs.syncFolder(folderOf(this.#path));\n      if ((await this.#committed()) !== slot) await this.#commit(slot);', // prettier-ignore
    ),
  },
  {
    name: 'staged file without fsync of the folder',
    why: 'checkpoints count segments in a file that has no name',
    scenarios: ['file-target', 'file-target-rollback'],
    edits: one(TARGET, '      // Segments are synced into this file: its name must be durable before the first of them counts.\n      await this.#fs.syncFolder(folderOf(this.#path));\n', ''), // prettier-ignore
  },
];
