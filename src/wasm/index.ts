/**
 * The hot loops in WebAssembly: `engraft/wasm`, for every runtime that has it. Each gives what its twin in
 * `engraft/native-free` gives, byte for byte, and falls back to that where WebAssembly cannot be had.
 *
 * `modelCoder` is what `ApplyOptions.models` takes, `suffixArrayWasm` what the matchers of `engraft/native-free/diff`
 * sort with; it throws UpdateError `usage_invalid` for an array of another length, and else neither throws.
 *
 * @example
 * const copy = new Uint8Array(target.length);
 * const parts = { payload: bytesSource(payload), source: memorySource(source), sink: memorySink(copy) };
 * for await (const event of applyPayload({ ...parts, models: modelCoder })) console.log(event.type);
 * @module
 */
export { modelCoder } from './mix-coder.ts';
export { suffixArrayWasm } from './suffix-sort.ts';
