import { writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** What a run of `node --test` came to, as JSON in the file that GANTRY_TEST_COUNTS names. */
export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
  /** `file: name` of each. */
  failures: string[];
  skips: { test: string; reason: string }[];
  /** False while tests still run. */
  complete: boolean;
}

const MOST_OUTPUT = 20_000;

/**
 * Reports for people: a line a file, each failure whole with what its file printed, each skip with its
 * reason. Not counted: suites, and parents that failed only by a child. Counted as failed: files that ran no
 * test, and skips without a reason.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const run = new Run();
  for await (const event of events) yield* run.take(event);
  run.counts.complete = true;
  run.save();
}

interface FileState {
  tests: number;
  failed: number;
  output: string;
  last: string;
}

class Run {
  readonly counts: TestCounts = {
    passed: 0,
    failed: 0,
    skipped: 0,
    failures: [],
    skips: [],
    complete: false,
  };
  readonly #files = new Map<string, FileState>();

  *take(event: TestEvent): Generator<string> {
    switch (event.type) {
      case 'test:dequeue':
        if (event.data.file) this.#file(event.data.file).last = event.data.name;
        return;
      case 'test:stdout':
      case 'test:stderr':
        this.#printed(event.data.file, event.data.message);
        return;
      case 'test:pass':
        yield* this.#passed(event.data);
        return;
      case 'test:fail':
        yield* this.#failed(event.data);
        return;
      case 'test:summary':
        if (event.data.file) yield this.#fileDone(event.data.file, event.data.duration_ms);
        this.save();
        return;
      case 'test:interrupted':
        for (const { file } of event.data.tests) {
          if (file) yield* this.#fail(file, `was ended while it ran "${this.#file(file).last}"`);
        }
        this.save();
        return;
    }
  }

  save(): void {
    const path = process.env.GANTRY_TEST_COUNTS;
    if (path) writeFileSync(path, JSON.stringify(this.counts));
  }

  *#passed(data: Result): Generator<string> {
    const file = data.file ?? '';
    if (data.skip !== undefined || data.todo !== undefined) {
      yield* this.#skipped(data, file);
    } else if (isFile(data)) {
      yield* this.#fail(file, 'ran no test');
    } else if (data.details.type !== 'suite') {
      this.counts.passed++;
      this.#file(file).tests++;
    }
  }

  *#skipped(data: Result, file: string): Generator<string> {
    const reason = typeof data.skip === 'string' ? data.skip : data.todo;
    if (typeof reason !== 'string' || reason.trim() === '') {
      yield* this.#fail(file, `${data.name}: skipped without a reason`);
      return;
    }
    this.counts.skipped++;
    this.#file(file).tests++;
    this.counts.skips.push({ test: `${short(file)}: ${data.name}`, reason });
    yield `  - skipped: ${data.name}: ${reason}\n`;
  }

  *#failed(data: FailedResult): Generator<string> {
    const file = data.file ?? '';
    if (data.todo !== undefined) return yield* this.#skipped(data, file);
    const error = data.details.error as Error & { failureType?: string; cause?: unknown };
    if (error.failureType === 'subtestsFailed') return;
    const what = isFile(data) ? 'the file failed' : data.name;
    yield* this.#fail(file, what, `${short(file)}:${data.line ?? 0}\n${explain(error)}`);
  }

  *#fail(file: string, what: string, detail = ''): Generator<string> {
    const state = this.#file(file);
    this.counts.failed++;
    state.failed++;
    state.tests++;
    this.counts.failures.push(`${short(file)}: ${what}`);
    yield `\n  ✗ FAILED: ${what}\n${indent(detail || short(file))}\n`;
    if (state.output) yield `${indent(`printed by the file:\n${state.output}`)}\n`;
    state.output = '';
  }

  #fileDone(file: string, milliseconds: number): string {
    const { tests, failed } = this.#file(file);
    const mark = failed > 0 ? '✗' : '✓';
    // Tests that a shared suite defines are counted, but under that suite's own file.
    const count = tests > 0 ? `${tests} tests, ` : '';
    return `  ${mark} ${short(file)}  ${count}${(milliseconds / 1000).toFixed(1)} s\n`;
  }

  #printed(file: string | undefined, text: string): void {
    const state = this.#file(resolve(file ?? ''));
    state.output = (state.output + text).slice(-MOST_OUTPUT);
  }

  #file(file: string): FileState {
    let state = this.#files.get(file);
    if (!state) {
      state = { tests: 0, failed: 0, output: '', last: '' };
      this.#files.set(file, state);
    }
    return state;
  }
}

type FailedResult = Extract<TestEvent, { type: 'test:fail' }>['data'];
type Result = Extract<TestEvent, { type: 'test:pass' }>['data'] | FailedResult;

/** The runner reports a file as a test of its own where it held none or ended by itself. */
function isFile(data: Result): boolean {
  return data.nesting === 0 && data.file !== undefined && resolve(data.name) === data.file;
}

function explain(error: Error & { cause?: unknown }): string {
  const cause = error.cause ?? error;
  return inspect(cause, { depth: 6, breakLength: 100, maxStringLength: 8000 });
}

function short(file: string): string {
  return relative(process.cwd(), file);
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ').trimEnd();
}
