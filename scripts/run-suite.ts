import { type ChildProcess, spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topologyNamed, topologyObstacle } from '../conformance/topologies/topology.ts';
import type { TestCounts } from './test-reporter.ts';
import type { CheckSuite, FileSuite, Suite } from './test-suites.ts';

export interface SuiteResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Seconds that it may take; undefined where not all of it ran. */
  readonly budget?: number;
  readonly failures: readonly string[];
  readonly skips: readonly { readonly test: string; readonly reason: string }[];
}

export interface RunOptions {
  readonly root: string;
  readonly quick: boolean;
  /** In place of the suite's own. */
  readonly topology?: string | undefined;
  /** Only files whose path holds one of these; all where it is empty. */
  readonly filters: readonly string[];
  /** Takes a whole line. */
  readonly say: (line: string) => void;
  /** Takes what the suite prints, as it comes. */
  readonly print: (text: string) => void;
  /** Ends what runs. */
  readonly signal: AbortSignal;
}

type Outcome = Omit<SuiteResult, 'name' | 'seconds' | 'budget'>;

/** Runs one suite to its end. Never rejects: a suite that crashes or runs no test counts as failed. */
export async function runSuite(suite: Suite, options: RunOptions): Promise<SuiteResult> {
  const start = performance.now();
  let outcome: Outcome;
  if (options.quick && suite.notQuick) {
    options.say(`  - skipped: ${suite.notQuick}`);
    outcome = skippedWhole(suite.name, suite.notQuick);
  } else if (suite.kind === 'check') {
    outcome = await runCheck(suite, options);
  } else {
    outcome = await runFiles(suite, options);
  }
  const whole = !options.quick && options.filters.length === 0 && !options.topology;
  return {
    ...{ name: suite.name, seconds: (performance.now() - start) / 1000 },
    ...(whole && { budget: suite.budget * 60 }),
    ...outcome,
  };
}

function skippedWhole(name: string, reason: string): Outcome {
  return { passed: 0, failed: 0, skipped: 1, failures: [], skips: [{ test: name, reason }] };
}

function failedWhole(why: string): Outcome {
  return { passed: 0, failed: 1, skipped: 0, failures: [why], skips: [] };
}

async function runCheck(suite: CheckSuite, options: RunOptions): Promise<Outcome> {
  const output: string[] = [];
  const ended = await run(suite.program, {}, suite, options, (text) => output.push(text));
  if (ended === undefined) return { passed: 1, failed: 0, skipped: 0, failures: [], skips: [] };
  options.say(output.join('').trimEnd());
  return failedWhole(ended);
}

export function matchingFiles(
  suite: FileSuite,
  { root, filters }: Pick<RunOptions, 'root' | 'filters'>,
): string[] {
  return globSync([...suite.files], { cwd: root })
    .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
    .sort();
}

async function runFiles(suite: FileSuite, options: RunOptions): Promise<Outcome> {
  const matching = matchingFiles(suite, options);
  const slow = new Set(
    options.quick ? globSync([...(suite.slow?.files ?? [])], { cwd: options.root }) : [],
  );
  // A file that was asked for by its path runs, however slow it is.
  const left = options.filters.length > 0 ? [] : matching.filter((file) => slow.has(file));
  const files = matching.filter((file) => !left.includes(file));
  if (files.length === 0) {
    options.say(`  ✗ FAILED: there is no test file: ${suite.files.join(' ')}`);
    return failedWhole('there is no test file');
  }
  const topology = options.topology ?? (suite.topology === 'any' ? undefined : suite.topology);
  const obstacle = topology && topologyObstacle(topologyNamed(topology));
  if (obstacle) {
    options.say(`  - skipped: ${obstacle}`);
    return skippedWhole(suite.name, obstacle);
  }
  if (suite.byHand) options.say(`  not here: ${suite.byHand}`);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-test-'));
  const countsFile = join(folder, 'counts.json');
  try {
    const args = [
      '--test',
      `--test-reporter=${join(options.root, 'scripts', 'test-reporter.ts')}`,
      '--test-reporter-destination=stdout',
      // Much of the quick set waits for time-outs: more at once fill the waits.
      `--test-concurrency=${suite.atOnce + (options.quick && suite.atOnce > 1 ? 2 : 0)}`,
      ...(suite.setup ? [`--test-global-setup=${suite.setup}`] : []),
      ...files,
    ];
    const env = {
      GANTRY_TEST_COUNTS: countsFile,
      GANTRY_TEST_FOLDER: folder,
      GANTRY_TEST_TOPOLOGY: topology,
      GANTRY_TEST_QUICK: options.quick ? '1' : undefined,
    };
    const ended = await run(args, env, suite, options, options.print);
    return withSkips(judge(readCounts(countsFile), ended, options.say), left, suite.slow?.why);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function withSkips(outcome: Outcome, files: readonly string[], why = ''): Outcome {
  const skips = files.map((test) => ({ test, reason: why }));
  return {
    ...outcome,
    skipped: outcome.skipped + files.length,
    skips: [...outcome.skips, ...skips],
  };
}

/** What the counts come to, and one failure more where the run ended otherwise than they say. */
export function judge(
  counts: TestCounts | undefined,
  ended: string | undefined,
  say: (line: string) => void,
): Outcome {
  const { passed = 0, failed = 0, skipped = 0, failures = [], skips = [] } = counts ?? {};
  let why: string | undefined;
  if (!counts?.complete) why = ended ?? 'ended before its tests did';
  else if (ended !== undefined && failed === 0) why = ended;
  else if (passed + failed + skipped === 0) why = 'ran no test';
  if (why === undefined) return { passed, failed, skipped, failures, skips };
  say(`  ✗ FAILED: the suite ${why}`);
  return {
    passed,
    failed: failed + 1,
    skipped,
    failures: [...failures, `the suite ${why}`],
    skips,
  };
}

function readCounts(path: string): TestCounts | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as TestCounts;
  } catch {
    return undefined;
  }
}

/** Undefined: ended well. The program leads a process group of its own, so that nothing outlives it. */
function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  suite: Suite,
  options: RunOptions,
  take: (text: string) => void,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const child = spawn(process.execPath, [...args], {
    cwd: options.root,
    // Node's runner would take a run within a run for a mistake.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let cut: string | undefined;
  const end = (why: string): void => {
    cut = why;
    endGroup(child);
  };
  const onAbort = (): void => end('was interrupted');
  const limit = setTimeout(() => end(`took longer than ${suite.limit} min`), suite.limit * 60_000);
  options.signal.addEventListener('abort', onAbort);
  if (options.signal.aborted) onAbort();
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
  child.on('error', (error) => resolve(`could not be started: ${error.message}`));
  child.on('close', (code, signal) => {
    clearTimeout(limit);
    options.signal.removeEventListener('abort', onAbort);
    signalGroup(child, 'SIGKILL');
    resolve(cut ?? (code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`));
  });
  return promise;
}

/** The test runner names what was running on SIGINT, and ends its files. */
function endGroup(child: ChildProcess): void {
  child.kill('SIGINT');
  const hard = setTimeout(() => signalGroup(child, 'SIGKILL'), 5000);
  child.on('close', () => clearTimeout(hard));
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal);
  } catch {
    // The whole group is gone.
  }
}
