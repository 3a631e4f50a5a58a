import type { SuiteResult } from './run-suite.ts';

/** The end of a test run: what failed, what was skipped and why, a table, and the counted line. */
export function summary(results: readonly SuiteResult[]): string {
  const lines: string[] = [''];
  const failures = results.flatMap(({ name, failures }) => failures.map((f) => `${name}: ${f}`));
  if (failures.length > 0) lines.push('Failed:', ...failures.map((line) => `  ${line}`), '');
  const reasons = countReasons(results);
  if (reasons.size > 0) {
    lines.push('Skipped:', ...[...reasons].map(([reason, n]) => `  ${n} × ${reason}`), '');
  }
  const over = results.filter(({ seconds, budget = Infinity }) => seconds > budget);
  if (over.length > 0) {
    const told = over.map(
      ({ name, seconds, budget }) => `  ${name} took ${seconds.toFixed(0)} s of ${budget} s`,
    );
    lines.push('Over budget (CONTRIBUTING.md; no failure):', ...told, '');
  }
  lines.push(row('suite', 'passed', 'failed', 'skipped', 'seconds', 'budget'));
  for (const { name, passed, failed, skipped, seconds, budget = '' } of results) {
    lines.push(row(name, passed, failed, skipped, seconds.toFixed(1), budget).trimEnd());
  }
  const seconds = sum(results, 'seconds').toFixed(1);
  const [passed, failed, skipped] = totals(results);
  lines.push(row('all', passed, failed, skipped, seconds), '');
  lines.push(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return `${lines.join('\n')}\n`;
}

export function totals(results: readonly SuiteResult[]): [number, number, number] {
  return [sum(results, 'passed'), sum(results, 'failed'), sum(results, 'skipped')];
}

function sum(results: readonly SuiteResult[], key: 'passed' | 'failed' | 'skipped' | 'seconds') {
  return results.reduce((total, result) => total + result[key], 0);
}

function countReasons(results: readonly SuiteResult[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { reason } of results.flatMap(({ skips }) => skips)) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

function row(name: string, ...cells: (string | number)[]): string {
  return name.padEnd(12) + cells.map((cell) => String(cell).padStart(9)).join('');
}
