/** `npm test`: every suite in order, then a table, then one line that counts. Exit code 1 where any failed. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { readCommand } from './command.ts';
import { matchingFiles, runSuite, type SuiteResult } from './run-suite.ts';
import { parseTestArgs, type TestOptions, usage } from './test-options.ts';
import { type Suite, suites } from './test-suites.ts';
import { summary, totals } from './test-summary.ts';

const root = resolve(import.meta.dirname, '..');
const print = (text: string): void => {
  process.stdout.write(text);
};
const say = (line: string): void => print(`${line}\n`);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const listed = suites.map(({ name, about, notQuick }) => ({
    ...{ name, title: `${about}${notQuick ? ' (not with --quick)' : ''}` },
  }));
  const options = readCommand(args, { usage, parse: parseTestArgs, listed });
  if (typeof options === 'number') return options;
  const { filters } = options;
  if (filters.length === 0) return await runAll(options, options.selected);
  const matching = options.selected.filter(
    (suite) => suite.kind === 'files' && matchingFiles(suite, { root, filters }).length > 0,
  );
  if (matching.length > 0) return await runAll(options, matching);
  process.stderr.write(`there is no test file with ${filters.join(' or ')} in its path\n`);
  return 2;
}

async function runAll(options: TestOptions, selected: readonly Suite[]): Promise<number> {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => abort.abort());
  }
  const ready = new Set<string>();
  const results: SuiteResult[] = [];
  for (const suite of selected) {
    if (abort.signal.aborted) break;
    say(`\n== ${suite.name}: ${suite.about}`);
    if (!options.quick) installTools(suite, ready);
    const { quick, filters, topology } = options;
    const result = await runSuite(suite, {
      root,
      quick,
      filters,
      topology,
      say,
      print,
      signal: abort.signal,
    });
    results.push(result);
    const { passed, failed, skipped, seconds } = result;
    say(`  ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds.toFixed(1)} s`);
  }
  process.stdout.write(summary(results));
  return totals(results)[1] === 0 && !abort.signal.aborted ? 0 : 1;
}

/** What cannot be had is said there, and is a skip with its reason in each test that needs it. */
function installTools(suite: Suite, ready: Set<string>): void {
  const tools = suite.kind === 'files' ? suite.tools : undefined;
  if (!tools || ready.has('all') || (tools !== 'all' && tools.every((tool) => ready.has(tool)))) {
    return;
  }
  const only = tools === 'all' ? [] : ['--only', tools.join(',')];
  const program = resolve(root, 'conformance', 'tools', 'install.ts');
  const { status, signal } = spawnSync(process.execPath, [program, ...only], { stdio: 'inherit' });
  if (status !== 0) say(`  conformance/tools/install.ts ended with ${signal ?? `code ${status}`}`);
  for (const tool of tools === 'all' ? ['all'] : tools) ready.add(tool);
}
