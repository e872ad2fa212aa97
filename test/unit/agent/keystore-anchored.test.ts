/**
 * The keystore with hardware, without any: what it refuses to believe, and what it says then.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { parseConfig } from '../../../src/agent/index.ts';
import { AnchoredKeystore } from '../../../src/agent/keystore/anchored.ts';
import { FileKeystore } from '../../../src/agent/keystore/file.ts';
import { makeKeystore } from '../../../src/agent/keystore/backends.ts';
import { Tpm2 } from '../../../src/agent/keystore/tpm2.ts';
import { verifyRootChain } from '../../../src/agent/tuf/root-chain.ts';
import { MemoryFileSystem } from '../../../src/testing/index.ts';
import { FakeTpm } from '../../support/device/fake-tpm.ts';
import { sha256Node as hash } from '../../support/images.ts';
import { memoryHardware } from '../../support/device/keystore-suite.ts';
import { rootOf, signersFor } from '../../support/roots.ts';
import { sha256Hex } from '../../../src/platform/hash.ts';

const PATH = '/data/keystore.anchored';

type Signers = Awaited<ReturnType<typeof signersFor>>;
let signers: Signers;
let others: Signers;
beforeAll(async () => {
  signers = await signersFor();
  others = await signersFor();
});

async function bench() {
  const fs = new MemoryFileSystem();
  await fs.makeFolder('/data');
  const hardware = memoryHardware();
  const open = (): AnchoredKeystore => new AnchoredKeystore({ fs, hash, path: PATH, hardware });
  return { fs, hardware, open };
}

describe('a chain of roots', () => {
  test('is believed when it begins with the pin and each root is signed by the one before and by itself', async () => {
    const roots = [await rootOf(1, signers), await rootOf(2, others, [signers]), await rootOf(3, others)];
    expect(() => verifyRootChain(roots, sha256Hex(roots[0]!), hash)).not.toThrow();
  });

  test('is refused when it is empty, begins elsewhere, skips, goes back, or is not signed by both', async () => {
    const [first, second] = [await rootOf(1, signers), await rootOf(2, signers)];
    const refused = (roots: Uint8Array[], why: RegExp, pin = sha256Hex(first)): void =>
      expect(() => verifyRootChain(roots, pin, hash)).toThrow(why);
    refused([], /does not begin with the pinned root/);
    refused([], /does not begin with the pinned root/, '');
    refused([second], /does not begin with the pinned root/);
    refused([first, await rootOf(3, signers)], /version 2 is missing/);
    refused([first, second, first], /version 3 is missing/);
    refused([first, await rootOf(2, others)], /version 2\) is signed by 0 of the keys that .*version 1\) names/);
    const unsigned = JSON.parse(new TextDecoder().decode(await rootOf(2, others, [signers]))) as {
      signatures: { keyid: string }[];
    };
    const old = Object.keys((JSON.parse(new TextDecoder().decode(first)) as { signed: { keys: object } }).signed.keys);
    unsigned.signatures = unsigned.signatures.filter(({ keyid }) => old.includes(keyid));
    refused(
      [first, new TextEncoder().encode(JSON.stringify(unsigned))],
      /version 2\) is signed by 0 of the keys that .*version 2\) names/,
    );
    refused([first, new TextEncoder().encode('no JSON')], /root 2 of its chain is no JSON/);
  });

  test('has a bound, and as many roots as that fit into the record', async () => {
    const [first, second] = [await rootOf(1, signers), await rootOf(2, others, [signers])];
    const many = Array.from({ length: LIMITS.root_chain_max + 1 }, () => first);
    expect(() => verifyRootChain(many, sha256Hex(first), hash)).toThrow(`more than ${LIMITS.root_chain_max} roots`);
    // Roots of the usual four roles, signed twice as in a rotation, in base64.
    const recordBytes = LIMITS.root_chain_max * Math.ceil((second.length * 4) / 3 + 4);
    expect(recordBytes).toBeLessThan(LIMITS.record_bytes_max - 64 * 1024);
  });

  test('that was refused leaves the keystore as it was', async () => {
    const { open } = await bench();
    const first = await rootOf(1, signers);
    await open().provision(first, {});
    const keystore = open();
    await expect(keystore.setTrustedRoot(await rootOf(2, others))).rejects.toMatchObject({ code: 'keystore_failed' });
    await keystore.raise({ n: 1 });
    expect(await open().trustedRoot()).toEqual(first);
    expect(await open().counter('n')).toBe(1);
  });
});

describe('provisioning', () => {
  test('is refused once the record is lost: that is for a person to decide', async () => {
    const { fs, open } = await bench();
    const root = await rootOf(1, signers);
    await open().provision(root, {});
    await open().raise({ 'tuf.timestamp.ab': 9 });
    for (const path of [PATH, `${PATH}.copy`]) await fs.unlink(path);
    await expect(open().provision(root, {})).rejects.toThrow(/data partition was lost/);
  });

  test('goes on when it was cut off between the pin and the first anchor', async () => {
    const { hardware, open } = await bench();
    const root = await rootOf(1, signers);
    await hardware.provision(sha256Hex(root), { 'rollback.cam.rootfs': 2 });
    await expect(open().counters()).rejects.toThrow(/keystore provision/);
    expect(await open().provision(root, { 'rollback.cam.rootfs': 2 })).toBe('done');
    expect(await open().counter('rollback.cam.rootfs')).toBe(2);
  });

  test('records without an anchor in the hardware are not believed', async () => {
    const { hardware, open } = await bench();
    await open().provision(await rootOf(1, signers), {});
    hardware.state.anchor = null;
    await expect(open().trustedRoot()).rejects.toMatchObject({ code: 'keystore_failed' });
  });
});

describe('the TPM keystore', () => {
  const NAME = 'rollback.cam.rootfs';

  test('that is asked for too large a step refuses it, and the next one of a usual size is taken', async () => {
    const fs = new MemoryFileSystem();
    await fs.makeFolder('/data');
    const { run } = new FakeTpm();
    const options = { run, hash, nvBase: 0x1800100, counterNames: [NAME], tcti: null, deadlineMs: 1000 };
    const open = () => new AnchoredKeystore({ fs, hash, path: PATH, hardware: new Tpm2(options) });
    await open().provision(await rootOf(1, signers), {});
    expect(open().stepMax).toBe(4096);
    await expect(open().raise({ [NAME]: 20261127 })).rejects.toThrow(/at most 4096 steps/);
    expect(await open().counter(NAME)).toBe(0);
    await open().raise({ 'tuf.timestamp.ab': 1 });
    await open().raise({ [NAME]: 1 });
    expect(await open().counters()).toEqual({ [NAME]: 1, 'tuf.timestamp.ab': 1 });
  });

  test('calls no tool but those it needs for a poll that finds nothing new', async () => {
    const fs = new MemoryFileSystem();
    await fs.makeFolder('/data');
    const tpm = new FakeTpm();
    const options = { run: tpm.run, hash, nvBase: 0x1800100, counterNames: [NAME], tcti: null, deadlineMs: 1000 };
    const open = () => new AnchoredKeystore({ fs, hash, path: PATH, hardware: new Tpm2(options) });
    await open().provision(await rootOf(1, signers), {});
    await open().raise({ [NAME]: 1 });
    const keystore = open();
    await keystore.trustedRoot();
    tpm.calls.length = 0;
    await keystore.raise({ [NAME]: 1 });
    expect(tpm.calls).not.toContain('tpm2_nvwrite');
    expect(tpm.calls).not.toContain('tpm2_nvincrement');
  });
});

test('the configuration chooses the keystore', async () => {
  const text = (lines: string): string =>
    `[device]\ncontroller_id = "d"\nproduct = "cam"\nhardware = "v1"\n[server]\nurl = "http://h"\n[data]\nfolder = "/d"
[trust]\nroot = "/r"\n[slots]\nA = "/a"\nB = "/b"\n[keystore]\n${lines}\n`;
  const made = (lines: string) => {
    const parts = { fs: new MemoryFileSystem(), hash, run: new FakeTpm().run };
    return makeKeystore(parseConfig(text(lines), '/', 'x.toml'), parts);
  };
  expect(made('')).toBeInstanceOf(FileKeystore);
  expect(made('backend = "tpm2"\nnv_base = 0x1800200')).toBeInstanceOf(AnchoredKeystore);
  const token = 'backend = "pkcs11"\nmodule = "/lib/x.so"\ntoken = "t"\npin_file = "/pin"';
  expect(made(token)).toBeInstanceOf(AnchoredKeystore);
  expect(() => made('backend = "tpm2"\nnv_base = 0x1c00000')).toThrow(/nv_base/);
  expect(() => made('backend = "tpm2"\ncounters = ["tuf.root"]')).toThrow(/counters/);
  expect(() => made('backend = "pkcs11"\npin = "1234"')).toThrow();
});
