/**
 * Displacements to try, in the order in which they begin.
 * @module
 */
export class ProspectList {
  count = 0;
  from = new Int32Array(4096);
  displacement = new Int32Array(4096);

  /** Adds one; they come nearly in order, so that few are moved. */
  add(from: number, displacement: number): void {
    if (this.count === this.from.length) this.#grow();
    let i = this.count++;
    for (; i > 0 && this.from[i - 1]! > from; i--) {
      this.from[i] = this.from[i - 1]!;
      this.displacement[i] = this.displacement[i - 1]!;
    }
    this.from[i] = from;
    this.displacement[i] = displacement;
  }

  /** Forgets the first `count`. */
  shift(count: number): void {
    this.from.copyWithin(0, count, this.count);
    this.displacement.copyWithin(0, count, this.count);
    this.count -= count;
  }

  #grow(): void {
    const from = new Int32Array(this.count * 2);
    const displacement = new Int32Array(this.count * 2);
    from.set(this.from);
    displacement.set(this.displacement);
    this.from = from;
    this.displacement = displacement;
  }
}
