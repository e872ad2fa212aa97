/**
 * The table at the end of the demo.
 * @module
 */
import { say } from './stage.ts';

/** All of it measured in one run. */
export interface Measured {
  readonly imageBytes: number;
  readonly payloadBytes: number;
  readonly bsdiffBytes: number | null;
  readonly downloadedBytes: number;
  readonly downloadedTwiceBytes: number;
  readonly linkBitsPerSecond: number;
  /** From the first start of the agent to the armed slot, the pause between the two processes left out. */
  readonly secondsOfAgent: number;
  readonly sourceReadBytes: number;
  readonly targetReadBytes: number;
  readonly targetWrittenBytes: number;
  readonly peakBytes: number;
  readonly emptyProcessBytes: number;
}

export function printTable(measured: Measured): void {
  const count = (value: number): string => value.toLocaleString('en-US');
  const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`;
  const seconds = (bytes: number): string => `${((bytes * 8) / measured.linkBitsPerSecond).toFixed(1)} s`;
  const { imageBytes, payloadBytes, bsdiffBytes } = measured;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const rows: [string, string, string][] = [
    ['full image', `${count(imageBytes)} bytes`, `${seconds(imageBytes)} on the link`],
    ['payload', `${count(payloadBytes)} bytes`, `${share(payloadBytes, imageBytes)} of the image`],
    bsdiffBytes === null
      ? ['bsdiff patch', 'not to be had here', '']
      : ['bsdiff patch', `${count(bsdiffBytes)} bytes`, `the payload is ${share(payloadBytes, bsdiffBytes)} of it`],
    ['payload on the link', seconds(payloadBytes), `at ${count(measured.linkBitsPerSecond)} bit/s`],
    ['agent, start to armed', `${measured.secondsOfAgent.toFixed(1)} s`, 'two starts of the process included'],
    ['bytes downloaded', count(measured.downloadedBytes), `${count(measured.downloadedTwiceBytes)} of them twice`],
    ['target bytes read back', count(measured.targetReadBytes), `${count(measured.targetWrittenBytes)} written`],
    [
      'source bytes read',
      count(measured.sourceReadBytes),
      `${share(measured.sourceReadBytes, imageBytes)} of the image`,
    ],
    [
      'peak memory of the agent',
      mib(measured.peakBytes),
      `${mib(measured.emptyProcessBytes)} is an empty Node process`,
    ],
  ];
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  for (const [name, value, remark] of rows) say(`   ${name.padEnd(width(0))}  ${value.padStart(width(1))}  ${remark}`);
}
