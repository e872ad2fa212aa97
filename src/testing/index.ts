/**
 * Parts for tests, ours and users': a simulated storage with power cuts, a network that drops, a clock that jumps, a
 * boot loader that counts tries, sources and slots that count: `engraft/testing`. What they throw are errors as
 * node:fs throws them (`errnoError`), at a cut the one that `isPowerCut` knows, and UpdateError as what they stand for:
 * `link_failed`, `slot_unreadable`, `slot_too_small`, `boot_unreadable`, `boot_unwritable`, `aborted`.
 *
 * @example
 * const disk = new MemoryFileSystem();
 * await disk.makeFolder('/data');
 * const fs = watchFileSystem(disk, faultyWatcher({ at: 1, code: 'ENOSPC', matches: ({ name }) => name === 'write' }));
 * const file = await fs.open('/data/record', 'create');
 * const code = await file.write(new Uint8Array(10), 0).catch((error) => error.code);
 * console.log(code); // ENOSPC
 * @module
 */
export { FakeBootLoader } from './boot-loader.ts';
export type { FakeBootLoaderOptions } from './boot-loader.ts';
export { FakeClock } from './fake-clock.ts';
export { CountingSource, MemorySlot } from './images.ts';
export { errnoError } from './errno-error.ts';
export { MemoryFileSystem } from './memory-filesystem.ts';
export { MemoryNetwork, serveBytes } from './memory-network.ts';
export type { LinkPlan, MemoryAnswer, MemoryHandler, MemoryNetworkOptions } from './memory-network.ts';
export { isPowerCut, Power } from './power.ts';
export { faultyWatcher, poweredFileSystem, watchFileSystem } from './watched-filesystem.ts';
export type { FileCall, FileFault, FileWatcher } from './watched-filesystem.ts';
export { bootOrder, SimulatedBootLoader } from './simulated-boot-loader.ts';
export type { LoaderVariables, SimulatedBoot, SimulatedBootLoaderOptions } from './simulated-boot-loader.ts';
export {
  environmentCounters,
  formatCopy,
  parseEnvironment,
  readEnvironment,
  SimulatedEnvironment,
  writeEnvironment,
} from './simulated-environment.ts';
export type { EnvironmentPlace, SimulatedEnvironmentOptions } from './simulated-environment.ts';
export { SimulatedStorage } from './simulated-storage.ts';
export type { CutPolicy } from './simulated-storage.ts';
export { below, seededRandom } from './seeded-random.ts';
export { StrictS3 } from './s3/strict-s3.ts';
export type { S3Fault } from './s3/strict-s3.ts';
export type { S3Credentials } from './s3/signature.ts';
