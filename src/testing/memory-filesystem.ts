/**
 * A file system in memory that knows the difference between written and durable.
 *
 * Contents become durable by `sync`, names by `syncFolder`. `crash` throws away what was not durable, or keeps it all:
 * real storage may do either. Folders are durable when made (a simplification: the agent makes them once).
 * @module
 */
import { SimulatedStorage } from './simulated-storage.ts';

export class MemoryFileSystem extends SimulatedStorage {
  override capacityBytes = 2 ** 40;

  override async makeFolder(path: string): Promise<void> {
    this.placeFolder(path);
  }

  /** The power was cut: unsynced writes and names are all `kept` or all `lost`. */
  crash(unsynced: 'kept' | 'lost'): void {
    this.cut(unsynced === 'kept' ? 'all' : 'none', () => 0);
  }
}
