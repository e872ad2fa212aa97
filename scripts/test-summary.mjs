/**
 * The last line of CI: `N passed, N failed, N skipped`, counted from vitest's own JSON report. Exits 1 when the report
 * is missing or names no passed test, so that a run without tests cannot pass.
 */
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = report;
for (const file of report.testResults) {
  for (const test of file.assertionResults) {
    if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (!(passed > 0) || failed > 0 || !report.success) process.exitCode = 1;
