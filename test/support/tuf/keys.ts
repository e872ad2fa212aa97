/** Scenarios of the upstream suite's `test_keys` and `test_updater_key_rotations`, in our words. */
import { expect } from 'vitest';
import { initialised, type Scenario, trusting, type World } from './contract.ts';
import { bytesOf, newSigner, type Signer } from './repository.ts';

/** What a signature of each kind looks like, made over something else. */
const SCHEMES = [
  ['rsa', 'rsassa-pss-sha256'],
  ['ecdsa', 'ecdsa-sha2-nistp256'],
  ['ed25519', 'ed25519'],
] as const;

export const keys: readonly Scenario[] = [
  {
    name: 'test_snapshot_does_not_meet_threshold',
    run: async (world) => {
      const { repo, client } = world;
      repo.root.roles.snapshot.threshold = 3;
      repo.addKey('snapshot');
      const third = repo.addKey('snapshot');
      repo.publish('root', 'targets', 'snapshot', 'timestamp');
      await initialised(world);
      expect(await client.refresh()).toBe(0);
      repo.signersOf('snapshot').delete(third.keyId);
      repo.publish('targets', 'snapshot', 'timestamp');
      expect(await client.refresh()).toBe(1);
      expect(client.version('snapshot')).toBe(2);
    },
  },
  trusting('test_snapshot_has_too_few_keys', async ({ repo, client }) => {
    for (let i = 0; i < 4; i++) repo.addKey('snapshot');
    expect(repo.root.roles.snapshot.keyids).toHaveLength(5);
    repo.root.roles.snapshot.threshold = 6;
    repo.publish('root', 'snapshot', 'timestamp');
    expect(await client.refresh()).toBe(1);
    expect(client.versions()).toEqual(['root 2', 'timestamp 2']);
  }),
  trusting('test_duplicate_keys', async ({ repo, client }) => {
    const signer = repo.addKey('snapshot');
    for (let i = 0; i < 8; i++) repo.listKey('snapshot', signer);
    repo.root.roles.snapshot.threshold = 6;
    repo.publish('root', 'snapshot', 'timestamp');
    repo.tamper('snapshot', ({ signatures }) => {
      const own = signatures.find(({ keyid }: { keyid: string }) => keyid === signer.keyId);
      signatures.push(...Array.from({ length: 8 }, () => own));
    });
    expect(await client.refresh()).toBe(1);
    expect(client.version('snapshot')).toBeNull();
  }),
  trusting('test_duplicate_sig_keyids', async ({ repo, client }) => {
    repo.tamper('snapshot', ({ signatures }) => signatures.push(signatures[0]));
    expect(await client.refresh()).toBe(1);
    expect(client.lastError?.message).toMatch(/second signature of key/);
    expect(client.version('snapshot')).toBeNull();
  }),
  ...SCHEMES.map(([type, scheme]) =>
    trusting(`test_keytype_and_scheme[${type}/${scheme}]`, async (world) => {
      const { repo, client } = world;
      const signer = repo.addKey('root', newSigner(scheme));
      repo.root.roles.root.threshold++;
      repo.publish('root');
      expect(await client.refresh()).toBe(0);
      expect(client.version('root')).toBe(2);
      repo.publish('root');
      repo.tamper('root', ({ signatures }) => {
        for (const each of signatures) if (each.keyid === signer.keyId) each.sig = signer.sign(bytesOf('other'));
      });
      expect(await client.refresh()).toBe(1);
      expect(client.version('root')).toBe(2);
    }),
  ),
  trusting('test_invalid_sig_in_valid_metadata', async ({ repo, client }) => {
    const [first] = [...repo.signersOf('timestamp').values()];
    repo.addKey('timestamp');
    for (const sig of [first!.sign(bytesOf('other')), '']) {
      repo.publish('root', 'timestamp');
      repo.tamper('timestamp', ({ signatures }) => {
        for (const each of signatures) if (each.keyid === first!.keyId) each.sig = sig;
      });
      expect(await client.refresh()).toBe(0);
      expect(client.trusted('timestamp')).toEqual(repo.latest('timestamp'));
    }
  }),
];

/** Keys that are listed, how many are needed, and who signs, by number. */
interface Step {
  readonly keys: readonly number[];
  readonly threshold: number;
  readonly signers: readonly number[];
}

const step = (keyNumbers: number[], threshold: number, signers: number[]): Step => ({
  keys: keyNumbers,
  threshold,
  signers,
});
const FIVE = [0, 1, 2, 3, 4];
const OTHER_FIVE = [5, 6, 7, 8, 9];
const ONE_CHANGED = [0, 1, 3, 4, 5];

/** The steps of a root's life, and whether the last one is accepted. */
const ROOT_ROTATIONS: readonly [string, boolean, readonly Step[]][] = [
  ['1-of-1-key-rotation', true, [step([1], 1, [1]), step([2], 1, [2, 1]), step([2], 1, [2])]],
  [
    '1-of-1-key-rotation-unused-signatures',
    true,
    [step([1], 1, [3, 1, 4]), step([2], 1, [3, 2, 1, 4]), step([2], 1, [3, 2, 4])],
  ],
  [
    '3-of-5-sign-with-different-keycombos',
    true,
    [step(FIVE, 3, [0, 2, 4]), step(FIVE, 3, [0, 4, 1]), step(FIVE, 3, [0, 1, 3]), step(FIVE, 3, [0, 1, 3])],
  ],
  ['3-of-5-one-key-rotated', true, [step(FIVE, 3, [0, 2, 4]), step(ONE_CHANGED, 3, [0, 4, 1])]],
  [
    '3-of-5-one-key-rotated-with-intermediate-step',
    true,
    [step(FIVE, 3, [0, 2, 4]), step(ONE_CHANGED, 3, [0, 2, 4, 5]), step(ONE_CHANGED, 3, [0, 4, 5])],
  ],
  [
    '3-of-5-all-keys-rotated-with-intermediate-step',
    true,
    [step(FIVE, 3, [0, 2, 4]), step(OTHER_FIVE, 3, [0, 2, 4, 5, 6, 7]), step(OTHER_FIVE, 3, [5, 6, 7])],
  ],
  ['1-of-3-threshold-increase-to-2-of-3', true, [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [1, 2])]],
  [
    '2-of-3-threshold-decrease-to-1-of-3',
    true,
    [step([1, 2, 3], 2, [1, 2]), step([1, 2, 3], 1, [1, 2]), step([1, 2, 3], 1, [1])],
  ],
  ['1-of-2-threshold-increase-to-2-of-2', true, [step([1], 1, [1]), step([1, 2], 2, [1, 2])]],
  ['1-of-1-key-rotation-fail-not-signed-with-old-key', false, [step([1], 1, [1]), step([2], 1, [2, 3, 4])]],
  ['1-of-1-key-rotation-fail-not-signed-with-new-key', false, [step([1], 1, [1]), step([2], 1, [1, 3, 4])]],
  [
    '3-of-5-one-key-rotate-fails-not-signed-with-3-new-keys',
    false,
    [step(FIVE, 3, [0, 2, 4]), step(ONE_CHANGED, 3, [0, 2, 4])],
  ],
  [
    '3-of-5-one-key-rotate-fails-not-signed-with-3-old-keys',
    false,
    [step(FIVE, 3, [0, 2, 4]), step(ONE_CHANGED, 3, [0, 4, 5])],
  ],
  [
    '1-of-3-threshold-bump-to-2-of-3-fails-new-threshold-not-reached',
    false,
    [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [2])],
  ],
  [
    '2-of-3-threshold-decr-to-1-of-3-fails-old-threshold-not-eached',
    false,
    [step([1, 2, 3], 2, [1, 2]), step([1, 2, 3], 1, [1])],
  ],
];

const OTHER_ROTATIONS: readonly [string, boolean, Step][] = [
  ['1-of-1-key-rotation', true, step([2], 1, [2])],
  ['1-of-1-key-rotation-unused-signatures', true, step([1], 1, [3, 1, 4])],
  ['1-of-1-key-rotation-fail-not-signed-with-new-key', false, step([2], 1, [1, 3, 4])],
  ['3-of-5-one-key-signature-wrong-not-signed-with-3-expected-keys', false, step(ONE_CHANGED, 3, [0, 2, 4])],
  ['2-of-5-one-key-signature-mising-threshold-not-reached', false, step(ONE_CHANGED, 3, [0, 4])],
  ['3-of-5-sign-first-combo', true, step(FIVE, 3, [0, 2, 4])],
  ['3-of-5-sign-second-combo', true, step(FIVE, 3, [0, 4, 1])],
  ['3-of-5-sign-third-combo', true, step(FIVE, 3, [0, 1, 3])],
  ['3-of-5-sign-fourth-combo', true, step(FIVE, 3, [1, 2, 3])],
  ['3-of-5-sign-fifth-combo', true, step(FIVE, 3, [2, 3, 4])],
];

function rotate(
  { repo }: World,
  role: string,
  { keys: listed, threshold, signers }: Step,
  all: readonly Signer[],
): void {
  repo.root.roles[role] = { keyids: [], threshold };
  repo.signersOf(role).clear();
  for (const number of listed) repo.listKey(role, all[number]!);
  for (const number of signers) repo.addSigner(role, all[number]!);
}

export const rotations: readonly Scenario[] = [
  ...ROOT_ROTATIONS.map(([id, isAccepted, steps]) => ({
    name: `test_root_rotation[${id}]`,
    run: async (world: World) => {
      const { repo, client } = world;
      const all = Array.from({ length: 10 }, () => newSigner());
      repo.published.delete('root');
      for (const each of steps) {
        rotate(world, 'root', each, all);
        repo.publish('root');
      }
      repo.publish('targets', 'snapshot', 'timestamp');
      await initialised(world);
      expect(await client.refresh()).toBe(isAccepted ? 0 : 1);
      expect(client.trusted('root')).toEqual(repo.published.get('root')!.at(isAccepted ? -1 : -2));
    },
  })),
  ...OTHER_ROTATIONS.map(([id, isAccepted, each]) =>
    trusting(`test_non_root_rotations[${id}]`, async (world) => {
      const { repo, client } = world;
      const all = Array.from({ length: 10 }, () => newSigner());
      for (const role of ['timestamp', 'snapshot', 'targets']) {
        rotate(world, role, each, all);
        repo.publish('root', 'targets', 'snapshot', 'timestamp');
        expect(await client.refresh()).toBe(isAccepted ? 0 : 1);
        if (isAccepted) expect(client.trusted(role)).toEqual(repo.latest(role));
        else expect(client.lastError?.code).toBe('signature_invalid');
      }
    }),
  ),
];
